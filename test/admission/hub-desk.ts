/** Hub images by the naive builders, signed here, and a decision on one of them with what a test changes. */

import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { type Decision, decideAdmission } from '../../src/admission/decide.ts';
import {
  type AdmissionFacts,
  type AdmissionPolicy,
  type AnyImageProfile,
  type DeviceFacts,
  gatherImageFacts,
  type ImageFactsOptions,
} from '../../src/admission/facts.ts';
import {
  type CentralProductsList,
  parseCentralProductsList,
} from '../../src/products/central-products-list.ts';
import {
  type NaiveMcuboot,
  naiveEbl,
  naiveEblHeader,
  naiveGbl,
  naiveGblHeader,
  naiveMcuboot,
  naiveMcubootCovered,
} from '../image/naive-hub.ts';
import { counting, le } from '../image/naive-ota.ts';
import { anchorOf } from '../support/anchors.ts';

export const NOW = Date.UTC(2026, 0, 5);

export interface Signer {
  privateKey: KeyObject;
  spki: Uint8Array;
  publicKey: KeyObject;
}

function signer(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    privateKey,
    spki: publicKey.export({ type: 'spki', format: 'der' }),
    publicKey,
  };
}

export const OWN = signer();
export const STRANGER = signer();

/** TLV types, from the layout table alone. */
const TLV = { keyHash: 0x01, sha256: 0x10, ecdsa: 0x22, pure: 0x25, ed25519: 0x24, wrapped: 0x32 };

export interface McubootChange extends NaiveMcuboot {
  named?: Signer | 'nobody';
  signing?: Signer | 'nobody';
  /** Instead of the signature. */
  signature?: number[];
  digest?: number[] | 'absent';
  isEncrypted?: boolean;
}

export function mcuboot(change: McubootChange = {}): Uint8Array {
  const { named = OWN, signing = OWN, digest, isEncrypted = false, ...rest } = change;
  const image: NaiveMcuboot = {
    version: [2, 0, 0, 0],
    body: counting(200, 7),
    protectedTlvs: [[0x50, [2, 0, 0, 0]]],
    ...rest,
    flags: (rest.flags ?? 0) | (isEncrypted ? 0x04 : 0),
  };
  const covered = Uint8Array.from(naiveMcubootCovered(image));
  const tlvs: [number, number[]][] = [];
  if (digest !== 'absent') tlvs.push([TLV.sha256, digest ?? [...sha256(covered)]]);
  if (named !== 'nobody') tlvs.push([TLV.keyHash, [...sha256(named.spki)]]);
  if (signing !== 'nobody') {
    const { privateKey: key } = signing;
    const made = sign('sha256', covered, { key, dsaEncoding: 'der' });
    tlvs.push([TLV.ecdsa, change.signature ?? [...made]]);
  }
  if (digest === 'absent') tlvs.push([TLV.pure, [1]], [TLV.ed25519, counting(64)]);
  if (isEncrypted) tlvs.push([TLV.wrapped, counting(113)]);
  return naiveMcuboot({ ...image, tlvs });
}

export interface GblChange {
  version?: number;
  signing?: Signer | 'nobody';
  tags?: [number, number[]][];
  isEncrypted?: boolean;
}

export function gbl(change: GblChange = {}): Uint8Array {
  const { version = 0x00020000, signing = OWN, isEncrypted = false } = change;
  const info = [...le(2, 4), ...le(version, 4), ...le(0, 4), ...counting(16)];
  const program = [...le(0x4000, 4), ...counting(150, 3)];
  const clear: [number, number[]][] = [
    [0xf40a0af4, info],
    [0xfd0303fd, program],
  ];
  const sealed: [number, number[]][] = [
    [0xfa0606fa, counting(16)],
    [0xf90707f9, counting(170)],
  ];
  const type = (signing === 'nobody' ? 0 : 0x100) | (isEncrypted ? 1 : 0);
  const tags = [naiveGblHeader(type), ...(change.tags ?? (isEncrypted ? sealed : clear))];
  if (signing === 'nobody') return naiveGbl(tags);
  const covered = tags.flatMap(([id, value]) => [...le(id, 4), ...le(value.length, 4), ...value]);
  const key = { key: signing.privateKey, dsaEncoding: 'ieee-p1363' } as const;
  return naiveGbl([...tags, [0xf70a0af7, [...sign('sha256', Uint8Array.from(covered), key)]]]);
}

export function ebl(): Uint8Array {
  return naiveEbl([naiveEblHeader(), [0xfd03, [8, 0, 0x40, 0, ...counting(60)]]]);
}

export const MODELS = {
  mcuboot: { manufacturer: '121D', model: '0090', hardwareVersion: '01', hardwareRevision: '00' },
  gbl: { manufacturer: '121D', model: '0091', hardwareVersion: '01', hardwareRevision: '00' },
  ebl: { manufacturer: '121D', model: '0092', hardwareVersion: '01', hardwareRevision: '00' },
} as const;

export type HubProfile = keyof typeof MODELS;

const VERSIONS = { mcuboot: '02000000', gbl: '00020000', ebl: '9001' };
const RUNNING = { mcuboot: '1.9.9.7', gbl: '0x00010000', ebl: undefined };

export interface Case {
  profile?: HubProfile;
  file?: Uint8Array;
  device?: DeviceFacts;
  /** Of the entry that names the image; none is a list without it. */
  entry?: { model?: string; version?: string; status?: string; dates?: string } | 'none';
  /** On a bench, without any list. */
  noList?: true;
  policy?: AdmissionPolicy;
  options?: Partial<ImageFactsOptions>;
}

/** The own key, pinned for each of the purposes. */
export function trusting(...purposes: string[]): Pick<ImageFactsOptions, 'trust'> {
  return { trust: { anchors: purposes.map((purpose) => anchorOf(purpose, OWN.publicKey)) } };
}

const TRUST = trusting('mcuboot-firmware', 'gbl-firmware');
export const GOOD = { mcuboot: mcuboot(), gbl: gbl(), ebl: ebl() };

/** The facts of a good case with what was changed, and when they are decided on. */
export function gather(change: Case = {}): { facts: AdmissionFacts; nowMs: number } {
  const { profile = 'mcuboot', entry = {}, noList } = change;
  const file = change.file ?? GOOD[profile];
  const read: AnyImageProfile = change.options?.profile ?? profile;
  const gathered = gatherImageFacts(file, {
    ...TRUST,
    ...change.options,
    profile: read,
  });
  const sent = gathered.hubImage?.sendBytes ?? file;
  return {
    facts: {
      image: gathered.facts,
      device: {
        deviceModel: MODELS[profile],
        imageProfile: profile,
        slotBytes: 2000,
        runningVersion: RUNNING[profile],
        ...change.device,
      },
      list: noList
        ? undefined
        : listOf(profile, entry === 'none' ? new Uint8Array(1) : sent, entry),
      policy: { ...(noList ? { listRequired: false } : {}), ...change.policy },
    },
    nowMs: NOW,
  };
}

export function decide(change: Case = {}): Decision {
  const { facts, nowMs } = gather(change);
  return decideAdmission(facts, nowMs);
}

function listOf(
  profile: HubProfile,
  bytes: Uint8Array,
  entry: Exclude<Case['entry'], undefined>,
): CentralProductsList {
  const {
    model,
    version,
    status = 'Current',
    dates = '2021-01-01,',
  } = entry === 'none' ? {} : entry;
  const hash = Buffer.from(sha256(bytes)).toString('hex');
  const hardware = `121D,${model ?? MODELS[profile].model},01,00`;
  const line = `E1,CHF,${hardware},${version ?? VERSIONS[profile]},${hash},${status},${dates}`;
  const heading =
    'entry_id,device_type,manufacturer,model,hardware_version,hardware_revision,firmware_version,' +
    'manufacturer_image_hash,status,listed_from,removed_from';
  const parsed = parseCentralProductsList(`${heading}\n${line}`);
  if (!parsed.ok || parsed.list.issues.length > 0) throw new Error('the test list is wrong');
  return parsed.list;
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}
