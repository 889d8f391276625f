/** `uplift verify IMAGE`: would this image be admitted, and by which rule. Touches no device. */
import { type Decision, decideAdmission, rules } from '../admission/decide.ts';
import type { DeviceFacts } from '../admission/facts.ts';
import { loadPpmidModel, loadRig } from '../config/load.ts';
import type { Rig } from '../config/schema.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { factsOfModel } from '../gateway/flash.ts';
import { loadImage } from '../gateway/image-library.ts';
import type { ImageProfileId } from '../image/gb-upgrade.ts';
import {
  type AdmissionOptions,
  anchorsOf,
  indexOf,
  listOf,
  policyOf,
  profileOf,
  selectDevices,
  usage,
  wholeNumber,
} from './inputs.ts';
import { type Output, paint, table } from './output.ts';

export interface VerifyOptions extends AdmissionOptions {
  profile?: string;
  rig?: string;
  device?: string[];
  model?: string;
  deviceModel?: string;
  hardware?: string;
  running?: string;
}

export function verify(path: string, options: VerifyOptions, output: Output): ExitCode {
  const rig = options.rig === undefined ? undefined : loadRig(options.rig);
  const { device, profile } = deviceOf(options, rig);
  const image = loadImage(path, {
    profile,
    imageIndex: indexOf(options.imageIndex),
    trustAnchors: anchorsOf(options, rig),
  });
  const list = listOf(options, rig);
  const decision = decideAdmission(
    { image: image.facts, device, list, policy: policyOf(options) },
    Date.now(),
  );
  output.result(
    { file: path, profile, device, decision },
    decisionLines(path, decision, output.verbose),
  );
  return decision.verdict === 'refused' ? EXIT.refused : EXIT.done;
}

/** The findings in words. Passed rules are one line; what is not plain says what was expected and found. */
export function decisionLines(subject: string, decision: Decision, verbose: boolean): string[] {
  const texts = new Map(rules().map((rule) => [rule.id, rule]));
  const lines = [headline(subject, decision)];
  for (const finding of decision.findings) {
    const mark = MARKS[finding.outcome];
    if (finding.outcome === 'not-applicable' && !verbose) continue;
    const rule = texts.get(finding.ruleId)!;
    lines.push(`  ${mark} ${finding.ruleId.padEnd(26)} ${rule.text}`);
    if (finding.outcome === 'pass' && !verbose) continue;
    const detail: string[][] = [];
    if (finding.expected) detail.push(['expected', finding.expected]);
    if (finding.actual) detail.push(['found', finding.actual]);
    if (finding.next) detail.push(['next', finding.next]);
    if (verbose)
      detail.push([
        'source',
        `${rule.source.document}${rule.source.version ? ` ${rule.source.version}` : ''} (${rule.confidence})`,
      ]);
    lines.push(...table(detail, '      '));
  }
  return lines;
}

const MARKS = { pass: '✓', refuse: '✗', warn: '!', 'not-applicable': '·', unknown: '?' } as const;

function headline(subject: string, decision: Decision): string {
  if (decision.verdict === 'refused')
    return `${subject}: ${paint('red', 'refused')} by ${decision.ruleId}`;
  if (!decision.conditional) return `${subject}: ${paint('green', 'admitted')}`;
  return `${subject}: ${paint('yellow', 'admitted')}, if the device says what is still open: ${decision.pending.join(', ')}`;
}

function deviceOf(
  options: VerifyOptions,
  rig: Rig | undefined,
): { device: DeviceFacts; profile: ImageProfileId } {
  const spoken = spokenFacts(options);
  const explicit = options.profile === undefined ? undefined : profileOf(options.profile);
  if (rig) {
    const [device] = selectDevices(rig, options.device);
    return {
      device: { ...factsOfModel(device!), ...spoken },
      profile: explicit ?? device!.model.imageProfile,
    };
  }
  if (options.model) {
    const model = loadPpmidModel(options.model);
    const { eui64: _, ...facts } = factsOfModel({
      id: '',
      eui64: '',
      coordinator: '',
      installCode: undefined,
      model,
      virtual: undefined,
    });
    return { device: { ...facts, ...spoken }, profile: explicit ?? model.imageProfile };
  }
  return { device: spoken, profile: explicit ?? 'gb-ppmid' };
}

/** What was said of the device on the command line. */
function spokenFacts(options: VerifyOptions): DeviceFacts {
  const facts: DeviceFacts = {};
  if (options.running !== undefined)
    facts.currentFileVersion = wholeNumber(options.running, '--running');
  if (options.hardware !== undefined)
    facts.hardwareVersion = wholeNumber(options.hardware, '--hardware');
  if (options.deviceModel !== undefined) {
    const [manufacturer, model, hardwareVersion, hardwareRevision] = options.deviceModel.split(':');
    if (!manufacturer || !model || !hardwareVersion || !hardwareRevision) {
      throw usage(
        '--device-model',
        'MANUFACTURER:MODEL:HARDWARE-VERSION:HARDWARE-REVISION',
        options.deviceModel,
      );
    }
    facts.deviceModel = { manufacturer, model, hardwareVersion, hardwareRevision };
  }
  return facts;
}
