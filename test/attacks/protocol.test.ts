/** Attacks by what a device sends: rows 20, 23 and 24 of the table of attacks. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { decideAdmission } from '../../src/admission/decide.ts';
import { escapeText } from '../../src/bytes/escape-text.ts';
import { decisionLines } from '../../src/cli/decision-lines.ts';
import { errorLines } from '../../src/cli/output.ts';
import { UpliftError } from '../../src/errors.ts';
import { decodeCborMap } from '../../src/protocol/smp/cbor.ts';
import { SmpClient } from '../../src/protocol/smp/client.ts';
import type { SmpEvent } from '../../src/protocol/smp/messages.ts';
import type { XmodemEvent } from '../../src/protocol/xmodem/messages.ts';
import { XmodemSender } from '../../src/protocol/xmodem/sender.ts';
import { gather, mcuboot } from '../admission/hub-desk.ts';
import { lines, message, messagesIn } from '../protocol/smp/naive-codec.ts';
import { Desk as LineDesk } from '../protocol/xmodem/desk.ts';
import { blocks, C, counting, NAK } from '../protocol/xmodem/naive-blocks.ts';
import { Fixture, IMAGE } from '../protocol/zcl-ota/fixture.ts';
import { block, page, TRIPLE } from '../protocol/zcl-ota/naive-frames.ts';
import { Desk, IMAGE_BYTES, NEW, OLD, query, reading } from '../upgrade/desk.ts';
import { B, HubWorld } from '../upgrade/hub-world.ts';

const test = suite('attacks by devices');
const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));
const joined = (...parts: Uint8Array[]) => new Uint8Array(Buffer.concat(parts));

// ---- CBOR ------------------------------------------------------------------------------------------------

const nested = joined(hex('a1 6172'), new Uint8Array(200_000).fill(0x81), hex('00'));
const CBOR: [id: string, attack: string, body: Uint8Array, code: string][] = [
  ['20a', 'arrays 200,000 deep', nested, 'too-deep'],
  ['20a', 'maps nine deep', hex(`${'a16161'.repeat(9)}00`), 'too-deep'],
  ['20b', 'an array of 2^32-1 entries', hex('a1 6172 9a ffffffff'), 'truncated'],
  ['20b', 'bytes of 2^32-1', hex('a1 6172 5a ffffffff'), 'truncated'],
  ['20b', 'a map of 2^64-1 entries', hex('bb ffffffffffffffff'), 'truncated'],
  ['20c', 'a map that is never closed', hex('bf 6172 6168'), 'truncated'],
  ['20c', 'an array that is never closed', hex('a1 6172 9f 00 00'), 'truncated'],
  ['20d', 'one key twice', hex('a2 6172 6168 6172 6169'), 'key-duplicate'],
  ['20d', 'one key twice, once in a longer form', hex('a2 6172 00 780172 01'), 'key-duplicate'],
  ['20e', 'text in pieces', hex('a1 6172 7f 6168 ff'), 'string-in-pieces'],
  ['20f', 'bytes after the item', hex('a1 6172 6168 00'), 'trailing-bytes'],
  ['20h', 'text that is not UTF-8', hex('a1 6172 61ff'), 'text-not-utf8'],
  ['20h', 'a tag: a date', hex('a1 6172 c1 1a 00000001'), 'tag-refused'],
  ['20h', 'a tag: a big number', hex('a1 6172 c2 41 01'), 'tag-refused'],
  ['20h', 'a tag: a set', hex('a1 6172 d9 0102 80'), 'tag-refused'],
  ['20h', 'NaN', hex('a1 6172 f9 7e00'), 'type-refused'],
  ['20h', 'undefined', hex('a1 6172 f7'), 'type-refused'],
  ['20h', 'no map at all', hex('81 00'), 'not-a-map'],
];

for (const [id, attack, body, code] of CBOR) {
  test(`${id} CBOR: ${attack}: ${code}`, () => {
    const decoded = decodeCborMap(body, 0, body.length);
    assert.is(decoded.ok ? 'read' : decoded.code, code);
    isAnsweredAfter(body);
  });
}

test('20e CBOR: long forms and open maps of a device are taken, and bounded', () => {
  for (const good of ['a1 6172 1a 00000001', 'bf 6172 6168 ff', 'b9 0001 6172 6168']) {
    const body = hex(good);
    assert.ok(decodeCborMap(body, 0, body.length).ok, good);
  }
  const many = joined(hex('bf 6172 9f'), new Uint8Array(2_000), hex('ff ff'));
  const decoded = decodeCborMap(many, 0, many.length);
  assert.is(decoded.ok ? 'read' : decoded.code, 'too-many-items');
});

test('20g CBOR: a key of the language is a key like others', () => {
  for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    const name = Buffer.from(key);
    const body = joined(
      hex('a2'),
      Uint8Array.of(0x60 + name.length),
      name,
      hex('a1 6178 01 6172 6168'),
    );
    const decoded = decodeCborMap(body, 0, body.length);
    assert.ok(decoded.ok);
    assert.is(decoded.map['r'], 'h');
    assert.is(Object.getPrototypeOf(decoded.map), Object.prototype);
    assert.is((decoded.map as { x?: unknown }).x, undefined, 'nothing is inherited from it');
    assert.is(({} as { x?: unknown }).x, undefined, 'and no other object has it');
    isAnsweredAfter(body);
  }
});

/** A client that hears this body in an answer: it goes on, and the next request is answered. */
function isAnsweredAfter(body: Uint8Array): void {
  const client = new SmpClient();
  const T0 = 1_700_000_000_000;
  const sent = () => {
    const found: Uint8Array[] = [];
    for (let out = client.pollTransmit(T0); out; out = client.pollTransmit(T0)) {
      found.push(...messagesIn(out));
    }
    return found;
  };
  const said = () => {
    const found: SmpEvent[] = [];
    for (let event = client.pollEvent(); event; event = client.pollEvent()) found.push(event);
    return found;
  };
  client.request({ kind: 'echo', text: 'h' });
  const [request] = sent();
  const head = request!.slice(0, 8);
  head[0]! += 1;
  const short = body.subarray(0, 4_000);
  head.set([short.length >> 8, short.length & 255], 2);
  client.handleBytes(lines(joined(head, short)), T0);
  assert.not(
    said().some(({ kind }) => kind === 'answered') && !decodeCborMap(short, 0, short.length).ok,
    'what cannot be read answers nothing',
  );
  const id = client.request({ kind: 'echo', text: 'next' });
  for (let tries = 0; tries < 3; tries++) {
    for (const next of sent()) {
      const frame = { op: (next[0]! & 7) + 1, version: (next[0]! >> 3) & 3, group: 0, command: 0 };
      const text = Buffer.from(next).includes('next') ? 'next' : 'h';
      client.handleBytes(lines(message({ ...frame, sequence: next[6]!, body: { r: text } })), T0);
    }
    const first = { op: 3, version: (request![0]! >> 3) & 3, group: 0, command: 0 };
    client.handleBytes(lines(message({ ...first, sequence: request![6]!, body: { r: 'h' } })), T0);
    if (said().some((event) => event.kind === 'answered' && event.id === id)) return;
  }
  throw new Error('the next request was not answered');
}

// ---- versions -----------------------------------------------------------------------------------------------

test('23a spoofed version: done only on the expected value', () => {
  for (const spoofed of [OLD, NEW - 1, NEW + 1, 0, 0xffffffff]) {
    const d = activating()
      .say(reading({ currentFileVersion: spoofed }))
      .say(query(spoofed));
    d.frozenMs(4 * 3_600_000);
    assert.is.not(d.state, 'done', spoofed.toString(16));
  }
  assert.is(activating().say(reading({ currentFileVersion: NEW })).state, 'done');
});

test('23a spoofed version: a text without end is no version, and what is said of it is bounded', () => {
  const endless = `2.0.0\u001b[2J${'9'.repeat(1_000_000)}`;
  const d = activating().say(reading({ softwareBuild: endless }));
  d.frozenMs(4 * 3_600_000);
  assert.is.not(d.state, 'done');
  const said = JSON.stringify(d.events).length;
  assert.ok(said < 20_000, `${said} characters were said`);
});

function activating(): Desk {
  const d = new Desk().downloaded();
  assert.ok(['activating', 'awaiting-activation', 'confirming'].includes(d.state), d.state);
  return d;
}

// ---- blocks -------------------------------------------------------------------------------------------------

test('23b NAK storm: a block is refused again and again: the attempts are bounded', () => {
  const file = counting(200);
  const sender = new XmodemSender({ variant: 'xmodem', baudRate: 115_200 });
  const d = new LineDesk<XmodemEvent, XmodemSender>(sender).call((s, nowMs) =>
    s.start([{ bytes: file }], nowMs),
  );
  d.receive(C).expectSent(blocks(file, false)[0]!);
  let again = 0;
  for (; again < 100 && d.last()?.kind !== 'failed'; again++) d.pass(12).receive(NAK);
  assert.ok(again <= 10, `${again} times`);
  const failed = d.last();
  assert.is(failed?.kind === 'failed' ? failed.code : '', 'block-refused');
  assert.is(d.machine.pollTimeout(), Number.POSITIVE_INFINITY, 'nothing is left running');
  d.takeSent();
  d.call((s, nowMs) => s.start([{ bytes: file }], nowMs)).receive(C);
  d.expectSent(blocks(file, false)[0]!);
});

test('23c block out of range: an offset past the end gets a status and no byte', () => {
  const past = [IMAGE.length, IMAGE.length + 1, 0x7fffffff, 0x80000000, 0xffffffff, 0xffffffc0];
  for (const offset of past) {
    const fixture = Fixture.assigned().receive(block(1, TRIPLE, 0, 64));
    fixture.take();
    fixture.receive(block(2, TRIPLE, offset, 64));
    assert.not(
      fixture.take().some(({ bytes }) => isData(bytes)),
      `offset ${offset}`,
    );
    fixture.receive(page(3, TRIPLE, offset, 64, 0xffff, 10)).pass(5_000);
    assert.not(
      fixture.take().some(({ bytes }) => isData(bytes)),
      `page at ${offset}`,
    );
    fixture.receive(block(4, TRIPLE, 64, 64));
    assert.equal(dataOf(fixture.take().at(-1)!.bytes), IMAGE.subarray(64, 128), 'it goes on');
  }
});

test('23c block out of range: a size past the end is cut to the end', () => {
  const fixture = Fixture.assigned({ blockBytesMax: 255 });
  for (const size of [0, 1, 64, 255]) {
    fixture.receive(block(1, TRIPLE, 0, 64));
    fixture.take();
    fixture.receive(block(2, TRIPLE, IMAGE.length - 5, size));
    const [sent] = fixture.take();
    const data = dataOf(sent!.bytes);
    assert.equal(data, IMAGE.subarray(IMAGE.length - 5, IMAGE.length - 5 + data.length));
    assert.ok(data.length <= 5);
  }
});

test('23d offset rewind: a device that asks from 0 for ever is given up: transfer-given-up', () => {
  const rewinds = (next: (lap: number) => number) => {
    const fixture = Fixture.assigned();
    const d = new Desk().distributing();
    let laps = 0;
    for (; laps < 1_000 && d.state === 'distributing'; laps++) {
      for (let offset = 0; offset < next(laps); offset += 64) {
        fixture.receive(block(laps & 255, TRIPLE, offset, 64));
      }
      fixture.take();
      const { sentBytes, servedBytes } = fixture.progress();
      // The session's image is larger than the server's.
      const scale = IMAGE_BYTES / IMAGE.length;
      d.say({
        kind: 'progress',
        sentBytes: Math.min(sentBytes, IMAGE_BYTES - 1),
        servedBytes: Math.floor(servedBytes * scale),
        lastRequestMs: laps + 1,
      });
    }
    assert.equal([d.state, d.session.code], ['failed', 'transfer-given-up']);
    assert.is(d.count('release'), 1, 'and is offered nothing more');
    assert.ok(fixture.progress().servedBytes <= 18 * IMAGE.length);
    return laps;
  };
  assert.ok(rewinds(() => IMAGE.length) < 20);
  assert.ok(rewinds((lap) => Math.min(IMAGE.length - 64, 64 + lap)) < 1_000, 'creeping forward');
  const good = new Desk().downloaded();
  assert.is(good.say(reading({ currentFileVersion: NEW })).state, 'done');
});

test('23e garbage flood: noise without frames is dropped, and the upgrade goes on', () => {
  const world = new HubWorld();
  let noise = 0;
  world.toHost = (bytes) => {
    // Inside of a frame it would be damage, which has its own tests.
    if (bytes[0] !== 0x06) return bytes;
    const flood = new Uint8Array(5_000).map((_, at) => (at * 31 + noise++) & 0xff);
    return joined(flood, Uint8Array.of(0x0a), bytes);
  };
  world.smp(B.bytes).settle();
  assert.is(world.state, 'done', world.story());
});

test('23e garbage flood: nothing but noise, or an echo: the timers fire all the same', () => {
  const echo = new HubWorld();
  echo.toHub = (bytes) => {
    echo.scheduler.after(1, () => echo.session.handleBytes(bytes, echo.nowMs));
    return undefined;
  };
  const noisy = new HubWorld();
  noisy.toHost = (bytes) => new Uint8Array(bytes.length * 50).fill(0x06);
  for (const world of [echo, noisy]) {
    world.smp(B.bytes).settle(600_000);
    assert.is(world.state, 'failed', world.story());
    assert.is(world.samples().length, 0);
  }
});

/** A block response of status 0. */
function isData(frame: Uint8Array): boolean {
  return frame[2] === 0x05 && frame[3] === 0;
}

function dataOf(frame: Uint8Array): Uint8Array {
  assert.ok(isData(frame));
  return frame.subarray(4 + 8 + 4 + 1);
}

// ---- texts --------------------------------------------------------------------------------------------------

const HOSTILE =
  '1.0\r\nadmitted\u001b[2J\u001b]0;title\u0007\u202e\u2066\u0000\u009b31m\u2028\ufeff';
/** What moves a cursor, ends a line, hides, or turns the direction of writing. */
const ACTING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

test('24 log injection: a version that a hub states is shown without effect', () => {
  const { facts, nowMs } = gather({ file: mcuboot(), device: { runningVersion: HOSTILE } });
  const decision = decideAdmission(facts, nowMs);
  assert.is(decision.verdict, 'refused');
  for (const verbose of [false, true]) {
    for (const line of decisionLines({ subject: 'hub', decision, on: [facts] }, verbose))
      assert.not(acts(line), line);
  }
});

test('24 log injection: an error that quotes a peer is shown without effect', () => {
  const detail = { expected: HOSTILE, actual: HOSTILE, next: HOSTILE };
  for (const line of errorLines(new UpliftError('code', HOSTILE, detail))) assert.not(acts(line));
});

test('24 log injection: what a device says in a note or a header is escaped', () => {
  assert.not(ACTING.test(escapeText(HOSTILE)));
});

/** Apart from the colours that are our own. */
function acts(line: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
  return ACTING.test(line.replaceAll(/\u001b\[(?:3[0-9]|39|0)m/g, ''));
}

test.run();
