/**
 * The step that upgrades a device: by the product's own flash, with what is to be done at which moment of
 * it, and held against how it has to end.
 */
import type { AdmissionPolicy } from '../../admission/facts.ts';
import type { RigDevice } from '../../config/schema.ts';
import { assert } from '../../errors.ts';
import { type DeviceOutcome, flash } from '../../gateway/flash.ts';
import type { FlashRequest } from '../../gateway/flash-run.ts';
import { ImageFile } from '../../gateway/image-library.ts';
import { loadCentralProductsList } from '../../gateway/list-library.ts';
import { StateFolder } from '../../gateway/state-folder.ts';
import { surroundingsOf } from '../../gateway/surroundings.ts';
import { HUB_SESSION_LIMITS } from '../../upgrade/hub-session-messages.ts';
import { SESSION_LIMITS } from '../../upgrade/session-messages.ts';
import { LabError, labError } from '../failure.ts';
import { classOfCode, type LabCodeName } from '../failure-classes.ts';
import type { Actions, Expectation, Step, Trigger, UpgradeLimits } from '../scenario/scenario.ts';
import { Interrupted } from './interrupted.ts';
import type { LabRun } from './lab-run.ts';
import { rigOfDevice } from './run-rig.ts';
import { type Moment, UpgradeWatch } from './upgrade-watch.ts';
import { wait } from './wait.ts';

/** Runs the steps of a moment; `where` is their address. */
export type RunSteps = (
  steps: readonly Step[],
  where: string,
  signal: AbortSignal,
) => Promise<void>;

type Told = Actions['upgrade'];

export async function runUpgrade(
  told: Told,
  run: LabRun,
  where: string,
  signal: AbortSignal,
  runSteps: RunSteps,
): Promise<void> {
  const device = run.device(told.device);
  const desk = run.desk(device);
  const startedMs = run.nowMs();
  const watch = new UpgradeWatch();
  desk.watch = watch;
  desk.lastUpgrade = told;
  const stop = new AbortController();
  const ended = new AbortController();
  const joined = AbortSignal.any([signal, stop.signal]);
  const moments = told.at.map((trigger, index) => {
    const at = { until: AbortSignal.any([joined, ended.signal]), signal: joined };
    const name = `${where}.at[${index}]`;
    const done = runMoment(trigger, watch, at, name, run, device, runSteps);
    // What goes wrong there ends the upgrade; it is told when that has ended.
    done.catch(() => stop.abort());
    return done;
  });
  const outcome = await run
    .inTurn(device, () => flashOne(told, device, run, watch, joined))
    .finally(() => ended.abort());
  const reached = await Promise.all(moments);
  // Whatever still listens for the end of this upgrade is let go.
  stop.abort();
  keepRecord(run, told, watch, outcome, startedMs);
  if (signal.aborted) throw new Interrupted();
  judge(outcome, told.expect ?? (told.activate === 'held' ? 'held' : 'done'));
  const missed = reached.indexOf(false);
  if (missed >= 0) {
    throw labError('moment-missed', {
      expected: momentText(momentOf(told.at[missed]!)),
      actual: `ended as ${outcome.state} with ${watch.blocks} blocks sent`,
    });
  }
}

/** Goes on with what the upgrade before left held: the image is not sent again. */
export async function runActivation(
  told: Actions['activate'],
  run: LabRun,
  where: string,
  signal: AbortSignal,
  runSteps: RunSteps,
): Promise<void> {
  const device = run.device(told.device);
  const last = run.desk(device).lastUpgrade;
  if (last === undefined) throw labError('nothing-to-assert', { actual: 'no upgrade before' });
  const upgrade: Told = {
    ...last,
    activate: 'now',
    expect: told.expect,
    at: [],
    ...(told.limits && { limits: told.limits }),
  };
  await runUpgrade(upgrade, run, where, signal, runSteps);
  const { blocks, sentBytes: atBytes } = run.upgrades.findLast((one) => one.device === device.id)!;
  const sentBytes = blocks > 0 ? atBytes : 0;
  if (sentBytes > 0) {
    throw labError('image-lost', {
      expected: 'no byte of the image sent: the device holds it',
      actual: `${sentBytes} bytes sent`,
    });
  }
}

/** False where the upgrade ended before. */
async function runMoment(
  trigger: Trigger,
  watch: UpgradeWatch,
  { until, signal }: { until: AbortSignal; signal: AbortSignal },
  where: string,
  run: LabRun,
  device: RigDevice,
  runSteps: RunSteps,
): Promise<boolean> {
  const moment = momentOf(trigger);
  const isThere = await watch.until(() => watch.hasReached(moment), until);
  if (!isThere) return false;
  const { blocks, sentBytes, totalBytes } = watch;
  run.note(device.id, momentText(moment), `block ${blocks}, ${sentBytes} of ${totalBytes} bytes`);
  if (trigger.afterMs > 0) await wait(trigger.afterMs, signal);
  await runSteps(trigger.steps, `${where}.steps`, signal);
  return true;
}

async function flashOne(
  told: Told,
  device: RigDevice,
  run: LabRun,
  watch: UpgradeWatch,
  signal: AbortSignal,
): Promise<DeviceOutcome> {
  const [outcome] = await flash(
    requestFor(told, device, run),
    (event) => {
      watch.take(event, run.nowMs());
      run.flashEvent(device.id, event);
    },
    signal,
  );
  assert(outcome !== undefined, 'a flash of one device has one outcome');
  watch.end(outcome);
  return outcome;
}

function requestFor(told: Told, device: RigDevice, run: LabRun): FlashRequest {
  const rig = rigOfDevice(run.rig, device);
  const { trust, stamp, contextFor } = surroundingsOf({}, rig);
  const file = new ImageFile(told.image, { imageIndex: undefined, trust });
  const accepted = StateFolder.shared(rig.stateFolder).acceptedList();
  const path = told.list === 'none' ? undefined : rig.centralProductsList;
  const list = path === undefined ? undefined : loadCentralProductsList(path, { stamp, accepted });
  return {
    rig,
    ports: run.hands.ports,
    devices: [device],
    imageFor: ({ model }) => file.for(model.imageProfile),
    list,
    policy: policyOf(told),
    contextFor,
    activation: { when: told.activate },
    limits: {
      ppmid: { ...SESSION_LIMITS, ...definedOf(told.limits) },
      hub: { ...HUB_SESSION_LIMITS, ...definedOf(told.limits) },
    },
  };
}

function policyOf({ allowDowngrade, allowUnsigned, list }: Told): AdmissionPolicy {
  return {
    ...(allowDowngrade && { allowDowngrade }),
    ...(allowUnsigned && {
      unsignedImage: 'warn',
      unverifiedSignature: 'warn',
      sealedUnderEncryption: 'warn',
    }),
    ...(list === 'none' && { listRequired: false }),
  };
}

function definedOf(limits: UpgradeLimits = {}): Partial<Record<keyof UpgradeLimits, number>> {
  const named = Object.entries(limits).filter(([, value]) => value !== undefined);
  return Object.fromEntries(named) as Partial<Record<keyof UpgradeLimits, number>>;
}

function keepRecord(
  run: LabRun,
  { image }: Told,
  watch: UpgradeWatch,
  outcome: DeviceOutcome,
  startedMs: number,
): void {
  const { device, state, code, detail, decision, totalBytes } = outcome;
  const { sentBytes, blocks, repeats, bytesAgain, samples } = watch;
  run.upgrades.push({
    ...{ device, image, state, code, detail, rule: decision?.ruleId },
    startedMs: Math.round(startedMs),
    wallMs: Math.round(run.nowMs() - startedMs),
    ...{ totalBytes, sentBytes, blocks, repeats, bytesAgain, samples },
  });
}

/** Ways in which a device says no to an image that was sent to it. */
const DEVICE_REFUSALS = [
  'image-refused-by-device',
  'download-refused-by-device',
  'upload-refused',
  'image-refused-by-bootloader',
  'activation-refused',
  'image-dropped-at-boot',
];

/** @throws LabError where it did not end as it has to */
export function judge(outcome: DeviceOutcome, expected: Expectation): void {
  const { state, code } = outcome;
  if (expected === 'any') return;
  const isRefusedByDevice = code !== undefined && DEVICE_REFUSALS.includes(code);
  if (expected === 'refused-by-device' && isRefusedByDevice) return;
  const hasFailed = state === 'failed' || state === 'unknown-outcome';
  const isInfra = code !== undefined && classOfCode(code) === 'infra';
  if (expected === 'failed' && hasFailed && !isInfra) return;
  const wanted = { done: 'done', held: 'awaiting-activation', refused: 'refused' } as const;
  if (expected in wanted && state === wanted[expected as keyof typeof wanted]) return;
  if (code !== undefined) {
    const { detail, expected: wants, actual, next } = outcome;
    throw new LabError(code, { message: detail ?? code, expected: wants, actual, next });
  }
  throw labError(mismatchCode(expected, state), {
    expected,
    actual: [state, outcome.decision?.ruleId ?? outcome.detail].filter(Boolean).join(', '),
    next: outcome.next,
  });
}

function mismatchCode(expected: Expectation, state: string): LabCodeName {
  if (state === 'refused') return 'image-kept-out';
  if (state !== 'done' && state !== 'awaiting-activation') return 'ended-otherwise';
  if (expected === 'refused') return 'image-let-in';
  if (expected === 'refused-by-device') return 'wrong-image-taken';
  return expected === 'failed' ? 'ended-well' : 'ended-otherwise';
}

function momentOf({ block, percent, state }: Trigger): Moment {
  if (block !== undefined) return { block };
  if (percent !== undefined) return { percent };
  assert(state !== undefined, 'a moment is one of block, percent and state');
  return { state };
}

function momentText(moment: Moment): string {
  if ('block' in moment) return `at block ${moment.block}`;
  return 'state' in moment ? `at state ${moment.state}` : `at ${moment.percent} %`;
}
