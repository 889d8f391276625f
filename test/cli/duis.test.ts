/** `uplift duis ...`, without a process for each: what is made, signed, checked and sent, and what is refused. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { check } from '../../src/cli/duis-check.ts';
import { type MakeOptions, make } from '../../src/cli/duis-make.ts';
import { send } from '../../src/cli/duis-send.ts';
import { sign } from '../../src/cli/duis-sign.ts';
import { Output } from '../../src/cli/output.ts';
import { readUnsignedRequest } from '../../src/duis/request-reader.ts';
import type { RequestId } from '../../src/duis/service-request.ts';
import { type ExitCode, UpliftError } from '../../src/errors.ts';
import { type Answered, responseTo, serveAnswers } from '../support/duis-server.ts';
import { BROKER, DuisSite, PPMID, STRANGER, SUPPLIER } from '../support/duis-site.ts';
import { FIRMWARE } from '../support/rigs.ts';

const test = suite('what the commands of the DCC User Interface say');
const at = '2026-06-01';
const HASH = 'AB'.repeat(32);
let site: DuisSite;
let made = 0;
test.before(() => {
  site = new DuisSite();
});
test.after(() => site.remove());

class Heard extends Output {
  // biome-ignore lint/suspicious/noExplicitAny: whatever a test looks for
  document: any;
  lines: string[] = [];
  override result(document: unknown, lines: string[]): void {
    this.document = document;
    this.lines = lines.map(stripVTControlCharacters);
  }
}

/** The exit code, and the code of what was thrown. */
async function said(work: (output: Output) => Promise<ExitCode>) {
  const output = new Heard({ quiet: true });
  try {
    const exit = await work(output);
    return { exit, code: '', next: '', actual: '', document: output.document, lines: output.lines };
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    const { exit, code, next = '', actual = '' } = error;
    return { exit, code, next, actual, document: undefined, lines: [] };
  }
}

const path = (content: string | Uint8Array) => site.write(`document-${made++}.xml`, content);
const alone = () => ({ certificate: [site.supplier.certificate], anchors: site.anchors, at });
const gateway = () => ({ config: site.gateway(), at });

async function maker(service: string, options: Partial<MakeOptions>) {
  const out = join(site.folder, `made-${made++}.xml`);
  const from = { originator: SUPPLIER, target: PPMID, duisVersion: '5.1', counter: '9' };
  const told = await said((output) => make(service, { ...from, ...options, out }, output));
  return { ...told, out };
}

async function signed(unsigned: string, identity = site.supplier, counter = 'keep') {
  const out = join(site.folder, `signed-${made++}.xml`);
  const told = await said((output) => sign(unsigned, { ...identity, counter, out }, output));
  return { ...told, out };
}

async function signedUpdate(): Promise<string> {
  const update = { target: BROKER, image: FIRMWARE.new, firmwareVersion: '2', device: [PPMID] };
  return (await signed((await maker('11.4', update)).out)).out;
}

test('every service is made, by its options and no others', async () => {
  const cases: [service: string, options: Partial<MakeOptions>, kind: string, variant: number][] = [
    ['11.2', { at: '2026-07-01' }, 'ReadFirmwareVersion', 1],
    ['11.3', { hash: HASH, at: 'cancel' }, 'ActivateFirmware', 4],
    [
      '11.1',
      {
        image: FIRMWARE.new,
        firmwareVersion: '1',
        devices: path(`02-55-50-4C-46-54-20-99,${PPMID}\n`),
      },
      'UpdateFirmware',
      8,
    ],
  ];
  for (const [service, options, kind, variant] of cases) {
    const { exit, out } = await maker(service, options);
    assert.is(exit, 0);
    const read = readUnsignedRequest(readFileSync(out));
    if (!read.ok) return assert.unreachable(read.code);
    const { body, header } = read.unsigned;
    assert.is(`${body.kind} ${header.commandVariant}`, `${kind} ${variant}`);
    assert.is(header.requestId.counter, 9n);
    if ('deviceIds' in body) assert.equal(body.deviceIds, [STRANGER, PPMID]);
  }
  const update = { image: FIRMWARE.new, firmwareVersion: '123456789', device: [PPMID] };
  const wrong: [service: string, options: Partial<MakeOptions>, exit: number, code: string][] = [
    ['11.2', { hash: HASH }, 2, 'option-invalid'],
    ['11.3', {}, 2, 'option-invalid'],
    ['11.3', { hash: 'ab' }, 2, 'option-invalid'],
    ['11.3', { hash: HASH, counter: '-1' }, 2, 'option-invalid'],
    ['11.3', { hash: HASH, target: 'the broker' }, 2, 'option-invalid'],
    ['8.2', {}, 2, 'option-invalid'],
    ['11.1', { image: FIRMWARE.new, firmwareVersion: '1' }, 2, 'option-invalid'],
    ['11.1', update, 3, 'firmware-version-invalid'],
    ['11.2', { duisVersion: 'five' }, 3, 'schema-version-invalid'],
  ];
  for (const [service, options, exit, code] of wrong) {
    const told = await maker(service, options);
    assert.is(`${told.exit} ${told.code}`, `${exit} ${code}`, `${service} ${Object.keys(options)}`);
  }
});

test('the counter becomes the time, wherever else the same text stands', async () => {
  const { out } = await maker('11.2', {});
  const text = readFileSync(out, 'utf8');
  const [id] = /<sr:RequestID>.*<\/sr:RequestID>/.exec(text)!;
  const commented = path(text.replace('<sr:Header>', `<sr:Header><!-- ${id} -->`));
  const before = BigInt(Date.now());
  const again = await signed(commented, site.supplier, 'now');
  assert.is(again.exit, 0, again.code);
  const [, counter = '0'] = /:([0-9]+)<\/sr:RequestID>/.exec(readFileSync(again.out, 'utf8'))!;
  assert.ok(BigInt(counter) >= before && BigInt(counter) <= BigInt(Date.now()), counter);
});

test('nobody signs for another, or what is signed or malformed already', async () => {
  const done = await signedUpdate();
  const text = readFileSync(done, 'utf8').replace(/<ds:Signature.*<\/ds:Signature>/, '');
  const mixed = { certificate: site.supplier.certificate, key: site.signing.key };
  const odd = text.replace('<sr:CommandVariant>8', '<sr:CommandVariant>0');
  const cases: [document: string, identity: typeof mixed, said: string][] = [
    [done, site.supplier, '3 request-signed'],
    [path(text), site.signing, '3 originator-differs'],
    [path(text), mixed, '2 signing-key'],
    [path(odd), site.supplier, '3 command-variant-invalid'],
    [path('<a/>'), site.supplier, '3 response-other-root'],
    [path(text), { ...mixed, key: site.root }, '2 key-unreadable'],
  ];
  for (const [document, identity, expected] of cases) {
    const told = await signed(document, identity);
    assert.is(`${told.exit} ${told.code}`, expected);
    assert.ok(told.next.length > 5, expected);
  }
  assert.match((await signed(path(odd))).actual, /line 1, column \d+, CommandVariant/);
});

test('what would be refused: exit 3, with code, place and what is next', async () => {
  const text = readFileSync(await signedUpdate(), 'utf8');
  const find = async (document: string, options = alone()) => {
    const { exit, document: told } = await said((output) => check(path(document), options, output));
    assert.is(exit, 3);
    return told.findings[0];
  };
  const changed = await find(text.replace('>2<', '>3<'));
  assert.is(changed.code, 'digest-differs');
  assert.ok(changed.line === 1 && changed.column > 1_000 && changed.next.length > 10);
  assert.match((await find(text.slice(0, 2_000))).code, /^xml-/);
  const bare = await find(text.replace(/<ds:Signature.*<\/ds:Signature>/, ''));
  assert.is(bare.code, 'signature-missing');
  assert.match(bare.next, 'uplift duis sign');
  const late = await find(text, { ...alone(), at: '2031-01-01' });
  assert.is(late.element, 'Signature', late.code);
  const few = await said((output) => check(path(text), alone(), output));
  assert.is(few.exit, 0);
  assert.is(few.document.unchecked.length, 4, 'what a gateway alone could say');
});

test('a request that does not fit a gateway, and files that cannot be read', async () => {
  const asked = { target: STRANGER, hash: HASH, at: '2020-01-01', variant: '5' };
  const { out } = await signed((await maker('11.3', asked)).out);
  const { exit, document, lines } = await said((output) => check(out, gateway(), output));
  assert.is(exit, 3);
  assert.equal(
    document.findings.map(({ code }: { code: string }) => code),
    ['variant-not-served', 'target-unknown', 'execution-past'],
  );
  assert.is(document.responseCode, 'E1');
  assert.match(lines.join('\n'), /execution-past[\s\S]*expected +a time from 2026-06-01/);
  const cases: [file: string, options: Parameters<typeof check>[1]][] = [
    [join(site.folder, 'none.xml'), gateway()],
    [site.folder, gateway()],
    [out, {}],
    [out, { certificate: [site.supplier.certificate] }],
    [out, { ...gateway(), ...alone() }],
    [out, { ...alone(), at: 'soon' }],
  ];
  for (const [file, options] of cases) {
    const told = await said((output) => check(file, options, output));
    assert.is(told.exit, 2, told.code);
  }
});

test('an update that is done for no device is no success, whatever its code', async () => {
  const image = FIRMWARE.wrongHardware;
  const asked = { target: BROKER, image, firmwareVersion: '2', device: [PPMID, STRANGER] };
  const { out } = await signed((await maker('11.4', asked)).out);
  const { exit, document, lines } = await said((output) => check(out, gateway(), output));
  assert.is(`${exit} ${document.responseCode} ${document.isTaken}`, '3 W110401 false');
  assert.match(lines[0]!, 'would be done for no device: W110401');
  assert.match(lines.join('\n'), /1 device, 00-0D-\S+: refused by device\.hardware-range\n/);
  assert.match(lines.join('\n'), /1 device, 02-55-\S+: refused by device-not-known/);
});

test('a response is checked: who signed it, and what it says', async () => {
  const id = { originator: SUPPLIER, target: BROKER, counter: 9n };
  const response = path(responseTo(site, id, 'I0').body);
  const { exit, document } = await said((output) => check(response, gateway(), output));
  assert.is(exit, 0);
  const { responseCode, signer } = document;
  assert.is(`${responseCode} ${signer.eui64} ${signer.role}`, `I0 ${BROKER} 89`);
  const other = await said((output) => check(response, alone(), output));
  assert.is(other.exit, 3);
  assert.is(other.document.findings[0].code, 'signer-unknown');
});

test('an answer that nobody vouches for, a problem, a stranger, and nobody there', async () => {
  const request = await signedUpdate();
  let answer: (id: RequestId) => Answered = (id) => {
    const { body, ...rest } = responseTo(site, id, 'E100');
    return { ...rest, body: Buffer.from(new TextDecoder().decode(body).replace('>E100', '>I0')) };
  };
  const server = await serveAnswers(site, (id) => answer(id));
  const to = { ...site.supplier, to: server.url, ca: site.root, wait: '20' };
  const trust = { signer: [site.signing.certificate], anchors: site.anchors };
  const sent = async (options: Parameters<typeof send>[1]) => {
    const { exit, code, next, document } = await said((output) => send(request, options, output));
    return { text: `${exit} ${code || document.responseCode}`, next };
  };
  const problem = { code: 'party-differs', title: 'Another one.', next: 'send your own' };
  try {
    assert.is((await sent({ ...to, ...trust })).text, '3 digest-differs');
    answer = (id) => responseTo(site, { ...id, counter: 1n }, 'I0');
    assert.is((await sent(to)).text, '3 answer-other-request');
    answer = () => ({ status: 200, type: 'text/html', body: Buffer.from('<html/>') });
    assert.is((await sent(to)).text, '3 response-other-root');
    answer = () => {
      const body = Buffer.from(JSON.stringify(problem));
      return { status: 403, type: 'application/problem+json', body };
    };
    assert.equal(await sent(to), { text: '3 party-differs', next: 'send your own' });
    answer = () => ({ status: 503, type: 'text/plain', body: Buffer.from('later') });
    assert.is((await sent(to)).text, '6 answer-unknown');
    const { ca: _, ...untrusting } = to;
    assert.is((await sent(untrusting)).text, '6 peer-unreachable');
    assert.is((await sent({ ...to, signer: trust.signer })).text, '2 option-invalid');
    assert.is((await sent({ ...to, to: 'http://127.0.0.1/' })).text, '2 option-invalid');
    assert.is((await sent({ ...to, key: site.server.key })).text, '2 tls-unusable');
  } finally {
    server.stop();
  }
  assert.is((await sent(to)).text, '6 peer-unreachable');
});

test.run();
