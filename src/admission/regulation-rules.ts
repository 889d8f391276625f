/**
 * The rules that regulation adds to those of image, device and list. Asked last, so that an image
 * that is wrong by itself is refused for that.
 */
import { DIRECTION_2021_MS } from '../products/expedited.ts';
import { checkCombination } from './combination-checks.ts';
import { checkDeviceSize } from './image-checks.ts';
import { checkLoaded, checkRollback, checkStale } from './list-checks.ts';
import {
  checkDeviceCount,
  checkFocPpmid,
  checkHold,
  checkOneOpen,
  checkRequestType,
  checkRole,
} from './request-checks.ts';
import { both, CURRENT_ENTRY, LEAVE, type Rule, WAIVED } from './rule.ts';
import { checkParty, checkZse } from './signature-checks.ts';
import { checkPathway, checkVersionFloor, checkVersionStep } from './version-checks.ts';

const LETTER = { document: 'BEIS letter and direction on SMETS1', version: 'July 2021' };
const DUIS = { document: 'DUIS XML schema', version: '5.0a to 5.4' };
const OWN = { document: 'our choice, found in no source' };

export const REGULATION_RULES: readonly Rule[] = [
  {
    id: 'image.device-size',
    text: 'The image is no larger than GB devices are assumed to take.',
    source: OWN,
    confidence: 'assumed',
    siteMayChange: true,
    sees: ['image.bytes', 'image.profile', 'regulation.imageBytes', 'policy.deviceSize'],
    ota: checkDeviceSize,
  },
  {
    id: 'cpl.loaded',
    text: 'The DCC has loaded the entry; listed alone is not loaded.',
    source: { document: 'SEC news on entries that could not be loaded', version: 'May 2018' },
    confidence: 'inferred',
    siteMayChange: true,
    sees: [...CURRENT_ENTRY, 'list.loaded', 'context.intake', 'policy.notLoaded'],
    ...both(checkLoaded),
  },
  {
    id: 'cpl.stale',
    text: 'No list that the decision rests on is older than it may be, or from the future.',
    source: OWN,
    confidence: 'assumed',
    siteMayChange: true,
    sees: ['list.fetched', 'regulation.ages', 'context.intake', 'now'],
    ...both(checkStale),
  },
  {
    id: 'cpl.rollback',
    text: 'The products list is not older than the newest one that was accepted before.',
    source: OWN,
    confidence: 'assumed',
    siteMayChange: true,
    sees: ['list.accepted', 'list.entries', 'list.issues', 'policy.listRollback'],
    ...both(checkRollback),
  },
  {
    id: 'cpl.pathway',
    text: 'The version that the device runs is one from which one may upgrade to this one.',
    source: { document: 'SEC modification MP231, consultation', version: 'to 12 May 2023' },
    confidence: 'inferred',
    siteMayChange: true,
    sees: [
      'device.currentFileVersion',
      'device.runningVersion',
      'context.installedVersion',
      ...CURRENT_ENTRY,
      'list.upgradeFrom',
      'list.predecessors',
      'image.version',
      'device.kind',
      'device.imageProfile',
      ...LEAVE,
      'policy.unknownPathway',
      'policy.noPathway',
    ],
    hubSees: ['image.profile'],
    waivedSees: WAIVED,
    ...both(checkPathway),
  },
  {
    id: 'epcl.combination',
    text:
      'The combination after the upgrade is eligible; or, from 20 July 2021, an expedited entry ' +
      'covers it while its test is open.',
    source: { document: 'SEC F2.10A(a), glossary; BEIS letter of July 2021', version: 'July 2021' },
    confidence: 'inferred',
    siteMayChange: true,
    sees: [
      'context.installation',
      'device.kind',
      ...CURRENT_ENTRY,
      'list.version',
      'list.generation',
      'list.expedited',
      'context.eligible',
      'context.pending',
      'regulation.expedited',
      'context.intake',
    ],
    ...both(checkCombination),
  },
  {
    id: 'version.floor',
    text: 'The version is not below the floor of the Device Model, unless two people waived it.',
    source: OWN,
    confidence: 'assumed',
    siteMayChange: true,
    sees: ['context.floors', 'image.number', 'device.deviceModel', 'context.waiver'],
    waivedSees: WAIVED,
    ...both(checkVersionFloor),
  },
  {
    id: 'version.step',
    text: 'The file version is not so high that no later one is left, unless the list names it.',
    source: OWN,
    confidence: 'assumed',
    siteMayChange: true,
    sees: [
      'image.version',
      'device.currentFileVersion',
      'list.version',
      ...CURRENT_ENTRY,
      'regulation.versionStep',
      'policy.versionStep',
    ],
    ota: checkVersionStep,
  },
  {
    id: 'signature.party',
    text: 'The party that signed may sign for this device, by its certificate or its pinned key.',
    source: { document: 'GBCS 1.0; RFC 5280; public test PKI of SMKI' },
    confidence: 'inferred',
    siteMayChange: true,
    sees: ['image.signer', 'now', 'context.intake', 'policy.revocationUnchecked'],
    ota: checkParty,
  },
  {
    id: 'zse.signature',
    text: 'A Smart Energy signature in a ZigBee image was made by a configured signer.',
    source: { document: 'Silicon Labs gecko_sdk, which names ZigBee 15-0324-02' },
    confidence: 'inferred',
    siteMayChange: true,
    sees: ['image.zse', 'policy.unverifiedSignature'],
    ota: checkZse,
  },
  {
    id: 's1sr.foc-ppmid',
    text: 'Under DUIS 3.0, 3.1 and 4.0 a PPMID of an FOC combination is not upgraded.',
    source: LETTER,
    confidence: 'inferred',
    siteMayChange: true,
    sees: [
      'device.kind',
      'context.cohort',
      'request.duisVersion',
      'regulation.focExclusion',
      'context.intake',
      'now',
      'policy.inForce',
    ],
    // The day is read; its start in UK local time is assumed.
    effectiveUntilMs: DIRECTION_2021_MS,
    ...both(checkFocPpmid),
  },
  {
    id: 'duis.request-type',
    text: 'The request is one that carries firmware to this kind of device in its version of DUIS.',
    source: DUIS,
    confidence: 'inferred',
    siteMayChange: true,
    sees: [
      'request.requestType',
      'request.duisVersion',
      'device.kind',
      'regulation.routes',
      'context.intake',
    ],
    ...both(checkRequestType),
  },
  {
    id: 'duis.device-count',
    text: 'The request names no more devices than one may.',
    source: DUIS,
    confidence: 'inferred',
    siteMayChange: true,
    sees: ['request.deviceCount', 'regulation.requestDevicesMax'],
    ...both(checkDeviceCount),
  },
  {
    id: 'role.responsible',
    text: 'The party that asks is responsible for the device.',
    source: { document: 'request matrix of @smartdcc/duis-parser', version: '0.6.0' },
    confidence: 'inferred',
    siteMayChange: true,
    sees: [
      'request.role',
      'request.party',
      'device.kind',
      'context.suppliers',
      'regulation.roles',
      'context.intake',
    ],
    ...both(checkRole),
  },
  {
    id: 'request.one-open',
    text: 'No other request for the device is open.',
    source: { document: 'DUIS XML schema, OtherRequestInProgressList', version: '5.0a to 5.4' },
    confidence: 'inferred',
    siteMayChange: false,
    sees: ['context.openRequests', 'device.eui64', 'context.intake'],
    ...both(checkOneOpen),
  },
  {
    id: 'request.hold',
    text: 'The hub still holds the image for the device.',
    source: OWN,
    confidence: 'assumed',
    siteMayChange: true,
    sees: ['request.heldSince', 'regulation.hold', 'now', 'policy.holdPassed'],
    ...both(checkHold),
  },
];
