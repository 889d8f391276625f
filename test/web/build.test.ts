/** What is built: small, of files alone, and every code of the gateway in its manual. */
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { buildWeb } from '../../scripts/web/build.ts';
import { manualPage } from '../../scripts/web/manual.ts';
import { rules } from '../../src/admission/decide.ts';
import { loadPages } from '../../src/api/pages.ts';
import { API_CODES } from '../../src/api/problem.ts';
import { CERTIFICATE_CODES } from '../../src/audit/certificate.ts';
import { CONTROL_CODES } from '../../src/gateway/control.ts';
import { STORE_CODES } from '../../src/store/codes.ts';
import { FAILURES } from '../../src/upgrade/states.ts';

const test = suite('the page as it is built');
const GZIP_BYTES_MAX = 150 * 1024;
let folder: string;

test.before(async () => {
  folder = join(mkdtempSync(join(tmpdir(), 'uplift-web-')), 'web');
  await buildWeb(folder);
});
test.after(() => rmSync(join(folder, '..'), { recursive: true }));

test('all that a browser loads for both pages is under 150 KB', () => {
  const files = ['index.html', 'fleet.html', ...globSync('assets/*.{js,css,svg}', { cwd: folder })];
  assert.is(files.length, 6);
  const bytes = files.map(
    (name) => gzipSync(readFileSync(join(folder, name)), { level: 9 }).length,
  );
  const total = bytes.reduce((sum, one) => sum + one, 0);
  console.log(`NOTE the pages are ${total} bytes, gzipped`);
  assert.ok(total < GZIP_BYTES_MAX, `${total}`);
});

test('it names nothing outside of its origin', () => {
  for (const name of globSync('**/*.{html,js,css}', { cwd: folder })) {
    const text = readFileSync(join(folder, name), 'utf8');
    // Names of XML and nothing that is fetched.
    const found = text
      .replaceAll(/https?:\/\/www\.w3\.org\/[\w/]+/g, '')
      .match(/(?:src|href)="(?:https?:)?\/\/[^"]*/g);
    assert.is(found, null, name);
    assert.not.match(text, /@import|url\(["']?http/, name);
  }
  for (const name of ['index.html', 'fleet.html']) {
    const page = readFileSync(join(folder, name), 'utf8');
    assert.not.match(page, /<script(?![^>]*src=)|<style|style=|onclick/);
  }
});

test('a gateway has its page at the root and a coordinator its own, with one manual', () => {
  const [gateway, fleet] = [loadPages(folder), loadPages(folder, 'fleet.html')];
  const script = (pages: typeof fleet) =>
    /main-|fleet-/.exec(pages.get('/')!.bytes.toString())?.[0];
  assert.is(script(gateway), 'main-');
  assert.is(script(fleet), 'fleet-');
  assert.not.ok(gateway.has('/fleet') || fleet.has('/index'));
  assert.ok(fleet.has('/manual/'));
});

test('what did not change is not built again', async () => {
  const made = statSync(join(folder, 'index.html')).mtimeMs;
  await buildWeb(folder);
  assert.is(statSync(join(folder, 'index.html')).mtimeMs, made);
});

test('what tsup has emptied, hidden files excepted, is made again', async () => {
  for (const { name, parentPath } of globSync('**/*', { cwd: folder, withFileTypes: true }).filter(
    (entry) => entry.isFile(),
  ))
    rmSync(join(parentPath, name));
  assert.not(existsSync(join(folder, 'index.html')));
  await buildWeb(folder);
  assert.is(loadPages(folder).get('/')?.type, 'text/html; charset=utf-8');
});

test('the manual says what each code means, and has a place for each rule', () => {
  const pages = loadPages(folder);
  const textOf = (path: string) => Buffer.from(pages.get(path)!.bytes).toString();
  const codes = textOf('/manual/reference/error-codes');
  const tables = [API_CODES, CONTROL_CODES, STORE_CODES, FAILURES, CERTIFICATE_CODES];
  for (const id of [...tables.flatMap(Object.keys), 'bootloader-only', 'link-down', 'port-missing'])
    assert.ok(codes.includes(`<tr id="${id}">`), id);
  const places = textOf('/manual/reference/rules');
  for (const { id } of rules()) assert.ok(places.includes(` id="${id}"`), id);
  assert.ok(pages.has('/manual/'));
});

test('a file of the manual is shown as it is written, and its markup is text', () => {
  const html = manualPage(
    '<!-- a comment -->\n\n# A `b`\n\n[other](../x/y.md#z) ![picture](a.png) <script>alert(1)</script>\n\n| Code |\n|---|\n| `c-d` |\n',
    { style: '/s.css', icon: '/i.svg', name: 'tasks/one.md' },
  );
  assert.match(html, /<title>A b – Uplift<\/title>/);
  assert.match(html, /<h1 id="a-b">A <code>b<\/code><\/h1>/);
  assert.match(html, /<a href="\/manual\/x\/y#z">other<\/a>/);
  assert.match(html, /<tr id="c-d">/);
  assert.not.match(html, /<script|<img|a comment/);
});

test.run();
