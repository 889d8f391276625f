/**
 * TEST MATERIAL: devices that do what a seed says, in place of radios. A device is not its gateway: what
 * it was told and what it did is in a file that is only ever appended to, and goes on from there when the
 * gateway's process was killed.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { UpliftError } from '../../src/errors.ts';
import type {
  Field,
  FieldDevice,
  FieldEnd,
  FieldListener,
  FieldOwner,
  FieldRun,
  FieldTask,
} from '../../src/gateway/field.ts';
import type { SessionEvent } from '../../src/upgrade/session-messages.ts';
import type { FailureCode, SessionState } from '../../src/upgrade/states.ts';
import { SeededRandom } from '../../src/virtual/random.ts';

export const VERSIONS = { old: '01000000', new: '02000000' } as const;

/** `mends` refuses under its first command alone; `flaky` loses its first download under each. */
export const CHARACTERS = [
  'good',
  'tardy',
  'flaky',
  'mends',
  'refuses',
  'reverts',
  'silent',
] as const;
export type Character = (typeof CHARACTERS)[number];

/** Whatever it says, it says more within so long. */
const WITHIN_MS = 600_000;

/** `by`: the record of the gateway's journal that commanded it. */
export type FieldLine =
  | { what: 'begun'; device: string; by: number; announced: readonly string[] }
  | { what: 'activated'; device: string; by: number }
  | { what: 'ended'; device: string; by: number; code: FailureCode | 'done' };

/** Six of ten do well, whatever the seed. */
export function characterOf(seed: number, device: string): Character {
  const random = new SeededRandom(mixed(seed, device));
  random.next();
  const at = random.next() * 10;
  return at < 6 ? 'good' : CHARACTERS[1 + Math.floor(((at - 6) / 4) * 6)]!;
}

/** What becomes of a device by its nth command, from 1. */
export function outcomeOf(character: Character, command: number): FailureCode | 'done' {
  switch (character) {
    case 'refuses':
      return 'image-refused-by-device';
    case 'mends':
      return command === 1 ? 'image-refused-by-device' : 'done';
    case 'reverts':
      return 'device-reverted';
    case 'silent':
      return 'device-silent';
    default:
      return 'done';
  }
}

export function readLines(path: string): FieldLine[] {
  if (!existsSync(path)) return [];
  const text = readFileSync(path, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as FieldLine);
}

export interface ScriptedFieldOptions {
  devices: readonly FieldDevice[];
  seed: number;
  path: string;
  /** Of everything a device does. */
  slowness?: number;
}

export class ScriptedField implements Field {
  readonly devices: readonly FieldDevice[];
  readonly seed: number;
  private readonly path: string;
  private readonly lines: FieldLine[];
  private readonly random: SeededRandom;
  private readonly slowness: number;

  constructor({ devices, seed, path, slowness = 1 }: ScriptedFieldOptions) {
    this.devices = devices;
    this.seed = seed;
    this.path = path;
    this.lines = readLines(path);
    this.random = new SeededRandom(mixed(seed, `${this.lines.length}`));
    this.slowness = slowness;
  }

  start(listener: FieldListener): void {
    for (const link of new Set(this.devices.map(({ link }) => link))) listener.link(link, true, '');
  }

  run(task: FieldTask, owner: FieldOwner): FieldRun {
    return new ScriptedRun(this, task, owner);
  }

  async read(device: string): Promise<{ version: string }> {
    await new Promise((done) => setTimeout(done, this.pauseMs(10, 200)));
    if (!this.devices.some(({ id }) => id === device))
      throw new UpliftError('device-silent', 'there is no such device');
    return { version: versionOf(this.seed, device, this.lines) };
  }

  async close(): Promise<void> {}

  /** On disk as far as a process that is killed can tell. */
  write(line: FieldLine): void {
    appendFileSync(this.path, `${JSON.stringify(line)}\n`);
    this.lines.push(line);
  }

  of(device: string): FieldLine[] {
    return this.lines.filter((line) => line.device === device);
  }

  pauseMs(least: number, most: number): number {
    return this.slowness * (least + this.random.next() * (most - least));
  }
}

/** What it runs by what was done to it. */
export function versionOf(seed: number, device: string, lines: readonly FieldLine[]): string {
  const isReverting = characterOf(seed, device) === 'reverts';
  const isActivated = lines.some((line) => line.device === device && line.what === 'activated');
  return isActivated && !isReverting ? VERSIONS.new : VERSIONS.old;
}

class ScriptedRun implements FieldRun {
  private readonly field: ScriptedField;
  private readonly task: FieldTask;
  private readonly owner: FieldOwner;
  private readonly character: Character;
  private readonly outcome: FailureCode | 'done';
  private timer: NodeJS.Timeout | undefined;
  private isActivating = false;
  private isOver = false;

  constructor(field: ScriptedField, task: FieldTask, owner: FieldOwner) {
    this.field = field;
    this.task = task;
    this.owner = owner;
    const { device, commandedBy: by, announced } = task;
    const before = field.of(device);
    const begun = before.filter(({ what }) => what === 'begun');
    const commands = new Set([...begun.map((line) => line.by), by]);
    this.character = characterOf(field.seed, device);
    this.outcome = outcomeOf(this.character, commands.size);
    const isFirst = !begun.some((line) => line.by === by);
    field.write({ what: 'begun', device, by, announced });
    const isActivated = before.some((line) => line.what === 'activated' && line.by === by);
    if (isActivated) this.later(100, 500, () => this.confirm());
    else if (this.character === 'silent') this.later(200, 800, () => this.end('device-silent'));
    else this.later(100, 600, () => this.distribute(isFirst));
  }

  cancel(): boolean {
    if (this.isOver || this.isActivating) return false;
    this.owner.event({ kind: 'state', state: 'cancelled' });
    this.finish({ kind: 'final' });
    return true;
  }

  stop(): void {
    this.finish({ kind: 'stopped', detail: 'stopped' });
  }

  private distribute(isFirst: boolean): void {
    if (!this.say('staged', 'distributing')) return;
    const [least, most] = this.character === 'tardy' ? [4_000, 8_000] : [500, 3_000];
    this.later(least, most, () => {
      if (this.character === 'flaky' && isFirst) this.end('transfer-broken');
      else if (!this.say('distributed')) return;
      else if (this.outcome === 'image-refused-by-device') this.end(this.outcome);
      else this.activate();
    });
  }

  /** Only where its intent is on record: as a session does. */
  private activate(): void {
    const { device, commandedBy: by, announced } = this.task;
    const isAnnounced = announced.includes('activate');
    if (!isAnnounced && !this.owner.event({ kind: 'intent', intent: 'activate' })) return;
    this.isActivating = true;
    this.field.write({ what: 'activated', device, by });
    if (this.say('activating', 'confirming')) this.later(200, 1_000, () => this.confirm());
  }

  private confirm(): void {
    this.isActivating = true;
    this.end(this.outcome);
  }

  private say(...states: SessionState[]): boolean {
    const untilMs = Date.now() + WITHIN_MS;
    return states.every((state) => this.owner.event({ kind: 'state', state, untilMs }));
  }

  private end(code: FailureCode | 'done'): void {
    if (this.isOver) return;
    const { device, commandedBy: by } = this.task;
    this.field.write({ what: 'ended', device, by, code });
    const state: SessionEvent =
      code === 'done'
        ? { kind: 'state', state: 'done', runs: VERSIONS.new }
        : { kind: 'state', state: 'failed', code };
    this.owner.event(state);
    this.finish({ kind: 'final' });
  }

  private later(leastMs: number, mostMs: number, task: () => void): void {
    this.timer = setTimeout(
      () => {
        if (!this.isOver) task();
      },
      this.field.pauseMs(leastMs, mostMs),
    );
  }

  private finish(end: FieldEnd): void {
    if (this.isOver) return;
    this.isOver = true;
    clearTimeout(this.timer);
    this.owner.ended(end);
  }
}

function mixed(seed: number, text: string): number {
  let value = seed >>> 0;
  for (const character of text)
    value = (Math.imul(value ^ character.charCodeAt(0), 0x01000193) + 0x9e3779b9) >>> 0;
  return value;
}
