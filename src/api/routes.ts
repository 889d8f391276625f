/** The table of routes below `/api/v1`, and what each role may do. */
import type { Job } from '../jobs/book.ts';
import { campaignRoutes } from './campaign-routes.ts';
import { duisRoutes } from './duis-routes.ts';
import { ControlError } from './gateway-problems.ts';
import { type GatewayRoute, JSON_BYTES_MAX, route, UNWELL } from './gateway-route.ts';
import { imageRoutes, LIST_BYTES_MAX } from './image-routes.ts';
import { ApiError } from './problem.ts';
import * as schemas from './schemas.ts';
import { upgradeRoutes } from './upgrade-routes.ts';
import { isJobOver, ruleOf, summaryOf, viewOf } from './views.ts';

export const API_ROOT = '/api/v1';

const PAGE = 100;
/** 50,000 devices with the longest ids. */
const JOB_BYTES_MAX = 4 * 1024 * 1024;

const jobs: GatewayRoute[] = [
  route({
    operation: 'listJobs',
    method: 'GET',
    path: '/jobs',
    role: 'viewer',
    summary: 'Jobs, the newest first, a page at a time.',
    query: schemas.jobQuery,
    answers: { 200: schemas.jobPage },
    refuses: ['cursor-unknown'],
    handle({ query }, { control }) {
      const { before, limit = PAGE, ...filter } = query;
      const all = [...control.jobs()].reverse();
      const at = before === undefined ? 0 : all.findIndex(({ id }) => id === before) + 1;
      if (before !== undefined && at === 0) {
        throw new ControlError('cursor-unknown', {
          actual: before,
          next: 'begin with the first page',
        });
      }
      const found = all.slice(at).filter((job) => isWanted(job, filter));
      const page = found.slice(0, limit).map(summaryOf);
      const next = found.length > limit ? { next: page.at(-1)!.id } : {};
      return { status: 200, body: { jobs: page, ...next } };
    },
  }),
  route({
    operation: 'createJob',
    method: 'POST',
    path: '/jobs',
    role: 'operator',
    summary: 'Asks for an upgrade of some devices to one image.',
    body: { kind: 'json', schema: schemas.jobRequest, bytesMax: JOB_BYTES_MAX },
    answers: { 201: schemas.jobView },
    headers: { location: 'Of the job.' },
    refuses: [
      'job-malformed',
      'device-unknown',
      'image-unknown',
      'window-unknown',
      'job-open',
      'request-id-reused',
      ...UNWELL,
    ],
    handle({ body, by }, { control }) {
      const job = control.createJob(body, by);
      const headers = { location: `${API_ROOT}/jobs/${job.id}` };
      return { status: 201, body: viewOf(job, control), headers };
    },
  }),
  route({
    operation: 'showJob',
    method: 'GET',
    path: '/jobs/{job}',
    role: 'viewer',
    summary: 'A job with each of its upgrades: where it is, why, and who acts next until when.',
    params: schemas.inJob,
    answers: { 200: schemas.jobView },
    refuses: ['job-unknown'],
    handle({ params }, { control }) {
      const job = control.job(params.job);
      if (job) return { status: 200, body: viewOf(job, control) };
      throw new ControlError('job-unknown', { actual: params.job });
    },
  }),
  route({
    operation: 'jobStory',
    method: 'GET',
    path: '/jobs/{job}/story',
    role: 'viewer',
    summary: 'Every record of the job, in order.',
    params: schemas.inJob,
    answers: { 200: schemas.story },
    refuses: ['job-unknown'],
    handle({ params: { job } }, { control }) {
      if (!control.job(job)) throw new ControlError('job-unknown', { actual: job });
      return { status: 200, body: { job, records: control.story(job) } };
    },
  }),
  route({
    operation: 'approveJob',
    method: 'POST',
    path: '/jobs/{job}/approve',
    role: 'approver',
    summary: 'Lets a job begin that waits for it; not by its author.',
    params: schemas.inJob,
    body: { kind: 'json', schema: schemas.nothing, bytesMax: JSON_BYTES_MAX },
    answers: { 200: schemas.jobView },
    refuses: ['job-unknown', 'not-approvable', 'own-approval', ...UNWELL],
    handle({ params: { job }, by }, { control }) {
      return { status: 200, body: viewOf(control.approve(job, by), control) };
    },
  }),
  route({
    operation: 'rejectJob',
    method: 'POST',
    path: '/jobs/{job}/reject',
    role: 'approver',
    summary: 'Ends a job that waits for approval.',
    params: schemas.inJob,
    body: { kind: 'json', schema: schemas.rejection, bytesMax: JSON_BYTES_MAX },
    answers: { 200: schemas.jobView },
    refuses: ['job-unknown', 'not-approvable', ...UNWELL],
    handle({ params: { job }, body: { reason }, by }, { control }) {
      return { status: 200, body: viewOf(control.reject(job, by, reason), control) };
    },
  }),
  route({
    operation: 'activateJob',
    method: 'POST',
    path: '/jobs/{job}/activate',
    role: 'operator',
    summary: 'Commands the activation of images that devices hold: of all, or of those named.',
    params: schemas.inJob,
    body: { kind: 'json', schema: schemas.activationCommand, bytesMax: JOB_BYTES_MAX },
    answers: { 200: schemas.jobView },
    refuses: ['job-unknown', 'device-not-in-job', 'not-activatable', ...UNWELL],
    handle({ params: { job }, body: { devices, activation }, by }, { control }) {
      const activated = control.activate(job, devices, activation, by);
      return { status: 200, body: viewOf(activated, control) };
    },
  }),
  route({
    operation: 'cancelJob',
    method: 'POST',
    path: '/jobs/{job}/cancel',
    role: 'operator',
    summary: 'Calls off what is not over and not beyond recall: of all devices, or of those named.',
    params: schemas.inJob,
    body: { kind: 'json', schema: schemas.cancellation, bytesMax: JOB_BYTES_MAX },
    answers: { 200: schemas.jobView },
    refuses: ['job-unknown', 'device-not-in-job', 'not-cancellable', ...UNWELL],
    handle({ params: { job }, body: { devices, reason }, by }, { control }) {
      return { status: 200, body: viewOf(control.cancel(job, devices, by, reason), control) };
    },
  }),
  route({
    operation: 'retryJob',
    method: 'POST',
    path: '/jobs/{job}/retry',
    role: 'operator',
    summary: 'Tries again what ended and went wrong: of all devices, or of those named.',
    params: schemas.inJob,
    body: { kind: 'json', schema: schemas.retrial, bytesMax: JOB_BYTES_MAX },
    answers: { 200: schemas.jobView },
    refuses: ['job-unknown', 'device-not-in-job', 'not-retryable', ...UNWELL],
    handle({ params: { job }, body: { devices }, by }, { control }) {
      return { status: 200, body: viewOf(control.retry(job, devices, by), control) };
    },
  }),
];

const lists: GatewayRoute[] = [
  route({
    operation: 'listLists',
    method: 'GET',
    path: '/lists',
    role: 'viewer',
    summary: 'The lists in force.',
    answers: { 200: schemas.listsAnswer },
    refuses: [],
    handle: (_call, { control }) => ({ status: 200, body: { lists: control.lists() } }),
  }),
  route({
    operation: 'showList',
    method: 'GET',
    path: '/lists/{kind}',
    role: 'viewer',
    summary: 'Which list of a kind is in force.',
    params: schemas.inList,
    answers: { 200: schemas.listView },
    refuses: ['not-found'],
    handle({ params }, { control }) {
      const list = control.lists().find(({ kind }) => kind === params.kind);
      if (list) return { status: 200, body: list };
      throw new ControlError('not-found', { actual: params.kind });
    },
  }),
  route({
    operation: 'putList',
    method: 'PUT',
    path: '/lists/{kind}',
    role: 'admin',
    summary: 'Checks a list as `uplift lists lint` does and puts it in force: CSV or a workbook.',
    params: schemas.inList,
    query: schemas.listQuery,
    body: { kind: 'bytes', mediaType: 'application/octet-stream', bytesMax: LIST_BYTES_MAX },
    answers: { 200: schemas.listView },
    refuses: ['list-refused', ...UNWELL],
    handle({ params: { kind }, query, body, by }, { control, clock }) {
      const { source, fetchedAtMs = clock.nowMs() } = query;
      return { status: 200, body: control.putList(kind, body, { fetchedAtMs, source }, by) };
    },
  }),
];

const readings: GatewayRoute[] = [
  route({
    operation: 'listDevices',
    method: 'GET',
    path: '/devices',
    role: 'viewer',
    summary: 'The devices of the rigs of this gateway.',
    answers: { 200: schemas.devicesAnswer },
    refuses: [],
    handle: (_call, { control }) => ({ status: 200, body: { devices: control.devices() } }),
  }),
  route({
    operation: 'readDevice',
    method: 'POST',
    path: '/devices/{device}/read',
    role: 'operator',
    summary: 'Asks a device what it runs. The answer is a record, `device-read`, from `from` on.',
    params: schemas.inDevice,
    answers: { 202: schemas.readingBegun },
    refuses: ['device-unknown', ...UNWELL],
    handle({ params: { device }, by }, { control }) {
      return { status: 202, body: control.readDevice(device, by) };
    },
  }),
  route({
    operation: 'listRules',
    method: 'GET',
    path: '/rules',
    role: 'viewer',
    summary: 'The rules of admission, with their sources and dates.',
    answers: { 200: schemas.rulesAnswer },
    refuses: [],
    handle: (_call, { control }) => ({
      status: 200,
      body: { rules: control.rules().map(ruleOf) },
    }),
  }),
  route({
    operation: 'showRule',
    method: 'GET',
    path: '/rules/{rule}',
    role: 'viewer',
    summary: 'One rule of admission.',
    params: schemas.inRule,
    answers: { 200: schemas.ruleView },
    refuses: ['not-found'],
    handle({ params }, { control }) {
      const rule = control.rules().find(({ id }) => id === params.rule);
      if (rule) return { status: 200, body: ruleOf(rule) };
      throw new ControlError('not-found', { actual: params.rule });
    },
  }),
  route({
    operation: 'listRecords',
    method: 'GET',
    path: '/records',
    role: 'viewer',
    summary: 'The journal from a sequence on.',
    query: schemas.recordQuery,
    answers: { 200: schemas.recordPage },
    refuses: [],
    handle({ query: { from = 1, limit = PAGE } }, { control }) {
      const records = control.records(from, limit);
      const next = (records.at(-1)?.sequence ?? from - 1) + 1;
      return { status: 200, body: { records, next } };
    },
  }),
  route({
    operation: 'health',
    method: 'GET',
    path: '/health',
    role: 'viewer',
    summary: 'What the gateway is up to, and what is wrong with it.',
    answers: { 200: schemas.healthView },
    refuses: [],
    handle: (_call, { control }) => ({ status: 200, body: control.health() }),
  }),
  route({
    operation: 'metrics',
    method: 'GET',
    path: '/metrics',
    role: 'viewer',
    summary: 'Metrics for Prometheus, where they are served here.',
    answers: { 200: 'text/plain' },
    refuses: ['not-found'],
    async handle(_call, { metrics }) {
      if (!metrics) throw new ControlError('not-found', { actual: 'metrics' });
      const body = await metrics.text();
      return { status: 200, body, headers: { 'content-type': metrics.contentType } };
    },
  }),
  route({
    operation: 'openApi',
    method: 'GET',
    path: '/openapi.json',
    role: 'viewer',
    summary: 'This document.',
    answers: { 200: schemas.openApiDocument },
    refuses: [],
    handle: (_call, { openApi }) => ({ status: 200, body: openApi() }),
  }),
];

const events: GatewayRoute = route({
  operation: 'events',
  method: 'GET',
  path: '/events',
  role: 'viewer',
  summary:
    'Server-sent events: `record` with its sequence as id, replayed and then as they come; `progress`, ' +
    '`link` and `gap` without one. `Last-Event-ID` goes on where a stream ended.',
  query: schemas.eventQuery,
  answers: { 200: 'text/event-stream' },
  isEndless: true,
  refuses: ['listeners-many'],
  handle({ query, headers, stillMay }, { events: stream }) {
    if (stream.isFull) throw new ApiError('listeners-many');
    const from = lastEventOf(headers['last-event-id']) ?? query.from;
    return {
      status: 200,
      headers: { 'content-type': 'text/event-stream; charset=utf-8' },
      pour: (response) => stream.add(response, { from, job: query.job, stillMay }),
    };
  },
});

export const ROUTES: readonly GatewayRoute[] = [
  ...jobs,
  ...imageRoutes,
  ...lists,
  ...readings,
  ...duisRoutes,
  ...campaignRoutes,
  ...upgradeRoutes,
  events,
];

function isWanted(
  job: Job,
  filter: { state?: string; device?: string; image?: string; open?: boolean },
): boolean {
  const { state, device, image, open } = filter;
  return (
    (image === undefined || job.request.image === image) &&
    (open === undefined || isJobOver(job) !== open) &&
    (state === undefined || job.upgrades.some((upgrade) => upgrade.state === state)) &&
    (device === undefined || job.upgrades.some((upgrade) => upgrade.device === device))
  );
}

function lastEventOf(value: string | string[] | undefined): number | undefined {
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string' && /^[0-9]{1,15}$/.test(value)) return Number(value) + 1;
  const expected = 'the id of an event: a whole number';
  throw new ApiError('request-invalid', {
    errors: [{ pointer: '/header/last-event-id', expected }],
  });
}
