/** The page as it is served: who gets it, how it is kept, what it is allowed to do. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadPages, pageAnswer } from '../../src/api/pages.ts';
import { Served } from './served.ts';

const test = suite('page of the API');
const folder = mkdtempSync(join(tmpdir(), 'uplift-pages-'));
const SCRIPT = 'console.log(1);'.repeat(100);
for (const [name, text] of Object.entries({
  'index.html': '<!doctype html><title>Uplift</title>',
  'assets/main-1A2B3C4D.js': SCRIPT,
  'assets/main-1A2B3C4D.js.map': '{}',
  'manual/index.html': '<!doctype html><title>Manual</title>',
  'manual/errors.html': '<!doctype html><title>Codes</title>',
  'made-from': 'x',
  '.hidden.html': 'x',
})) {
  mkdirSync(join(folder, name, '..'), { recursive: true });
  writeFileSync(join(folder, name), text);
}
let served: Served;

test.before(async () => {
  served = await Served.start({ pages: folder });
});
test.after(async () => {
  await served.stop();
  rmSync(folder, { recursive: true });
});

test('everybody is given it, by a name that the gateway is called by', async () => {
  const page = await served.remote({ path: '/' });
  assert.is(page.status, 200);
  assert.is(page.headers['content-type'], 'text/html; charset=utf-8');
  assert.match(page.text, /Uplift/);
  assert.is((await served.remote({ path: '/', headers: { host: 'evil.example' } })).status, 421);
  assert.is((await served.remote({ path: '/api/v1/devices' })).status, 401, 'and nothing else');
});

test('the policy lets it load from here alone, and run nothing that is no file', async () => {
  const { headers } = await served.remote({ path: '/' });
  const policy = String(headers['content-security-policy']).split('; ');
  for (const word of [
    "default-src 'none'",
    "script-src 'self'",
    "connect-src 'self'",
    "frame-ancestors 'none'",
  ])
    assert.ok(policy.includes(word), word);
  assert.not.match(policy.join(), /unsafe|http|\*|data:/);
  assert.is(headers['x-content-type-options'], 'nosniff');
  assert.is(headers['referrer-policy'], 'no-referrer');
  assert.is(headers['cross-origin-opener-policy'], 'same-origin');
  const api = await served.local({ path: '/api/v1/health' });
  assert.is(api.headers['content-security-policy'], "default-src 'none'; frame-ancestors 'none'");
  assert.is(api.headers['cache-control'], 'no-store');
});

test('what has its hash in its name is kept for good, the rest is asked for by its tag', async () => {
  const page = await served.remote({ path: '/' });
  assert.is(page.headers['cache-control'], 'no-cache');
  const { etag } = page.headers;
  assert.match(etag!, /^"[\w-]{27}"$/);
  for (const known of [etag!, `W/${etag}`, `"other", ${etag}`]) {
    const again = await served.remote({ path: '/', headers: { 'if-none-match': known } });
    assert.is(`${again.status}${again.text}`, '304');
    assert.is(again.headers.etag, etag);
  }
  const other = await served.remote({ path: '/', headers: { 'if-none-match': '"other"' } });
  assert.is(other.status, 200);
  const script = await served.remote({ path: '/assets/main-1A2B3C4D.js' });
  assert.is(script.headers['cache-control'], 'public, max-age=31536000, immutable');
  assert.is(script.text, SCRIPT);
});

test('it is zipped for whoever takes it so', () => {
  const page = loadPages(folder).get('/assets/main-1A2B3C4D.js')!;
  const ask = (accepted?: string) => pageAnswer(page, { 'accept-encoding': accepted });
  const zipped = ask('br, gzip;q=0.5');
  assert.is(zipped.headers!['content-encoding'], 'gzip');
  assert.is(gunzipSync(zipped.body as Uint8Array).toString(), SCRIPT);
  for (const refused of [undefined, 'br', 'gzip;q=0', 'gzip; q=0.0, br'])
    assert.is(ask(refused).headers!['content-encoding'], undefined, refused);
  assert.is(ask().headers!['vary'], 'accept-encoding');
});

test('the manual has addresses without endings, and nothing else is served', async () => {
  assert.match((await served.remote({ path: '/manual/errors' })).text, /Codes/);
  assert.match((await served.remote({ path: '/manual/' })).text, /Manual/);
  for (const path of [
    '/assets/main-1A2B3C4D.js.map',
    '/made-from',
    '/.hidden.html',
    '/manual/../tokens',
    '/index.html',
  ])
    assert.is.not((await served.remote({ path })).status, 200, path);
});

test('a gateway without it says how it is made', async () => {
  const bare = await Served.start({ pages: join(folder, 'nowhere') });
  try {
    const { status, json } = await bare.remote({ path: '/' });
    assert.is(status, 404);
    assert.match(json.expected, /scripts\/build web/);
  } finally {
    await bare.stop();
  }
});

test.run();
