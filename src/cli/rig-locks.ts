/** `uplift rig lock|unlock|locks`: devices that a person keeps to themselves, and who has which. */
import { hostname, userInfo } from 'node:os';
import { loadRig } from '../config/load.ts';
import type { Rig } from '../config/schema.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { LEASE_MS_MAX, LeaseBook, type LeaseRecord, leaseWords } from '../lab/rig/leases.ts';
import { usage } from './inputs.ts';
import type { Output } from './output.ts';

export interface LockOptions {
  rig: string;
  device?: string[];
  for?: string;
  holder?: string;
  force?: boolean;
}

const UNITS_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const DURATION = 'a time such as 90s, 30m, 8h or 2d, 7d at the most';

export async function lock(options: LockOptions, output: Output): Promise<ExitCode> {
  const rig = loadRig(options.rig);
  const devices = namesOf(rig, options.device);
  const forMs = durationMs(options.for ?? '8h');
  const holder = options.holder ?? ownName();
  await LeaseBook.use(rig.stateFolder, (book) =>
    book.take(devices, { holder, forMs, outlivesProcess: true }),
  );
  const until = new Date(Date.now() + forMs).toISOString();
  output.result({ rig: rig.id, devices, holder, until }, [
    `${devices.join(', ')}: locked for ${holder} until ${until}`,
  ]);
  return EXIT.done;
}

export async function unlock(options: LockOptions, output: Output): Promise<ExitCode> {
  const rig = loadRig(options.rig);
  const devices = namesOf(rig, options.device);
  const ended = await LeaseBook.use(rig.stateFolder, (book) =>
    book.end(devices, options.force === true),
  );
  output.result({ rig: rig.id, ended }, [
    ...(ended.length === 0 ? ['nobody had any of them'] : []),
    ...ended.map((lease) => `ended ${leaseWords(lease)}`),
  ]);
  return EXIT.done;
}

export async function locks(options: LockOptions, output: Output): Promise<ExitCode> {
  const rig = loadRig(options.rig);
  const leases = await LeaseBook.inForce(rig.stateFolder);
  output.result({ rig: rig.id, leases }, [
    ...(leases.length === 0 ? ['nobody has any device of it'] : []),
    ...leases.map(leaseWords),
  ]);
  return EXIT.done;
}

/** Leases of devices of a rig that others have now, by device: what whoever asks has locked is theirs. */
export async function leasesOf(rig: Rig): Promise<ReadonlyMap<string, LeaseRecord>> {
  const leases = await LeaseBook.inForce(rig.stateFolder);
  const others = leases.filter(({ pid, holder }) => pid !== undefined || holder !== ownName());
  return new Map(others.map((lease) => [lease.device, lease]));
}

function ownName(): string {
  return `${userInfo().username}@${hostname()}`;
}

function namesOf({ devices, coordinators }: Rig, names: string[] | undefined): string[] {
  const known = [...devices, ...coordinators].map(({ id }) => id);
  if (names === undefined || names.length === 0) return devices.map(({ id }) => id);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw usage('--device', `one of ${known.join(', ')}`, unknown);
  return names;
}

function durationMs(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * (UNITS_MS[unit ?? ''] ?? Number.NaN);
  if (ms > 0 && ms <= LEASE_MS_MAX) return ms;
  throw usage('--for', DURATION, text);
}
