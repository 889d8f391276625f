import type { RuleId } from '../../../src/admission/rules.ts';
import {
  type Base,
  base,
  csv,
  EUI64,
  HARDWARE,
  HOME,
  json,
  RULE_EVE_MS,
  SCENE,
} from './builders.ts';
import type { Scene } from './desk.ts';

export function requestBases(): Base[] {
  const request = { requestType: '11.1', duisVersion: '3.0', role: 'IS' };
  const foc = csv({ ...HOME, cohort: 'FOC' });
  const asked = (name: string, ruleId: RuleId, scene: Partial<Scene>) =>
    base(`request: ${name}`, ruleId, 'installations', { scene });
  return [
    base('request: an FOC PPMID on 19 July 2021', 's1sr.foc-ppmid', 'installations', {
      documents: { installations: foc },
      scene: { nowMs: RULE_EVE_MS, fetchedAtMs: RULE_EVE_MS, request },
    }),
    asked('of an older type', 'duis.request-type', {
      request: { ...SCENE.request, requestType: '11.1' },
    }),
    asked('under an older DUIS', 'duis.request-type', {
      request: { ...SCENE.request, duisVersion: '4.0' },
    }),
    asked('in another role', 'role.responsible', { request: { ...SCENE.request, role: 'ES' } }),
    asked('for too many', 'duis.device-count', {
      request: { ...SCENE.request, deviceCount: 50_001 },
    }),
    asked('one is open', 'request.one-open', { openRequests: new Set([EUI64]) }),
    base(
      'request: by another supplier',
      'role.responsible',
      'installations',
      { scene: { request: { ...SCENE.request, party: 'SUPPLIER-C' } } },
      ['installations HOME-1 electricity_supplier'],
    ),
    base(
      'floor: one above the image',
      'version.floor',
      'floors',
      { documents: { floors: json({ version: 1, floors: [{ ...HARDWARE, floor: 0x02000001 }] }) } },
      ['floors', 'image header'],
    ),
  ];
}
