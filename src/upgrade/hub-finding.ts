/** What was found on a hub's line, in data and in words. */
import { EXIT, type ExitCode } from '../errors.ts';
import type { DeviceMode } from '../protocol/smp/image-state.ts';
import type { ImageEntry, SlotEntry } from '../protocol/smp/messages.ts';
import type { BootloaderFacts } from '../protocol/xmodem/messages.ts';

export type HubFinding =
  | {
      kind: 'smp';
      /** An application, MCUboot's serial recovery, or not to be told from its answers. */
      mode: DeviceMode;
      /** Empty where it lists none, or did not say. */
      images: ImageEntry[];
      /** Empty where its build has no slot info. */
      slots: SlotEntry[];
      /** Largest image of each image number, where it says. */
      imageBytesMax: { image: number; bytes: number }[];
      /** Undefined where its build has no such command. */
      params: { bufferBytes: number; bufferCount: number; messageBytes: number } | undefined;
    }
  | { kind: 'bootloader'; facts: BootloaderFacts }
  /** Something sends, but nothing that answers was understood. */
  | {
      kind: 'babble';
      heardBytes: number;
      /** Mostly text; else the speeds of the two ends are likely to differ. */
      readable: boolean;
      /** What was sent came back. */
      echoes: boolean;
      /** The last that was heard, as far as it is text; a device's own words. */
      text: string;
    }
  | { kind: 'silence' };

/** Findings that are no hub: codes, never reused, with a sentence and what to do. */
export const HUB_PROBLEMS = {
  'hub-silent': {
    sentence: 'nothing answers',
    next:
      'check that the hub has power, that its cable is on this port, that RX and TX are crossed and that ' +
      'the baud rate is right; an application without a protocol has to be brought into its bootloader',
    exit: EXIT.notReachable,
  },
  'hub-unreadable': {
    sentence: 'bytes arrive, but they are no text and no protocol: is the baud rate right?',
    next: "compare the baud rate of the rig file with the hub's; then check ground and cable",
    exit: EXIT.notReachable,
  },
  'hub-no-protocol': {
    sentence: 'text arrives, but nothing answers in a protocol',
    next:
      'its application may have no SMP server on this port, or still be starting: bring it into its ' +
      'bootloader, or ask again in a few seconds',
    exit: EXIT.notReachable,
  },
  'hub-echoes': {
    sentence: 'what is sent comes back, and nothing answers it',
    next: 'check that RX and TX are not joined, and that no shell has the port',
    exit: EXIT.notReachable,
  },
} as const satisfies Record<string, { sentence: string; next: string; exit: ExitCode }>;

export type HubProblem = keyof typeof HUB_PROBLEMS;

/** Undefined where something answers that can be worked with. */
export function problemOf(finding: HubFinding): HubProblem | undefined {
  if (finding.kind === 'silence') return 'hub-silent';
  if (finding.kind !== 'babble') return undefined;
  if (finding.echoes) return 'hub-echoes';
  return finding.readable ? 'hub-no-protocol' : 'hub-unreadable';
}

/** Half a sentence after the hub's name. A bootloader's title is its own words: escape it. */
export function findingWords(finding: HubFinding): string {
  switch (finding.kind) {
    case 'smp':
      return SMP_WORDS[finding.mode];
    case 'bootloader':
      return bootloaderWords(finding.facts);
    case 'babble':
    case 'silence':
      return HUB_PROBLEMS[problemOf(finding)!].sentence;
  }
}

const SMP_WORDS: Record<DeviceMode, string> = {
  application: 'an application that speaks SMP',
  recovery: "MCUboot's serial recovery",
  unknown: 'speaks SMP; whether application or recovery, it does not tell',
};

function bootloaderWords({ family, version, title }: BootloaderFacts): string {
  if (family === 'unknown') return `a bootloader: ${title}`;
  const name = family === 'gecko' ? 'Gecko bootloader' : 'Ember bootloader';
  return version === undefined ? name : `${name} ${version}`;
}
