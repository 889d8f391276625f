/** What a scenario asserts of a device and of its last upgrade. */
import type { RigDevice } from '../../config/schema.ts';
import type { DeviceWords } from '../../gateway/device-words.ts';
import { labError } from '../failure.ts';
import type { LabCodeName } from '../failure-classes.ts';
import { faultsMade } from '../faults/settings.ts';
import type { UpgradeRecord } from '../run-result.ts';
import type { Assertion } from '../scenario/scenario.ts';
import type { LabRun } from './lab-run.ts';

/** @throws LabError for the first that does not hold */
export async function runAssertion(told: Assertion, run: LabRun): Promise<void> {
  const device = run.device(told.device);
  checkUpgrade(told, run, device);
  checkFaults(told, run, device);
  const { version, versionOtherThan, versionSameAs } = told;
  if ((version ?? versionOtherThan ?? versionSameAs) === undefined) return;
  const words = await run.read(device);
  run.note(device.id, 'says it runs', words.version);
  if (version !== undefined && !saysVersion(words, version)) {
    throw labError('version-other', { expected: version, actual: words.version });
  }
  const before = (name: string) => run.readings.get(name)?.version ?? 'nothing';
  if (versionOtherThan !== undefined && words.version === before(versionOtherThan)) {
    const expected = `another version than ${before(versionOtherThan)}`;
    throw labError('version-unchanged', { expected, actual: words.version });
  }
  if (versionSameAs !== undefined && words.version !== before(versionSameAs)) {
    throw labError('version-changed', { expected: before(versionSameAs), actual: words.version });
  }
}

/** In its own words, or as its OTA client has it. */
export function saysVersion({ version, fileVersion }: DeviceWords, wanted: string): boolean {
  const bare = wanted.replace(/^0x/i, '').toLowerCase();
  return [version, fileVersion].some((said) => said?.toLowerCase() === bare);
}

function checkUpgrade(told: Assertion, run: LabRun, device: RigDevice): void {
  const { outcome, code, rule } = told;
  const limits = limitsOf(told);
  if ((outcome ?? code ?? rule) === undefined && limits.length === 0) return;
  const last = run.upgrades.findLast((upgrade) => upgrade.device === device.id);
  if (last === undefined) throw labError('nothing-to-assert', { actual: `none of ${device.id}` });
  expectSame('ended-otherwise', outcome, last.state);
  expectSame('code-other', code, last.code);
  expectSame('rule-other', rule, last.rule);
  for (const { code: failure, holds, expected, actual } of limits) {
    if (!holds(last)) throw labError(failure, { expected, actual: actual(last) });
  }
}

interface Limit {
  code: LabCodeName;
  holds(upgrade: UpgradeRecord): boolean;
  expected: string;
  actual(upgrade: UpgradeRecord): string;
}

function limitsOf(told: Assertion): Limit[] {
  const { blocksAgainMax, bytesAgainMax, sentBytesMax, durationMsMax, durationMsMin } = told;
  const atMost = (
    code: LabCodeName,
    most: number | undefined,
    what: string,
    of: (upgrade: UpgradeRecord) => number,
  ): Limit[] => {
    if (most === undefined) return [];
    const actual = (upgrade: UpgradeRecord) => `${of(upgrade)} ${what}`;
    const holds = (upgrade: UpgradeRecord) => of(upgrade) <= most;
    return [{ code, holds, expected: `at most ${most} ${what}`, actual }];
  };
  return [
    ...atMost('again-too-much', blocksAgainMax, 'blocks sent again', ({ repeats }) => repeats),
    ...atMost('again-too-much', bytesAgainMax, 'bytes sent again', ({ bytesAgain }) => bytesAgain),
    ...atMost('again-too-much', sentBytesMax, 'bytes sent', ({ blocks, sentBytes }) =>
      blocks > 0 ? sentBytes : 0,
    ),
    ...atMost('too-slow', durationMsMax, 'ms', ({ wallMs }) => wallMs),
    ...(durationMsMin === undefined
      ? []
      : [
          {
            code: 'too-quick' as const,
            holds: ({ wallMs }: UpgradeRecord) => wallMs >= durationMsMin,
            expected: `at least ${durationMsMin} ms`,
            actual: ({ wallMs }: UpgradeRecord) => `${wallMs} ms`,
          },
        ]),
  ];
}

function expectSame(
  code: LabCodeName,
  wanted: string | undefined,
  found: string | undefined,
): void {
  if (wanted === undefined || wanted === found) return;
  throw labError(code, { expected: wanted, actual: found ?? 'none' });
}

function checkFaults({ faultsMin }: Assertion, run: LabRun, device: RigDevice): void {
  if (faultsMin === undefined) return;
  const counts = run.part(run.hands.faults(device.id), 'faults-missing', device).counts;
  const count = Object.values(faultsMade(counts)).reduce((sum, one) => sum + one, 0);
  if (count >= faultsMin) return;
  const expected = `at least ${faultsMin} of them`;
  throw labError('faults-too-few', { expected, actual: `${count}` });
}
