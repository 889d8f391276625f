/**
 * The bootloader client against a naive Gecko bootloader: every single fault, every pair, a power cut at
 * every message. An upload is called complete exactly when the bootloader holds the whole image; where it
 * failed, it did so in time and with a code, and the same client then uploads over a good line. Then
 * planted defects, each of which the sweep has to find.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BootloaderClient } from '../../src/protocol/xmodem/bootloader.ts';
import type { BootloaderEvent } from '../../src/protocol/xmodem/messages.ts';
import { type Flash, NaiveGecko, toyImage } from './naive-gecko.ts';
import { FAULTS, type Fault, run, START_MS } from './xmodem-line.ts';

const test = suite('sweep bootloader');

type Struck = [message: number, fault: Fault];
type MakeClient = () => BootloaderClient;

interface Outcome {
  end: BootloaderEvent | undefined;
  holdsImage: boolean;
  messages: number;
  finishedMs: number;
  stuck: boolean;
}

const BAUD_RATE = 115_200;
const IMAGE = toyImage(300);
/** Ten copies of a block at 5 s, the wait for the outcome, three choices with all their wake-ups. */
const LIMIT_MS = 10 * 5_000 + 5_000 + 3 * (7_000 + 5_000) + 2 * 11_000;
const HOUR_MS = 3_600_000;

const makeClient: MakeClient = () => new BootloaderClient({ baudRate: BAUD_RATE });

class Bench {
  readonly flash: Flash = { bytes: [], valid: false };
  private readonly client: BootloaderClient;
  private gecko: NaiveGecko;
  private nowMs = START_MS;

  constructor(make: MakeClient) {
    this.client = make();
    this.gecko = new NaiveGecko(this.flash, this.nowMs);
  }

  get hasLeft(): boolean {
    return this.gecko.hasLeft;
  }

  /** `staysDark`: after a power cut the device does not come back. */
  upload(struck: Struck[], staysDark = false): Outcome {
    let end: BootloaderEvent | undefined;
    this.client.upload(IMAGE, this.nowMs);
    const line = run<BootloaderEvent, never>({
      near: this.client,
      far: this.gecko,
      baudRate: BAUD_RATE,
      startMs: this.nowMs,
      fault: (message) => struck.find(([at]) => at === message)?.[1],
      restart: staysDark ? undefined : (nowMs) => this.restart(nowMs),
      onNear: (event) => {
        if (event.kind === 'uploaded' || event.kind === 'failed') end = event;
      },
      onFar: () => {},
      over: () => end !== undefined,
      limitMs: HOUR_MS,
    });
    this.nowMs += line.finishedMs + 1;
    const holdsImage = this.flash.valid && Buffer.from(this.flash.bytes).equals(IMAGE);
    const { messages, finishedMs, stuck } = line;
    return { end, holdsImage, messages, finishedMs, stuck };
  }

  private restart(nowMs: number): NaiveGecko {
    this.gecko = new NaiveGecko(this.flash, nowMs);
    return this.gecko;
  }
}

interface Verdict {
  wrong?: string;
  uploaded: boolean;
}

function judge(struck: Struck[], make: MakeClient = makeClient): Verdict {
  const bench = new Bench(make);
  const { end, holdsImage, finishedMs, stuck } = bench.upload(struck);
  const said = end?.kind === 'failed' ? end.code : end?.kind;
  const label = `${struck.map(([at, fault]) => `${fault} at ${at}`).join(', ')}: ${said}`;
  const uploaded = end?.kind === 'uploaded';
  if (stuck) return { wrong: `${label}: stuck`, uploaded };
  if (uploaded && !holdsImage) return { wrong: `${label}: without the image`, uploaded };
  if (finishedMs > LIMIT_MS) return { wrong: `${label}: after ${finishedMs} ms`, uploaded };
  if (uploaded) return { uploaded };
  // A 2 among what the menu was fed has started the application: the image was whole.
  if (holdsImage && bench.hasLeft) return { uploaded };
  const again = bench.upload([]);
  const whole = again.end?.kind === 'uploaded' && again.holdsImage;
  const why = again.end?.kind === 'failed' ? again.end.code : again.end?.kind;
  return whole ? { uploaded } : { wrong: `${label}: and again: ${why}`, uploaded };
}

function cleanMessages(make: MakeClient = makeClient): number {
  const outcome = new Bench(make).upload([]);
  assert.is(outcome.end?.kind, 'uploaded');
  assert.ok(outcome.holdsImage);
  return outcome.messages;
}

/** Messages of a clean upload: 0 to 5 up to the first `C`, then blocks and answers, then the texts. */
const FIRST_BLOCK = 6;
const COMPLETE_TEXT = 14;

/**
 * What costs an upload and has to: a line silent for longer than any wait before it; where a block should
 * start, bytes that are none; a power cut; the loss of the text that says how it went.
 */
function isFatal([at, fault]: Struck): boolean {
  if (at < FIRST_BLOCK) return fault === 'late';
  if (at === COMPLETE_TEXT) return true;
  const toBootloader = at % 2 === 0;
  return fault === 'cut' || (toBootloader && ['noise', 'corrupt', 'late'].includes(fault));
}

/** Every fault and a power cut at every message: what is wrong, and which cost an upload for no reason. */
function singles(make: MakeClient = makeClient): string[] {
  const failures: string[] = [];
  for (let message = 0; message < cleanMessages(make); message++) {
    for (const fault of [...FAULTS, 'cut'] as const) {
      const { wrong, uploaded } = judge([[message, fault]], make);
      if (wrong) failures.push(wrong);
      else if (!uploaded && !isFatal([message, fault])) failures.push(`${fault} at ${message}`);
    }
    const { end, holdsImage, finishedMs } = new Bench(make).upload([[message, 'cut']], true);
    const honest = end?.kind === 'failed' || (end?.kind === 'uploaded' && holdsImage);
    if (!honest || finishedMs > LIMIT_MS) failures.push(`dark at ${message}: ${finishedMs} ms`);
  }
  return failures;
}

test('a clean upload takes the messages it must', () => {
  // Menus at power-on and at the end, wake-up and menu, choice and text, C; blocks, end, "complete".
  assert.is(cleanMessages(), 1 + 2 + 2 + 1 + 2 * 3 + 2 + 2);
});

test('every single fault, and a power cut at every message', () => {
  assert.equal(singles(), []);
});

test('every pair of faults', () => {
  const messages = cleanMessages();
  const failures: string[] = [];
  let runs = 0;
  for (let first = 0; first < messages; first++) {
    for (let second = first + 1; second < messages + 2; second++) {
      for (const a of [...FAULTS, 'cut'] as const) {
        for (const b of [...FAULTS, 'cut'] as const) {
          runs++;
          const { wrong } = judge([
            [first, a],
            [second, b],
          ]);
          if (wrong) failures.push(wrong);
        }
      }
    }
  }
  console.log(`\nNOTE ${runs} pairs`);
  assert.equal(failures.slice(0, 40), []);
});

// ---- planted defects: the sweep has to find each ------------------------------------------------------

class TakesEveryEndForComplete extends BootloaderClient {
  override pollEvent(): BootloaderEvent | undefined {
    const event = super.pollEvent();
    const ended = event?.kind === 'failed' && event.code !== 'silent';
    return ended ? { kind: 'uploaded', blocks: 3, resent: 0 } : event;
  }
}

class SendsABlockMore extends BootloaderClient {
  override upload(image: Uint8Array, nowMs: number): void {
    super.upload(Uint8Array.from([...image, ...new Uint8Array(128)]), nowMs);
  }
}

class HearsNoText extends BootloaderClient {
  override handleBytes(bytes: Uint8Array, nowMs: number): void {
    super.handleBytes(
      Reflect.get(this, 'state') === 'outcome' ? bytes.subarray(0, 0) : bytes,
      nowMs,
    );
  }
}

class StartsWithoutARequest extends BootloaderClient {
  override handleBytes(bytes: Uint8Array, nowMs: number): void {
    super.handleBytes(bytes, nowMs);
    if (Reflect.get(this, 'state') === 'request') super.handleBytes(Uint8Array.of(0x43), nowMs);
  }
}

const DEFECTS: Record<string, MakeClient> = {
  TakesEveryEndForComplete: () => new TakesEveryEndForComplete({ baudRate: BAUD_RATE }),
  SendsABlockMore: () => new SendsABlockMore({ baudRate: BAUD_RATE }),
  HearsNoText: () => new HearsNoText({ baudRate: BAUD_RATE }),
  StartsWithoutARequest: () => new StartsWithoutARequest({ baudRate: BAUD_RATE }),
  WakesOnce: () => new BootloaderClient({ baudRate: BAUD_RATE, times: { wakeMs: [500] } }),
  ChoosesOnce: () => new BootloaderClient({ baudRate: BAUD_RATE, choicesMax: 1 }),
  WaitsForHours: () =>
    new BootloaderClient({ baudRate: BAUD_RATE, blockTimes: { answerMs: HOUR_MS } }),
};

for (const [name, make] of Object.entries(DEFECTS)) {
  test(`planted defect: ${name}`, () => {
    let found: string[];
    try {
      found = singles(make);
    } catch (error) {
      found = [String(error)];
    }
    assert.ok(found.length > 0, 'the sweep does not find it');
  });
}

test.run();
