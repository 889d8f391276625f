/** XMODEM and YMODEM of either end, and the menus of bootloaders. */
import fc from 'fast-check';
import { BootloaderClient } from '../../src/protocol/xmodem/bootloader.ts';
import { XMODEM_FAILURES } from '../../src/protocol/xmodem/codes.ts';
import type {
  BootloaderEvent,
  BootloaderTask,
  XmodemEvent,
  XmodemReceiverEvent,
  XmodemReceiverOptions,
  XmodemVariant,
} from '../../src/protocol/xmodem/messages.ts';
import { XmodemReceiver } from '../../src/protocol/xmodem/receiver.ts';
import { XmodemSender } from '../../src/protocol/xmodem/sender.ts';
import {
  ACK,
  blocks,
  C,
  CAN,
  counting,
  EOT,
  headerBlock,
  NAK,
  SOH,
  STX,
} from '../protocol/xmodem/naive-blocks.ts';
import { Drive } from './drive.ts';
import {
  ACCEPTED,
  type Answer,
  type Family,
  hold,
  refusedBy,
  type Target,
  utf8,
} from './target.ts';

const FILE = counting(700);
const SMALL = blocks(FILE, false).flat();
const LARGE = blocks(FILE, true).flat();
const BATCH = [...headerBlock('a.gbl\x00700 0 0\x00'), ...LARGE, EOT, EOT, ...headerBlock('\x00')];
const MENU = '1. upload gbl\r\n2. run\r\n3. ebl info\r\nBL > \0';
const GECKO = `\r\nGecko Bootloader v2.04.01\r\n${MENU}`;
const EMBER = `\r\nEM357 Serial Bootloader v54 b04\r\n${MENU.replace('gbl', 'ebl')}`;
const BEGIN = '\r\nbegin upload\r\n\0';
const END = `\r\nSerial upload complete\r\n\0${MENU}`;
const ACKS = '\x06'.repeat(7);
const WORDS = [
  GECKO,
  BEGIN,
  END,
  '\r\nfile error 0x18\r\n',
  '\r\nblock error 0x23\r\n',
  '\x18\x18',
  'C',
];
/** Answers come one by one: so much time goes by behind each, ms. */
const PACE_MS = 20;
/** A strict receiver refuses without end, as the bootloader does: it is left after so long, ms. */
const STRICT_MS = 120_000;
const ANSWERS = fc
  .array(fc.constantFrom(ACK, NAK, CAN, C, EOT, 0, 0xff), { maxLength: 60 })
  .map((bytes) => Uint8Array.from(bytes));

export const XMODEM: Family = {
  name: 'xmodem',
  targets: [
    receiver('strict receiver', { variant: 'xmodem', strict: true }, [...SMALL, EOT]),
    receiver('receiver', { variant: 'xmodem' }, [...LARGE, EOT, EOT]),
    receiver('receiver of checksums', { variant: 'xmodem', check: 'checksum' }, [
      ...blocks(FILE, false, 'checksum').flat(),
      EOT,
      EOT,
    ]),
    receiver('YMODEM receiver', { variant: 'ymodem' }, BATCH),
    sender('xmodem'),
    sender('xmodem-1k'),
    sender('ymodem'),
    bootloader('probe', [GECKO, EMBER]),
    bootloader('info', [`${GECKO}\r\nstack 1.2\r\n${MENU}`, `${EMBER}${GECKO}`]),
    bootloader('upload', [`${GECKO}${BEGIN}C${ACKS}${END}`, `${EMBER}${BEGIN}C${ACKS}${END}`]),
    bootloader('run', [GECKO, EMBER]),
  ],
};

function receiver(name: string, options: XmodemReceiverOptions, good: readonly number[]): Target {
  return {
    name,
    good: [Uint8Array.from(good)],
    read(bytes) {
      const machine = new XmodemReceiver(options);
      const drive = new Drive<XmodemReceiverEvent>(machine);
      machine.start(drive.nowMs);
      drive.drain();
      for (let at = 0, pieces = 0; at < bytes.length; pieces++) {
        const length = pieces < 500 ? blockLength(bytes[at]!, options) : bytes.length;
        drive.hear(bytes.subarray(at, at + length));
        drive.pass(PACE_MS);
        at += length;
      }
      if (options.strict) drive.pass(STRICT_MS);
      else drive.finish();
      hold(options.strict === true || !machine.active, 'a transfer ends');
      const stored = drive.events.flatMap((event) =>
        event.kind === 'data' ? event.data.length : [],
      );
      hold(
        stored.reduce((sum, length) => sum + length, 0) <= bytes.length,
        'no more than was sent',
      );
      return ended(drive.events);
    },
  };
}

/** Of what begins with this byte, so that an undamaged block comes in one piece. */
function blockLength(first: number, { check }: XmodemReceiverOptions): number {
  if (first !== SOH && first !== STX) return 1;
  return 3 + (first === STX ? 1024 : 128) + (check === 'checksum' ? 1 : 2);
}

function sender(variant: XmodemVariant): Target {
  const many = '\x06'.repeat(9);
  return {
    name: `${variant} sender`,
    good: [`C${many}`, `\x15${many}`, `C\x06C${many}C${many}`].map(utf8),
    arbitrary: ANSWERS,
    read(bytes) {
      const machine = new XmodemSender({ variant, baudRate: Number.POSITIVE_INFINITY });
      const drive = new Drive<XmodemEvent>(machine);
      machine.start([{ bytes: FILE, name: 'a.gbl' }], drive.nowMs);
      drive.drain();
      hearSlowly(drive, bytes, () => true);
      drive.finish();
      hold(!machine.active, 'a transfer ends');
      return ended(drive.events);
    },
  };
}

function bootloader(task: BootloaderTask, texts: readonly string[]): Target {
  return {
    name: `bootloader, ${task}`,
    good: texts.map(utf8),
    words: WORDS,
    read(bytes) {
      const client = new BootloaderClient({ baudRate: 115_200 });
      const drive = new Drive<BootloaderEvent>(client);
      if (task === 'upload') client.upload(FILE, drive.nowMs);
      else client[task](drive.nowMs);
      drive.drain();
      hearSlowly(drive, bytes, (byte) => byte === 0 || byte === C || byte === ACK || byte === CAN);
      drive.finish();
      hold(!client.active, 'a task ends');
      return ended(drive.events);
    },
  };
}

/** In pieces that end where something is said to end, with time behind each. */
function hearSlowly(
  drive: Drive<object>,
  bytes: Uint8Array,
  isEnd: (byte: number) => boolean,
): void {
  let from = 0;
  let pieces = 0;
  for (let at = 0; at < bytes.length; at++) {
    // What is repeated ten thousand times comes faster.
    if (!isEnd(bytes[at]!) || pieces > 500) continue;
    drive.hear(bytes.subarray(from, at + 1));
    drive.pass(PACE_MS * 4);
    from = at + 1;
    pieces++;
  }
  drive.hear(bytes.subarray(from));
}

function ended(events: readonly { kind: string; code?: string }[]): Answer {
  const failed = events.filter(({ kind }) => kind === 'failed');
  hold(failed.length <= 1, 'a transfer fails once');
  return failed[0] ? refusedBy(XMODEM_FAILURES, failed[0].code!) : ACCEPTED;
}
