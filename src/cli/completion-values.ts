/**
 * `uplift completion-values`: the ids that fit a place on a command line, while somebody types it. What cannot be had
 * at once is not had at all: no word on stderr, no exit code that a shell would look at.
 */
import type { JobSummary } from '../api/views.ts';
import { loadRig } from '../config/load.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { DeviceView } from '../gateway/control.ts';
import type { PlaceOptions } from './api-place.ts';
import type { ValueKind } from './completion-kinds.ts';
import { clientOf } from './job.ts';
import type { Output } from './output.ts';

export interface ValueOptions extends PlaceOptions {
  rig?: string;
}

/** Longer nobody waits for a key that they pressed. */
const LIMIT_MS = 1_000;
const JOBS_MAX = 100;

export async function completionValues(
  kind: ValueKind,
  options: ValueOptions,
  output: Output,
): Promise<ExitCode> {
  const limit = new Promise<string[]>((none) => setTimeout(none, LIMIT_MS, []).unref());
  const values = await Promise.race([valuesOf(kind, options).catch(() => []), limit]);
  if (values.length > 0 || output.json) output.result({ values }, values);
  // A request that is still under way holds the process up no longer.
  setImmediate(() => process.exit(EXIT.done));
  return EXIT.done;
}

async function valuesOf(kind: ValueKind, options: ValueOptions): Promise<string[]> {
  if (kind === 'devices' && options.rig !== undefined) {
    return loadRig(options.rig).devices.map(({ id }) => id);
  }
  const client = clientOf(options, { silenceMs: LIMIT_MS });
  if (kind === 'devices') {
    const { devices } = await client.get<{ devices: DeviceView[] }>('/devices');
    return devices.map(({ id }) => id);
  }
  const { jobs } = await client.get<{ jobs: JobSummary[] }>(`/jobs?open=true&limit=${JOBS_MAX}`);
  return jobs.map(({ id }) => id);
}
