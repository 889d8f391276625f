/** `uplift plan`: the steps and the time they will take, touching nothing. */
import { decideAdmission } from '../admission/decide.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { factsOfModel } from '../gateway/flash.ts';
import { BLOCK_BYTES_MAX } from '../protocol/zcl-ota/block-response.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import { planUpgrade } from '../upgrade/plan.ts';
import { activationOf, loadTargets, type RigOptions, type Targets } from './inputs.ts';
import { durationText, type Output, table } from './output.ts';
import { decisionLines, grouped, refusalLines } from './verify.ts';

export interface PlanOptions extends RigOptions {
  activate: string;
}

export function plan(options: PlanOptions, output: Output): ExitCode {
  const targets = loadTargets(options);
  const nowMs = Date.now();
  const activation = activationOf(options.activate, nowMs);
  const plans = targets.devices.map((device) => planDevice(device, targets, activation, nowMs));
  output.result(
    { rig: targets.rig.id, image: options.image, plans },
    grouped(plans, options.image, (subject, { decision, plan: upgrade }) => [
      ...decisionLines(subject, decision, output.verbose),
      ...(upgrade ? ['', ...planLines(upgrade)] : []),
    ]),
    grouped(plans, options.image, (subject, { decision }) => refusalLines(subject, decision)),
  );
  return plans.some(({ decision }) => decision.verdict === 'refused') ? EXIT.refused : EXIT.done;
}

function planDevice(
  device: Targets['devices'][number],
  targets: Targets,
  activation: Activation,
  nowMs: number,
) {
  const { image, facts } = targets.imageFor(device);
  const { list, policy } = targets;
  const decision = decideAdmission(
    { image: facts, device: factsOfModel(device), list, policy },
    nowMs,
  );
  if (decision.verdict === 'refused' || !image)
    return { device: device.id, decision, plan: undefined };
  const { manufacturerCode, imageType, fileVersion } = image.header;
  const { flash, otaClient } = device.model;
  const upgrade = planUpgrade({
    manufacturerCode,
    imageType,
    fileVersion,
    imageBytes: image.bytes.length,
    blockBytes: Math.min(BLOCK_BYTES_MAX, otaClient.maximumDataBytes),
    activation,
    flash,
    rebootMs: otaClient.rebootMs,
  });
  return { device: device.id, decision, plan: upgrade };
}

function planLines(upgrade: ReturnType<typeof planUpgrade>): string[] {
  const rows = upgrade.steps.map(({ step, text, leastMs, mostMs }, index) => [
    `${index + 1}`,
    step,
    rangeText(leastMs, mostMs),
    text,
  ]);
  return [
    ...table(rows, '  '),
    `  in all ${rangeText(upgrade.leastMs, upgrade.mostMs)} over a radio, as far as can be said before`,
  ];
}

function rangeText(leastMs: number, mostMs: number): string {
  if (mostMs === 0) return '-';
  return leastMs < 1000
    ? `up to ${durationText(mostMs)}`
    : `${durationText(leastMs)} to ${durationText(mostMs)}`;
}
