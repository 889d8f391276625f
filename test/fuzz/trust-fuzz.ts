/**
 * Random damage to everything that trust/ reads: certificates, revocation lists, PKCS#12, CMS, Smart
 * Energy images. Whatever comes in, a reader answers in time with a value or a code of its table, and
 * what is accepted says what the undamaged one says.
 *
 * As a program, `scripts/fuzz [SECONDS [SEED]]`; the tests run it for two seconds. The seed is printed
 * first, and with it a run is the same again, up to where the clock ends it.
 */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseOtaFile } from '../../src/image/zigbee-ota.ts';
import { type ChainOptions, verifyChain } from '../../src/trust/chain.ts';
import { parseSignedData, verifySignedData } from '../../src/trust/cms.ts';
import { TRUST_CODES } from '../../src/trust/codes.ts';
import { parseRevocationList } from '../../src/trust/crl.ts';
import { openPkcs12 } from '../../src/trust/pkcs12.ts';
import { parseCertificate } from '../../src/trust/x509.ts';
import { verifyZseSignature, ZSE_SIGNATURE_OUTCOMES } from '../../src/trust/zse-signature.ts';
import { certificate, crl } from '../trust/naive-x509.ts';
import { AT_MS, anchor, ISSUING, make, ROOT, SPECS } from '../trust/test-pki.ts';
import { issue, signImage, testCa } from '../trust/zse-signer.ts';

/** One damaged input may take as long as the dearest undamaged one, and some. */
const INPUT_MS_MAX = 5000;

export interface FuzzReport {
  seed: number;
  inputs: number;
  accepted: number;
  digest: number;
}

interface Target {
  name: string;
  bytes: Uint8Array;
  /** Code, or `accepted`; throws where an accepted one says something else than the original. */
  read(bytes: Uint8Array): string;
}

export function fuzzTrust(seed: number, ms: number): FuzzReport {
  const random = xorshift(seed);
  const list = targets();
  const report: FuzzReport = { seed, inputs: 0, accepted: 0, digest: 0 };
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs) {
    const target = list[report.inputs % list.length]!;
    const damaged = damage(target.bytes, random);
    const startedMs = performance.now();
    let result: string;
    try {
      result = target.read(damaged);
    } catch (cause) {
      const input = Buffer.from(damaged).toString('hex');
      throw new Error(`seed ${seed}, input ${report.inputs}, ${target.name}: ${input}`, { cause });
    }
    if (performance.now() - startedMs > INPUT_MS_MAX) {
      throw new Error(`seed ${seed}, input ${report.inputs}, ${target.name}: took too long`);
    }
    report.inputs++;
    if (result === 'accepted') report.accepted++;
    report.digest = (Math.imul(report.digest ^ result.length, 0x01000193) + 1) >>> 0;
  }
  return report;
}

function targets(): Target[] {
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
      bytes: supplier.der,
      read: (bytes) => {
        const parsed = parseCertificate(bytes);
        if (!parsed.ok) return known(TRUST_CODES, parsed.code);
        const chain = verifyChain(parsed, [issuing], [firmware], options);
        if (!chain.ok) return known(TRUST_CODES, chain.code);
        return accepted(parsed.fingerprint === supplier.fingerprint);
      },
    },
    {
      name: 'revocation list',
      bytes: lists[1]!,
      read: (bytes) => {
        const parsed = parseRevocationList(bytes);
        if (!parsed.ok) return known(TRUST_CODES, parsed.code);
        const crls = [ofRoot, parsed];
        const chain = verifyChain(supplier, [issuing], [firmware], { ...options, crls });
        if (!chain.ok) return known(TRUST_CODES, chain.code);
        return accepted(Buffer.compare(parsed.signed, ofIssuing.signed) === 0);
      },
    },
    {
      name: 'PKCS#12',
      bytes: fromBase64(vectors.pkcs12.iter1),
      read: (bytes) => {
        const opened = openPkcs12(bytes, 'geheim');
        if (!opened.ok) return known(TRUST_CODES, opened.code);
        return accepted(opened.privateKey.equals(identity.privateKey));
      },
    },
    {
      name: 'CMS',
      bytes: fromBase64(vectors.cms.attached),
      read: (bytes) => {
        const parsed = parseSignedData(bytes);
        if (!parsed.ok) return known(TRUST_CODES, parsed.code);
        const atMs = Date.UTC(2027, 0, 1);
        const result = verifySignedData(parsed, [campaign], { atMs, purpose: 'campaign' });
        if (!result.ok) return known(TRUST_CODES, result.code);
        return accepted(Buffer.from(result.content).toString() === vectors.content);
      },
    },
    zseTarget(1),
    zseTarget(2),
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
  const trust = { caPublicKeys: [ca], signerList: [signer.eui64] };
  return {
    name: `Smart Energy image, suite ${suite}`,
    bytes,
    read: (damaged) => {
      const file = parseOtaFile(damaged);
      if (!file.ok) return file.code;
      const image = file.images[0]!;
      const { outcome } = verifyZseSignature(image, trust);
      if (outcome !== 'verified') return known(ZSE_SIGNATURE_OUTCOMES, outcome);
      return accepted(Buffer.compare(image.bytes, bytes) === 0);
    },
  };
}

/** One to four changes: bits, octets, lengths, pieces out, in, doubled or moved, the end cut off. */
function damage(bytes: Uint8Array, random: () => number): Uint8Array {
  let list = [...bytes];
  for (let change = 1 + (random() % 4); change > 0 && list.length > 0; change--) {
    const at = random() % list.length;
    const length = 1 + (random() % 16);
    switch (random() % 8) {
      case 0:
      case 1:
        list[at]! ^= 1 << (random() & 7);
        break;
      case 2:
        list[at] = random() & 255;
        break;
      case 3:
        list[at] = [0, 1, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff][random() & 7]!;
        break;
      case 4:
        list.splice(at, length);
        break;
      case 5:
        list.splice(at, 0, ...list.slice(at, at + length));
        break;
      case 6:
        list.splice(random() % list.length, 0, ...list.splice(at, length));
        break;
      default:
        list = list.slice(0, at);
    }
  }
  return Uint8Array.from(list);
}

function known(table: object, code: string): string {
  if (!Object.hasOwn(table, code)) throw new Error(`${code} is no code`);
  return code;
}

function accepted(isSame: boolean): string {
  if (!isSame) throw new Error('accepted, and says something else');
  return 'accepted';
}

function expectOk<T extends { ok: boolean }>(result: T): Extract<T, { ok: true }> {
  if (!result.ok) throw new Error('the undamaged one is read');
  return result as Extract<T, { ok: true }>;
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/** Marsaglia, 2003. */
function xorshift(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

if (import.meta.main) {
  const [seconds, seed] = process.argv.slice(2).map(Number);
  const chosen = seed ?? randomInt(2 ** 31);
  console.log(`SEED ${chosen}`);
  const report = fuzzTrust(chosen, (seconds ?? 600) * 1000);
  console.log(`${report.inputs} inputs, ${report.accepted} accepted, all as the undamaged ones`);
}
