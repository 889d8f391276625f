/** What a rule of admission is: data about itself, and a check for each kind of image it is about. */
import type { FactName } from './fact-table.ts';
import type { HubImageFacts, OtaImageFacts } from './facts.ts';
import type { Check } from './verdict.ts';

export type Confidence = 'read' | 'inferred' | 'assumed';

export interface RuleText {
  id: RuleId;
  text: string;
  source: { document: string; version?: string };
  confidence: Confidence;
  /** The facts that its checks read, in the order in which a person would ask for them. */
  sees: readonly FactName[];
  /** Whether a site's configuration may change what the rule does. */
  siteMayChange: boolean;
  /** The first moment at which it is in force; absent: always was. */
  effectiveFromMs?: number;
  /** The first moment at which it is not any more. */
  effectiveUntilMs?: number;
}

/** Asked only where the image is readable; `image.readable` answers for the rest. */
export interface Rule extends RuleText {
  ota?: Check<OtaImageFacts>;
  hub?: Check<HubImageFacts>;
  /** What only the check of an OTA image sees, or only that of a hub's. */
  otaSees?: readonly FactName[];
  hubSees?: readonly FactName[];
  /** What they see further where a waiver was given. */
  waivedSees?: readonly FactName[];
}

export type RuleId =
  | 'image.readable'
  | 'image.size-cap'
  | 'image.device-size'
  | 'image.total-size'
  | 'image.fits-slot'
  | 'image.header'
  | 'image.elements'
  | 'image.integrity-code'
  | 'image.digest'
  | 'image.signature'
  | 'image.bootable'
  | 'image.dependencies'
  | 'device.image-profile'
  | 'device.manufacturer-code'
  | 'device.image-type'
  | 'device.hardware-range'
  | 'device.destination'
  | 'device.newer'
  | 'cpl.listed'
  | 'cpl.device-model'
  | 'cpl.current'
  | 'cpl.firmware-version'
  | 'cpl.loaded'
  | 'cpl.stale'
  | 'cpl.rollback'
  | 'cpl.pathway'
  | 'epcl.combination'
  | 'version.floor'
  | 'version.step'
  | 'signature.party'
  | 'zse.signature'
  | 's1sr.foc-ppmid'
  | 'duis.request-type'
  | 'duis.device-count'
  | 'role.responsible'
  | 'request.one-open'
  | 'request.hold';

/** For a rule that asks the same of either kind. */
export function both(check: Check): Pick<Rule, 'ota' | 'hub'> {
  return { ota: check, hub: check };
}

/** What a rule sees that asks for the entries of the image, and for those that stand. */
export const ENTRY: readonly FactName[] = ['image.listedHash', 'list.entry', 'device.deviceModel'];
export const CURRENT_ENTRY: readonly FactName[] = [...ENTRY, 'list.standing', 'now'];

/** What a rule sees that asks for leave to go back: the bench's, and whether there is a waiver. */
export const LEAVE: readonly FactName[] = [
  'context.waiver',
  'policy.allowDowngrade',
  'context.intake',
];

/** What is held against a waiver, where there is one. */
export const WAIVED: readonly FactName[] = [
  'image.number',
  'image.sendSha256',
  'device.eui64',
  'device.serialNumber',
  'device.deviceModel',
  'now',
];
