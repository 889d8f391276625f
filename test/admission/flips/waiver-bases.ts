/** An older image under a waiver that nearly gives leave for it. */
import { testKey } from '../../../firmware/test-material.ts';
import { sha256Hex } from '../../../src/trust/digest.ts';
import { parseWaiver, waiverText } from '../../../src/trust/downgrade-waiver.ts';
import { naiveImage } from '../../image/naive-ota.ts';
import { fingerprint, pem, signRaw } from '../../trust/naive-x509.ts';
import { type Base, base, EUI64, HARDWARE, IMAGE, json, products, utf8 } from './builders.ts';

const PEOPLE = ['ann', 'bob', 'cid'];

function keyAnchor(person: string, purpose: string) {
  const der = new Uint8Array(testKey(person).publicKey.export({ type: 'spki', format: 'der' }));
  return {
    name: person,
    purpose,
    fingerprint: fingerprint(der),
    pem: pem('PUBLIC KEY', der),
    person,
  };
}

export function waiverBases(): Base[] {
  const keys = (purpose: string) =>
    json({ version: 1, anchors: PEOPLE.map((person) => keyAnchor(person, purpose)) });
  const of = (
    name: string,
    change: { fields?: object; signers?: [string, string][] },
    purpose = 'downgrade-waiver',
  ) =>
    base(
      `waiver: ${name}`,
      'device.newer',
      'waiver',
      {
        documents: {
          products: products({ upgrade_from: '' }),
          waiver: waiver(change.fields ?? {}, change.signers),
          anchors: keys(purpose),
        },
        scene: { intake: 'field' },
        device: { currentFileVersion: 0x03000000 },
      },
      ['image header'],
    );
  return [
    of('expired at this moment', { fields: { expires: '2021-09-01T00:00:00Z' } }),
    of('in force tomorrow', { fields: { notBefore: '2021-09-02T00:00:00Z' } }),
    of('for another device', { fields: { devices: ['00112233445566ab'] } }),
    of('for another revision', { fields: { hardware: { ...HARDWARE, hardwareRevision: '01' } } }),
    of('for another version', { fields: { imageVersion: 0x02000001 } }),
    of('one signature', { signers: [['ann', 'ann']] }),
    of('both by one person', {
      signers: [
        ['ann', 'ann'],
        ['bob', 'ann'],
      ],
    }),
    of('by somebody else', {
      signers: [
        ['ann', 'ann'],
        ['bob', 'cid'],
      ],
    }),
    of('keys for something else', {}, 'campaign'),
  ];
}

/** `signers`: in whose name, and by whose key. */
function waiver(
  fields: object,
  signers: [string, string][] = [
    ['ann', 'ann'],
    ['bob', 'bob'],
  ],
): Uint8Array {
  const stated = {
    kind: 'downgrade-waiver',
    version: 1,
    id: 'W-1',
    reason: 'It fails.',
    author: 'ann',
    approver: 'bob',
    devices: [EUI64],
    hardware: HARDWARE,
    imageVersion: 0x02000000,
    imageSha256: sha256Hex(naiveImage(IMAGE)),
    notBefore: '2021-08-20T00:00:00Z',
    expires: '2021-09-10T00:00:00Z',
    ...fields,
  };
  const parsed = parseWaiver({ ...stated, signatures: [] });
  if (!parsed.ok) throw new Error(parsed.message);
  const text = utf8(waiverText(parsed.waiver));
  const signatures = signers.map(([person, key]) => ({
    person,
    value: Buffer.from(signRaw(testKey(key).privateKey, text)).toString('hex'),
  }));
  return json({ ...stated, signatures });
}
