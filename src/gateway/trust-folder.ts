/**
 * The document of trust anchors, and the folder it lies in:
 *
 *     trust/anchors.json   {"version": 1, "anchors": [{"name", "purpose", "fingerprint", "file"}]}
 *     trust/*.pem          the certificates and keys that it names, there or in sub-folders
 *
 * An anchor is in a file beside the document (`file`) or in the document itself (`pem`). A key in the
 * folder that the document does not name is an error: trusted for everything, it would let the maker
 * of one kind of device sign for another; trusted for nothing, it would be missed only when an image
 * is refused.
 */
import { readdirSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { UpliftError } from '../errors.ts';
import { sha256Hex } from '../trust/digest.ts';
import { parsePem } from '../trust/pem.ts';
import {
  type AnchorRefusal,
  type LoadedAnchors,
  loadTrustAnchors,
  PURPOSES,
  type TrustAnchorSpec,
} from '../trust/trust-anchors.ts';
import { readBounded, unreadable } from './bounded-file.ts';
import { readJson } from './json-file.ts';

export const ANCHORS_FILE = 'anchors.json';

const ANCHOR_BYTES_MAX = 65_536;
/** Far more than a folder of anchors has; a bound on what a wrong path costs. */
const ENTRIES_MAX = 4096;

interface WrittenAnchor extends TrustAnchorSpec {
  /** Relative to the document; absent where the document has it inside. */
  file?: string;
}

/** A folder with an `anchors.json`, or such a document by itself. @throws UpliftError */
export function loadTrust(path: string): LoadedAnchors {
  const isFolder = isFolderAt(path);
  const document = isFolder ? join(path, ANCHORS_FILE) : path;
  const files = isFolder ? keyFilesIn(path) : [];
  if (isFolder && !isThere(document)) throw missing(path, files);
  const written = anchorsOf(document);
  const named = written.flatMap(({ file }) =>
    file === undefined ? [] : [resolve(dirname(document), file)],
  );
  for (const file of files) {
    if (!named.includes(resolve(file))) throw unlisted(document, file);
  }
  const loaded = loadTrustAnchors(written.map((anchor) => withPem(document, anchor)));
  if (!loaded.ok) throw refusedBy(document, loaded);
  if (loaded.anchors.length + loaded.zseCas.length === 0) throw missing(document, []);
  return loaded;
}

function anchorsOf(document: string): WrittenAnchor[] {
  const read = readJson(document, 'trust anchors') as
    | { version?: unknown; anchors?: unknown }
    | undefined;
  const anchors = read?.version === 1 ? read.anchors : undefined;
  if (!Array.isArray(anchors)) {
    throw malformed(document, 'version 1, and a list of anchors', 'another document');
  }
  return anchors.map((anchor: unknown, index) => {
    const wrong = wrongKey(anchor);
    if (wrong === undefined) return anchor as WrittenAnchor;
    const { name = `number ${index + 1}` } = (anchor ?? {}) as { name?: unknown };
    throw malformed(document, wrong, `the anchor ${String(name)}, which is not so`);
  });
}

const isText = (value: unknown) => typeof value === 'string' && value !== '';
const areTexts = (value: unknown) => Array.isArray(value) && value.every(isText);

/** Each key of an anchor, whether its value can be, and in words what it is. */
const KEYS: Readonly<Record<keyof WrittenAnchor, [(value: unknown) => boolean, string]>> = {
  name: [isText, 'text'],
  purpose: [isText, 'text'],
  fingerprint: [isText, 'the SHA-256 of the DER, as text'],
  pem: [isText, 'a certificate or public key as PEM'],
  file: [isText, 'the path of a file, relative to the document'],
  roles: [areTexts, 'a list of roles'],
  person: [isText, 'whose key it is'],
  point: [isText, 'a public key as digits'],
  issuer: [isText, 'an EUI-64'],
  suite: [(value) => value === 1 || value === 2, '1 or 2'],
};

/** What was expected, or undefined where all is as it can be. A misspelt key is no silent default. */
function wrongKey(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'an anchor';
  const written = value as Record<string, unknown>;
  for (const key of ['name', 'purpose', 'fingerprint'] as const) {
    if (!(key in written)) return `${key}: ${KEYS[key][1]}`;
  }
  for (const [key, content] of Object.entries(written)) {
    if (!Object.hasOwn(KEYS, key)) return `no key "${key}", but ${Object.keys(KEYS).join(', ')}`;
    const [isRight, words] = KEYS[key as keyof WrittenAnchor];
    if (!isRight(content)) return `${key}: ${words}`;
  }
  const holders = ['file', 'pem', 'point'].filter((key) => key in written);
  return holders.length === 1 ? undefined : 'one of file, pem and point';
}

/** With what its file holds in place of the file's name. */
function withPem(document: string, { file, ...anchor }: WrittenAnchor): TrustAnchorSpec {
  if (file === undefined) return anchor;
  if (isAbsolute(file)) {
    throw malformed(document, 'the path of a file, relative to the document', file);
  }
  const path = join(dirname(document), file);
  const bytes = readBounded(path, ANCHOR_BYTES_MAX, `the trust anchor ${anchor.name}`);
  return { ...anchor, pem: new TextDecoder().decode(bytes) };
}

/**
 * Of the folder and its sub-folders. Links are followed: that is how secrets are mounted, beside
 * folders with a dot, which are passed over.
 */
function keyFilesIn(folder: string): string[] {
  const entries = entriesOf(folder).map((name) => join(folder, name));
  const inside = entries
    .filter(isFolderAt)
    .flatMap((path) => entriesOf(path).map((name) => join(path, name)));
  const all = [...entries, ...inside];
  if (all.length > ENTRIES_MAX) {
    throw new UpliftError('trust-anchors-missing', `${folder} is no folder of trust anchors`, {
      expected: `at most ${ENTRIES_MAX} files`,
      actual: `${all.length}`,
      next: 'name the folder that holds the trust anchors and nothing else',
    });
  }
  return all.filter((path) => path.endsWith('.pem'));
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => !name.startsWith('.'))
      .sort();
  } catch (error) {
    throw unreadable(folder, 'a folder', error);
  }
}

/** A link to nowhere is no folder. */
function isFolderAt(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function purposesText(): string {
  return Object.entries(PURPOSES)
    .map(([id, { what }]) => `${id} for ${what}`)
    .join(', ');
}

function missing(path: string, files: string[]): UpliftError {
  const document = path.endsWith('.json') ? path : join(path, ANCHORS_FILE);
  return new UpliftError('trust-anchors-missing', `${path} names no trust anchor`, {
    expected: `${document}, which names keys and what they are trusted for`,
    actual: files.length === 0 ? 'none' : `keys (${relative(path, files[0]!)}) and no document`,
    next:
      files.length === 0
        ? 'name the folder that holds trust anchors'
        : `write ${ANCHORS_FILE} with the name, purpose, fingerprint and file of each: see firmware/README.md`,
  });
}

function unlisted(document: string, file: string): UpliftError {
  const pem = parsePem(new TextDecoder().decode(readBounded(file, ANCHOR_BYTES_MAX, 'a key')));
  const pin = pem.ok ? `, with the fingerprint ${sha256Hex(pem.blocks[0]!.der)}` : '';
  return new UpliftError('trust-purpose-unknown', `${file} does not say what is trusted for`, {
    expected: `only keys that ${document} names, each with its purpose: ${purposesText()}`,
    actual: `a key that it does not name`,
    next: `add it to ${document} for what its owner may sign${pin}, or take it away`,
  });
}

function malformed(document: string, expected: string, actual: string): UpliftError {
  return new UpliftError('anchors-malformed', `${document} is no document of trust anchors`, {
    expected,
    actual,
    next: 'correct the document: see firmware/README.md',
  });
}

function refusedBy(document: string, refusal: AnchorRefusal): UpliftError {
  const { code, message, anchor, expected, actual } = refusal;
  const subject = anchor === undefined ? '' : `, the anchor ${anchor}`;
  return new UpliftError(code, `${document}${subject}: ${message}`, {
    expected: expected ?? 'one certificate or public key as PEM',
    actual: actual ?? 'something else',
    next:
      code === 'anchor-fingerprint'
        ? 'find out who changed the file; pin the new fingerprint only where its owner says so'
        : 'correct the document, or replace the file that it names',
  });
}
