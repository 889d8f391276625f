/**
 * The page and the manual, as `scripts/build web` leaves them: read once when the gateway starts, served
 * from memory to whoever asks. They hold nothing that is secret; what they show they ask of the API.
 *
 * A file whose name has its hash is kept by browsers for good, all others are asked for again by their tag.
 * The policy lets the page load and call nothing but its own origin, and run nothing that is not a file.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { takesGzip } from './encoding.ts';
import type { Answer } from './route.ts';

export interface Page {
  type: string;
  /** Strong, in quotes. */
  tag: string;
  bytes: Uint8Array;
  /** Absent where it is not worth it. */
  gzip: Uint8Array | undefined;
  isHashed: boolean;
}

/** The page at `/`: that of a gateway, or of the coordinator of a fleet. */
export type HomePage = (typeof HOMES)[number];

const HOMES = ['index.html', 'fleet.html'] as const;

/** By path: `/`, `/assets/main-1A2B3C4D.js`, `/manual/errors`. */
export type Pages = ReadonlyMap<string, Page>;

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

const HEADERS = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), usb=(), serial=()',
};

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
};

/** What is built is far smaller; a folder that is not ours is not read into memory. */
const FILES_MAX = 500;
const FILE_BYTES_MAX = 4 * 1024 * 1024;
/** A quarter less is worth it. */
const GZIP_SHARE_MAX = 0.75;

/** Beside the bundle, or in `dist` of a clone. */
export function builtPagesFolder(): string | undefined {
  const places = [join(import.meta.dirname, 'web'), join(import.meta.dirname, '../../dist/web')];
  return places.find((folder) => existsSync(join(folder, 'index.html')));
}

/** None where the folder is not there: the API is served without a page. */
export function loadPages(folder: string | undefined, home: HomePage = 'index.html'): Pages {
  const pages = new Map<string, Page>();
  if (folder === undefined) return pages;
  for (const name of globSync('**/*.*', { cwd: folder }).sort().slice(0, FILES_MAX)) {
    const path = join(folder, name);
    const type = TYPES[name.slice(name.lastIndexOf('.') + 1)];
    if (name !== home && HOMES.includes(name as HomePage)) continue;
    if (type === undefined || statSync(path).size > FILE_BYTES_MAX) continue;
    const address = name === home ? '/' : addressOf(name.replaceAll('\\', '/'));
    pages.set(address, pageOf(name, type, readFileSync(path)));
  }
  return pages;
}

export function pageAnswer(page: Page, headers: Readonly<IncomingHttpHeaders>): Answer {
  const { type, tag, bytes, gzip, isHashed } = page;
  const isZipped = gzip !== undefined && takesGzip(headers);
  const shown = {
    ...HEADERS,
    etag: tag,
    vary: 'accept-encoding',
    'cache-control': isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
  };
  if (isKnown(headers['if-none-match'], tag)) return { status: 304, headers: shown };
  return {
    status: 200,
    headers: {
      ...shown,
      'content-type': type,
      ...(isZipped ? { 'content-encoding': 'gzip' } : {}),
    },
    body: isZipped ? gzip : bytes,
  };
}

/** `index.html` is its folder, and no address has the ending of a document. */
function addressOf(name: string): string {
  return `/${name.replace(/(^|\/)index\.html$/, '$1').replace(/\.html$/, '')}`;
}

function pageOf(name: string, type: string, bytes: Uint8Array): Page {
  const zipped = gzipSync(bytes, { level: 9 });
  return {
    type,
    tag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 27)}"`,
    bytes,
    gzip: zipped.length < bytes.length * GZIP_SHARE_MAX ? zipped : undefined,
    isHashed: /-[0-9A-Z]{8}\.\w+$/.test(name),
  };
}

/** A proxy may have made the tag a weak one. */
function isKnown(known: string | undefined, tag: string): boolean {
  return (known ?? '').split(',').some((one) => one.trim().replace(/^W\//, '') === tag);
}
