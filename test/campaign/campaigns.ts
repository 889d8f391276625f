/** TEST MATERIAL: a campaign, the people who sign it, and a gateway of its fleet. */
import { testKey } from '../../firmware/test-material.ts';
import type { CampaignSituation, GatewayIdentity } from '../../src/campaign/acceptance.ts';
import { NO_CAMPAIGNS } from '../../src/campaign/acceptance.ts';
import {
  CAMPAIGN_CONTENT_TYPE,
  encodeManifest,
  type Manifest,
} from '../../src/campaign/manifest.ts';
import { addSignature, type CoseSigner, encodeUnsigned } from '../../src/trust/cose.ts';
import type { CertificateSpec } from '../trust/naive-x509.ts';
import { certificate } from '../trust/naive-x509.ts';
import { anchor, ISSUING, make, SPECS } from '../trust/test-pki.ts';

export const NOW = Date.UTC(2026, 0, 10);
export const DAY_MS = 86_400_000;
export const PPMID = '000d6f000a9069e7';

/** Of the issuing CA, which goes along. */
export function signer(person: string, changes: Partial<CertificateSpec> = {}): CoseSigner {
  const spec: CertificateSpec = {
    key: person,
    signedBy: 'issuing',
    issuer: ISSUING,
    subject: [['CN', person]],
    serial: BigInt(100 + person.length),
  };
  const made = { ...spec, ...changes };
  return {
    privateKey: testKey(made.key).privateKey,
    certificates: [make(made), make(SPECS.issuing)],
  };
}

export const ANN = signer('ann');
export const BOB = signer('robert');
export const CARLA = signer('carla');
export const keyIdOf = ({ certificates: [own] }: CoseSigner) => own.fingerprint;

export const TRUST = { anchors: [anchor(certificate(SPECS.root), 'campaign')] };

export const IMAGE = {
  sha256: 'a1'.repeat(32),
  bytes: 260_000,
  format: 'zigbee-ota',
  version: 0x0200_0000,
  firmwareVersion: '02000000',
  manufacturerImageHash: 'b2'.repeat(32),
} as const;

export const HARDWARE = {
  manufacturer: '121D',
  model: '0084',
  hardwareVersion: '01',
  hardwareRevision: '00',
};

export const MANIFEST: Manifest = {
  version: 1,
  id: 'ppmid-2026-01',
  reason: 'the display no longer freezes in the night of the clock change',
  fleet: 'north',
  line: 'ppmid',
  generation: 7,
  issuedMs: NOW - DAY_MS,
  expiresMs: NOW + 30 * DAY_MS,
  author: keyIdOf(ANN),
  approvals: 1,
  images: [IMAGE],
  targets: [
    { ...HARDWARE, from: ['01000000', '01800000'], image: IMAGE.sha256, floor: 0x0180_0000 },
  ],
  rings: [
    { name: 'canary', members: [PPMID, 'gateway-1'], untilPercent: 100 },
    { name: 'tenth', percent: 10, untilPercent: 95 },
    { name: 'rest', all: true, untilPercent: 95 },
  ],
  pace: { first: 2, growthPercent: 150, afterSucceeded: 5, most: 200 },
  aborts: [
    { failure: 'any', percent: 5, minimum: 20 },
    { failure: 'reverted', count: 3 },
  ],
  window: 'night',
  activation: { when: 'held' },
};

export function changed(changes: Partial<Manifest>): Manifest {
  return { ...MANIFEST, ...changes };
}

export function signedBy(payload: Uint8Array, ...signers: readonly CoseSigner[]): Uint8Array {
  let document = encodeUnsigned(payload, CAMPAIGN_CONTENT_TYPE);
  for (const one of signers) {
    const added = addSignature(document, CAMPAIGN_CONTENT_TYPE, one);
    if (!added.ok) throw new Error(added.message);
    document = added.bytes;
  }
  return document;
}

/** By author and one approver. */
export function signedCampaign(changes: Partial<Manifest> = {}): Uint8Array {
  return signedBy(encodeManifest(changed(changes)), ANN, BOB);
}

export const GATEWAY: GatewayIdentity = {
  id: 'gateway-1',
  fleet: 'north',
  region: 'scotland',
  windows: ['night'],
  approvalsMin: 1,
};

export function situation(changes: Partial<CampaignSituation> = {}): CampaignSituation {
  return {
    gateway: GATEWAY,
    state: NO_CAMPAIGNS,
    anchorsDigest: 'anchors-1',
    nowMs: NOW,
    ...changes,
  };
}
