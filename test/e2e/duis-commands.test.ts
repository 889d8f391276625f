/** `uplift duis ...` as programs: from a request that is made to the answer that is read, and the outbox. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RequestId } from '../../src/duis/service-request.ts';
import { FakeDuis } from '../api/fake-control.ts';
import { Served } from '../api/served.ts';
import { responseTo, serveAnswers } from '../support/duis-server.ts';
import { BROKER, DuisSite, PPMID, STRANGER, SUPPLIER } from '../support/duis-site.ts';
import { MAIN } from '../support/main.ts';
import { FIRMWARE } from '../support/rigs.ts';

const test = suite('commands of the DCC User Interface');
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
  const [checked, lines] = await Promise.all([
    uplift(['check', signedPath, ...config, '--at', AT, '--json']),
    uplift(['check', signedPath, ...config, '--at', AT]),
  ]);
  assert.is(checked.exit, 0, checked.out);
  const told = JSON.parse(checked.out);
  assert.is(`${told.isTaken} ${told.responseCode}`, 'true W110401');
  const [, , counter] = told.request.requestId.split(':');
  assert.ok(Number(counter) >= before && Number(counter) <= Date.now(), counter);
  assert.equal(told.lists, { InvalidDeviceIDList: [STRANGER] });
  assert.is(told.devices[0].verdict, 'admitted');
  assert.ok(told.devices[0].decision.findings.length > 10);
  assert.is(told.signer.eui64, SUPPLIER);
  assert.match(lines.out, /would be taken: W110401, done, but not for the devices listed/);
  assert.match(lines.out, /device-not-known[\s\S]*next +leave the device out/);
  assert.match(lines.out, /1 device, 00-0D-6F-00-0A-90-69-E7: admitted/);
});

// ---- to a server and back -------------------------------------------------------------------------------

test('a request is sent, and its answer read: done, in part, refused', async () => {
  const path = await signedUpdate('7', PPMID);
  let code = 'I0';
  let by = (id: RequestId) => responseTo(site, id, code);
  const server = await serveAnswers(site, (id) => by(id));
  const to = ['--to', server.url, ...identity(site.supplier), '--ca', site.root];
  const trust = ['--signer', site.signing.certificate, '--anchors', site.anchors];
  try {
    const done = await uplift(['send', path, ...to, ...trust]);
    assert.is(done.exit, 0, done.err);
    assert.match(done.out, /^the answer: I0, done\n[\s\S]*signed by +EUI-64 \S+, role 89/);
    const lists = { OtherRequestInProgressList: [PPMID] };
    by = (id) => responseTo(site, id, 'W110401', { kind: 'DSPUpdatePPMIDFirmwareWarning', lists });
    const part = await uplift(['send', path, ...to, '--json']);
    assert.is(part.exit, 0);
    assert.equal(JSON.parse(part.out).lists, lists);
    assert.not('signer' in JSON.parse(part.out), 'nobody vouches for it');
    code = 'E100';
    by = (id) => responseTo(site, id, code);
    const refused = await uplift(['send', path, ...to, ...trust, '--quiet']);
    assert.is(`${refused.exit} ${refused.out}`, '3 ');
    assert.match(refused.err, /E100, signature refused/);
    by = (id) => responseTo(site, { ...id, counter: 1n }, 'I0');
    const other = await uplift(['send', path, ...to, '--json']);
    assert.is(`${other.exit} ${JSON.parse(other.out).error.code}`, '3 answer-other-request');
  } finally {
    server.stop();
  }
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
    const [taken, outbox, shown, json] = await Promise.all([
      uplift(['requests', ...socket]),
      uplift(['outbox', ...socket]),
      uplift(['outbox', 'show', '7', ...socket]),
      uplift(['outbox', 'show', '7', '--json', ...socket]),
    ]);
    assert.match(taken.out, /11\.1 +DUIS 5\.1 +90-B3\S+:1 +2 devices +at once +j2, j3/);
    assert.match(taken.out, /for 1970-01-01T00:00:00\.005Z +no job\n[\s\S]*calls off/);
    assert.match(outbox.out, /^90b3d51f30010000: 1 waiting, the oldest for/);
    assert.match(outbox.out, /failed 2 times in a row +later: status 503/);
    assert.match(outbox.out, /message 5 of 1970[\s\S]*put aside[\s\S]*outbox release 5/);
    assert.is(shown.out, '<m n="7">\u00fc</m>');
    assert.equal(JSON.parse(json.out), { message: 7, document: shown.out });
    const [waiting, unreasoned, unnamed] = await Promise.all([
      uplift(['outbox', 'release', '7', ...socket]),
      uplift(['outbox', 'discard', '5', ...socket]),
      uplift(['outbox', 'show', 'x', ...socket]),
    ]);
    assert.is(waiting.exit, 3);
    assert.match(waiting.err, 'message-not-parked');
    assert.is(unreasoned.exit, 2, 'a reason is needed');
    assert.is(unnamed.exit, 2);
    const words = ['outbox', 'discard', '5', '--reason', 'told by letter'];
    assert.is((await uplift([...words, ...socket])).out, 'message 5 is given up\n');
    assert.equal(duis.done, ['discard 5 socket:local told by letter']);
  } finally {
    await gateway.stop();
  }
});

test('every command has help, with an example', async () => {
  const commands = ['', 'make', 'sign', 'check', 'send', 'requests', 'outbox', 'outbox discard'];
  const helped = commands.map((command) =>
    uplift([...command.split(' ').filter(Boolean), '--help']),
  );
  for (const { exit, out } of await Promise.all(helped)) {
    assert.is(exit, 0);
    assert.match(out, /\nExample:\n {2}uplift duis /);
  }
});

test.run();
