/**
 * The virtual hub beside the real server: the same requests, in the same order, to Zephyr 4.4 with
 * MCUboot in QEMU and to the virtual hub set up as that board is built. Every answer has to be the
 * same byte for byte, and silence the same silence.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  Bench,
  naiveLines,
  naiveMessage,
  naiveParse,
} from '../virtual/communications-hub/fixture.ts';
import {
  imageHash,
  otherVersion,
  pause,
  sha256,
  testWithBoard,
  ZephyrBoard,
} from './zephyr-board.ts';

const READ = 0;
const WRITE = 2;
const CHUNK_BYTES = 128;
/** Longer than the server ever takes; a lost line costs so much before the next try. */
const SILENCE_MS = 700;
const TRIES = 4;
const NEWLINE = 0x0a;
/** More are the consequences of the first. */
const DIFFERENCES_MAX = 10;

/** The board's own build: geometry of an nRF51, and what os info says of it. */
const SETTINGS = {
  flash: {
    slotBytes: 106_496,
    eraseBlockBytes: 1_024,
    programPageBytes: 512,
    eraseBlockMs: 0,
    programPageMs: 0,
  },
  smp: {
    bootloaderInfo: false,
    info: {
      s: 'Zephyr',
      n: 'unknown',
      r: '684c9e8f32e4',
      v: '4.4.0',
      b: 'Wed Jun  3 22:21:59 2026',
      m: 'arm',
      p: 'cortex-m0',
      i: 'qemu_cortex_m0/nrf51822',
      o: 'Zephyr',
    },
  },
};

interface Step {
  name: string;
  pieces: Uint8Array[];
  /** Of the requests in it. */
  sequences: Set<number>;
  /** Answers wanted; 0 where both have to be silent. */
  answers: number;
  /** A reset: both are waited for until they have booted. */
  boots?: boolean;
}

/** Builds the whole conversation; sequence numbers run through it. */
class Script {
  readonly steps: Step[] = [];
  private sequence = 0;
  private version = 1;
  /** Of the messages made since the last step. */
  private sequences = new Set<number>();

  speak(version: number): void {
    this.version = version;
  }

  raw(name: string, pieces: (Uint8Array | string)[], answers = 1): void {
    const bytes = pieces.map((piece) => new Uint8Array(Buffer.from(piece as string, 'latin1')));
    this.add(name, bytes, answers);
  }

  message(
    op: number,
    group: number,
    command: number,
    body: object | Uint8Array,
    version = this.version,
  ): Uint8Array {
    this.sequence = (this.sequence + 1) & 0xff;
    this.sequences.add(this.sequence);
    const head = { version, sequence: this.sequence };
    return naiveMessage(op, group, command, body, head);
  }

  ask(name: string, op: number, group: number, command: number, body: object | Uint8Array): void {
    const pieces = naiveLines(this.message(op, group, command, body));
    this.add(`${name} (v${this.version + 1})`, pieces, 1);
  }

  private add(name: string, pieces: Uint8Array[], answers: number): void {
    this.steps.push({ name, pieces, sequences: this.sequences, answers });
    this.sequences = new Set();
  }

  list(): void {
    this.ask('list', READ, 1, 0, {});
  }

  set(name: string, body: object): void {
    this.ask(`set: ${name}`, WRITE, 1, 0, body);
  }

  erase(body: object = {}): void {
    this.ask('erase', WRITE, 1, 5, body);
  }

  chunk(name: string, body: object): void {
    this.ask(`chunk: ${name}`, WRITE, 1, 1, body);
  }

  upload(image: Uint8Array, endBytes = image.length): void {
    const sha = sha256(image);
    for (let off = 0; off < endBytes; off += CHUNK_BYTES) {
      const data = image.subarray(off, off + CHUNK_BYTES);
      this.chunk(`at ${off}`, off === 0 ? { off, len: image.length, data, sha } : { off, data });
    }
  }

  reset(body: object = {}): void {
    this.ask('reset', WRITE, 0, 5, body);
    this.steps.at(-1)!.boots = true;
  }
}

function osSteps(script: Script): void {
  script.ask('echo', WRITE, 0, 0, { d: 'hi' });
  script.ask('echo read', READ, 0, 0, { d: 'hi' });
  script.ask('echo of nothing', WRITE, 0, 0, {});
  script.ask('echo of a number', WRITE, 0, 0, { d: 5 });
  script.ask('echo of bytes', WRITE, 0, 0, { d: Buffer.from('hi') });
  script.ask('echo of two bytes a letter', WRITE, 0, 0, { d: 'é' });
  script.ask('echo without a map', WRITE, 0, 0, new Uint8Array(0));
  script.ask('a list for a map', WRITE, 0, 0, Uint8Array.of(0x81, 1));
  script.ask('params', READ, 0, 6, {});
  script.ask('params written', WRITE, 0, 6, {});
  for (const format of [
    'a',
    's',
    'n',
    'r',
    'v',
    'b',
    'm',
    'p',
    'i',
    'o',
    'mn',
    'sa',
    '',
    'Z',
    'sZ',
  ]) {
    script.ask(`info ${format}`, READ, 0, 7, { format });
  }
  script.ask('info', READ, 0, 7, {});
  script.ask('bootloader', READ, 0, 8, {});
  script.ask('task pools', READ, 0, 3, {});
  script.ask('time', READ, 0, 4, {});
  script.ask('console echo', WRITE, 0, 1, { echo: 1 });
  script.ask('reset as a read', READ, 0, 5, {});
  script.ask('no such command', READ, 0, 9, {});
  script.ask('no such group', READ, 9, 0, {});
  script.ask('Zephyr basic group', WRITE, 63, 0, {});
}

function imageSteps(script: Script, a: Uint8Array, b: Uint8Array): void {
  const data = b.subarray(0, 40);
  const len = 50_000;
  const [hashA, hashB] = [imageHash(a), imageHash(b)];
  script.list();
  script.ask('list written as files', READ, 1, 2, {});
  script.ask('erase as a read', READ, 1, 5, {});
  script.ask('upload as a read', READ, 1, 1, {});
  script.ask('slot info', READ, 1, 6, {});
  script.set('nothing', {});
  script.set('unknown hash', { hash: new Uint8Array(32).fill(7), confirm: false });
  script.set('short hash', { hash: new Uint8Array(16), confirm: false });
  script.set('empty hash, confirm', { hash: new Uint8Array(0), confirm: true });
  script.set('test what runs', { hash: hashA, confirm: false });
  script.set('confirm what runs', { hash: hashA, confirm: true });
  script.set('confirm', { confirm: true });
  script.set('confirm as a number', { confirm: 1 });
  script.set('unknown, again', { hash: hashB });
  for (const slot of [0, 1, 2]) script.erase({ slot });
  script.erase();
  script.erase({ slot: -1 });
  script.chunk('offset 5 of nothing', { off: 5, data });
  script.chunk('magic', { off: 0, len, data: new Uint8Array(40) });
  script.chunk('31 bytes', { off: 0, len, data: b.subarray(0, 31) });
  script.chunk('no len', { off: 0, data });
  script.chunk('no off', { data });
  script.chunk('no data', { off: 0, len });
  script.chunk('above the slot', { off: 0, len: 106_497, data });
  script.chunk('the whole slot', { off: 0, len: 106_496, data });
  script.chunk('image 1', { off: 0, image: 1, len, data });
  script.chunk('upgrade, not newer', { off: 0, len, upgrade: true, data: a.subarray(0, 40) });
  script.chunk('upgrade, newer', { off: 0, len, upgrade: true, data });
  script.chunk('goes on', { off: 40, data: b.subarray(40, 80) });
  script.chunk('beyond len: begin', { off: 0, len: 60, data });
  script.chunk('beyond len', { off: 40, data });
  script.chunk('after an error', { off: 40, data });
  script.chunk('sha of 33', { off: 0, len, sha: new Uint8Array(33), data });
  script.chunk('more than len at once', { off: 0, len: 38, data });
  script.chunk('off of 2^32 - 1', { off: 0xffffffff, data });
  script.chunk('off of 2^32', { off: 0x100000000, data });
  script.chunk('off as text', { off: '1', data });
  script.chunk('data as text', { off: 0, len, data: 'hello'.repeat(8) });
  script.chunk('unknown key', { off: 0, len, bogus: { a: [1, 2] }, data });
  script.erase();
  script.list();
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function framingSteps(script: Script): void {
  const hi = () => naiveLines(script.message(WRITE, 0, 0, { d: 'hi' }))[0]!;
  const text = (line: Uint8Array) => Buffer.from(line).toString('latin1').slice(0, -1);
  script.raw('version 0b10', naiveLines(script.message(WRITE, 0, 0, { d: 'hi' }, 2)));
  script.raw('version 0b11', naiveLines(script.message(WRITE, 0, 0, { d: 'hi' }, 3)));
  for (const op of [1, 3, 4, 5]) script.ask(`operation ${op}`, op, 0, 0, { d: 'hi' });
  const odd = (name: string, change: (message: Uint8Array) => void, answers = 1) => {
    const message = script.message(WRITE, 0, 0, { d: 'hi' });
    change(message);
    script.raw(name, naiveLines(message), answers);
  };
  odd('length too great', (message) => {
    message[3] = 50;
  });
  odd('length too small', (message) => {
    message[3] = 3;
  });
  odd('flags', (message) => {
    message[1] = 0xff;
  });
  odd('top bits', (message) => {
    message[0]! |= 0xe0;
  });
  script.raw('half a header', naiveLines(Uint8Array.of(10, 0, 0, 0)), 0);
  const two = [script.message(WRITE, 0, 0, { d: 'hi' }), script.message(WRITE, 0, 0, { d: 'yo' })];
  script.raw('two requests', naiveLines(new Uint8Array(Buffer.concat(two))), 2);
  const bodies = {
    'indefinite map': 'bf6164626869ff',
    'half a map': 'a1616462',
    'text in pieces': 'a161647f61686169ff',
    'a key twice': 'a26164626869616462796f',
    'bytes after the map': 'a161646268690000',
  };
  for (const [name, body] of Object.entries(bodies)) {
    script.ask(name, WRITE, 0, 0, new Uint8Array(Buffer.from(body, 'hex')));
  }
  script.raw('return and new line', [`${text(hi())}\r\n`]);
  script.raw('128 bytes', [`${text(hi()).padEnd(127, ' ')}\n`]);
  script.raw('129 bytes', [`${text(hi()).padEnd(128, ' ')}\n`], 0);
  script.raw('half, then whole', ['\x06\x09ABAK\n', hi()]);
  script.raw('prompt before the marker', [`uart:~$ ${text(hi())}\n`], 0);
  script.raw('no first line', [`\x04\x14${text(hi()).slice(2)}\n`], 0);
  const long = () => script.message(WRITE, 0, 0, { d: 'y'.repeat(120) });
  for (const rawPerLine of [60, 91, 92, 93]) {
    script.raw(`lines of ${rawPerLine}`, naiveLines(long(), rawPerLine));
  }
  // Answers whose CRC would be cut between two lines.
  for (const letters of [...range(70, 78), ...range(160, 170)]) {
    const message = script.message(WRITE, 0, 0, { d: 'z'.repeat(letters) });
    script.raw(`echo of ${letters}`, naiveLines(message));
  }
  script.raw('lines of 94', naiveLines(long(), 94), 0);
  const [first, second] = naiveLines(long());
  script.raw('a foreign line between', [first!, 'hello\n', second!]);
  for (const [bytes, answers] of [
    [380, 1],
    [381, 0],
  ] as const) {
    const message = script.message(WRITE, 0, 0, { d: 'x'.repeat(bytes - 14) });
    script.raw(`a message of ${bytes}`, naiveLines(message), answers);
  }
}

/** The table of state transitions, row by row. */
function transitionSteps(script: Script, a: Uint8Array, b: Uint8Array): void {
  const [hashA, hashB] = [imageHash(a), imageHash(b)];
  script.upload(b);
  script.list();
  script.set('test', { hash: hashB, confirm: false });
  script.set('test again', { hash: hashB, confirm: false });
  script.set('permanent while a test is pending', { hash: hashB, confirm: true });
  script.set('confirm while a test is pending', { confirm: true });
  script.set('confirm what runs while a test is pending', { hash: hashA, confirm: true });
  script.reset();
  script.list();
  script.erase();
  script.erase({ slot: 0 });
  const first = { off: 0, len: b.length, data: b.subarray(0, 40) };
  script.chunk('on trial', first);
  script.chunk('on trial, upgrade', { ...first, upgrade: true });
  script.set('test of the old', { hash: hashA, confirm: false });
  script.set('permanent of the old', { hash: hashA, confirm: true });
  script.set('test of what runs', { hash: hashB, confirm: false });
  script.ask('slot info', READ, 1, 6, {});
  script.speak(0);
  script.erase();
  script.chunk('on trial', first);
  script.set('test of the old', { hash: hashA, confirm: false });
  script.set('test of what runs', { hash: hashB, confirm: false });
  script.speak(1);
  script.reset();
  script.list();
  script.set('test', { hash: hashB, confirm: false });
  script.reset();
  script.set('confirm', { confirm: true });
  script.set('confirm again', { confirm: true });
  script.set('test of what is gone', { hash: hashA, confirm: false });
  script.reset();
  script.list();
  script.upload(a);
  script.set('permanent', { hash: hashA, confirm: true });
  script.set('permanent again', { hash: hashA, confirm: true });
  script.set('test while permanent is pending', { hash: hashA, confirm: false });
  script.reset();
  script.list();
}

function spoiltAndResumeSteps(script: Script, a: Uint8Array, b: Uint8Array): void {
  const spoilt = otherVersion(a, [2, 0, 0, 0]);
  spoilt[1_000]! ^= 1;
  script.upload(spoilt);
  script.list();
  script.set('test of a spoilt image', { hash: imageHash(spoilt), confirm: false });
  script.reset();
  script.list();
  script.upload(a, 640);
  const sha = sha256(a);
  const first = { off: 0, len: a.length, data: a.subarray(0, 100) };
  script.chunk('resume', { ...first, sha });
  script.chunk('resume, another len', { ...first, sha, len: a.length - 4 });
  script.chunk('repeated', { off: 512, data: a.subarray(512, 640) });
  script.chunk('ahead', { off: 768, data: a.subarray(768, 800) });
  script.chunk('empty', { off: 640, data: new Uint8Array(0) });
  script.chunk('shortened sha', { ...first, sha: sha.subarray(0, 8) });
  script.chunk('no sha', first);
  script.upload(b, 256);
  script.reset({ force: 1, boot_mode: 0 });
  script.chunk('after a reset', { off: 256, data: b.subarray(256, 300) });
  script.upload(a);
  script.list();
  script.set('permanent of the same', { hash: imageHash(a), confirm: true });
  script.set('test of the same', { hash: imageHash(a), confirm: false });
  script.upload(b);
  script.set('test', { hash: imageHash(b) });
  script.erase();
  script.list();
  script.upload(b);
  script.set('test', { hash: imageHash(b) });
  script.chunk('a new upload over a pending one', { ...first, sha });
  script.list();
}

function conversation(a: Uint8Array): Step[] {
  const script = new Script();
  const b = otherVersion(a, [1, 2, 3, 4]);
  for (const version of [0, 1]) {
    script.speak(version);
    osSteps(script);
    imageSteps(script, a, b);
  }
  framingSteps(script);
  transitionSteps(script, a, b);
  spoiltAndResumeSteps(script, a, b);
  return script.steps;
}

/**
 * Writes pieces with a pause between, as the receive pool wants it; every message of those sequences that
 * came back. Where a line was lost it tries again, and an answer that comes twice then counts once.
 */
async function exchange(
  board: ZephyrBoard,
  { pieces, sequences, answers: wanted }: Step,
): Promise<Uint8Array[]> {
  const own = () => naiveParse(board.heard).filter((message) => sequences.has(message[6]!));
  for (let attempt = 1; ; attempt++) {
    board.heard = Buffer.alloc(0);
    for (const piece of pieces) {
      board.write(piece);
      if (pieces.length > 2) await pause(15);
    }
    const whole = () => board.heard.at(-1) === NEWLINE && own().length >= Math.max(1, wanted);
    await board.until(whole, SILENCE_MS);
    const answers = own();
    if (answers.length >= wanted) return attempt === 1 ? answers : answers.slice(0, wanted);
    if (attempt === TRIES) return answers;
  }
}

async function calibrate(a: Uint8Array): Promise<void> {
  const steps = conversation(a);
  const virtual = Bench.booted({ ...SETTINGS, firmware: a });
  const real = await ZephyrBoard.powerOn();
  const differing: string[] = [];
  /** Of the exchange before: where that was tried again, one more answer may still come. */
  let linesBefore: string[] = [];
  try {
    for (const step of steps) {
      const realAnswers = (await exchange(real, step)).map(toHex);
      virtual.take();
      for (const piece of step.pieces) {
        virtual.send(piece);
        virtual.scheduler.run(15);
      }
      virtual.scheduler.run(50);
      const virtualWire = virtual.take();
      const virtualAnswers = naiveParse(virtualWire).map(toHex);
      const heard = markedLines(real.heard);
      const realLines = heard.slice(heard.findIndex((line) => !linesBefore.includes(line)));
      const virtualLines = markedLines(virtualWire);
      linesBefore = virtualLines;
      if (step.boots) {
        assert.ok(await real.hasBooted(), `${step.name}: the board comes back`);
        virtual.scheduler.run(2_000);
      }
      const same = realAnswers.join() === virtualAnswers.join();
      // A second try may have brought the same lines twice.
      const cutSame = realLines.slice(0, virtualLines.length).join() === virtualLines.join();
      if (same && cutSame) continue;
      differing.push(`${step.name}\n  real    ${realAnswers}\n  virtual ${virtualAnswers}`);
      if (same) differing.push(`  lines ${realLines}\n        ${virtualLines}`);
      if (differing.length === DIFFERENCES_MAX) break;
    }
  } finally {
    await real.remove();
  }
  assert.is(differing.join('\n'), '');
  console.log(`NOTE ${steps.length} exchanges, all the same`);
}

/** The protocol's lines, from their marker on: the board's log shares the wire, and even a line. */
function markedLines(wire: Uint8Array): string[] {
  return Buffer.from(wire)
    .toString('latin1')
    .split('\n')
    .map((line) => line.slice(Math.max(line.indexOf('\x06\x09'), line.indexOf('\x04\x14'))))
    .filter((line) => line.startsWith('\x06\x09') || line.startsWith('\x04\x14'));
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

testWithBoard(test, 'the virtual hub answers as the real server does', calibrate);

test.run();
