/**
 * The audit log of a rig with PPMIDs and a hub, through the command line: verify, plan and flash leave one
 * record a decision, before what it lets pass; a run that can record no more ends cleanly; and the check
 * finds whatever is done to that log.
 */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { AuditRecord } from '../../src/audit/chain.ts';
import {
  type CliResult,
  FIRMWARE,
  NEW_VERSION,
  runCli,
  startCli,
  TestRig,
} from '../support/rigs.ts';

const test = suite('audit');
const IMAGE_BYTES = 262_204;

let rig: TestRig;
let log: string;
/** Records of a device that were on disk when it was offered its image. */
const recordsAtStart = new Map<string, AuditRecord[]>();

test.before(async () => {
  // Nobody makes the port of the hub: it is refused before one is opened.
  const hubs = [{ port: '/dev/nobody', virtual: undefined }];
  rig = await TestRig.make({ devices: 2, hubs, auditLog: 'log/audit.jsonl' });
  log = join(rig.folder, 'log/audit.jsonl');
  await rig.up({
    onEvent: (event) => {
      if (event.source !== 'device' || event.event.kind !== 'download-started') return;
      recordsAtStart.set(event.id, of(event.id));
    },
  });
});
test.after(() => rig.remove());

const ALL = ['--device', 'ppmid-1', '--device', 'ppmid-2', '--device', 'hub'];
const records = () =>
  readFileSync(log, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AuditRecord);
const of = (device: string) => records().filter(({ subject }) => subject.device === device);
const verdictOf = ({ subject, decision, by }: AuditRecord) =>
  `${by} ${subject.device} ${decision.verdict}${decision.ruleId ? ` ${decision.ruleId}` : ''}`;

function outcomes(result: CliResult): Record<string, Record<string, unknown>> {
  const last = result.events.find(({ kind }) => kind === 'result') as never as {
    outcomes: { device: string }[];
  };
  return Object.fromEntries(last.outcomes.map((outcome) => [outcome.device, outcome]));
}

function decisionsSaid(result: CliResult): number {
  return result.events.filter(({ kind }) => kind === 'decision').length;
}

test('verify and plan: one record a device, the refused one too', async () => {
  const target = ['--rig', rig.path, '--cpl', FIRMWARE.list, '--json', ...ALL];
  assert.is((await runCli(['verify', FIRMWARE.new, ...target])).code, 3);
  assert.is((await runCli(['plan', '--image', FIRMWARE.new, ...target])).code, 3);
  assert.equal(
    records().map(verdictOf),
    ['verify', 'plan'].flatMap((by) => [
      `${by} ppmid-1 admitted`,
      `${by} ppmid-2 admitted`,
      `${by} hub refused device.image-profile`,
    ]),
  );
});

test('flash: recorded before the offer; a device whose decision is not recorded ends, the other is done', async () => {
  const joined = await runCli(['rig', 'join', '--rig', rig.path, ...ALL.slice(0, 4)]);
  assert.is(joined.code, 0, joined.stdout + joined.stderr);
  rig.device('ppmid-2').powerOff();
  const before = records().length;
  const run = startCli([...rig.flashArguments(), ...ALL, '--json']);
  // By then all that the first device says of itself has been decided on.
  await run.until((event) => Number(event['sentBytes']) > 0.3 * IMAGE_BYTES);
  // A head cannot be written where there is a folder. Only the second device has yet to be decided on.
  mkdirSync(`${log}.head.new`);
  rig.device('ppmid-2').powerOn();
  await run.until(({ kind, device }) => kind === 'failed' && device === 'ppmid-2');
  rmdirSync(`${log}.head.new`);
  const result = await run.done;
  assert.is(result.code, 4, result.stdout.slice(-2000) + result.stderr);
  const { 'ppmid-1': done, 'ppmid-2': halted, hub } = outcomes(result);
  assert.is(done!['state'], 'done', JSON.stringify(done));
  assert.equal([halted!['state'], halted!['code']], ['failed', 'audit-log-unwritable']);
  assert.equal([hub!['state'], hub!['exit']], ['refused', 3]);
  assert.is(rig.device('ppmid-1').fileVersion, NEW_VERSION);
  assert.is.not(rig.device('ppmid-2').fileVersion, NEW_VERSION);
  // What let the two admitted devices be turned to is recorded and not said.
  assert.is(records().length, before + 2 + decisionsSaid(result));
  assert.equal([...recordsAtStart.keys()], ['ppmid-1']);
  const { decision } = recordsAtStart.get('ppmid-1')!.at(-1)!;
  assert.equal([decision.verdict, decision.conditional], ['admitted', false]);
  assert.equal(of('hub').map(verdictOf).at(-1), 'flash hub refused device.image-profile');
});

test('and the same command again, when the log takes records: it is done', async () => {
  const result = await runCli([...rig.flashArguments(), '--device', 'ppmid-2', '--json']);
  assert.is(result.code, 0, result.stdout.slice(-2000) + result.stderr);
  assert.is(rig.device('ppmid-2').fileVersion, NEW_VERSION);
  assert.is(recordsAtStart.get('ppmid-2')!.at(-1)!.decision.conditional, false);
});

test('the check finds what was edited, removed, reordered, cut off or torn in that log', async () => {
  const check = async (): Promise<[number | null, string[]]> => {
    const { code, stdout } = await runCli(['audit', 'check', '--rig', rig.path, '--json']);
    const { findings } = JSON.parse(stdout) as { findings: { code: string; sequence: number }[] };
    return [code, findings.map((one) => `${one.code} ${one.sequence}`)];
  };
  assert.equal(await check(), [0, []]);
  const text = readFileSync(log, 'utf8');
  const lines = text.split('\n').slice(0, -1);
  const last = lines.length;
  const textOf = (changed: string[]) => `${changed.join('\n')}\n`;
  const damages: [changed: string, findings: string[]][] = [
    [text.replace('"refused"', '"admitted"'), ['edited 3']],
    [textOf(lines.toSpliced(3, 1)), ['removed 4']],
    [
      textOf(lines.with(1, lines[2]!).with(2, lines[1]!)),
      ['removed 2', 'reordered 2', 'unlinked 4'],
    ],
    [textOf(lines.slice(0, -1)), [`truncated ${last}`]],
    [`${text}{"half":`, [`torn ${last + 1}`]],
  ];
  for (const [changed, findings] of damages) {
    writeFileSync(log, changed);
    const [code, found] = await check();
    assert.is(code, 3);
    for (const finding of findings.slice(0, 1)) assert.ok(found.includes(finding), found.join());
  }
});

test('a disk that is full: verify, plan and flash are refused, and nothing is sent', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'uplift-full-'));
  const document = JSON.parse(readFileSync(rig.path, 'utf8'));
  const full = join(rig.folder, 'full.yaml');
  symlinkSync('/dev/full', join(folder, 'audit.jsonl'));
  writeFileSync(full, JSON.stringify({ ...document, auditLog: join(folder, 'audit.jsonl') }));
  const { requestsSent } = rig.device('ppmid-1').client.counters;
  const target = ['--rig', full, '--cpl', FIRMWARE.list, '--json'];
  for (const command of [
    ['verify', FIRMWARE.new, ...target],
    ['plan', '--image', FIRMWARE.new, ...target],
    ['flash', '--image', FIRMWARE.new, ...target],
  ]) {
    const { code, events } = await runCli(command);
    assert.is(code, 2, command[0]);
    assert.is(events.length, 1, 'no decision is told');
    assert.is((events[0] as { error: { code: string } }).error.code, 'audit-log-unwritable');
  }
  assert.is(rig.device('ppmid-1').client.counters.requestsSent, requestsSent);
  rmSync(folder, { recursive: true });
});

test.run();
