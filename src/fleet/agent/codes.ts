/** Why a gateway is not in touch with its coordinator, or lacks something from it. Codes are never reused. */
import { STORE_CODES, type StoreCode } from '../../store/codes.ts';
import { FLEET_CODES, type FleetCode } from '../codes.ts';

export const LINK_CODES = {
  // Nobody was reached, or nobody who is the coordinator.
  'fleet-unreachable': 'No connection to the coordinator came about.',
  'fleet-untrusted': 'Whoever answers has not the certificate that the coordinator is known by.',
  'fleet-silent': 'The coordinator did not answer in time.',
  'fleet-broken-off': 'The connection ended before the answer did.',
  'fleet-stopped': 'The gateway is being stopped.',

  'fleet-gateway': 'The gateway failed at it; its log says how.',

  // Somebody answered.
  'fleet-redirects': 'The answer leads elsewhere; no redirect is followed.',
  'fleet-failing': 'The coordinator has trouble of its own.',
  'fleet-answer': 'The answer is none that a coordinator gives.',
  'fleet-answer-large': 'The answer is larger than is read.',
  'fleet-refuses': 'The coordinator refuses, and says no more.',
  'fleet-other-identity': 'The coordinator enrolled another gateway, or another certificate.',

  // A blob.
  'range-other': 'Another part of the blob came than was asked for.',
  'range-refused': 'The coordinator says that the blob has no such part.',
  'blob-short': 'Less came of the blob than was to come.',
  'blob-unwanted': 'It is not wanted any more.',
  'blob-changed': 'The blob is another one than when its first part came.',
} as const;

export type LinkCode = keyof typeof LINK_CODES;
/** With what a coordinator refuses, and what the store says. */
export type AgentCode = LinkCode | FleetCode | StoreCode;

/** What a coordinator says is one of its codes, or not believed. */
export function isFleetCode(code: unknown): code is FleetCode {
  return typeof code === 'string' && Object.hasOwn(FLEET_CODES, code);
}

export function sentenceOf(code: AgentCode): string {
  return { ...STORE_CODES, ...FLEET_CODES, ...LINK_CODES }[code];
}
