/**
 * The four classes of failure of a run, and which class a code is. A failed run has exactly one, set where
 * the failure is seen and from its code, never from text. The classes and what follows from each are a
 * choice of this lab; no standard names them.
 *
 * The table is total over the codes that a run can end with: a test goes over every table of codes and
 * every UpliftError of the layers below.
 */
import { assert, EXIT, type ExitCode } from '../errors.ts';
import type { FailureCode } from '../upgrade/states.ts';

export const LAB_CLASSES = {
  infra: 'The rig or its wiring failed: it says nothing about the device.',
  flash: 'The image did not get across.',
  device: 'The device answered, and failed.',
  assertion: 'Everything ran, and a check did not hold.',
} as const;

export type LabClass = keyof typeof LAB_CLASSES;

/** What a lab ends with where that was the worst of its failures, the worst first. */
export const EXIT_OF_CLASS = {
  device: EXIT.deviceFailed,
  assertion: EXIT.checkFailed,
  flash: EXIT.transferFailed,
  infra: EXIT.notReachable,
} as const satisfies Record<LabClass, ExitCode>;

export function isLabClass(text: unknown): text is LabClass {
  return typeof text === 'string' && Object.hasOwn(LAB_CLASSES, text);
}

/** Of an upgrade's session. */
const SESSION_CLASS = {
  'device-silent': 'flash',
  'hub-silent': 'flash',
  'transfer-stalled': 'flash',
  'transfer-given-up': 'flash',
  'transfer-broken': 'flash',
  'left-in-bootloader': 'flash',
  'deadline-passed': 'flash',

  'link-lost': 'infra',
  'image-not-served': 'infra',
  'image-changed': 'infra',
  // What is wired there is not what the rig file says.
  'bootloader-other': 'infra',

  'facts-missing': 'device',
  'image-refused-by-device': 'device',
  'download-refused-by-device': 'device',
  'holds-unknown-image': 'device',
  'device-reverted': 'device',
  'not-activated': 'device',
  'version-not-readable': 'device',
  'hub-state-unread': 'device',
  'trial-unconfirmed': 'device',
  'upload-refused': 'device',
  'image-refused-by-bootloader': 'device',
  'activation-refused': 'device',
  'image-dropped-at-boot': 'device',
  'not-confirmed': 'device',
  'boots-into-recovery': 'device',
  'application-unheard': 'device',

  // The scenario asks for what cannot be, or does not do what it should have.
  'hold-expired': 'assertion',
  'hold-impossible': 'assertion',
  'image-unnamed': 'assertion',
  'slot-too-small': 'assertion',
} as const satisfies Record<FailureCode, LabClass>;

/** Of the layers below, beside a session: what does not open, is not there, or cannot be kept. */
const BELOW_CLASS = {
  'device-not-joined': 'infra',
  'device-busy': 'infra',
  'coordinator-unreachable': 'infra',
  'coordinator-failed': 'infra',
  'network-mismatch': 'infra',
  'worker-ended': 'infra',
  'backup-damaged': 'infra',
  'link-down': 'infra',
  'port-missing': 'infra',
  'port-in-use': 'infra',
  'port-failed': 'infra',
  'port-forbidden': 'infra',
  'port-ambiguous': 'infra',
  'port-unreachable': 'infra',
  'port-wrong-kind': 'infra',
  'baud-rate-unsupported': 'infra',
  'rig-in-use': 'infra',
  'state-damaged': 'infra',
  'state-folder': 'infra',
  'audit-log-damaged': 'infra',
  'audit-log-locked': 'infra',
  'audit-log-missing': 'infra',
  'audit-log-unwritable': 'infra',
  'file-is-link': 'infra',
  'file-too-large': 'infra',
  'file-unreadable': 'infra',
  'json-malformed': 'infra',
  'anchors-malformed': 'infra',
  'trust-anchors-missing': 'infra',
  'trust-purpose-unknown': 'infra',
  'option-invalid': 'infra',
  'export-unwritten': 'infra',
  'journal-damaged': 'infra',
  'journal-missing': 'infra',
  'journal-too-new': 'infra',
  'journal-unreadable': 'infra',
  'sqlite-setting': 'infra',
  'sqlite-version': 'infra',
  'store-fault': 'infra',
  'store-faulted': 'infra',
  'store-in-use': 'infra',
  'store-unusable': 'infra',
  VIRTUAL_ADAPTER_UNSUPPORTED: 'infra',
  VIRTUAL_FIRMWARE_MISSING: 'infra',
  VIRTUAL_FIRMWARE_TOO_LARGE: 'infra',
  VIRTUAL_FIRMWARE_UNREADABLE: 'infra',
  VIRTUAL_PORT_UNAVAILABLE: 'infra',
  VIRTUAL_PORT_UNKNOWN: 'infra',
  VIRTUAL_PTY_UNAVAILABLE: 'infra',
  VIRTUAL_STATE_UNREADABLE: 'infra',

  // A reading of what is on a hub's line, outside of an upgrade.
  'hub-unreadable': 'infra',
  'hub-no-protocol': 'device',
  'hub-echoes': 'infra',
  'version-not-said': 'device',

  // The scenario does not tell what the rules have to know.
  'context-missing': 'assertion',

  // What a lab itself stands on.
  'disk-shared': 'infra',
  'fault-not-possible': 'infra',
  'fault-out-of-range': 'infra',
  'fault-port-unavailable': 'infra',
  'lease-held': 'infra',
  'lease-lost': 'infra',
  'lease-of-run': 'infra',
  'leases-unusable': 'infra',
  'power-tool-missing': 'infra',
  'power-tool-failed': 'infra',
  'power-timeout': 'infra',
  'power-unreachable': 'infra',
  'power-refused': 'infra',
  'power-answer-wrong': 'infra',
  'power-not-switched': 'infra',
  'power-virtual-elsewhere': 'infra',
  'recording-content-missing': 'infra',
  'recording-not-written': 'infra',
} as const satisfies Record<string, LabClass>;

interface LabCode {
  class: LabClass;
  sentence: string;
}

/** What the lab itself sees. Codes are never reused, and none is one of the layers below. */
export const LAB_CODES = {
  'no-device-free': { class: 'infra', sentence: 'no device of the model is left in the rig' },
  'power-missing': { class: 'infra', sentence: 'nothing switches the power of the device' },
  'power-failed': { class: 'infra', sentence: 'the power was not switched' },
  'button-missing': { class: 'infra', sentence: 'nothing presses the button of the device' },
  'faults-missing': { class: 'infra', sentence: 'nothing stands in the link to make faults in it' },
  'fault-unsupported': { class: 'infra', sentence: 'what stands in the link has no such fault' },
  'glitch-missing': { class: 'infra', sentence: 'nothing moves the modem lines of the device' },
  'reset-missing': { class: 'infra', sentence: 'nothing resets the coordinator' },
  'command-failed': { class: 'infra', sentence: 'a command ended otherwise than it has to' },
  'wan-missing': { class: 'infra', sentence: 'the rig has no such server of the network' },
  'hands-failed': {
    class: 'infra',
    sentence: 'what a step reaches into the rig by did not answer',
  },
  'step-too-long': { class: 'infra', sentence: 'the step lasted longer than it may' },
  'upgrade-too-long': { class: 'flash', sentence: 'the upgrade lasted longer than it may' },
  'reading-too-long': { class: 'device', sentence: 'the device took longer to answer than it may' },
  'wait-too-long': { class: 'assertion', sentence: 'what was waited for did not come' },
  'moment-missed': {
    class: 'assertion',
    sentence: 'the upgrade ended before it came to the moment',
  },
  'image-kept-out': {
    class: 'assertion',
    sentence: 'admission refused the image, and was not to',
  },
  'image-let-in': { class: 'assertion', sentence: 'admission was to refuse the image' },
  'ended-well': { class: 'assertion', sentence: 'the upgrade was to fail, and did not' },
  'ended-otherwise': { class: 'assertion', sentence: 'the upgrade ended otherwise than it has to' },
  'wrong-image-taken': {
    class: 'device',
    sentence: 'the device took an image that it had to refuse',
  },
  'image-lost': { class: 'device', sentence: 'the device lost the image that it held' },
  'version-other': { class: 'device', sentence: 'the device runs another version' },
  'version-unchanged': {
    class: 'device',
    sentence: 'the device runs the same version as before',
  },
  'version-changed': { class: 'device', sentence: 'the device runs another version than before' },
  'code-other': { class: 'assertion', sentence: 'the outcome has another code' },
  'rule-other': { class: 'assertion', sentence: 'another rule refused the image' },
  'again-too-much': { class: 'assertion', sentence: 'more was sent again than may be' },
  'too-slow': { class: 'assertion', sentence: 'it took longer than it may' },
  'too-quick': { class: 'assertion', sentence: 'it took less time than it can' },
  'faults-too-few': { class: 'assertion', sentence: 'fewer faults happened than have to' },
  'nothing-to-assert': { class: 'assertion', sentence: 'there was no upgrade to look at' },
  'call-failed': { class: 'assertion', sentence: 'a check of the program did not hold' },
} as const satisfies Record<string, LabCode>;

export type LabCodeName = keyof typeof LAB_CODES;

const CLASSES: Readonly<Record<string, LabClass>> = {
  ...SESSION_CLASS,
  ...BELOW_CLASS,
  ...Object.fromEntries(Object.entries(LAB_CODES).map(([code, row]) => [code, row.class])),
};

export function isClassified(code: string): boolean {
  return Object.hasOwn(CLASSES, code);
}

/** A code without a class is a bug: the report would not know what the run says. */
export function classOfCode(code: string): LabClass {
  assert(isClassified(code), `the failure code ${code} has a class`);
  return CLASSES[code]!;
}
