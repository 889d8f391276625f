/**
 * `uplift job ...`: what a running gateway is asked to do, over its socket. Changes are answered
 * with the state the job is in then; `show` tells what happened to it, in order.
 */
import { ApiClient, type ApiClientOptions, type ApiEvent } from '../api/client.ts';
import type { JobSummary, JobView } from '../api/views.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import type { GatewayRecord, ImageView } from '../gateway/control.ts';
import { FAILURES, type FailureCode } from '../upgrade/states.ts';
import { type PlaceOptions, placeOf, tokenOf } from './api-place.ts';
import { upload } from './image.ts';
import { activationOf, momentOf, usage, wholeNumber } from './inputs.ts';
import { followLine, jobLines, jobRow, storyRow, waitLine } from './job-lines.ts';
import { type Output, table, writeLine } from './output.ts';

export type AskOptions = PlaceOptions;

export interface CreateOptions extends AskOptions {
  image: string;
  device: string[];
  activate: string;
  priority: string;
  notBefore?: string;
  deadline?: string;
  window?: string;
  needsApproval?: boolean;
  supersede?: boolean;
  requestId?: string;
  reason?: string;
  watch?: boolean;
}

export interface ListOptions extends AskOptions {
  state?: string;
  device?: string;
  open?: boolean;
  last: string;
}

interface SomeDevices extends AskOptions {
  device?: string[];
}

const GATEWAY = {
  socket: '/run/uplift/uplift.sock',
  socketVariable: 'UPLIFT_SOCKET',
  apiVariable: 'UPLIFT_API',
  example: 'https://gateway.example:8460',
};
const WEEK_MS = 7 * 24 * 3_600_000;
const PRIORITY_MAX = 8;
const LAST_MAX = 1_000;

/** @throws UpliftError */
export function clientOf(options: AskOptions, limits: ApiClientOptions = {}): ApiClient {
  return new ApiClient(placeOf(options, GATEWAY), { ...tokenOf(options), ...limits });
}

export async function createJob(options: CreateOptions, output: Output): Promise<ExitCode> {
  const client = clientOf(options);
  const nowMs = Date.now();
  const { device: devices, notBefore, deadline, window, requestId, reason } = options;
  const priority = wholeNumber(options.priority, '--priority');
  if (priority > PRIORITY_MAX) throw usage('--priority', '0 to 8', options.priority);
  const asked = {
    devices,
    activation: activationOf(options.activate, nowMs),
    priority,
    deadlineMs: deadline === undefined ? nowMs + WEEK_MS : momentOf('--deadline', deadline),
    ...(notBefore === undefined ? {} : { notBeforeMs: momentOf('--not-before', notBefore) }),
    ...(window === undefined ? {} : { window }),
    ...(options.needsApproval ? { needsApproval: true } : {}),
    ...(options.supersede ? { supersede: true } : {}),
    ...(requestId === undefined ? {} : { requestId }),
    ...(reason === undefined ? {} : { reason }),
  };
  const image = await imageOf(client, options.image, output);
  const job = await client.post<JobView>('/jobs', { image, ...asked });
  if (options.watch) return follow(client, job.id, output);
  output.result(job, jobLines(job));
  return EXIT.done;
}

export async function listJobs(options: ListOptions, output: Output): Promise<ExitCode> {
  const { state, device, open, last } = options;
  const limit = wholeNumber(last, '--last');
  if (limit < 1 || limit > LAST_MAX) throw usage('--last', `1 to ${LAST_MAX}`, last);
  const query = new URLSearchParams({ limit: `${limit}` });
  if (state !== undefined) query.set('state', state);
  if (device !== undefined) query.set('device', device);
  if (open) query.set('open', 'true');
  const page = await clientOf(options).get<{ jobs: JobSummary[]; next?: string }>(`/jobs?${query}`);
  const lines = table(page.jobs.map(jobRow));
  const more = page.next === undefined ? [] : [`and older ones: --last, up to ${LAST_MAX}`];
  output.result(page, lines.length === 0 ? ['no job'] : [...lines, ...more]);
  return EXIT.done;
}

export async function showJob(
  id: string,
  options: AskOptions & { watch?: boolean },
  output: Output,
): Promise<ExitCode> {
  const client = clientOf(options);
  const path = pathOf(id);
  if (options.watch) return follow(client, id, output);
  const job = await client.get<JobView>(path);
  const { records } = await client.get<{ records: GatewayRecord[] }>(`${path}/story`);
  output.result({ ...job, story: records }, [
    ...table(records.map(storyRow)),
    '',
    ...jobLines(job),
  ]);
  return EXIT.done;
}

export function approveJob(id: string, options: AskOptions, output: Output): Promise<ExitCode> {
  return command(id, 'approve', {}, options, output);
}

export function rejectJob(
  id: string,
  options: AskOptions & { reason: string },
  output: Output,
): Promise<ExitCode> {
  return command(id, 'reject', { reason: options.reason }, options, output);
}

export function activateJob(
  id: string,
  options: SomeDevices & { at: string },
  output: Output,
): Promise<ExitCode> {
  const activation = activationOf(options.at, Date.now());
  return command(id, 'activate', { ...devicesOf(options), activation }, options, output);
}

export function cancelJob(
  id: string,
  options: SomeDevices & { reason?: string },
  output: Output,
): Promise<ExitCode> {
  const { reason } = options;
  const why = reason === undefined ? {} : { reason };
  return command(id, 'cancel', { ...devicesOf(options), ...why }, options, output);
}

export function retryJob(id: string, options: SomeDevices, output: Output): Promise<ExitCode> {
  return command(id, 'retry', devicesOf(options), options, output);
}

async function command(
  id: string,
  name: string,
  body: object,
  options: AskOptions,
  output: Output,
): Promise<ExitCode> {
  const job = await clientOf(options).post<JobView>(`${pathOf(id)}/${name}`, body);
  output.result(job, jobLines(job));
  return EXIT.done;
}

/**
 * Tells every record of a job, from the first on, until it is over; the exit code is its outcome's.
 */
async function follow(client: ApiClient, id: string, output: Output): Promise<ExitCode> {
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const job = await followed(client, id, output, stop.signal);
    if (stop.signal.aborted) return EXIT.interrupted;
    if (!output.json) output.result(job, ['', ...jobLines(job)]);
    return exitOf(job);
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

async function followed(
  client: ApiClient,
  id: string,
  output: Output,
  signal: AbortSignal,
): Promise<JobView> {
  let told = 0;
  const tellRecord = (record: GatewayRecord) => {
    if (record.sequence <= told) return;
    told = record.sequence;
    tell({ event: 'record', record }, output);
  };
  const catchUp = async () => {
    const { records } = await client.get<{ records: GatewayRecord[] }>(`${pathOf(id)}/story`);
    for (const record of records) tellRecord(record);
  };
  // The records first: the last of a job that ends just now comes with them, or as an event.
  await catchUp();
  let job = await client.get<JobView>(pathOf(id));
  if (job.isOver) {
    await catchUp();
    return job;
  }
  for await (const event of client.events({ from: told + 1, job: id }, signal)) {
    if (event.event !== 'record') {
      tell(event, output);
      continue;
    }
    tellRecord(event.record);
    if (event.record.kind !== 'state') continue;
    job = await client.get<JobView>(pathOf(id));
    if (!job.isOver) {
      tellLine(waitLine(event.record, job), output);
      continue;
    }
    await catchUp();
    break;
  }
  return job;
}

function tell(event: ApiEvent, output: Output): void {
  if (output.json) output.event(event);
  else tellLine(followLine(event), output);
}

function tellLine(line: string | undefined, { json, quiet }: Output): void {
  if (line !== undefined && !json && !quiet) writeLine(process.stderr, line);
}

/** As the contract says: of the first upgrade that did not go well. */
function exitOf({ upgrades }: JobView): ExitCode {
  const troubled = upgrades.find(({ state }) => state !== 'done');
  if (!troubled) return EXIT.done;
  const { state, code = '' } = troubled;
  if (code in FAILURES) return FAILURES[code as FailureCode].exit;
  return state === 'refused' ? EXIT.refused : EXIT.transferFailed;
}

async function imageOf(client: ApiClient, image: string, output: Output): Promise<string> {
  if (/^[0-9a-f]{64}$/.test(image)) return image;
  const { sha256 }: ImageView = await upload(client, image, output);
  return sha256;
}

function devicesOf({ device }: SomeDevices): { devices?: string[] } {
  return device === undefined ? {} : { devices: device };
}

function pathOf(id: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/.test(id)) return `/jobs/${id}`;
  throw new UpliftError('job-unknown', 'that is the id of no job', {
    expected: 'an id such as j12',
    actual: id,
    next: '`uplift job list` shows them',
  });
}
