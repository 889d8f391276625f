/** `uplift flash`: upgrade now, with progress. Ctrl-C stops cleanly; the next flash goes on. */
import type { AdmissionFacts, DeviceFacts } from '../admission/facts.ts';
import { escapeText } from '../bytes/escape-text.ts';
import { someOf } from '../bytes/some-of.ts';
import type { RigDevice } from '../config/schema.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { type DeviceOutcome, type FlashEvent, flash as flashDevices } from '../gateway/flash.ts';
import { printable } from '../products/codes.ts';
import { HUB_SESSION_LIMITS } from '../upgrade/hub-session-messages.ts';
import { SESSION_LIMITS, type SessionLimits } from '../upgrade/session.ts';
import {
  decisionLines,
  explained,
  leftOutLines,
  refusalLines,
  type Told,
} from './decision-lines.ts';
import { stateCounts } from './device-table.ts';
import { activationOf, loadTargets, type RigOptions, type Targets, usage } from './inputs.ts';
import { bytesText, durationText, type Output, paint, table } from './output.ts';
import { boardKind, ProgressBoard, ringBell } from './progress.ts';
import { siteLine } from './site-line.ts';

export interface FlashOptions extends RigOptions {
  activate: string;
  wait?: string;
  bell?: boolean;
}

export async function flash(options: FlashOptions, output: Output): Promise<ExitCode> {
  const targets = loadTargets(options);
  const leftOut = targets.leftOut.map(({ id }) => id);
  const activation = activationOf(options.activate, Date.now());
  const waited = options.wait ? { contactMs: seconds(options.wait) } : {};
  const limits = {
    ppmid: { ...SESSION_LIMITS, ...waited },
    hub: { ...HUB_SESSION_LIMITS, ...waited },
  };
  const stop = new AbortController();
  const onInterrupt = () => {
    if (stop.signal.aborted) process.exit(EXIT.interrupted);
    output.event({ kind: 'stopping' }, stoppingText(targets.devices));
    stop.abort();
  };
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onInterrupt);
  const board = new ProgressBoard(boardKind(output));
  for (const device of targets.devices) {
    board.update(device.id, { silenceMaxMs: silenceMaxOf(device, limits.ppmid) }, Date.now());
  }
  try {
    const outcomes = await flashDevices(
      { ...targets, activation, limits },
      (event) => show(event, targets, board, output),
      stop.signal,
    );
    board.done();
    const troubled = outcomes.filter(({ exit }) => exit !== EXIT.done);
    output.result(
      { kind: 'result', outcomes: outcomes.map(plainOutcome), leftOut },
      [
        ...(outcomes.length === 1
          ? outcomeLines(outcomes[0]!, output)
          : manyLines(outcomes, output)),
        ...leftOutLines(leftOut),
      ],
      troubled.flatMap((outcome) => outcomeLines(outcome, output)),
    );
    return worst(outcomes);
  } finally {
    board.done();
    if (options.bell) ringBell();
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onInterrupt);
  }
}

/** Silent for longer in its transfer, a device is given up. */
function silenceMaxOf(device: RigDevice, { stallMs, stallsMax }: SessionLimits): number {
  if (device.kind === 'ppmid') return stallMs * (stallsMax + 1);
  const { answerTimeoutMs, attemptsMax } = device.model.serial;
  return answerTimeoutMs * attemptsMax;
}

/** What a device is left as is said when it is known; this is what can be said at once. */
function stoppingText(devices: readonly RigDevice[]): string {
  const bootloaders = devices.filter(
    (device) => device.kind === 'hub' && device.model.serial.protocol !== 'smp',
  );
  const told = 'stopping: telling the devices to wait (Ctrl-C again to leave at once)';
  if (bootloaders.length === 0) return told;
  const names = someOf(bootloaders.map(({ id }) => id));
  return `${told}; an upload that is stopped leaves ${names} in its bootloader, without an application`;
}

function show(event: FlashEvent, targets: Targets, board: ProgressBoard, output: Output): void {
  const nowMs = Date.now();
  if (event.kind === 'progress') {
    const { sentBytes, totalBytes, repeats, lastRequestMs } = event.sample;
    board.update(event.device.id, { sentBytes, totalBytes, repeats, lastRequestMs }, nowMs);
  }
  if (event.kind === 'failed') board.update(event.device.id, { state: 'failed' }, nowMs);
  if (event.kind === 'session' && event.event.kind === 'state') {
    board.update(event.device.id, { state: event.event.state }, nowMs);
  }
  if (output.json) {
    output.event(plain(event, targets));
    return;
  }
  const text = lineOf(event, targets, output.verbose);
  if (text !== undefined && !output.quiet) board.line(text);
}

function lineOf(event: FlashEvent, targets: Targets, verbose: boolean): string | undefined {
  switch (event.kind) {
    case 'session':
      return sessionLine(event, targets, verbose);
    case 'failed':
      return `${event.device.id}: ${stateText('failed', event.error.message)}`;
    case 'site':
      return siteLine(event.event, verbose);
    case 'progress':
      return undefined;
  }
}

function sessionLine(
  { device, event }: SessionReport,
  targets: Targets,
  verbose: boolean,
): string | undefined {
  const { id } = device;
  switch (event.kind) {
    case 'note':
      return `${id}: ${escapeText(event.text)}`;
    case 'state':
      return `${id}: ${stateText(event.state, event.detail)}`;
    case 'decision': {
      if (!verbose) return undefined;
      const on = [factsOf(device, event.device, targets)];
      return decisionLines({ subject: id, decision: event.decision, on }, false).join('\n');
    }
    case 'intent':
      return undefined;
  }
}

/** What a session decided on: of the device what it has said by then. */
function factsOf(
  device: RigDevice,
  said: DeviceFacts,
  { imageFor, list, policy }: Targets,
): AdmissionFacts {
  return { image: imageFor(device).facts, device: said, list, policy };
}

type SessionReport = Extract<FlashEvent, { kind: 'session' }>;

function plain(event: FlashEvent, targets: Targets): unknown {
  switch (event.kind) {
    case 'session': {
      const { device, event: said } = event;
      if (said.kind !== 'decision') return { device: device.id, ...said };
      const decision = explained(said.decision, factsOf(device, said.device, targets));
      return { device: device.id, kind: 'decision', facts: said.device, decision };
    }
    case 'failed': {
      const { code, message, expected, actual, next, exit } = event.error;
      const error = { code, message, expected, actual, next, exit };
      return { kind: 'failed', device: event.device.id, error };
    }
    case 'site':
      return event.event;
    case 'progress':
      return { kind: 'progress', device: event.device.id, ...event.sample };
  }
}

function plainOutcome({ decision, decidedOn, ...outcome }: DeviceOutcome): unknown {
  return { ...outcome, decision: decision && decidedOn && explained(decision, decidedOn) };
}

function stateText(state: string, detail: string | undefined): string {
  const colours: Record<string, 'green' | 'red' | 'yellow'> = {
    done: 'green',
    failed: 'red',
    refused: 'red',
    'unknown-outcome': 'yellow',
  };
  const colour = colours[state];
  return `${colour ? paint(colour, state) : state}${detail ? `, ${escapeText(detail)}` : ''}`;
}

/** One device, in full. */
function outcomeLines(outcome: DeviceOutcome, output: Output): string[] {
  const { device, eui64, port, state, detail, wallMs } = outcome;
  const refused = toldOf(device, [outcome]);
  if (refused) {
    return output.quiet ? refusalLines(refused) : decisionLines(refused, output.verbose);
  }
  return table([
    ['device', `${device} (${eui64 ?? port})`],
    ['outcome', stateText(state, detail)],
    ...adviceRows(outcome),
    ...(outcome.blocks > 0 ? [['sent', sentText(outcome)]] : []),
    ['took', durationText(wallMs)],
  ]);
}

/** Devices that were refused by one rule: the decision on the first, the facts of each. */
function toldOf(subject: string, outcomes: readonly DeviceOutcome[]): Told | undefined {
  const [first] = outcomes;
  if (first?.state !== 'refused' || !first.decision) return undefined;
  const on = outcomes.flatMap(({ decidedOn }) => decidedOn ?? []);
  return { subject, decision: first.decision, on };
}

/** A line a device, then why not for those that are not done, then the count. */
function manyLines(outcomes: DeviceOutcome[], output: Output): string[] {
  const rows = outcomes.map((outcome) => {
    const { device, state, detail, wallMs, blocks } = outcome;
    const sent = blocks > 0 ? sentText(outcome) : 'nothing sent';
    return [device, durationText(wallMs), sent, stateText(state, detail)];
  });
  const held = outcomes.find(({ state }) => state === 'awaiting-activation');
  const troubled = outcomes.filter(({ exit }) => exit !== EXIT.done);
  return [
    ...table(rows),
    ...groupedAdvice(troubled, output),
    ...(held ? ['', ...table(adviceRows(held))] : []),
    '',
    `${outcomes.length} devices: ${stateCounts(outcomes.map(({ state }) => state))}`,
  ];
}

/** Devices that the same befell are named together. */
function groupedAdvice(troubled: DeviceOutcome[], output: Output): string[] {
  const groups = new Map<string, DeviceOutcome[]>();
  for (const outcome of troubled) {
    const reason = outcome.decision?.ruleId ?? '';
    const said = [outcome.state, outcome.code, reason, outcome.actual, outcome.next].join('|');
    groups.set(said, [...(groups.get(said) ?? []), outcome]);
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    const { state, detail } = first!;
    const devices = someOf(group.map(({ device }) => device));
    const refused = toldOf(devices, group);
    if (refused) {
      return ['', ...(output.verbose ? decisionLines(refused, true) : refusalLines(refused))];
    }
    return ['', `${devices}: ${stateText(state, detail)}`, ...table(adviceRows(first!), '  ')];
  });
}

function adviceRows({ state, eui64, expected, actual, next }: DeviceOutcome): string[][] {
  return [
    ...(expected ? [['expected', printable(expected)]] : []),
    ...(actual ? [['found', printable(actual)]] : []),
    ...(next ? [['next', printable(next)]] : []),
    ...(state === 'awaiting-activation' ? [['next', HELD_ADVICE[eui64 ? 'ppmid' : 'hub']]] : []),
  ];
}

function sentText({ sentBytes, blocks, repeats }: DeviceOutcome): string {
  const again = repeats > 0 ? `, ${repeats} repeated` : '';
  return `${bytesText(sentBytes)} bytes in ${bytesText(blocks)} blocks${again}`;
}

/** Silence activates: most devices take ten unanswered questions for a yes (OTA client behaviour). */
const HELD_ADVICE = {
  ppmid:
    'activate with `uplift flash --activate now` and the same image; a held device asks hourly and may activate by itself if nobody answers',
  hub: 'activate with `uplift flash --activate now` and the same image: it is not sent again',
} as const;

/** The exit code of many: the same where all agree, else the first that is not done. */
function worst(outcomes: DeviceOutcome[]): ExitCode {
  return outcomes.find(({ exit }) => exit !== EXIT.done)?.exit ?? EXIT.done;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw usage('--wait', 'seconds, more than 0', text);
  return value * 1000;
}
