/**
 * Does to new machines what was done to those of a recording, in the same order and at the same times, and
 * holds what they send and say against what was recorded. A machine is handed all that it knows, time
 * included: the same program does exactly the same again, and one that was changed differs where the change
 * first shows.
 */
import type { TracedFrame } from '../trace/frame.ts';
import { otaText } from '../trace/ota-text.ts';
import { bytesText, decoderOf } from '../trace/trace.ts';
import type { RecordedCall, Recording } from './format.ts';
import { isMachineKind, MACHINES, type MachineKind, type MachineType } from './machines.ts';
import { type Contents, decodeValue, encodeValue } from './values.ts';

export interface ReplayCounts {
  machines: number;
  calls: number;
  /** By the machines, and compared. */
  sentBytes: number;
}

export interface ReplayDifference {
  /** `sent`: bytes. `said`: an event or a command. `failed`: the machine threw. */
  what: 'sent' | 'said' | 'failed';
  link: string;
  machine: string;
  /** Which call into the machine, from 0. */
  call: number;
  /** Since the start of the recording. */
  atUs: number;
  /** Of the first byte that differs, in all that the machine sent; of `said` and `failed`, of the next. */
  offset: number;
  expected: string;
  actual: string;
}

/** Why there is nothing to be held against. */
export const REPLAY_REFUSALS = {
  'replay-nothing': 'The recording holds no machine: it was made of the bytes of links only.',
  'replay-machine-unknown': 'The recording holds a machine that this program does not know.',
  'replay-settings': 'The recording does not hold all that its machine was made of.',
  'replay-call': 'The recording holds a call that its machine does not have.',
} as const;

export type ReplayRefusalCode = keyof typeof REPLAY_REFUSALS;

export type ReplayOutcome =
  | ({ kind: 'same' } & ReplayCounts)
  | ({ kind: 'differs'; difference: ReplayDifference } & ReplayCounts)
  | { kind: 'refused'; code: ReplayRefusalCode; detail: string };

export interface ReplayOptions {
  contents?: Contents;
  /** In place of the machines of this program, for a test of the replay. */
  machines?: Readonly<Record<MachineKind, MachineType>>;
}

export function replayRecording(
  { records }: Recording,
  { contents, machines = MACHINES }: ReplayOptions = {},
): ReplayOutcome {
  const running = new Map<string, Replayed>();
  const counts: ReplayCounts = { machines: 0, calls: 0, sentBytes: 0 };
  for (const record of records) {
    const { link, atUs } = record;
    if (record.kind === 'machine') {
      const { machine, settings } = record;
      if (!isMachineKind(machine)) return refused('replay-machine-unknown', machine);
      const decoded = decodeValue(settings, contents);
      if (decoded === undefined) return refused('replay-settings', machine);
      const made = make(machines[machine], decoded.value);
      if (made === undefined) return refused('replay-settings', machine);
      running.set(link, new Replayed(link, machine, machines[machine], made, counts));
      counts.machines++;
    } else if (record.kind === 'call') {
      const replayed = running.get(link);
      if (replayed === undefined) return refused('replay-call', record.call.method);
      const found = replayed.call(record.call, atUs, contents);
      if (found === undefined) continue;
      return typeof found === 'string'
        ? refused(found, record.call.method)
        : { kind: 'differs', difference: found, ...counts };
    }
  }
  return counts.machines === 0 ? refused('replay-nothing', '') : { kind: 'same', ...counts };
}

/** Undefined where the settings are none of that machine's. */
function make(type: MachineType, settings: unknown): object | undefined {
  try {
    return type.make(settings as never);
  } catch {
    return undefined;
  }
}

class Replayed {
  private readonly link: string;
  private readonly kind: MachineKind;
  private readonly type: MachineType;
  private readonly machine: object;
  private readonly counts: ReplayCounts;
  private calls = 0;
  private sentBytes = 0;

  constructor(
    link: string,
    kind: MachineKind,
    type: MachineType,
    machine: object,
    counts: ReplayCounts,
  ) {
    this.link = link;
    this.kind = kind;
    this.type = type;
    this.machine = machine;
    this.counts = counts;
  }

  /** What is different, or why it cannot be done; undefined where it is the same. */
  call(
    { method, parameters, result }: RecordedCall,
    atUs: number,
    contents: Contents | undefined,
  ): ReplayDifference | ReplayRefusalCode | undefined {
    const isOutput = this.type.outputs.includes(method);
    const body = (this.machine as Record<string, unknown>)[method];
    if (!(isOutput || this.type.inputs.includes(method)) || typeof body !== 'function')
      return 'replay-call';
    const decoded = parameters.map((parameter) => decodeValue(parameter, contents));
    if (decoded.includes(undefined)) return 'replay-settings';
    let given: unknown;
    const place = { link: this.link, machine: this.kind, call: this.calls, atUs };
    try {
      const values = decoded.map((value) => value!.value);
      given = Reflect.apply(body, this.machine, values);
    } catch (error) {
      const actual = (error as Error).message;
      const expected = 'no error';
      return { what: 'failed', ...place, offset: this.sentBytes, expected, actual };
    }
    this.calls++;
    this.counts.calls++;
    if (!isOutput) return undefined;
    const isSent = method === 'pollTransmit';
    const actual = given === undefined ? undefined : encodeValue(given, undefined);
    if (sameValue(actual, result)) {
      if (isSent) this.count(sentOf(given));
      return undefined;
    }
    if (!isSent) {
      const said = { what: 'said', ...place, offset: this.sentBytes } as const;
      return { ...said, expected: saidText(result), actual: saidText(actual) };
    }
    const wanted = sentOf(result === undefined ? undefined : decodeValue(result, contents)?.value);
    const got = sentOf(given);
    return {
      ...({
        what: 'sent',
        ...place,
        offset: this.sentBytes + firstDifference(wanted, got),
      } as const),
      expected: this.sentText(wanted, atUs),
      actual: this.sentText(got, atUs),
    };
  }

  private count(bytes: Uint8Array | undefined): void {
    this.sentBytes += bytes?.length ?? 0;
    this.counts.sentBytes += bytes?.length ?? 0;
  }

  private sentText(bytes: Uint8Array | undefined, atUs: number): string {
    if (bytes === undefined) return 'nothing';
    const { linkKind } = this.type;
    if (linkKind === 'ota-server') return `${otaText(bytes)}; ${bytesText(bytes)}`;
    const decoder = decoderOf(linkKind);
    const frames: TracedFrame[] = [...decoder.take('down', bytes, atUs), ...decoder.rest(atUs)];
    return [...frames.map(({ text }) => text), bytesText(bytes)].join('; ');
  }
}

/** The bytes of what a machine wants sent: they themselves, or in an object with whom they are for. */
function sentOf(given: unknown): Uint8Array | undefined {
  if (given instanceof Uint8Array) return given;
  const bytes = (given as { bytes?: unknown } | undefined)?.bytes;
  return bytes instanceof Uint8Array ? bytes : undefined;
}

const NOTHING: Uint8Array = new Uint8Array(0);

function firstDifference(wanted = NOTHING, got = NOTHING): number {
  let at = 0;
  while (at < wanted.length && at < got.length && wanted[at] === got[at]) at++;
  return at;
}

/** Both are encoded, by the same code and from values that are built in the same order. */
function sameValue(actual: unknown, recorded: unknown): boolean {
  return JSON.stringify(actual) === JSON.stringify(recorded);
}

function saidText(encoded: unknown): string {
  return encoded === undefined ? 'nothing' : JSON.stringify(encoded);
}

function refused(code: ReplayRefusalCode, detail: string): ReplayOutcome {
  return { kind: 'refused', code, detail };
}
