/**
 * Upgrades devices of a rig now: decides, opens the coordinators, runs a session a device, reports.
 *
 * Whatever the decision on the image alone refuses is refused before a port is opened. On a stop the
 * running downloads are told to wait, so that they keep what they have and the next run goes on.
 */

import { type Decision, decideAdmission } from '../admission/decide.ts';
import type { AdmissionPolicy, OtaImageFacts } from '../admission/facts.ts';
import type { CoordinatorConfig, PpmidDevice, Rig } from '../config/schema.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import type { CentralProductsList } from '../products/central-products-list.ts';
import { ANY_U16, type ImageTriple } from '../protocol/zcl-ota/codec.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import type { LinkEvent, ProgressSample } from '../transport/zigbee/messages.ts';
import { type SessionEvent, type SessionLimits, UpgradeSession } from '../upgrade/session.ts';
import { FAILURES, type FailureCode, isFinal, type SessionState } from '../upgrade/states.ts';
import { factsOfDevice } from './device-facts.ts';
import type { LoadedImage } from './image-library.ts';
import { StateFolder } from './state-folder.ts';
import { sessionInput, ZigbeeDevice } from './zigbee-device.ts';
import { notJoined, type SiteEvent, ZigbeeSite } from './zigbee-site.ts';

/** A stopped gateway tells devices to ask again after this; it then has their 50 s of patience besides. */
const PARK_MS = 60_000;
const PARK_GRACE_MS = 4_000;

export interface FlashRequest {
  rig: Rig;
  devices: PpmidDevice[];
  /** The image as each device's profile reads it. */
  imageFor(device: PpmidDevice): LoadedImage;
  list: CentralProductsList | undefined;
  policy: AdmissionPolicy;
  activation: Activation;
  limits: SessionLimits;
}

export type FlashEvent =
  | { kind: 'site'; event: SiteEvent }
  | { kind: 'session'; device: PpmidDevice; event: SessionEvent }
  | { kind: 'progress'; device: PpmidDevice; sample: ProgressSample }
  /** Before or beside its session: it never joined, its coordinator does not open. */
  | { kind: 'failed'; device: PpmidDevice; error: UpliftError };

export interface DeviceOutcome {
  device: string;
  eui64: string;
  state: SessionState | 'interrupted';
  code: string | undefined;
  detail: string | undefined;
  expected: string | undefined;
  actual: string | undefined;
  next: string | undefined;
  exit: ExitCode;
  decision: Decision | undefined;
  sentBytes: number;
  totalBytes: number;
  blocks: number;
  repeats: number;
  wallMs: number;
}

interface Run {
  device: PpmidDevice;
  outcome: DeviceOutcome;
  zigbee: ZigbeeDevice | undefined;
  startedMs: number;
}

/** Resolves when every device has an outcome. Aborting `signal` ends it with resumable outcomes. */
export async function flash(
  request: FlashRequest,
  onEvent: (event: FlashEvent) => void,
  signal: AbortSignal,
): Promise<DeviceOutcome[]> {
  const runs = request.devices.map((device) => newRun(device, request.imageFor(device)));
  const admitted = runs.filter((run) => admit(run, request, onEvent));
  if (admitted.length > 0) await flashAdmitted(admitted, request, onEvent, signal);
  return runs.map((run) => run.outcome);
}

/** Decides on the model file's facts; a refusal here has touched no port. */
function admit(run: Run, request: FlashRequest, onEvent: (event: FlashEvent) => void): boolean {
  const { list, policy } = request;
  const image = request.imageFor(run.device).facts;
  const facts = { image, device: factsOfDevice(run.device), policy, list };
  const decision = decideAdmission(facts, Date.now());
  if (decision.verdict === 'admitted') return true;
  report(run, { kind: 'decision', decision }, onEvent);
  report(
    run,
    { kind: 'state', state: 'refused', ...(decision.ruleId ? { detail: decision.ruleId } : {}) },
    onEvent,
  );
  return false;
}

async function flashAdmitted(
  runs: Run[],
  request: FlashRequest,
  onEvent: (event: FlashEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const state = StateFolder.open(request.rig.stateFolder);
  const byEui64 = new Map(runs.map((run) => [run.device.eui64, run]));
  const site = new ZigbeeSite(state, (event) => {
    onEvent({ kind: 'site', event });
    if (event.kind === 'link') route(event.coordinator, event.event, runs, byEui64, onEvent);
    if (event.kind === 'ended') endAll(event.coordinator, event.reason, runs, onEvent);
  });
  try {
    const used = new Set(runs.map((run) => run.device.coordinator));
    const coordinators = request.rig.coordinators.filter(({ id }) => used.has(id));
    const errors = await Promise.all(
      coordinators.map((coordinator) =>
        serve(coordinator, runs, site, state, request, onEvent, signal).then(
          () => undefined,
          (error: unknown) => failAll(coordinator.id, error, runs, onEvent),
        ),
      ),
    );
    // Where nothing ran at all, the reason is the command's and not each device's.
    const nothingRan = errors.every((error) => error !== undefined);
    if (nothingRan && runs.length === request.devices.length) throw errors[0];
  } finally {
    await site.close();
    state.close();
  }
}

async function serve(
  coordinator: CoordinatorConfig,
  runs: Run[],
  site: ZigbeeSite,
  state: StateFolder,
  request: FlashRequest,
  onEvent: (event: FlashEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  const mine = runs.filter((run) => run.device.coordinator === coordinator.id);
  const stopped = aborted(signal);
  const found = findDevices(coordinator, mine, site);
  const missing = await Promise.race([found, stopped]);
  if (missing === 'aborted') {
    found.catch(() => {});
    for (const run of mine) interrupt(run);
    return;
  }
  for (const run of mine.filter(({ device }) => missing.has(device))) {
    fail(run, notJoined(run.device, coordinator), onEvent);
  }
  const present = mine.filter(({ device }) => !missing.has(device));
  const running = present.map((run) => {
    run.zigbee = openDevice(run, site, state, request, onEvent);
    return run.zigbee.run();
  });
  const all = Promise.all(running).then(() => 'settled' as const);
  const end = await Promise.race([all, stopped]);
  // Also where all have settled: one that holds its image would wait for its deadline.
  for (const run of present) run.zigbee?.stop();
  if (end === 'settled') return;
  await site
    .link(coordinator.id)
    .call('park', { waitMs: PARK_MS, graceMs: PARK_GRACE_MS })
    .catch(() => {});
  for (const run of present) interrupt(run);
}

/** Opens the coordinator; those of its devices that are not on its network. */
async function findDevices(
  coordinator: CoordinatorConfig,
  runs: Run[],
  site: ZigbeeSite,
): Promise<Set<PpmidDevice>> {
  await site.open(coordinator);
  const devices = runs.map((run) => run.device);
  return new Set(await site.missing(coordinator, devices));
}

function openDevice(
  run: Run,
  site: ZigbeeSite,
  state: StateFolder,
  request: FlashRequest,
  onEvent: (event: FlashEvent) => void,
): ZigbeeDevice {
  const { device } = run;
  const { path, image, sha256, facts } = request.imageFor(device);
  const { list, policy, activation, limits } = request;
  const { header } = facts as OtaImageFacts;
  const known = state.distribution(device.eui64);
  const resumable = known?.sha256 === sha256;
  const session = new UpgradeSession({
    device: factsOfDevice(device),
    image: facts as OtaImageFacts,
    list,
    policy,
    activation,
    resumable,
    limits,
  });
  return new ZigbeeDevice({
    eui64: device.eui64,
    endpoint: device.model.zigbee.endpoint,
    session,
    link: site.link(device.coordinator),
    assignment: {
      eui64: device.eui64,
      endpoint: device.model.zigbee.endpoint,
      imagePath: path,
      imageOffset: image!.offset,
      imageBytes: image!.bytes.length,
      sha256: sha256!,
      triple: tripleFor(header, device),
      blockPeriodMs: 0,
      stallMs: limits.stallMs,
    },
    remember: () =>
      state.rememberDistribution(device.eui64, {
        sha256: sha256!,
        fileVersion: header.fileVersion,
      }),
    forget: () => state.forgetDistribution(device.eui64),
    onEvent: (event) => report(run, event, onEvent),
  });
}

/** A header may leave manufacturer and image type open; on the air the device's own are used. */
function tripleFor(header: ImageTriple, device: PpmidDevice): ImageTriple {
  const { manufacturerCode, imageType } = device.model.zigbee;
  return {
    manufacturerCode:
      header.manufacturerCode === ANY_U16 ? manufacturerCode : header.manufacturerCode,
    imageType: header.imageType === ANY_U16 ? imageType : header.imageType,
    fileVersion: header.fileVersion,
  };
}

function route(
  coordinator: string,
  event: LinkEvent,
  runs: Run[],
  byEui64: Map<string, Run>,
  onEvent: (event: FlashEvent) => void,
): void {
  if (event.kind === 'progress') {
    for (const sample of event.samples) {
      const run = byEui64.get(sample.eui64);
      if (!run) continue;
      const { sentBytes, totalBytes, blocks, repeats } = sample;
      Object.assign(run.outcome, { sentBytes, totalBytes, blocks, repeats });
      run.zigbee?.handle({ kind: 'progress', sentBytes });
      onEvent({ kind: 'progress', device: run.device, sample });
    }
    return;
  }
  const input = sessionInput(event);
  if (!input) return;
  if ('eui64' in event) {
    byEui64.get(event.eui64)?.zigbee?.handle(input);
    return;
  }
  for (const run of runs) if (run.device.coordinator === coordinator) run.zigbee?.handle(input);
}

function report(run: Run, event: SessionEvent, onEvent: (event: FlashEvent) => void): void {
  const { outcome } = run;
  if (event.kind === 'decision') outcome.decision = event.decision;
  if (event.kind === 'state') {
    outcome.state = event.state;
    outcome.code = event.code;
    outcome.detail = event.detail;
    outcome.next = event.code ? FAILURES[event.code].next : undefined;
    outcome.exit = exitOf(event.state, event.code);
    outcome.wallMs = Date.now() - run.startedMs;
  }
  onEvent({ kind: 'session', device: run.device, event });
}

function exitOf(state: SessionState, code: FailureCode | undefined): ExitCode {
  if (code) return FAILURES[code].exit;
  return state === 'refused' ? EXIT.refused : EXIT.done;
}

function fail(run: Run, error: UpliftError, onEvent: (event: FlashEvent) => void): void {
  const { code, message, expected, actual, next, exit } = error;
  const wallMs = Date.now() - run.startedMs;
  const failure = { state: 'failed', code, detail: message, expected, actual, next, exit, wallMs };
  Object.assign(run.outcome, failure);
  onEvent({ kind: 'failed', device: run.device, error });
}

/** The worker died: what is not decided yet has failed, and can be run again. */
function endAll(
  coordinator: string,
  reason: string,
  runs: Run[],
  onEvent: (event: FlashEvent) => void,
): void {
  const next = 'run the same command again: the devices keep what they have';
  const error = new UpliftError('worker-ended', reason, { next, exit: EXIT.transferFailed });
  failAll(coordinator, error, runs, onEvent);
}

/** Fails what is not decided yet of a coordinator, and gives the error back. */
function failAll(
  coordinator: string,
  error: unknown,
  runs: Run[],
  onEvent: (event: FlashEvent) => void,
): UpliftError {
  if (!(error instanceof UpliftError)) throw error;
  for (const run of runs) {
    if (run.device.coordinator !== coordinator || isSettled(run)) continue;
    fail(run, error, onEvent);
    run.zigbee?.stop();
  }
  return error;
}

function interrupt(run: Run): void {
  const { outcome } = run;
  if (isSettled(run)) return;
  outcome.state = 'interrupted';
  outcome.detail = 'stopped; the device keeps what it has';
  outcome.next = 'run the same command again to go on';
  outcome.exit = EXIT.interrupted;
  outcome.wallMs = Date.now() - run.startedMs;
}

/** Its outcome stands, whatever becomes of the others. */
function isSettled({ outcome, zigbee }: Run): boolean {
  if (outcome.state === 'interrupted') return true;
  return isFinal(outcome.state) || zigbee?.holds() === true;
}

function newRun(device: PpmidDevice, image: LoadedImage): Run {
  const outcome: DeviceOutcome = {
    device: device.id,
    eui64: device.eui64,
    state: 'planned',
    code: undefined,
    detail: undefined,
    expected: undefined,
    actual: undefined,
    next: undefined,
    exit: EXIT.bug,
    decision: undefined,
    sentBytes: 0,
    totalBytes: image.sendBytes.length,
    blocks: 0,
    repeats: 0,
    wallMs: 0,
  };
  return { device, outcome, zigbee: undefined, startedMs: Date.now() };
}

function aborted(signal: AbortSignal): Promise<'aborted'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('aborted');
    signal.addEventListener('abort', () => resolve('aborted'), { once: true });
  });
}
