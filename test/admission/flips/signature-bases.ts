/** GB and ZigBee images whose signature, certificate, revocation list or anchor is nearly right. */
import { testKey } from '../../../firmware/test-material.ts';
import type { RuleId } from '../../../src/admission/rules.ts';
import { sha256Hex } from '../../../src/trust/digest.ts';
import { naiveElement, naiveImage } from '../../image/naive-ota.ts';
import {
  type CertificateSpec,
  certificate,
  crl,
  fingerprint,
  pem,
  signRaw,
} from '../../trust/naive-x509.ts';
import { AT_MS, ISSUING, ROOT, SPECS } from '../../trust/test-pki.ts';
import { issue, signImage, testCa } from '../../trust/zse-signer.ts';
import { type Base, BODY, base, IMAGE, json, products } from './builders.ts';
import type { DocumentName, Documents } from './desk.ts';

export function signatureBases(): Base[] {
  const signed = (key: string) => {
    const signature = signRaw(testKey(key).privateKey, Uint8Array.from(BODY));
    return naiveImage({ ...IMAGE, body: [...BODY, 0, 0x40, ...signature] });
  };
  const pki = (change: Partial<Record<'signer' | 'issuing', Partial<CertificateSpec>>> = {}) => ({
    'certificate.signer': certificate({ ...SPECS.supplier, ...change.signer }),
    'certificate.issuing': certificate({ ...SPECS.issuing, ...change.issuing }),
  });
  const anchored = (purpose = 'gb-firmware', more: object = {}) => {
    const der = certificate(SPECS.root);
    const root = {
      name: 'root',
      purpose,
      fingerprint: fingerprint(der),
      pem: pem('CERTIFICATE', der),
    };
    return json({ version: 1, anchors: [{ ...root, ...more }] });
  };
  const lists = (revoked: readonly bigint[] = [], nextMs?: number) => ({
    'crl.root': crl({ signedBy: 'root', issuer: ROOT }),
    'crl.issuing': crl({
      signedBy: 'issuing',
      issuer: ISSUING,
      revoked,
      ...(nextMs === undefined ? {} : { nextMs }),
    }),
  });
  const of = (
    name: string,
    cause: DocumentName,
    documents: Documents,
    mayTurn?: string[],
    rule: RuleId = 'signature.party',
  ) =>
    base(
      `signature: ${name}`,
      rule,
      cause,
      {
        documents: {
          image: signed('supplier'),
          anchors: anchored(),
          ...pki(),
          ...lists(),
          ...documents,
        },
        scene: {
          profile: 'gb-signed',
          intake: 'field',
          nowMs: AT_MS,
          fetchedAtMs: AT_MS,
        },
        device: { imageProfile: 'gb-signed' },
      },
      mayTurn,
    );
  const ended = { untilMs: AT_MS - 1000 };
  return [
    of('by a stranger', 'image', { image: signed('stranger') }),
    of('by the issuer', 'image', { image: signed('issuing') }),
    of('expired', 'certificate.signer', pki({ signer: ended })),
    of('the issuer expired', 'certificate.issuing', pki({ issuing: ended })),
    of('of tomorrow', 'certificate.signer', pki({ signer: { fromMs: AT_MS + 1000 } })),
    of('revoked', 'crl.issuing', lists([3n])),
    of('its list is stale', 'crl.issuing', lists([], AT_MS - 1000)),
    of('its list is signed by another', 'crl.issuing', {
      'crl.issuing': crl({ signedBy: 'stranger', issuer: ISSUING }),
    }),
    of('of a role that signs XML', 'certificate.signer', {
      ...pki({ signer: { subject: SPECS.xml.subject } }),
    }),
    of('of no usage', 'certificate.signer', pki({ signer: { usage: 16 } })),
    of('issued by a stranger', 'certificate.signer', pki({ signer: { signedBy: 'stranger' } })),
    of('anchored for campaigns', 'anchors', { anchors: anchored('campaign') }),
    of(
      'anchored for another role',
      'anchors',
      { anchors: anchored('gb-firmware', { roles: ['03'] }) },
      ['anchors "roles"'],
    ),
  ];
}

export function zseBase(): Base {
  const ca = testCa(1, '5445535453454341');
  const image = signImage(
    {
      manufacturerCode: 0x121d,
      imageType: 0x0084,
      fileVersion: 0x02000000,
      headerString: 'zse',
      elements: [{ tag: 0, data: Uint8Array.from(BODY) }],
    },
    issue(ca, '00124b0001020304'),
  );
  const zseAnchor = {
    name: 'ca',
    purpose: 'zse-ca',
    fingerprint: fingerprint(ca.publicKey),
    point: Buffer.from(ca.publicKey).toString('hex'),
    issuer: ca.issuer,
    suite: ca.suite,
  };
  const scene = {
    profile: 'zigbee-ota' as const,
    zseSigners: ['00124b0001020305'],
  };
  return base(
    'Smart Energy: by no configured signer',
    'zse.signature',
    'image',
    {
      documents: {
        image,
        anchors: json({ version: 1, anchors: [zseAnchor] }),
        products: products({ manufacturer_image_hash: sha256Hex(elementOf(image)) }),
      },
      scene,
      device: { imageProfile: 'zigbee-ota' },
    },
    ['image length of the certificate'],
  );
}

/** The first element's data is what the list hashes. */
function elementOf(image: Uint8Array): Uint8Array {
  const at = 56 + naiveElement(0, []).length;
  return image.subarray(at, at + BODY.length);
}
