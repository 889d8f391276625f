/** What a device says of the version that it runs, when it is asked outside of an upgrade. */
import { hexDigits } from '../bytes/hex.ts';
import type { HubDevice } from '../config/schema.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import type { DeviceReading } from '../protocol/zcl-ota/device-reading.ts';
import type { LinkDriver } from '../transport/serial/driver.ts';
import { findingWords, HUB_PROBLEMS, type HubFinding, problemOf } from '../upgrade/hub-finding.ts';
import { HubProbe } from '../upgrade/hub-probe.ts';

export interface DeviceWords {
  /** In its own words. */
  version: string;
  /** Of a device behind a coordinator: eight digits, as its OTA client has it. */
  fileVersion?: string;
  /** Of a hub: its application, or what is to bring it back; absent where it does not tell. */
  answers?: 'application' | 'recovery';
}

/** Why a device that answers does not say what it runs: codes, never reused. */
export const READING_PROBLEMS = {
  'bootloader-only': {
    sentence: 'only the bootloader of the hub answers',
    next: 'install an image: the bootloader takes one, whatever became of the application',
    exit: EXIT.deviceFailed,
  },
} as const satisfies Record<string, { sentence: string; next: string; exit: ExitCode }>;

/** Something answers and says no version. */
export class NotSaidError extends UpliftError {
  /** Only this. */
  readonly answers: 'recovery' | 'bootloader';

  constructor(answers: 'recovery' | 'bootloader', actual: string) {
    const { sentence, next, exit } = READING_PROBLEMS['bootloader-only'];
    const expected = 'an application that says which version it runs';
    super('bootloader-only', sentence, { expected, actual, next, exit });
    this.answers = answers;
  }
}

/** @throws UpliftError where it says none */
export function wordsOfReading({ softwareBuild, currentFileVersion }: DeviceReading): DeviceWords {
  const fileVersion =
    currentFileVersion === undefined ? undefined : hexDigits(currentFileVersion, 8);
  const version = softwareBuild ?? fileVersion;
  if (version === undefined) throw notSaid('it answers, and says none');
  return fileVersion === undefined ? { version } : { version, fileVersion };
}

/** @throws UpliftError where it says none */
export function wordsOfFinding(finding: HubFinding): DeviceWords {
  const problem = problemOf(finding);
  if (problem) {
    const { sentence, next, exit } = HUB_PROBLEMS[problem];
    throw new UpliftError(problem, `the hub was not heard: ${sentence}`, { next, exit });
  }
  if (finding.kind === 'bootloader') throw new NotSaidError('bootloader', findingWords(finding));
  const running = finding.kind === 'smp' ? finding.images.find(({ active }) => active) : undefined;
  const mode = finding.kind === 'smp' ? finding.mode : 'unknown';
  if (!running || running.version === '') {
    if (mode === 'recovery') throw new NotSaidError('recovery', findingWords(finding));
    throw notSaid(findingWords(finding));
  }
  return { version: running.version, ...(mode === 'unknown' ? {} : { answers: mode }) };
}

/** Text without an answer may be of a start that is under way: it is asked once more. */
export async function probeHub(
  driver: LinkDriver,
  hub: HubDevice,
  nowMs: () => number = Date.now,
): Promise<HubFinding> {
  const first = await probeOnce(driver, hub, nowMs());
  return problemOf(first) === 'hub-no-protocol' ? probeOnce(driver, hub, nowMs()) : first;
}

function probeOnce(
  driver: LinkDriver,
  { baudRate, model }: HubDevice,
  nowMs: number,
): Promise<HubFinding> {
  const { protocol } = model.serial;
  return new Promise((resolve, reject) => {
    driver.run(new HubProbe({ protocol, baudRate }, nowMs), {
      event: ({ finding }) => {
        driver.release();
        resolve(finding);
      },
      closed: () =>
        reject(
          new UpliftError('link-lost', `${driver.link.name} went away while it was asked`, {
            next: 'check the cable and its adapter, then run the same command again',
          }),
        ),
    });
  });
}

function notSaid(actual: string): UpliftError {
  return new UpliftError('version-not-said', 'the device does not say which version it runs', {
    expected: 'a version',
    actual,
    next: 'its application is up and says none; its model may say how to ask',
    exit: EXIT.deviceFailed,
  });
}
