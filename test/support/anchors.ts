/** Trust anchors of tests: out of a key, and as a folder on disk. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { sha256Hex } from '../../src/trust/digest.ts';
import { loadTrustAnchors, type TrustAnchor } from '../../src/trust/trust-anchors.ts';

/** A bare key, pinned for one purpose. */
export function anchorOf(purpose: string, key: KeyObject | string): TrustAnchor {
  const publicKey = typeof key === 'string' ? createPublicKey(key) : key;
  const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const person = purpose === 'downgrade-waiver' ? { person: 'ann' } : {};
  const spec = { name: purpose, purpose, fingerprint: fingerprintOf(publicKey), pem, ...person };
  const loaded = loadTrustAnchors([spec]);
  if (!loaded.ok) throw new Error(loaded.message);
  return loaded.anchors[0]!;
}

export function fingerprintOf(key: KeyObject): string {
  return sha256Hex(new Uint8Array(key.export({ type: 'spki', format: 'der' })));
}

/** Files with the keys, by name, and a document that pins each for its purpose. */
export function writeTrustFolder(
  folder: string,
  keys: Readonly<Record<string, { purpose: string; pem: string }>>,
): string {
  mkdirSync(folder, { recursive: true });
  const anchors = Object.entries(keys).map(([file, { purpose, pem }]) => {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), pem);
    return { name: file, purpose, fingerprint: fingerprintOf(createPublicKey(pem)), file };
  });
  writeFileSync(join(folder, 'anchors.json'), JSON.stringify({ version: 1, anchors }));
  return folder;
}
