/** Downgrade waivers of tests: signed by Ann and Bob, whose keys are pinned for nothing else. */
import { testKey } from '../../firmware/test-material.ts';
import { parseWaiver, waiverText } from '../../src/trust/downgrade-waiver.ts';
import { signRaw } from '../trust/naive-x509.ts';
import { fingerprintOf } from './anchors.ts';

const DAY_MS = 86_400_000;
const PEOPLE = ['ann', 'bob'] as const;

export interface WaivedImage {
  devices: readonly string[];
  hardware: Readonly<Record<string, string>>;
  imageVersion: number;
  imageSha256: string;
}

/** As a file has it: from yesterday until tomorrow. */
export function signedWaiver(waived: WaivedImage, nowMs: number): object {
  const document = {
    ...{ kind: 'downgrade-waiver', version: 1, id: 'W-1', reason: 'a test' },
    ...{ author: 'ann', approver: 'bob' },
    ...waived,
    ...{ notBefore: dayText(nowMs - DAY_MS), expires: dayText(nowMs + DAY_MS) },
    signatures: [],
  };
  const parsed = parseWaiver(document);
  if (!parsed.ok) throw new Error(parsed.message);
  const text = Buffer.from(waiverText(parsed.waiver));
  const signatures = PEOPLE.map((person) => ({
    person,
    value: Buffer.from(signRaw(testKey(person).privateKey, text)).toString('hex'),
  }));
  return { ...document, signatures };
}

/** The keys of both, as a document of anchors has them. */
export function waiverAnchors(): object[] {
  return PEOPLE.map((person) => {
    const { pem, publicKey } = testKey(person);
    const fingerprint = fingerprintOf(publicKey);
    return { name: person, purpose: 'downgrade-waiver', fingerprint, pem, person };
  });
}

function dayText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 10)}T00:00:00Z`;
}
