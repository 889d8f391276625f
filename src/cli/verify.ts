/** `uplift verify IMAGE`: would this image be admitted, and by which rule. Touches no device. */
import { type Decision, decideAdmission, type Finding, rules } from '../admission/decide.ts';
import type { AnyImageProfile, DeviceFacts } from '../admission/facts.ts';
import { PENDING_FACTS } from '../admission/pending-facts.ts';
import { loadDeviceModel, loadRig } from '../config/load.ts';
import type { Rig, RigDevice } from '../config/schema.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { AuditRecorder } from '../gateway/audit-recorder.ts';
import { factsOfDevice, factsOfModel } from '../gateway/device-facts.ts';
import { ImageFile } from '../gateway/image-library.ts';
import { isHubImageProfile, parseHubVersion } from '../image/hub-image.ts';
import { surroundingsOf } from './context.ts';
import {
  type AdmissionOptions,
  devicesFor,
  indexOf,
  listOf,
  momentOf,
  policyOf,
  profileOf,
  someOf,
  usage,
  wholeNumber,
} from './inputs.ts';
import { type Output, paint, table } from './output.ts';

export interface VerifyOptions extends AdmissionOptions {
  at?: string;
  audit?: string;
  profile?: string;
  rig?: string;
  device?: string[];
  model?: string;
  deviceModel?: string;
  hardware?: string;
  running?: string;
}

interface Subject {
  /** Of the rig; undefined for a device that is only spoken of. */
  device: RigDevice | undefined;
  profile: AnyImageProfile;
  facts: DeviceFacts;
}

export function verify(path: string, options: VerifyOptions, output: Output): ExitCode {
  const rig = options.rig === undefined ? undefined : loadRig(options.rig);
  const nowMs = options.at === undefined ? Date.now() : momentOf('--at', options.at);
  const { trust, stamp, contextFor } = surroundingsOf(options, rig);
  const list = listOf(options, rig, stamp);
  const policy = policyOf(options);
  const image = new ImageFile(path, { imageIndex: indexOf(options.imageIndex), trust });
  const { subjects, leftOut } = subjectsOf(options, rig, image);
  const recorder = new AuditRecorder(options.audit ?? rig?.auditLog);
  const verdicts = subjects.map(({ device, profile, facts }) => {
    const context = contextFor(device);
    const admission = { image: image.as(profile).facts, device: facts, list, policy, context };
    const decision = decideAdmission(admission, nowMs);
    recorder.add({ by: 'verify', device: device?.id, image: path }, admission, decision);
    return { device: device?.id, profile, facts, decision };
  });
  recorder.flush(Date.now());
  output.result(
    { file: path, verdicts, leftOut },
    [
      ...grouped(verdicts, path, (subject, { decision }) =>
        decisionLines(subject, decision, output.verbose),
      ),
      ...leftOutLines(leftOut),
    ],
    grouped(verdicts, path, (subject, { decision }) => refusalLines(subject, decision)),
  );
  const refused = verdicts.some(({ decision }) => decision.verdict === 'refused');
  return refused ? EXIT.refused : EXIT.done;
}

/** Devices that a decision says the same of are named together. */
export function grouped<V extends { device: string | undefined; decision: Decision }>(
  verdicts: V[],
  path: string,
  linesOf: (subject: string, verdict: V) => string[],
): string[] {
  const groups = new Map<string, V[]>();
  for (const verdict of verdicts) {
    const said = JSON.stringify({ ...verdict, device: '', facts: '', decision: saidOf(verdict) });
    groups.set(said, [...(groups.get(said) ?? []), verdict]);
  }
  return [...groups.values()].flatMap((group, index) => {
    const devices = group.flatMap(({ device }) => device ?? []);
    const subject = devices.length > 0 ? `${path} for ${someOf(devices)}` : path;
    const lines = linesOf(subject, group[0]!);
    return index > 0 && lines.length > 0 ? ['', ...lines] : lines;
  });
}

/** What of a decision is printed: not when it was made. */
function saidOf({ decision }: { decision: Decision }): unknown {
  return { ...decision, decidedAtMs: 0 };
}

/** Devices that nobody asked about by name, and that take another kind of image. */
export function leftOutLines(devices: string[]): string[] {
  if (devices.length === 0) return [];
  const names = someOf(devices);
  return [
    '',
    `left out, since they take another kind of image: ${names} (--device asks about them)`,
  ];
}

/** The findings in words. Passed rules are one line; what is not plain says what was expected and found. */
export function decisionLines(subject: string, decision: Decision, verbose: boolean): string[] {
  const shown = decision.findings.filter(({ outcome }) => verbose || outcome !== 'not-applicable');
  return [
    headline(subject, decision),
    ...shown.flatMap((finding) => findingLines(finding, verbose)),
  ];
}

/** Why a device is refused, and nothing else; no line where it is admitted. */
export function refusalLines(subject: string, decision: Decision): string[] {
  if (decision.verdict !== 'refused') return [];
  const refusals = decision.findings.filter(({ outcome }) => outcome === 'refuse');
  return [
    headline(subject, decision),
    ...refusals.flatMap((finding) => findingLines(finding, false)),
  ];
}

function findingLines(finding: Finding, verbose: boolean): string[] {
  const { ruleId, outcome, expected, actual, next } = finding;
  const { text, source, confidence } = RULE_TEXTS.get(ruleId)!;
  const line = `  ${MARKS[outcome]} ${ruleId.padEnd(RULE_COLUMNS)}  ${text}`;
  if (outcome === 'pass' && !verbose) return [line];
  const from = `${source.document}${source.version ? ` ${source.version}` : ''} (${confidence})`;
  const detail = [
    ...(expected ? [['expected', expected]] : []),
    ...(actual ? [['found', actual]] : []),
    ...(next ? [['next', next]] : []),
    ...(verbose ? [['source', from]] : []),
  ];
  return [line, ...table(detail, '      ')];
}

const RULE_TEXTS = new Map(rules().map((rule) => [rule.id, rule]));
const RULE_COLUMNS = Math.max(...[...RULE_TEXTS.keys()].map((id) => id.length));

const MARKS = { pass: '✓', refuse: '✗', warn: '!', 'not-applicable': '·', unknown: '?' } as const;

function headline(subject: string, decision: Decision): string {
  if (decision.verdict === 'refused')
    return `${subject}: ${paint('red', 'refused')} by ${decision.ruleId}`;
  if (!decision.conditional) return `${subject}: ${paint('green', 'admitted')}`;
  const pending = decision.pending.map((fact) => PENDING_FACTS[fact].what).join(', ');
  return `${subject}: ${paint('yellow', 'admitted')} as far as is known; still open: ${pending}`;
}

function subjectsOf(
  options: VerifyOptions,
  rig: Rig | undefined,
  file: ImageFile,
): { subjects: Subject[]; leftOut: string[] } {
  const explicit = options.profile === undefined ? undefined : profileOf(options.profile);
  const subject = (device: RigDevice | undefined, known: DeviceFacts): Subject => {
    const profile = explicit ?? file.profileFor(known.imageProfile ?? 'gb-ppmid');
    return { device, profile, facts: { ...known, ...spokenFacts(options, profile) } };
  };
  if (rig) {
    if (options.model !== undefined) throw usage('--model', 'either --rig or --model', 'both');
    const { devices, leftOut } = devicesFor(file, rig, options.device);
    return {
      subjects: devices.map((device) => subject(device, factsOfDevice(device))),
      leftOut: leftOut.map(({ id }) => id),
    };
  }
  if (options.device !== undefined) {
    throw usage('--device', 'a rig (--rig FILE) to take the device from', 'no --rig');
  }
  const known = options.model === undefined ? {} : factsOfModel(loadDeviceModel(options.model));
  return { subjects: [subject(undefined, known)], leftOut: [] };
}

/** What was said of the device on the command line. */
function spokenFacts(options: VerifyOptions, profile: AnyImageProfile): DeviceFacts {
  const facts: DeviceFacts = {};
  if (options.running !== undefined) Object.assign(facts, runningFacts(options.running, profile));
  if (options.hardware !== undefined)
    facts.hardwareVersion = wholeNumber(options.hardware, '--hardware', 0xffff);
  if (options.deviceModel !== undefined) {
    const parts = options.deviceModel.split(':');
    const [manufacturer, model, hardwareVersion, hardwareRevision] = parts;
    if (parts.length !== 4 || !manufacturer || !model || !hardwareVersion || !hardwareRevision) {
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

function runningFacts(text: string, profile: AnyImageProfile): DeviceFacts {
  if (!isHubImageProfile(profile)) {
    return { currentFileVersion: wholeNumber(text, '--running', 0xffff_ffff) };
  }
  if (parseHubVersion(profile, text)) return { runningVersion: text };
  const expected =
    profile === 'mcuboot'
      ? 'a version as the hub lists it, such as 1.2.3 or 1.2.3.4'
      : 'the version of a GBL as a number, such as 0x00010000';
  throw usage('--running', expected, text);
}
