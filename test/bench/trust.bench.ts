/**
 * What checking a signature costs. An image of 256 KiB (small: 8 KiB) under each of the signatures
 * that images have: P-256 by OpenSSL, and the two suites of Smart Energy, whose hash and curves are
 * JavaScript. Then certificates: ours, strict, over node-forge's ASN.1, and node's own reader.
 */
import { sign, X509Certificate } from 'node:crypto';
import { testKey } from '../../firmware/test-material.ts';
import { aesMmo } from '../../src/image/aes-mmo.ts';
import { parseOtaFile } from '../../src/image/zigbee-ota.ts';
import { verifyChain } from '../../src/trust/chain.ts';
import { verifyP256 } from '../../src/trust/ecdsa.ts';
import { parseCertificate } from '../../src/trust/x509.ts';
import { verifyZseSignature } from '../../src/trust/zse-signature.ts';
import { AT_MS, anchor, make, SPECS } from '../trust/test-pki.ts';
import { issue, signImage, testCa } from '../trust/zse-signer.ts';
import { compare, FULL, seededBytes } from './bench.ts';

const IMAGE_BYTES = FULL ? 262_144 : 8_192;

const data = seededBytes(IMAGE_BYTES, 1);
const key = testKey('bench');
const signature = new Uint8Array(
  sign('sha256', data, { key: key.privateKey, dsaEncoding: 'ieee-p1363' }),
);

compare({
  name: 'image signature',
  contenders: {
    'suite 1, sect163k1': zse(1),
    'suite 2, sect283k1': zse(2),
    'its AES-MMO alone': () => (aesMmo(data).length === 16 ? 1 : 0),
    'P-256 with SHA-256': () => (verifyP256(key.publicKey, data, signature) ? 1 : 0),
  },
});

const supplier = make(SPECS.supplier);
const issuing = make(SPECS.issuing);
const anchors = [anchor(make(SPECS.root).der, 'gb-firmware')];

compare({
  name: 'certificate',
  contenders: {
    'read, ours': () => (parseCertificate(supplier.der).ok ? 1 : 0),
    'read, node': () => (new X509Certificate(supplier.der).publicKey ? 1 : 0),
    'chain of three': () =>
      verifyChain(supplier, [issuing], anchors, { atMs: AT_MS, purpose: 'gb-firmware' }).ok ? 1 : 0,
  },
});

function zse(suite: 1 | 2): () => number {
  const ca = testCa(suite, '5445535453454341');
  const signer = issue(ca, '00124b0001020304');
  const spec = {
    manufacturerCode: 0x121d,
    imageType: 0x0084,
    fileVersion: 1,
    headerString: 'bench',
    elements: [{ tag: 0, data }],
  };
  const file = parseOtaFile(signImage(spec, signer));
  if (!file.ok) throw new Error(file.message);
  const image = file.images[0]!;
  const trust = { caPublicKeys: [ca], signerList: [signer.eui64] };
  return () => (verifyZseSignature(image, trust).outcome === 'verified' ? 1 : 0);
}
