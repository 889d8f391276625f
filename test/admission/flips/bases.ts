/**
 * Base cases: near misses, each refused for one reason, and what is admitted.
 */
import { type Base, base } from './builders.ts';
import { hubBases } from './hub-bases.ts';
import { imageBases } from './image-bases.ts';
import { combinationBases, listBases } from './list-bases.ts';
import { requestBases } from './request-bases.ts';
import { signatureBases, zseBase } from './signature-bases.ts';
import { waiverBases } from './waiver-bases.ts';

export const BASES: readonly Base[] = [
  base('admitted: a service request', undefined, 'image', {}, ['image header']),
  ...listBases(),
  ...combinationBases(),
  ...imageBases(),
  ...requestBases(),
  ...waiverBases(),
  ...signatureBases(),
  zseBase(),
  ...hubBases(),
];
