/** `uplift duis ...` as programs: from a request that is made to the answer that is read, and the outbox. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { TLSSocket } from 'node:tls';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadSigningIdentity, signDocument } from '../../src/dcc/service-users.ts';
import { readUnsignedRequest } from '../../src/duis/request-reader.ts';
import { encodeResponse, type MessageContent } from '../../src/duis/response.ts';
import type { RequestId } from '../../src/duis/service-request.ts';
import { FakeDuis } from '../api/fake-control.ts';
import { Served } from '../api/served.ts';
import { BROKER, DuisSite, PPMID, STRANGER, SUPPLIER } from '../support/duis-site.ts';
import { FIRMWARE } from '../support/rigs.ts';

const test = suite('commands of the DCC User Interface');
const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
/** Certificates of the test are valid then. */
const AT = '2026-06-01';
let site: DuisSite;
test.before(() => {
  site = new DuisSite();
});
test.after(() => site.remove());

interface Ran {
  exit: number | null;
  out: string;
  err: string;
}

function uplift(words: string[], stdin?: string): Promise<Ran> {
  const child = spawn(process.execPath, [MAIN, 'duis', ...words], {
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined },
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (text) => {
    out += text;
  });
  child.stderr.on('data', (text) => {
    err += text;
  });
  child.stdin.on('error', () => {});
  child.stdin.end(stdin);
  return new Promise((done) => child.on('close', (exit) => done({ exit, out, err })));
}

const FROM = ['--originator', SUPPLIER, '--duis-version', '5.1'];
const UPDATE = ['make', '11.4', ...FROM, '--target', BROKER, '--image', FIRMWARE.new];
const identity = (one: { certificate: string; key: string }) => [
  ...['--certificate', one.certificate],
  ...['--key', one.key],
];
const alone = () => ['--certificate', site.supplier.certificate, '--anchors', site.anchors];

/** Signed with that counter. */
async function signedUpdate(counter: string, ...devices: string[]): Promise<string> {
  const version = ['--firmware-version', '02000000', '--counter', counter];
  const made = await uplift([...UPDATE, ...version, '--device', ...devices]);
  assert.is(made.exit, 0, made.err);
  const signed = await uplift(['sign', '-', ...identity(site.supplier)], made.out);
  assert.is(signed.exit, 0, signed.err);
  return site.write(`signed-${counter}.xml`, signed.out);
}

test('a request is made, signed and checked: it would be taken', async () => {
  const path = join(site.folder, 'request.xml');
  const version = ['--firmware-version', '02000000', '--device', PPMID, STRANGER];
  assert.is((await uplift([...UPDATE, ...version, '--counter', '1', '--out', path])).exit, 0);
  const signedPath = join(site.folder, 'signed.xml');
  const before = Date.now();
  const words = ['sign', path, '--counter', 'now', '--out', signedPath];
  const signed = await uplift([...words, ...identity(site.supplier), '--json']);
  assert.is(signed.exit, 0, signed.out);
  assert.is(JSON.parse(signed.out).signer.eui64, SUPPLIER);
  const config = ['--config', site.gateway()];
  const checked = await uplift(['check', signedPath, ...config, '--at', AT, '--json']);
  assert.is(checked.exit, 0, checked.out);
  const told = JSON.parse(checked.out);
  assert.is(`${told.isTaken} ${told.responseCode}`, 'true W110401');
  const [, , counter] = told.request.requestId.split(':');
  assert.ok(Number(counter) >= before && Number(counter) <= Date.now(), counter);
  assert.equal(told.lists, { InvalidDeviceIDList: [STRANGER] });
  assert.is(told.devices[0].verdict, 'admitted');
  assert.ok(told.devices[0].decision.findings.length > 10);
  assert.is(told.signer.eui64, SUPPLIER);
  const lines = await uplift(['check', signedPath, ...config, '--at', AT]);
  assert.match(lines.out, /would be taken: W110401, done, but not for the devices listed/);
  assert.match(lines.out, /device-not-known[\s\S]*next +leave the device out/);
  assert.match(lines.out, /1: 00-0D-6F-00-0A-90-69-E7: admitted/);
});

test('every service is made, by its options and no others', async () => {
  const hash = 'AB'.repeat(32);
  const cases: [words: string[], kind: string, variant: number][] = [
    [['11.2', '--at', '2026-07-01'], 'ReadFirmwareVersion', 1],
    [['11.3', '--hash', hash, '--at', 'cancel'], 'ActivateFirmware', 4],
  ];
  for (const [words, kind, variant] of cases) {
    const made = await uplift(['make', ...words, ...FROM, '--target', PPMID, '--counter', '9']);
    assert.is(made.exit, 0, made.err);
    const read = readUnsignedRequest(Buffer.from(made.out));
    if (!read.ok) return assert.unreachable(read.code);
    assert.is(read.unsigned.body.kind, kind);
    assert.is(read.unsigned.header.commandVariant, variant);
  }
  const wrong: [words: string[], exit: number, code: string][] = [
    [['11.2', '--hash', hash], 2, 'option-invalid'],
    [['11.3'], 2, 'option-invalid'],
    [['11.3', '--hash', 'ab'], 2, 'option-invalid'],
    [['8.2'], 2, 'option-invalid'],
    [['11.1', '--image', FIRMWARE.new, '--firmware-version', '1'], 2, 'option-invalid'],
    [
      ['11.1', '--image', FIRMWARE.new, '--firmware-version', '123456789', '--device', PPMID],
      3,
      'firmware-version-invalid',
    ],
  ];
  for (const [words, exit, code] of wrong) {
    const made = await uplift(['make', ...words, ...FROM, '--target', PPMID, '--json']);
    assert.is(`${made.exit} ${JSON.parse(made.out).error.code}`, `${exit} ${code}`, `${words}`);
  }
});

test('what would be refused: exit 3, with code, place and what is next', async () => {
  const path = await signedUpdate('5', PPMID);
  const text = readFileSync(path, 'utf8');
  const at = ['--at', AT, '--json'];
  const find = async (document: string, ...words: string[]) => {
    const checked = await uplift(['check', '-', ...words], document);
    assert.is(checked.exit, 3, checked.out + checked.err);
    return JSON.parse(checked.out).findings[0];
  };
  const changed = await find(text.replace('02000000<', '02000001<'), ...alone(), ...at);
  assert.is(changed.code, 'digest-differs');
  assert.ok(changed.line === 1 && changed.column > 1_000 && changed.next.length > 10);
  const cut = await find(text.slice(0, 2_000), ...alone(), ...at);
  assert.match(cut.code, /^xml-/);
  const bare = await find(text.replace(/<ds:Signature.*<\/ds:Signature>/, ''), ...alone(), ...at);
  assert.is(bare.code, 'signature-missing');
  assert.match(bare.next, 'uplift duis sign');
  const late = await find(text, ...alone(), '--at', '2031-01-01', '--json');
  assert.ok(late.code.length > 0 && late.element === 'Signature', late.code);
  const few = await uplift(['check', path, ...alone(), '--at', AT]);
  assert.is(few.exit, 0, few.out);
  assert.match(few.out, /would be taken[\s\S]*not checked +the roles of the originator/);
});

test('a request that does not fit a gateway, and files that cannot be read', async () => {
  const config = ['--config', site.gateway(), '--at', AT, '--json'];
  const words = ['make', '11.3', ...FROM, '--target', STRANGER, '--hash', '00'.repeat(32)];
  const made = await uplift([...words, '--at', '2020-01-01', '--variant', '5']);
  const signed = await uplift(['sign', '-', ...identity(site.supplier)], made.out);
  const checked = await uplift(['check', '-', ...config], signed.out);
  assert.is(checked.exit, 3, checked.out);
  const { findings, responseCode } = JSON.parse(checked.out);
  assert.equal(
    findings.map(({ code }: { code: string }) => code),
    ['variant-not-served', 'target-unknown', 'execution-past'],
  );
  assert.ok(findings.every(({ next }: { next: string }) => next.length > 10));
  assert.is(responseCode, 'E1');
  for (const [path, ...more] of [
    [join(site.folder, 'none.xml'), ...config],
    [site.folder, ...config],
    ['-', '--json'],
    ['-', '--certificate', site.supplier.certificate, '--json'],
    ['-', ...config, ...alone()],
  ] as string[][]) {
    const wrong = await uplift(['check', path!, ...more], '');
    assert.is(wrong.exit, 2, wrong.out);
  }
});

test('nobody signs for another, or what is signed or malformed already', async () => {
  const path = await signedUpdate('6', PPMID);
  const again = await uplift(['sign', path, ...identity(site.supplier), '--json']);
  assert.is(`${again.exit} ${JSON.parse(again.out).error.code}`, '3 request-signed');
  const text = readFileSync(path, 'utf8').replace(/<ds:Signature.*<\/ds:Signature>/, '');
  const other = await uplift(['sign', '-', ...identity(site.signing), '--json'], text);
  assert.is(`${other.exit} ${JSON.parse(other.out).error.code}`, '3 originator-differs');
  const mixed = ['--certificate', site.supplier.certificate, '--key', site.signing.key];
  const pair = await uplift(['sign', '-', ...mixed, '--json'], text);
  assert.is(`${pair.exit} ${JSON.parse(pair.out).error.code}`, '2 signing-key');
  const odd = text.replace('<sr:CommandVariant>8', '<sr:CommandVariant>0');
  const malformed = await uplift(['sign', '-', ...identity(site.supplier)], odd);
  assert.is(malformed.exit, 3);
  assert.match(malformed.err, /command-variant-invalid[\s\S]*line 1, column/);
  assert.is(malformed.out, '');
});

// ---- to a server and back -------------------------------------------------------------------------------

/** Answers what it is told to, to who shows the certificate of the supplier. */
async function served(
  answer: (id: RequestId) => { status: number; type: string; body: Uint8Array },
) {
  const read = (path: string) => readFileSync(path);
  const server = https.createServer(
    {
      cert: read(site.server.certificate),
      key: read(site.server.key),
      ca: read(site.root),
      requestCert: true,
    },
    async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      const isKnown = request.socket instanceof TLSSocket && request.socket.authorized;
      const [, text = ''] = /RequestID>([^<]+)</.exec(Buffer.concat(pieces).toString()) ?? [];
      const [originator = '', target = '', counter = '0'] = text.split(':');
      const digits = (eui: string) => eui.replaceAll('-', '').toLowerCase();
      const id = {
        originator: digits(originator),
        target: digits(target),
        counter: BigInt(counter),
      };
      const { status, type, body } = answer(id);
      response.writeHead(isKnown ? status : 401, { 'content-type': type }).end(body);
    },
  );
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return { url: `https://127.0.0.1:${port}/`, stop: () => server.close() };
}

function responseTo(
  requestId: RequestId,
  responseCode: string,
  content?: MessageContent,
): { status: number; type: string; body: Uint8Array } {
  const bytes = encodeResponse({
    schemaVersion: '5.1',
    requestId,
    responseCode,
    respondedMs: Date.now(),
    body: {
      kind: 'message',
      serviceReference: '11.4',
      serviceReferenceVariant: '11.4',
      ...(content ? { content } : {}),
    },
  });
  const { certificate, key } = site.signing;
  const signer = loadSigningIdentity({ certificateFile: certificate, keyFile: key });
  const body = signDocument(new TextDecoder().decode(bytes), signer);
  return { status: 200, type: 'application/xml; charset=utf-8', body };
}

test('a request is sent, and its answer read: done, in part, refused', async () => {
  const path = await signedUpdate('7', PPMID);
  let code = 'I0';
  let by = (id: RequestId) => responseTo(id, code);
  const server = await served((id) => by(id));
  const to = ['--to', server.url, ...identity(site.supplier), '--ca', site.root];
  const trust = ['--signer', site.signing.certificate, '--anchors', site.anchors];
  try {
    const done = await uplift(['send', path, ...to, ...trust]);
    assert.is(done.exit, 0, done.err);
    assert.match(done.out, /^the answer: I0, done\n[\s\S]*signed by +OU=89/);
    const lists = { OtherRequestInProgressList: [PPMID] };
    by = (id) => responseTo(id, 'W110401', { kind: 'DSPUpdatePPMIDFirmwareWarning', lists });
    const part = await uplift(['send', path, ...to, '--json']);
    assert.is(part.exit, 0);
    assert.equal(JSON.parse(part.out).lists, lists);
    assert.not('signer' in JSON.parse(part.out), 'nobody vouches for it');
    code = 'E100';
    by = (id) => responseTo(id, code);
    const refused = await uplift(['send', path, ...to, ...trust, '--quiet']);
    assert.is(`${refused.exit} ${refused.out}`, '3 ');
    assert.match(refused.err, /E100, signature refused/);
    by = (id) => responseTo({ ...id, counter: 1n }, 'I0');
    const other = await uplift(['send', path, ...to, '--json']);
    assert.is(`${other.exit} ${JSON.parse(other.out).error.code}`, '3 answer-other-request');
  } finally {
    server.stop();
  }
});

test('an answer that nobody vouches for, a problem, a stranger, and nobody there', async () => {
  const path = await signedUpdate('8', PPMID);
  const problem = { code: 'party-differs', title: 'Another one.', next: 'send your own' };
  let by = (id: RequestId) => {
    const { body, ...rest } = responseTo(id, 'E100');
    return { ...rest, body: Buffer.from(new TextDecoder().decode(body).replace('>E100', '>I0')) };
  };
  const server = await served((id) => by(id));
  const to = ['--to', server.url, '--ca', site.root, '--json'];
  const own = identity(site.supplier);
  const codeOf = ({ exit, out }: Ran) => `${exit} ${JSON.parse(out).error.code}`;
  try {
    const trust = ['--signer', site.signing.certificate, '--anchors', site.anchors];
    const forged = await uplift(['send', path, ...to, ...own, ...trust]);
    assert.is(codeOf(forged), '3 digest-differs');
    by = () => ({
      status: 403,
      type: 'application/problem+json',
      body: Buffer.from(JSON.stringify(problem)),
    });
    const told = await uplift(['send', path, ...to, ...own]);
    assert.is(codeOf(told), '3 party-differs');
    assert.is(JSON.parse(told.out).error.next, 'send your own');
    const unknown = await uplift(['send', path, '--to', server.url, ...own, '--json']);
    assert.is(codeOf(unknown), '6 peer-unreachable');
  } finally {
    server.stop();
  }
  const nobody = await uplift(['send', path, ...to, ...own]);
  assert.is(codeOf(nobody), '6 peer-unreachable');
  const plain = ['--to', 'http://127.0.0.1/', ...own, '--json'];
  assert.is(codeOf(await uplift(['send', path, ...plain])), '2 option-invalid');
});

test('a response is checked: who signed it, and what it says', async () => {
  const id = { originator: SUPPLIER, target: BROKER, counter: 9n };
  const path = site.write('response.xml', responseTo(id, 'I0').body);
  const checked = await uplift(['check', path, '--config', site.gateway(), '--at', AT, '--json']);
  assert.is(checked.exit, 0, checked.out);
  const told = JSON.parse(checked.out);
  assert.is(`${told.responseCode} ${told.signer.eui64} ${told.signer.role}`, `I0 ${BROKER} 89`);
  const other = await uplift(['check', path, ...alone(), '--at', AT, '--json']);
  assert.is(other.exit, 3);
  assert.is(JSON.parse(other.out).findings[0].code, 'signer-unknown');
});

// ---- a running gateway ----------------------------------------------------------------------------------

test('requests that were taken, and the outbox, over the socket of a gateway', async () => {
  const gateway = await Served.start();
  const duis = new FakeDuis();
  const socket = ['--socket', gateway.path];
  try {
    const none = await uplift(['requests', ...socket]);
    assert.is(none.exit, 2);
    assert.match(none.err, /not-found[\s\S]*a gateway with Service Users/);
    gateway.control.duis = duis;
    const taken = await uplift(['requests', ...socket]);
    assert.match(taken.out, /11\.1 +DUIS 5\.1 +90-B3\S+:1 +2 devices +at once +j2, j3/);
    assert.match(taken.out, /for 1970-01-01T00:00:00\.005Z +no job\n[\s\S]*calls off/);
    const outbox = await uplift(['outbox', ...socket]);
    assert.match(outbox.out, /^90b3d51f30010000: 1 waiting, the oldest for/);
    assert.match(outbox.out, /failed 2 times in a row +later: status 503/);
    assert.match(outbox.out, /message 5 of 1970[\s\S]*put aside[\s\S]*outbox release 5/);
    const shown = await uplift(['outbox', 'show', '7', ...socket]);
    assert.is(shown.out, '<m n="7">\u00fc</m>');
    const json = await uplift(['outbox', 'show', '7', '--json', ...socket]);
    assert.equal(JSON.parse(json.out), { message: 7, document: shown.out });
    const waiting = await uplift(['outbox', 'release', '7', ...socket]);
    assert.is(waiting.exit, 3);
    assert.match(waiting.err, 'message-not-parked');
    assert.is((await uplift(['outbox', 'discard', '5', ...socket])).exit, 2, 'a reason is needed');
    const words = ['outbox', 'discard', '5', '--reason', 'told by letter'];
    assert.is((await uplift([...words, ...socket])).out, 'message 5 is given up\n');
    assert.equal(duis.done, ['discard 5 socket:local told by letter']);
    assert.is((await uplift(['outbox', 'show', 'x', ...socket])).exit, 2);
  } finally {
    await gateway.stop();
  }
});

test('every command has help, with an example', async () => {
  const commands = ['', 'make', 'sign', 'check', 'send', 'requests', 'outbox', 'outbox discard'];
  for (const command of commands) {
    const { exit, out } = await uplift([...command.split(' ').filter(Boolean), '--help']);
    assert.is(exit, 0);
    assert.match(out, /\nExample:\n {2}uplift duis /, command);
  }
});

test.run();
