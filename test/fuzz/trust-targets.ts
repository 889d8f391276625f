/**
 * What trust/ reads: certificates, revocation lists, PKCS#12, CMS, Smart Energy images, PEM, and the
 * documents of a site. What is accepted says what the undamaged one says.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { testKey } from '../../firmware/test-material.ts';
import { UpliftError } from '../../src/errors.ts';
import { loadTrust } from '../../src/gateway/trust-folder.ts';
import { IMAGE_REFUSALS } from '../../src/image/codes.ts';
import { parseOtaFile } from '../../src/image/zigbee-ota.ts';
import { type ChainOptions, verifyChain } from '../../src/trust/chain.ts';
import { parseSignedData, verifySignedData } from '../../src/trust/cms.ts';
import { TRUST_CODES } from '../../src/trust/codes.ts';
import { parseRevocationList } from '../../src/trust/crl.ts';
import {
  parseWaiver,
  verifyWaiver,
  WAIVER_CODES,
  waiverText,
} from '../../src/trust/downgrade-waiver.ts';
import { parsePem } from '../../src/trust/pem.ts';
import { openPkcs12 } from '../../src/trust/pkcs12.ts';
import { parsePublicKey, SIGNATURE_KEY_CODES } from '../../src/trust/public-key.ts';
import { FLOOR_CODES, parseVersionFloors } from '../../src/trust/rollback.ts';
import { parseCertificate } from '../../src/trust/x509.ts';
import { verifyZseSignature, ZSE_SIGNATURE_OUTCOMES } from '../../src/trust/zse-signature.ts';
import { anchorOf } from '../support/anchors.ts';
import { certificate, crl, fingerprint, pem, signRaw } from '../trust/naive-x509.ts';
import { AT_MS, anchor, ISSUING, make, ROOT, SPECS } from '../trust/test-pki.ts';
import { issue, signImage, testCa } from '../trust/zse-signer.ts';
import { scratchFolder } from './scratch.ts';
import {
  ACCEPTED,
  type Answer,
  expectOk,
  type Family,
  hold,
  refusedBy,
  sameBytes,
  type Target,
  textOf,
  utf8,
} from './target.ts';

/** PKCS#12 asks for key derivation, up to its cap; on a busy machine that is so long. */
const DERIVATION_MS_MAX = 5000;
const PEM_WORDS = ['-----BEGIN CERTIFICATE-----', '-----END CERTIFICATE-----', '=', ' ', '\n'];
const JSON_WORDS = ['null', '[]', '{}', '"__proto__":1', '1e999', '-1', '4294967295', '"\\u0000"'];

const HARDWARE = {
  manufacturer: '121D',
  model: '0084',
  hardwareVersion: '01',
  hardwareRevision: '00',
};
/** Of the file around the anchors, which is read at the edge. */
const FILE_CODES = {
  'anchors-malformed': '',
  'json-malformed': '',
  'trust-anchors-missing': '',
  'file-unreadable': '',
};
const NO_JSON: Answer = { accepted: false, codes: ['json-malformed'] };

/** Made once: the signatures of certificates differ each time. */
const ANCHORS = anchorSpecs();

export const TRUST: Family = {
  name: 'trust',
  targets: [...containers(), zseTarget(1), zseTarget(2), ...pems(), ...documents()],
};

function containers(): Target[] {
  const vectors = JSON.parse(
    readFileSync(resolve(import.meta.dirname, '../vectors/openssl-containers.json'), 'utf8'),
  ) as { content: string; root: string; pkcs12: { iter1: string }; cms: { attached: string } };
  const [issuing, supplier] = [make(SPECS.issuing), make(SPECS.supplier)];
  const firmware = anchor(certificate(SPECS.root), 'gb-firmware');
  const lists = [
    crl({ signedBy: 'root', issuer: ROOT }),
    crl({ signedBy: 'issuing', issuer: ISSUING }),
  ];
  const ofRoot = expectOk(parseRevocationList(lists[0]!));
  const ofIssuing = expectOk(parseRevocationList(lists[1]!));
  const options: ChainOptions = { atMs: AT_MS, purpose: 'gb-firmware' };
  const root = expectOk(parseCertificate(vectors.root));
  const campaign = anchor(root.der, 'campaign');
  const identity = expectOk(openPkcs12(fromBase64(vectors.pkcs12.iter1), 'geheim'));
  return [
    {
      name: 'certificate',
      good: [supplier.der],
      read: (bytes) => {
        const parsed = parseCertificate(bytes);
        if (!parsed.ok) return refusedBy(TRUST_CODES, parsed.code);
        const chain = verifyChain(parsed, [issuing], [firmware], options);
        if (!chain.ok) return refusedBy(TRUST_CODES, chain.code);
        return accepted(parsed.fingerprint === supplier.fingerprint);
      },
    },
    {
      name: 'revocation list',
      good: [lists[1]!],
      read: (bytes) => {
        const parsed = parseRevocationList(bytes);
        if (!parsed.ok) return refusedBy(TRUST_CODES, parsed.code);
        const crls = [ofRoot, parsed];
        const chain = verifyChain(supplier, [issuing], [firmware], { ...options, crls });
        if (!chain.ok) return refusedBy(TRUST_CODES, chain.code);
        return accepted(sameBytes(parsed.signed, ofIssuing.signed));
      },
    },
    {
      name: 'PKCS#12',
      good: [fromBase64(vectors.pkcs12.iter1)],
      inputMsMax: DERIVATION_MS_MAX,
      read: (bytes) => {
        const opened = openPkcs12(bytes, 'geheim');
        if (!opened.ok) return refusedBy(TRUST_CODES, opened.code);
        return accepted(opened.privateKey.equals(identity.privateKey));
      },
    },
    {
      name: 'CMS',
      good: [fromBase64(vectors.cms.attached)],
      read: (bytes) => {
        const parsed = parseSignedData(bytes);
        if (!parsed.ok) return refusedBy(TRUST_CODES, parsed.code);
        const atMs = Date.UTC(2027, 0, 1);
        const result = verifySignedData(parsed, [campaign], { atMs, purpose: 'campaign' });
        if (!result.ok) return refusedBy(TRUST_CODES, result.code);
        return accepted(Buffer.from(result.content).toString() === vectors.content);
      },
    },
  ];
}

function zseTarget(suite: 1 | 2): Target {
  const ca = testCa(suite, '5445535453454341');
  const signer = issue(ca, '00124b0001020304');
  const bytes = signImage(
    {
      manufacturerCode: 0x121d,
      imageType: 0x0084,
      fileVersion: 1,
      headerString: 'fuzz',
      elements: [{ tag: 0, data: new Uint8Array(64) }],
    },
    signer,
  );
  const trust = { caPublicKeys: [ca], signerList: [signer.eui64], atMs: AT_MS };
  return {
    name: `Smart Energy image, suite ${suite}`,
    good: [bytes],
    read: (damaged) => {
      const file = parseOtaFile(damaged);
      if (!file.ok) return refusedBy(IMAGE_REFUSALS, file.code);
      const image = file.images[0]!;
      const { outcome } = verifyZseSignature(image, trust);
      if (outcome !== 'verified') return refusedBy(ZSE_SIGNATURE_OUTCOMES, outcome);
      return accepted(sameBytes(image.bytes, bytes));
    },
  };
}

function pems(): Target[] {
  const supplier = make(SPECS.supplier);
  const list = crl({ signedBy: 'issuing', issuer: ISSUING });
  const { publicKey } = testKey('supplier');
  const spki = publicKey.export({ type: 'spki', format: 'pem' }) as string;
  return [
    {
      name: 'PEM',
      good: [
        utf8(pem('CERTIFICATE', supplier.der) + pem('CERTIFICATE', make(SPECS.issuing).der)),
        utf8(pem('X509 CRL', list)),
      ],
      words: PEM_WORDS,
      read: (bytes) => {
        const parsed = parsePem(textOf(bytes));
        if (!parsed.ok) return refusedBy(TRUST_CODES, parsed.code);
        hold(parsed.blocks.length > 0, 'there is a block');
        return ACCEPTED;
      },
    },
    {
      name: 'certificate as PEM',
      good: [utf8(pem('CERTIFICATE', supplier.der))],
      words: PEM_WORDS,
      read: (bytes) => {
        const parsed = parseCertificate(textOf(bytes));
        return parsed.ok ? ACCEPTED : refusedBy(TRUST_CODES, parsed.code);
      },
    },
    {
      name: 'public key',
      good: [utf8(spki)],
      words: PEM_WORDS,
      read: (bytes) => {
        const key = parsePublicKey(textOf(bytes));
        return key.ok ? ACCEPTED : refusedBy(SIGNATURE_KEY_CODES, key.code);
      },
    },
  ];
}

function documents(): Target[] {
  return [
    {
      name: 'trust anchors',
      good: [utf8(JSON.stringify({ version: 1, anchors: ANCHORS }))],
      words: JSON_WORDS,
      read: readAnchors,
    },
    {
      name: 'version floors',
      good: [utf8(JSON.stringify({ version: 1, floors: [{ ...HARDWARE, floor: 0x02000000 }] }))],
      words: JSON_WORDS,
      read: (bytes) => {
        const parsed = jsonOf(bytes);
        if (!parsed) return NO_JSON;
        const floors = parseVersionFloors(parsed.value);
        return floors.ok ? ACCEPTED : refusedBy(FLOOR_CODES, floors.code);
      },
    },
    waiverTarget(),
  ];
}

function anchorSpecs() {
  const root = certificate(SPECS.root);
  const ca = testCa(1, '5445535453454341');
  const bare = new Uint8Array(testKey('ann').publicKey.export({ type: 'spki', format: 'der' }));
  return [
    {
      name: 'root',
      purpose: 'gb-firmware',
      fingerprint: fingerprint(root),
      pem: pem('CERTIFICATE', root),
    },
    {
      name: 'ann',
      purpose: 'downgrade-waiver',
      fingerprint: fingerprint(bare),
      pem: pem('PUBLIC KEY', bare),
      person: 'ann',
    },
    {
      name: 'ca',
      purpose: 'zse-ca',
      fingerprint: fingerprint(ca.publicKey),
      point: Buffer.from(ca.publicKey).toString('hex'),
      issuer: ca.issuer,
      suite: ca.suite,
    },
  ];
}

/** Through the file, as a site gives it: what stands around the anchors is read there. */
function readAnchors(bytes: Uint8Array): Answer {
  const path = join(scratchFolder(), 'anchors.json');
  writeFileSync(path, bytes);
  try {
    const fingerprints = ANCHORS.map((spec) => spec.fingerprint);
    const { anchors, zseCas } = loadTrust(path);
    hold(
      [...anchors, ...zseCas].every((one) => fingerprints.includes(one.fingerprint)),
      'an anchor is one of those that were written',
    );
    return ACCEPTED;
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    return refusedBy({ ...TRUST_CODES, ...FILE_CODES }, error.code);
  }
}

function waiverTarget(): Target {
  const stated = {
    kind: 'downgrade-waiver',
    version: 1,
    id: 'W-1',
    reason: 'The new image fails.',
    author: 'ann',
    approver: 'bob',
    devices: ['00112233445566aa'],
    hardware: HARDWARE,
    imageVersion: 1,
    imageSha256: 'ab'.repeat(32),
    notBefore: '2026-01-01T00:00:00Z',
    expires: '2026-01-20T00:00:00Z',
  };
  const parsed = expectOk(parseWaiver({ ...stated, signatures: [] }));
  const text = waiverText(parsed.waiver);
  const people = ['ann', 'bob'];
  const signatures = people.map((person) => ({
    person,
    value: Buffer.from(signRaw(testKey(person).privateKey, utf8(text))).toString('hex'),
  }));
  const keys = people.map((person) => ({
    person,
    anchor: anchorOf('downgrade-waiver', testKey(person).publicKey),
  }));
  const { devices, hardware, imageVersion, imageSha256 } = parsed.waiver;
  const upgrade = { device: devices[0]!, hardware, imageVersion, imageSha256, atMs: AT_MS };
  return {
    name: 'downgrade waiver',
    good: [utf8(JSON.stringify({ ...stated, signatures }))],
    words: JSON_WORDS,
    read: (bytes) => {
      const json = jsonOf(bytes);
      if (!json) return NO_JSON;
      const read = parseWaiver(json.value);
      if (!read.ok) return refusedBy(WAIVER_CODES, read.code);
      const verified = verifyWaiver(read.waiver, keys, upgrade);
      if (!verified.ok) return refusedBy(WAIVER_CODES, verified.code);
      return accepted(waiverText(read.waiver) === text);
    },
  };
}

function jsonOf(bytes: Uint8Array): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(textOf(bytes)) };
  } catch {
    return undefined;
  }
}

function accepted(isSame: boolean): Answer {
  hold(isSame, 'what is accepted says the same');
  return ACCEPTED;
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
