/**
 * The devices of a flash that are behind coordinators: opens those, runs a session a device. On a stop, and
 * where a device's run was halted, the running downloads are told to wait, so that they keep what they have
 * and the next run goes on.
 */
import type { CoordinatorConfig, PpmidDevice } from '../config/schema.ts';
import { assert, EXIT, UpliftError } from '../errors.ts';
import { COMMAND_TIMERS } from '../transport/serial/driver.ts';
import type { LinkEvent } from '../transport/zigbee/messages.ts';
import {
  aborted,
  type FlashRequest,
  fail,
  interrupt,
  isSettled,
  type OnFlashEvent,
  type PpmidRun,
  report,
  reportProgress,
} from './flash-run.ts';
import { newPpmidRun } from './ppmid-run.ts';
import type { StateFolder } from './state-folder.ts';
import { sessionInput, type ZigbeeDevice } from './zigbee-device.ts';
import { notJoined, ZigbeeSite } from './zigbee-site.ts';

/** A stopped gateway tells devices to ask again after this; it then has their 50 s of patience besides. */
const PARK_MS = 60_000;
const PARK_GRACE_MS = 4_000;
const KEEPS = 'stopped; the device keeps what it has';

interface Run extends PpmidRun {
  zigbee: ZigbeeDevice | undefined;
}

/** For each coordinator that is used why nothing ran behind it, or undefined where something did. */
export async function flashPpmids(
  ppmids: PpmidRun[],
  request: FlashRequest,
  state: StateFolder,
  onEvent: OnFlashEvent,
  signal: AbortSignal,
): Promise<(UpliftError | undefined)[]> {
  const runs = ppmids.map((run): Run => Object.assign(run, { zigbee: undefined }));
  const byEui64 = new Map(runs.map((run) => [run.device.eui64, run]));
  const site = new ZigbeeSite(
    state,
    (event) => {
      onEvent({ kind: 'site', event });
      if (event.kind === 'link') route(event.coordinator, event.event, runs, byEui64, onEvent);
      if (event.kind === 'ended') endAll(event.coordinator, event.reason, runs, onEvent);
    },
    request.ports,
  );
  try {
    const used = new Set(runs.map((run) => run.device.coordinator));
    const coordinators = request.rig.coordinators.filter(({ id }) => used.has(id));
    return await Promise.all(
      coordinators.map((coordinator) =>
        serve(coordinator, runs, site, state, request, onEvent, signal).then(
          () => undefined,
          (error: unknown) => failAll(coordinator.id, error, runs, onEvent),
        ),
      ),
    );
  } finally {
    await site.close();
  }
}

async function serve(
  coordinator: CoordinatorConfig,
  runs: Run[],
  site: ZigbeeSite,
  state: StateFolder,
  request: FlashRequest,
  onEvent: OnFlashEvent,
  signal: AbortSignal,
): Promise<void> {
  const mine = runs.filter((run) => run.device.coordinator === coordinator.id);
  const stopped = aborted(signal);
  const found = findDevices(coordinator, mine, site);
  const missing = await Promise.race([found, stopped]);
  if (missing === 'aborted') {
    found.catch(() => {});
    for (const run of mine) interrupt(run, KEEPS);
    return;
  }
  for (const run of mine.filter(({ device }) => missing.has(device))) {
    fail(run, notJoined(run.device, coordinator), onEvent);
  }
  const present = mine.filter(({ device }) => !missing.has(device));
  const running = present.map((run) => {
    const zigbee = openDevice(run, site, state, request, onEvent);
    run.zigbee = zigbee;
    run.holds = () => zigbee.holds();
    return zigbee.run();
  });
  const all = Promise.all(running).then(() => 'settled' as const);
  const end = await Promise.race([all, stopped]);
  // Also where all have settled: one that holds its image would wait for its deadline.
  for (const run of present) run.zigbee?.stop();
  if (end === 'settled' && !present.some((run) => run.halted)) return;
  await site
    .link(coordinator.id)
    .call('park', { waitMs: PARK_MS, graceMs: PARK_GRACE_MS })
    .catch(() => {});
  for (const run of present) interrupt(run, KEEPS);
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
  onEvent: OnFlashEvent,
): ZigbeeDevice {
  const { device, token, context, image } = run;
  assert(token !== undefined, 'only what was admitted is opened');
  const { list, policy, activation, limits } = request;
  return newPpmidRun({
    device,
    brief: { image, list, policy, context },
    token,
    activation,
    limits: limits.ppmid,
    link: site.link(device.coordinator),
    state,
    timers: COMMAND_TIMERS,
    onEvent: (event) => report(run, event, onEvent),
  });
}

function route(
  coordinator: string,
  event: LinkEvent,
  runs: Run[],
  byEui64: Map<string, Run>,
  onEvent: OnFlashEvent,
): void {
  if (event.kind === 'progress') {
    for (const sample of event.samples) {
      const run = byEui64.get(sample.eui64);
      if (!run) continue;
      run.zigbee?.handle({
        kind: 'progress',
        sentBytes: sample.sentBytes,
        servedBytes: sample.servedBytes,
      });
      reportProgress(run, sample, onEvent);
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

/** The worker died: what is not decided yet has failed, and can be run again. */
function endAll(coordinator: string, reason: string, runs: Run[], onEvent: OnFlashEvent): void {
  const next = 'run the same command again: the devices keep what they have';
  const error = new UpliftError('worker-ended', reason, { next, exit: EXIT.transferFailed });
  failAll(coordinator, error, runs, onEvent);
}

/** Fails what is not decided yet of a coordinator, and gives the error back. */
function failAll(
  coordinator: string,
  error: unknown,
  runs: Run[],
  onEvent: OnFlashEvent,
): UpliftError {
  if (!(error instanceof UpliftError)) throw error;
  for (const run of runs) {
    if (run.device.coordinator !== coordinator || isSettled(run)) continue;
    fail(run, error, onEvent);
    run.zigbee?.stop();
  }
  return error;
}
