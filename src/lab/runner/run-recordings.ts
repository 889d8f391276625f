/** The recordings of a lab: of each attempt one, kept where it failed; their contents are one folder's. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Rig } from '../../config/schema.ts';
import { MONOTONIC_CLOCK } from '../recording/clock.ts';
import type { LinkKind } from '../recording/format.ts';
import { openRecorder, type RecordingWriter } from '../recording/writer.ts';
import type { RunResult } from '../run-result.ts';
import type { PlannedRun } from './expand.ts';

const FOLDER = 'recordings';

export interface RunRecordingsOptions {
  /** Of the lab. */
  folder: string;
  /** Of Uplift. */
  version: string | undefined;
  /** Also of runs that passed. */
  keepsAll: boolean;
}

export class RunRecordings {
  private readonly options: RunRecordingsOptions;

  constructor(options: RunRecordingsOptions) {
    this.options = options;
  }

  /** Those of attempts that ended with their runner are of no result, and cut off somewhere. */
  dropCutOff(attempts: readonly RunResult[]): void {
    const folder = join(this.options.folder, FOLDER);
    const told = new Set(attempts.map(({ recording }) => recording && basename(recording.path)));
    const names = existsSync(folder) ? readdirSync(folder) : [];
    for (const name of names) {
      if (name.endsWith('.uplrec') && !told.has(name)) rmSync(join(folder, name), { force: true });
    }
  }

  /** @throws UpliftError */
  open({ id, seed, scenario }: PlannedRun, attempt: number, rig: Rig): RecordingWriter {
    const { folder, version = 'unknown' } = this.options;
    return openRecorder(join(folder, FOLDER, `${fileName(id)}-${attempt}.uplrec`), {
      ...{ version, rig: rig.id, seed },
      device: rig.devices.map((device) => device.id).join(', '),
      startedAtMs: MONOTONIC_CLOCK.nowMs(),
      links: linkKinds(rig),
      about: { run: id, scenario: scenario.name, attempt },
    });
  }

  /** What a failure leaves can be looked at and done again; what passed is like any other that did. */
  settle(result: RunResult, { path, machines }: RecordingWriter): RunResult {
    if (this.options.keepsAll || result.outcome === 'failed')
      return { ...result, recording: { path: join(FOLDER, basename(path)), machines } };
    rmSync(path, { force: true });
    return result;
  }
}

function linkKinds({ hubs, coordinators }: Rig): Record<string, LinkKind> {
  const kinds: Record<string, LinkKind> = {};
  for (const { id, model } of hubs) kinds[id] = model.smp ? 'smp' : 'bootloader';
  for (const { id, adapter } of coordinators) if (adapter === 'zstack') kinds[id] = 'znp';
  return kinds;
}

/** Short enough for a path, and of one run alone. */
function fileName(run: string): string {
  const digest = createHash('sha256').update(run).digest('hex').slice(0, 8);
  const words = run.replace(/[^A-Za-z0-9.]+/g, '-').slice(0, 60);
  return `${words}-${digest}`;
}
