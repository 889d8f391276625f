/** `uplift verify IMAGE`: would this image be admitted, and by which rule. Touches no device. */
import { decideAdmission } from '../admission/decide.ts';
import type { AnyImageProfile, DeviceFacts } from '../admission/facts.ts';
import { loadDeviceModel, loadRig } from '../config/load.ts';
import type { Rig, RigDevice } from '../config/schema.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import { AuditRecorder } from '../gateway/audit-recorder.ts';
import { factsOfDevice, factsOfModel } from '../gateway/device-facts.ts';
import { ImageFile } from '../gateway/image-library.ts';
import { surroundingsOf } from '../gateway/surroundings.ts';
import { isHubImageProfile, parseHubVersion } from '../image/hub-image.ts';
import { toldOf } from './context.ts';
import { decisionLines, explained, grouped, leftOutLines, refusalLines } from './decision-lines.ts';
import {
  type AdmissionOptions,
  devicesFor,
  indexOf,
  listOf,
  momentOf,
  policyOf,
  profileOf,
  usage,
  wholeNumber,
} from './inputs.ts';
import type { Output } from './output.ts';

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
  const { trust, stamp, contextFor } = surroundingsOf(toldOf(options), rig);
  const list = listOf(options, rig, stamp);
  const policy = policyOf(options);
  const image = new ImageFile(path, { imageIndex: indexOf(options.imageIndex), trust });
  const { subjects, leftOut } = subjectsOf(options, rig, image);
  const recorder = new AuditRecorder(options.audit ?? rig?.auditLog);
  const verdicts = subjects.map(({ device, profile, facts }) => {
    const context = contextFor(device);
    const on = { image: image.as(profile).facts, device: facts, list, policy, context };
    const decision = decideAdmission(on, nowMs);
    recorder.add({ by: 'verify', device: device?.id, image: path }, on, decision);
    return { device: device?.id, profile, decision, on };
  });
  recorder.flush(Date.now());
  output.result(
    {
      file: path,
      verdicts: verdicts.map(({ device, profile, decision, on }) => ({
        ...{ device, profile, facts: on.device },
        decision: explained(decision, on),
      })),
      leftOut,
    },
    [
      ...grouped(verdicts, path, (told) => decisionLines(told, output.verbose)),
      ...leftOutLines(leftOut),
    ],
    grouped(verdicts, path, refusalLines),
  );
  const refused = verdicts.some(({ decision }) => decision.verdict === 'refused');
  return refused ? EXIT.refused : EXIT.done;
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
