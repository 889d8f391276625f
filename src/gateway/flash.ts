/**
 * Upgrades devices of a rig now: decides, opens coordinators and ports, runs a session a device, reports.
 *
 * Whatever the decision on the image alone refuses is refused before a port is opened. Where the rig names
 * an audit log, nothing is done or told of a decision before its record is on disk: without the first ones
 * no port is opened, and a device whose later one is not recorded ends with that, like on a stop. On a stop the
 * devices are left so that they keep what they have, where their protocol allows it.
 */
import type { Decision } from '../admission/decide.ts';
import type { UpliftError } from '../errors.ts';
import { acceptList } from './accepted-list.ts';
import { AuditRecorder } from './audit-recorder.ts';
import {
  contextIsThere,
  type DeviceOutcome,
  decide,
  type FlashRequest,
  type HubRun,
  newRun,
  type OnFlashEvent,
  type PpmidRun,
  type Run,
  tellRefusal,
} from './flash-run.ts';
import { flashHub } from './hub-flash.ts';
import { StateFolder } from './state-folder.ts';
import { flashPpmids } from './zigbee-flash.ts';

export type { DeviceOutcome, FlashEvent, FlashRequest } from './flash-run.ts';

/** Resolves when every device has an outcome. Aborting `signal` ends it with resumable outcomes. */
export async function flash(
  request: FlashRequest,
  onEvent: OnFlashEvent,
  signal: AbortSignal,
): Promise<DeviceOutcome[]> {
  const admittedPpmids: PpmidRun[] = [];
  const admittedHubs: HubRun[] = [];
  const decisions = new Map<Run, Decision>();
  const enlist = <R extends Run>(run: R, admitted: R[]): Run => {
    const decision = decide(run, request);
    decisions.set(run, decision);
    if (decision.verdict === 'admitted') admitted.push(run);
    return run;
  };
  const recorder = new AuditRecorder(request.rig.auditLog);
  const runs = request.devices.map((device) => {
    if (device.kind === 'ppmid') return enlist(newRun(device, request, recorder), admittedPpmids);
    return enlist(newRun(device, request, recorder), admittedHubs);
  });
  recorder.flush(Date.now());
  for (const [run, decision] of decisions) {
    if (decision.verdict === 'refused') tellRefusal(run, decision, onEvent);
  }
  const isReady = (run: Run) => contextIsThere(run, decisions.get(run)!, onEvent);
  const ppmids = admittedPpmids.filter(isReady);
  const hubs = admittedHubs.filter(isReady);
  if (ppmids.length + hubs.length === 0) return runs.map((run) => run.outcome);
  const state = StateFolder.open(request.rig.stateFolder);
  try {
    let isKept = false;
    const keep = () => {
      if (!isKept) acceptList(request.list, state, Date.now());
      isKept = true;
    };
    for (const run of [...ppmids, ...hubs]) run.rememberList = keep;
    const errors = await Promise.all([
      flashPpmids(ppmids, request, state, onEvent, signal),
      ...hubs.map(async (run) => [await flashHub(run, request, onEvent, signal)]),
    ]);
    throwWhereNothingRan(errors.flat(), ppmids.length + hubs.length === runs.length);
  } finally {
    state.close();
  }
  return runs.map((run) => run.outcome);
}

/** Then the reason is the command's and not each device's. */
function throwWhereNothingRan(errors: (UpliftError | undefined)[], allAdmitted: boolean): void {
  const [first] = errors;
  if (allAdmitted && first !== undefined && errors.every((error) => error !== undefined)) {
    throw first;
  }
}
