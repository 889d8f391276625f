/** What a decision can wait for: what the device, or whoever asks, has not said yet. */
import type { ContextFact } from './context.ts';
import type { DeviceFacts } from './facts.ts';
import type { Verdict } from './verdict.ts';

/** A value of the device, or of what is around the upgrade, that a rule waits for. */
export type PendingFact = keyof DeviceFacts | ContextFact;

interface PendingWords {
  /** As a person calls it. */
  what: string;
  /** How it comes to be known. */
  next: string;
}

export const PENDING_FACTS: Readonly<Record<PendingFact, PendingWords>> = {
  eui64: {
    what: 'its EUI-64',
    next: 'name the device of the rig, or wait until it has joined',
  },
  serialNumber: {
    what: 'its serial number',
    next: 'name the device of a rig that says its serial number',
  },
  manufacturerCode: {
    what: 'its manufacturer code',
    next: 'ask the device, which says so when it asks for an image, or name its model file',
  },
  imageType: {
    what: 'its image type',
    next: 'ask the device, which says so when it asks for an image, or name its model file',
  },
  hardwareVersion: {
    what: 'its hardware version',
    next: 'ask the device, or say its hardware version as the label has it',
  },
  currentFileVersion: {
    what: 'the file version it runs',
    next: 'ask the device, or say which file version it runs',
  },
  runningVersion: {
    what: 'the version it runs',
    next: 'ask the hub, or say which version it runs',
  },
  deviceModel: {
    what: 'its Device Model',
    next: 'say its manufacturer, model, hardware version and hardware revision, or name its model file',
  },
  imageProfile: {
    what: 'the kind of image it takes',
    next: 'name the device of a rig, or its model file, which says what kind of image it takes',
  },
  otherImages: {
    what: 'what its other images run',
    next: 'ask the hub, which lists them',
  },
  imageNumber: {
    what: 'which of its images is given',
    next: 'name the model file of the hub, which says which of its images this is',
  },
  slotBytes: {
    what: 'the room it has for an image',
    next: 'name the model file of the device, which says what room it has',
  },
  kind: {
    what: 'the kind of device it is',
    next: 'name the model file of the device, which says what it is',
  },
  installation: {
    what: 'the installation it is part of',
    next: 'name the installation that the device is part of',
  },
  cohort: {
    what: 'the cohort of its installation',
    next: 'say in which cohort the installation is: IOC, MOC or FOC',
  },
  suppliers: {
    what: 'the suppliers of its installation',
    next: 'say who the Responsible Suppliers of the installation are',
  },
  eligible: {
    what: 'the Eligible Products Combination List',
    next: 'name the Eligible Products Combination List',
  },
  requestType: {
    what: 'the request by which it is asked for',
    next: 'say by which Service Request the upgrade is asked for',
  },
  duisVersion: {
    what: 'the version of DUIS of the request',
    next: 'say under which version of DUIS the request is made',
  },
  role: {
    what: 'the role of the party that asks',
    next: 'say in which role the party asks',
  },
  openRequests: {
    what: 'which requests are open',
    next: 'say for which devices another request is open',
  },
  listAge: {
    what: 'when the lists were fetched',
    next: 'say when the lists were fetched',
  },
};

/** The verdict of a rule that cannot answer before `pending` is known. */
export function waitFor(
  pending: PendingFact,
  found: { expected?: string; actual?: string } = {},
): Verdict {
  const { what, next } = PENDING_FACTS[pending];
  return { outcome: 'unknown', pending, expected: what, ...found, next };
}
