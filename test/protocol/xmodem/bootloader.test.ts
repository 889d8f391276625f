/** The bootloader client against the texts of Gecko and Ember bootloaders, and all that goes wrong, by name. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BootloaderClient } from '../../../src/protocol/xmodem/bootloader.ts';
import { BLOCK_STATUS, FILE_STATUS } from '../../../src/protocol/xmodem/codes.ts';
import type { BootloaderEvent } from '../../../src/protocol/xmodem/messages.ts';
import { seeded } from '../zcl-ota/naive-frames.ts';
import { Desk } from './desk.ts';
import { ACK, blocks, C, CAN, counting, EOT, NAK } from './naive-blocks.ts';

const test = suite('bootloader client');

const GECKO = '\r\nGecko Bootloader v2.04.01\r\n1. upload gbl\r\n2. run\r\n3. ebl info\r\nBL > \0';
const EMBER =
  '\r\nEM357 Serial Bootloader v54 b04\r\n1. upload ebl\r\n2. run\r\n3. ebl info\r\nBL > \0';
const BEGIN = '\r\nbegin upload\r\n\0';
const COMPLETE = '\r\nSerial upload complete\r\n\0';
const ABORTED = '\r\nSerial upload aborted\r\n\0';
const QUIET_MS = 60;
const BLOCK_MS = 12;
const IMAGE = counting(300);
const IMAGE_BLOCKS = blocks(IMAGE, false);

type ClientDesk = Desk<BootloaderEvent, BootloaderClient>;

function desk(): ClientDesk {
  return new Desk<BootloaderEvent, BootloaderClient>(new BootloaderClient({ baudRate: 115_200 }));
}

/** The menu answers the wake-up, and is chosen from. */
function woken(task: 'info' | 'run' | 'upload', menu = GECKO): ClientDesk {
  const d = desk().call((client, nowMs) =>
    task === 'upload' ? client.upload(IMAGE, nowMs) : client[task](nowMs),
  );
  d.expectSent([0x0a]).receive(menu).expectNothing().pass(QUIET_MS);
  const digit = { upload: '1', run: '2', info: '3' }[task];
  assert.is(d.takeText(), digit);
  return d;
}

function uploading(): ClientDesk {
  return woken('upload').receive(BEGIN).expectNothing().receive(C).expectSent(IMAGE_BLOCKS[0]!);
}

/** All blocks are acknowledged, the end is out. */
function ended(): ClientDesk {
  const d = uploading();
  for (const next of IMAGE_BLOCKS.slice(1)) d.pass(BLOCK_MS).receive(ACK).expectSent(next);
  d.pass(BLOCK_MS).receive(ACK).expectNothing().pass(100).expectSent([EOT]);
  return d.pass(1);
}

function expectFailed(d: ClientDesk, code: string, status?: number): void {
  const event = d.last();
  assert.is(event?.kind, 'failed');
  if (event?.kind !== 'failed') return;
  assert.is(event.code, code);
  assert.is(event.status, status);
  assert.is(d.machine.active, false);
  assert.is(d.machine.pollTimeout(), Number.POSITIVE_INFINITY);
}

test('probe: Gecko', () => {
  const d = desk().call((client, nowMs) => client.probe(nowMs));
  d.receive(GECKO).pass(QUIET_MS);
  const facts = { family: 'gecko', version: '2.04.01', title: 'Gecko Bootloader v2.04.01' };
  assert.equal(d.events, [{ kind: 'bootloader', facts: { ...facts, wants: 'gbl' } }]);
  assert.is(d.machine.active, false);
});

test('probe: Ember, and a menu of another make', () => {
  const d = desk().call((client, nowMs) => client.probe(nowMs));
  d.receive(EMBER).pass(QUIET_MS);
  const title = 'EM357 Serial Bootloader v54 b04';
  const facts = { family: 'ember', version: '54', title, wants: 'ebl' };
  assert.equal(d.last(), { kind: 'bootloader', facts });
  d.call((client, nowMs) => client.probe(nowMs))
    .receive('\r\nOther Loader\r\nBL > ')
    .pass(QUIET_MS);
  const other = { family: 'unknown', version: undefined, title: 'Other Loader', wants: undefined };
  assert.equal(d.last(), { kind: 'bootloader', facts: other });
});

test('probe: every split point of the menu', () => {
  for (let cut = 0; cut <= GECKO.length; cut++) {
    const d = desk().call((client, nowMs) => client.probe(nowMs));
    d.receive(GECKO.slice(0, cut)).pass(20).receive(GECKO.slice(cut)).pass(QUIET_MS);
    assert.is(d.events.length, 1, `cut at ${cut}`);
    assert.is(d.events[0]?.kind, 'bootloader');
  }
});

test('probe: every truncation of the menu ends in a code', () => {
  for (let length = 0; length < GECKO.indexOf('BL > ') + 5; length++) {
    const d = desk().call((client, nowMs) => client.probe(nowMs));
    d.receive(GECKO.slice(0, length)).pass(60_000);
    const event = d.last();
    assert.ok(event?.kind === 'failed', `${length}`);
  }
});

test('probe: nothing answers, an application answers, a bootloader is not understood', () => {
  const probe = () => desk().call((client, nowMs) => client.probe(nowMs));
  const silent = probe().pass(7_000);
  assert.equal(silent.takeSent(), [0x0a, 0x0a, 0x0a, 0x0a]);
  expectFailed(silent, 'silent');
  expectFailed(probe().receive('uart:~$ ').pass(7_000), 'not-a-bootloader');
  expectFailed(probe().receive(0x1a, 0xc1, 0x02, 0x0b, 0x7e).pass(7_000), 'not-a-bootloader');
  expectFailed(probe().receive('\r\nGecko Bootloader v2').pass(7_000), 'no-menu');
});

test('probe: an upload left half done is ended by the wake-up', () => {
  const d = desk()
    .receive(C, C)
    .call((client, nowMs) => client.probe(nowMs));
  d.receive(C, CAN, CAN, CAN, ABORTED, '\r\nblock error 0x\0', '21\r\n', GECKO).pass(QUIET_MS);
  assert.is(d.last()?.kind, 'bootloader');
});

test('info', () => {
  const d = woken('info').receive('\r\nEBL 1\r\nbuilt today\r\n', GECKO);
  assert.equal(d.last(), { kind: 'info', text: 'EBL 1\nbuilt today' });
  assert.equal(woken('info').receive(GECKO).last(), { kind: 'info', text: '' });
});

test('a menu that counts otherwise is read', () => {
  const menu = '\r\nGecko Bootloader v3.00.00\r\n1. erase\r\n4. upload gbl\r\n5. run\r\nBL > \0';
  const d = desk()
    .call((client, nowMs) => client.upload(IMAGE, nowMs))
    .receive(menu)
    .pass(QUIET_MS);
  assert.is(d.takeText(), '\n4');
});

test('a second menu, to a second wake-up, is not taken for an answer to the choice', () => {
  const d = desk()
    .call((client, nowMs) => client.run(nowMs))
    .pass(500);
  assert.is(d.takeText(), '\n\n');
  d.receive(GECKO).pass(40).receive(GECKO).expectNothing().pass(QUIET_MS);
  assert.is(d.takeText(), '2');
});

test('run: the menu does not come back', () => {
  const d = woken('run').receive('\0boot v1\r\n').pass(3_000).expectSent([0x0a]).pass(2_000);
  assert.equal(d.last(), { kind: 'running', heard: 'boot v1\r\n' });
});

test('run: no application, the bootloader comes back', () => {
  expectFailed(woken('run').receive(GECKO), 'not-started');
  expectFailed(woken('run').receive('\r\nFailed to boot\r\n\0', GECKO), 'not-started');
});

test('run: the key was lost', () => {
  const d = woken('run').pass(3_000).expectSent([0x0a]).receive(GECKO).expectSent([0x0a]);
  d.receive(GECKO).pass(QUIET_MS);
  assert.is(d.takeText(), '2');
  d.pass(5_000);
  assert.is(d.last()?.kind, 'running');
});

test('upload: blocks of 128, padded, nothing behind the end of the file', () => {
  const d = ended().receive(ACK, COMPLETE, GECKO);
  assert.equal(d.last(), { kind: 'uploaded', blocks: 3, resent: 0 });
  d.pass(60_000).expectNothing();
  assert.is(d.count('upload-started'), 1);
  const progress = d.events.flatMap((e) => (e.kind === 'progress' ? [e.sentBytes] : []));
  assert.equal(progress, [0, 128, 256, 300]);
});

test('upload: surplus C before and after the first block', () => {
  const d = woken('upload').receive(BEGIN, C, C, C).expectSent(IMAGE_BLOCKS[0]!);
  d.pass(BLOCK_MS).receive(C, ACK).expectSent(IMAGE_BLOCKS[1]!);
});

test('upload: a C before its text starts nothing', () => {
  woken('upload').receive(C).expectNothing().receive(BEGIN).expectNothing().receive(C).takeSent();
});

test('upload: every split point of what the bootloader says', () => {
  const end = [ACK, ...Buffer.from(COMPLETE + GECKO, 'latin1')];
  for (let cut = 0; cut <= end.length; cut++) {
    const d = ended()
      .receive(...end.slice(0, cut))
      .pass(1)
      .receive(...end.slice(cut));
    assert.is(d.last()?.kind, 'uploaded', `cut at ${cut}`);
    d.expectNothing();
  }
});

test('upload: the acknowledgement of the end is lost, the text is enough', () => {
  const d = ended().receive(COMPLETE, GECKO).expectNothing();
  assert.is(d.last()?.kind, 'uploaded');
});

test('upload: the end is acknowledged and nothing more is said', () => {
  expectFailed(ended().receive(ACK).pass(5_000), 'outcome-missing');
  const menu = ended().receive(ACK, GECKO);
  expectFailed(menu, 'outcome-missing');
});

test('upload: the menu behind the outcome may be lost', () => {
  assert.is(ended().receive(ACK, COMPLETE).pass(5_000).last()?.kind, 'uploaded');
});

test('upload: every file status, in the block that carries it', () => {
  for (const [number, { code }] of Object.entries(FILE_STATUS)) {
    const digits = Number(number).toString(16).toUpperCase().padStart(2, '0');
    const d = uploading().pass(BLOCK_MS);
    d.receive(CAN, CAN, CAN).expectNothing();
    d.receive(ABORTED, '\r\nfile error 0x\0', `${digits}\r\n`, GECKO).expectNothing();
    expectFailed(d, code, Number(number));
  }
});

test('upload: every block status, at the end', () => {
  for (const [number, { code }] of Object.entries(BLOCK_STATUS)) {
    const digits = Number(number).toString(16).padStart(2, '0');
    const d = ended().receive(
      CAN,
      CAN,
      CAN,
      ABORTED,
      '\r\nblock error 0x\0',
      `${digits}\r\n`,
      GECKO,
    );
    expectFailed(d, code, Number(number));
  }
});

test('upload: a status nobody knows, and an abort without one', () => {
  const abort = (...rest: string[]) =>
    uploading()
      .pass(BLOCK_MS)
      .receive(CAN, CAN, CAN, ...rest);
  expectFailed(abort(ABORTED, '\r\nfile error 0x\0', '99\r\n', GECKO), 'file-refused', 0x99);
  expectFailed(abort(ABORTED, '\r\nblock error 0x\0', '99\r\n', GECKO), 'block-unusable', 0x99);
  expectFailed(abort(ABORTED, GECKO), 'aborted-by-bootloader');
  expectFailed(abort().pass(5_000), 'cancelled-by-peer');
});

test('upload: the cancels are lost, the text is enough', () => {
  const d = uploading().pass(BLOCK_MS);
  d.receive(ABORTED, '\r\nfile error 0x\0', '45\r\n', GECKO).expectNothing();
  expectFailed(d, 'file-signature-wrong', 0x45);
});

test('upload: the device restarts into its menu', () => {
  const d = uploading().pass(BLOCK_MS).receive(ACK);
  d.takeSent();
  d.receive(GECKO).pass(60_000).expectNothing();
  expectFailed(d, 'upload-left');
});

test('upload: the device falls silent', () => {
  const d = uploading().pass(120_000);
  expectFailed(d, 'no-answer');
  assert.equal(d.takeSent().slice(-3), [CAN, CAN, CAN]);
});

test('upload: what the bootloader says of our cancelling is no news', () => {
  const d = uploading();
  for (let i = 0; i < 10; i++) d.pass(BLOCK_MS).receive(NAK);
  assert.equal(d.takeSent().slice(-3), [CAN, CAN, CAN]);
  d.receive(CAN, CAN, CAN, ABORTED, '\r\nblock error 0x\0', '18\r\n', GECKO);
  expectFailed(d, 'block-refused', 0x18);
});

test('upload: the choice is lost, or its text', () => {
  const d = woken('upload').pass(2_000).expectSent([0x0a]);
  d.receive(C, CAN, CAN, CAN, ABORTED, GECKO).pass(QUIET_MS);
  assert.is(d.takeText(), '1');
  d.receive(BEGIN, C).expectSent(IMAGE_BLOCKS[0]!);
});

test('upload: the choice is ignored', () => {
  const d = woken('upload');
  for (let i = 0; i < 2; i++) {
    d.pass(2_000).expectSent([0x0a]).receive(GECKO).pass(QUIET_MS);
    assert.is(d.takeText(), '1');
  }
  expectFailed(d.pass(2_000), 'choice-ignored');
});

test('upload: "begin upload" and no C', () => {
  const d = woken('upload').receive(BEGIN).pass(5_000).expectSent([0x0a]);
  d.pass(60_000);
  expectFailed(d, 'no-menu');
});

test('a failed upload, and the same again', () => {
  const d = uploading().pass(BLOCK_MS);
  d.receive(CAN, CAN, CAN, ABORTED, '\r\nfile error 0x\0', '43\r\n', GECKO);
  expectFailed(d, 'file-crc-wrong', 0x43);
  d.call((client, nowMs) => client.upload(IMAGE, nowMs)).expectSent([0x0a]);
  d.receive(GECKO).pass(QUIET_MS).receive(BEGIN, C);
  assert.equal(d.takeSent(), [0x31, ...IMAGE_BLOCKS[0]!]);
});

test('cancel, in every state', () => {
  const cancel = (d: ClientDesk) => d.call((client, nowMs) => client.cancel(nowMs));
  expectFailed(cancel(desk().call((client, nowMs) => client.probe(nowMs))), 'cancelled');
  expectFailed(cancel(woken('run')), 'cancelled');
  const asked = cancel(woken('upload').receive(BEGIN)).expectSent([0x0a]);
  expectFailed(
    asked.receive(CAN, CAN, CAN, ABORTED, '\r\nblock error 0x\0', '21\r\n', GECKO),
    'cancelled',
    0x21,
  );
  const sending = cancel(uploading()).expectSent([CAN, CAN, CAN]);
  expectFailed(cancel(sending).receive(CAN, CAN, CAN, ABORTED, GECKO), 'cancelled');
  expectFailed(cancel(uploading()).pass(5_000), 'cancelled');
  cancel(desk()).expectSent();
});

test('a babbling line neither hangs the client nor fills the memory', () => {
  const d = desk().call((client, nowMs) => client.probe(nowMs));
  for (let i = 0; i < 1_000; i++) d.receive(`${'x'.repeat(100)}BL > `).pass(10);
  assert.is(d.machine.active, false);
  const info = woken('info');
  for (let i = 0; i < 2_000; i++) info.receive('y'.repeat(100)).pass(10);
  expectFailed(info, 'no-menu');
});

test('whatever is said, a task ends with one event', () => {
  const seed = 0xb007;
  console.log(`\nSEED ${seed}`);
  const random = seeded(seed);
  const words = [GECKO, EMBER, BEGIN, COMPLETE, ABORTED, 'BL > ', 'file error 0x\0', '45', C, ACK];
  const said = [...words, ACK, NAK, CAN, 'x', 0, 0xff, '\r\n'];
  const ends: Record<string, number> = {};
  for (let round = 0; round < 2_000; round++) {
    const task = (['probe', 'info', 'run', 'upload'] as const)[random(4)]!;
    const d = desk().call((client, nowMs) =>
      task === 'upload' ? client.upload(IMAGE, nowMs) : client[task](nowMs),
    );
    for (let word = 0; word < 60; word++) d.receive(said[random(said.length)]!).pass(random(400));
    d.pass(300_000);
    const last = d.events.at(-1)!;
    const label = `round ${round}, ${task}: ${last.kind}`;
    assert.is(d.machine.active, false, label);
    const ending = d.events.filter(({ kind }) =>
      ['info', 'uploaded', 'running', 'failed'].includes(kind),
    );
    assert.is(ending.length, task === 'probe' && last.kind === 'bootloader' ? 0 : 1, label);
    ends[last.kind] = (ends[last.kind] ?? 0) + 1;
  }
  assert.ok(Object.keys(ends).length >= 4, JSON.stringify(ends));
});

test.run();
