/** `uplift plan`: the steps and the time they will take, touching nothing. */
import { decideAdmission } from '../admission/decide.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { AuditRecorder } from '../gateway/audit-recorder.ts';
import { factsOfDevice } from '../gateway/device-facts.ts';
import { planOf } from '../gateway/device-plan.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import type { UpgradePlan } from '../upgrade/plan.ts';
import { decisionLines, explained, grouped, leftOutLines, refusalLines } from './decision-lines.ts';
import { activationOf, loadTargets, type RigOptions, type Targets } from './inputs.ts';
import { durationText, type Output, paint, table } from './output.ts';

export interface PlanOptions extends RigOptions {
  activate: string;
}

export function plan(options: PlanOptions, output: Output): ExitCode {
  const targets = loadTargets(options);
  const nowMs = Date.now();
  const activation = activationOf(options.activate, nowMs);
  const recorder = new AuditRecorder(targets.rig.auditLog);
  const plans = targets.devices.map((device) =>
    planDevice(device, targets, activation, nowMs, recorder),
  );
  recorder.flush(nowMs);
  const leftOut = targets.leftOut.map(({ id }) => id);
  output.result(
    {
      rig: targets.rig.id,
      image: options.image,
      plans: plans.map(({ device, decision, on, plan: upgrade }) => ({
        device,
        decision: explained(decision, on),
        plan: upgrade,
      })),
      leftOut,
    },
    [
      ...grouped(plans, options.image, (told, { plan: upgrade }) => [
        ...decisionLines(told, output.verbose),
        ...(upgrade ? ['', ...planLines(upgrade)] : []),
      ]),
      ...leftOutLines(leftOut),
    ],
    grouped(plans, options.image, refusalLines),
  );
  return plans.some(({ decision }) => decision.verdict === 'refused') ? EXIT.refused : EXIT.done;
}

function planDevice(
  device: Targets['devices'][number],
  targets: Targets,
  activation: Activation,
  nowMs: number,
  recorder: AuditRecorder,
) {
  const loaded = targets.imageFor(device);
  const { list, policy } = targets;
  const context = targets.contextFor(device);
  const on = { image: loaded.facts, device: factsOfDevice(device), list, policy, context };
  const decision = decideAdmission(on, nowMs);
  recorder.add({ by: 'plan', device: device.id, image: loaded.path }, on, decision);
  const upgrade = decision.verdict === 'refused' ? undefined : planOf(device, loaded, activation);
  return { device: device.id, decision, on, plan: upgrade };
}

const LINKS: Readonly<Record<UpgradePlan['link'], string>> = {
  radio: 'over a radio',
  'serial-line': 'over a serial line without losses',
};

function planLines({ steps, link, leastMs, mostMs }: UpgradePlan): string[] {
  const rows = steps.map(({ step, text, irreversible, ...range }, index) => [
    `${index + 1}`,
    step,
    rangeText(range.leastMs, range.mostMs),
    irreversible ? `${paint('yellow', 'no way back')}: ${text}` : text,
  ]);
  const all = rangeText(leastMs, mostMs);
  return [...table(rows, '  '), `  in all ${all} ${LINKS[link]}, as far as can be said before`];
}

function rangeText(leastMs: number, mostMs: number): string {
  if (mostMs === 0) return '-';
  return leastMs < 1000
    ? `up to ${durationText(mostMs)}`
    : `${durationText(leastMs)} to ${durationText(mostMs)}`;
}
