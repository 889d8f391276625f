/**
 * Regulation as data: which request carries an upgrade, who may ask, since when, how much, how long.
 *
 * Most of it was not read in the documents themselves, which could not be had, so every table names
 * its source, and a site may put another in its place.
 */
import type { DeviceKind } from '../products/combinations.ts';
import { EXPEDITED_POLICY, type ExpeditedPolicy } from '../products/expedited.ts';
import { LIST_AGE_LIMITS, type ListAgeLimits } from '../products/list-age.ts';

export interface RequestRoute {
  kind: DeviceKind;
  requestType: string;
  /** Versions of DUIS, the first one included and the last one not; absent: without bound. */
  fromDuis?: string;
  untilDuis?: string;
  source: string;
}

export interface Regulation {
  routes: readonly RequestRoute[];
  /** Versions of DUIS that excluded firmware of FOC PPMIDs. */
  focExclusion: { duisVersions: readonly string[]; source: string };
  /** Roles that may ask for an upgrade. */
  roles: Readonly<Record<DeviceKind, { roles: readonly string[]; source: string }>>;
  /** The age of a list at which it is old, and too old. */
  ages: ListAgeLimits;
  expedited: ExpeditedPolicy;
  /** Octets of an image; above the first refused, above the second doubted. */
  imageBytes: { requestMax: number; deviceMax: number; source: string };
  /** How far a file version may rise at once where no list names it; see `version.step`. */
  versionStep: { most: number; source: string };
  requestDevicesMax: { devices: number; source: string };
  /** How long a hub holds an image that its device has not taken. */
  hold: { days: number; source: string };
}

const MATRIX = 'request matrix of @smartdcc/duis-parser 0.6.0 (read), the devices inferred';
const SHARED = 'assumed: no source names an owner where both suppliers use the device';
const XSD = 'DUIS XML schemas 5.0a to 5.4';

export const REGULATION: Regulation = {
  routes: [
    { kind: 'esme', requestType: '11.1', source: `${MATRIX}` },
    { kind: 'gsme', requestType: '11.1', source: `${MATRIX}` },
    {
      kind: 'ppmid',
      requestType: '11.1',
      fromDuis: '3.0',
      untilDuis: '5.0',
      source: 'inferred: 11.4 came later than DUIS 3.0, 3.1 and 4.0',
    },
    { kind: 'ppmid', requestType: '11.4', fromDuis: '5.0', source: `${XSD}; SECMP0007 (read)` },
  ],
  focExclusion: {
    duisVersions: ['3.0', '3.1', '4.0'],
    source: 'letter of July 2021, paragraph 5 (read); other versions assumed not to exclude',
  },
  roles: {
    esme: { roles: ['IS'], source: MATRIX },
    gsme: { roles: ['GS'], source: MATRIX },
    communications_hub: { roles: ['IS', 'GS'], source: SHARED },
    ppmid: { roles: ['IS', 'GS'], source: SHARED },
  },
  ages: LIST_AGE_LIMITS,
  expedited: EXPEDITED_POLICY,
  imageBytes: {
    requestMax: 10_240_000,
    deviceMax: 750_000,
    source: `${XSD} for the request (read); the device's assumed, seen in no source`,
  },
  versionStep: { most: 0x1000_0000, source: 'assumed: our choice, a sixteenth of all versions' },
  requestDevicesMax: { devices: 50_000, source: `${XSD} (inferred from a length of text)` },
  hold: { days: 7, source: 'assumed: seen in no source' },
};

/** Which of two versions of DUIS is the later, `3.0` and `3.1`; `undefined` where one is none. */
export function compareDuis(a: string, b: string): number | undefined {
  const [left, right] = [partsOf(a), partsOf(b)];
  if (!left || !right) return undefined;
  return left[0] - right[0] || left[1] - right[1];
}

function partsOf(version: string): [number, number] | undefined {
  // 5.0a and 5.1a are printings of 5.0 and 5.1.
  const parts = /^\s*(\d{1,3})\.(\d{1,3})[a-z]?\s*$/.exec(version);
  return parts ? [Number(parts[1]), Number(parts[2])] : undefined;
}
