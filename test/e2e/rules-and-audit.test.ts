/** The command line: rules, decisions as of a time and from an intake, and the audit log. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FIRMWARE, runCli } from '../support/rigs.ts';

const test = suite('rules and audit');
const folder = mkdtempSync(join(tmpdir(), 'uplift-rules-'));
test.after(() => rmSync(folder, { recursive: true }));

const inFolder = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const installation = inFolder(
  'installations.csv',
  [
    'installation_id,provider,communications_hub,esme,gsme,ppmid,cohort,electricity_supplier,gas_supplier',
    'HOME,CSP-N,106C:0001:01:00:00000007,,,121D:0084:01:00:01000000,FOC,SUPPLIER-A,SUPPLIER-B',
  ].join('\n'),
);
const epcl = inFolder(
  'epcl.csv',
  [
    'combination_id,provider,communications_hub,esme,gsme,ppmid,added_on',
    'C1,CSP-N,106C:0001:01:00:00000007,,,121D:0084:01:00:02000000,2021-01-01',
  ].join('\n'),
);
const log = join(folder, 'audit.jsonl');
const BASE = ['verify', FIRMWARE.new, '--cpl', FIRMWARE.list, '--json', '--audit', log];
const DEVICE = ['--device-model', '121D:0084:01:00', '--running', '0x01000000'];
const REQUEST = ['--installation', installation, '--epcl', epcl, '--request-type', '11.1'];

test('rules are listed, and one is shown with its date', async () => {
  const all = JSON.parse((await runCli(['rules', 'list', '--json'])).stdout) as {
    rules: { id: string }[];
  };
  assert.ok(all.rules.length > 30);
  const one = JSON.parse((await runCli(['rules', 'show', 's1sr.foc-ppmid', '--json'])).stdout);
  assert.is(one.effectiveUntil, '2021-07-19T23:00:00.000Z');
  assert.is(one.confidence, 'inferred');
  assert.ok(one.sees.includes('request.duisVersion'));
  const wrong = await runCli(['rules', 'show', 'cpl.stael']);
  assert.is(wrong.code, 2);
  assert.match(wrong.stderr, 'did you mean cpl.stale');
});

test('each finding says its source, what it saw, and what would change it', async () => {
  const other = ['--device-model', '121D:0085:01:00', '--running', '0x01000000'];
  const ask = ['verify', FIRMWARE.new, '--cpl', FIRMWARE.list, ...other];
  const { verdicts } = JSON.parse((await runCli([...ask, '--json'])).stdout) as {
    verdicts: { decision: { findings: JsonFinding[] } }[];
  };
  const { findings } = verdicts[0]!.decision;
  for (const { source, confidence, seen } of findings) {
    assert.ok(source.document && confidence && seen.length > 0);
  }
  const refusal = findings.find(({ ruleId }) => ruleId === 'cpl.device-model')!;
  const model = { what: 'the Device Model of the device', value: '121D 0085 01 00' };
  assert.equal(refusal.seen[0], { fact: 'device.deviceModel', ...model });
  const { stdout } = await runCli(ask);
  assert.match(stdout, /next +choose the image that is listed for this Device Model/);
  assert.match(stdout, /saw +the Device Model of the device +121D 0085 01 00/);
  assert.match(stdout, /the entries of that hash +TEST-0003: line 5, 121D 0084 01 00/);
  assert.not.match(stdout, 'not told');
  assert.match((await runCli([...ask, '--verbose'])).stdout, /another version does +not told/);
});

interface JsonFinding {
  ruleId: string;
  source: { document: string };
  confidence: string;
  seen: { fact: string; what: string; value: string | number | null }[];
}

test('a service request as of a time: the last second before the date, and the first of it', async () => {
  const rig = join(import.meta.dirname, '../../hw-config/rigs/virtual-ppmid.yaml');
  const ask = async (at: string) => {
    const result = await runCli([
      ...BASE,
      ...['--rig', rig, ...DEVICE, ...REQUEST],
      ...['--duis-version', '3.1', '--role', 'IS', '--party', 'SUPPLIER-A', '--open-request'],
      ...['--fetched', '2021-07-18', '--at', at],
    ]);
    const { verdicts } = JSON.parse(result.stdout) as {
      verdicts: { decision: { verdict: string; ruleId?: string; pending: string[] } }[];
    };
    const { verdict, ruleId, pending } = verdicts[0]!.decision;
    return [result.code, verdict, ruleId, pending.join()];
  };
  assert.equal(await ask('2021-07-19T23:59:59+01:00'), [3, 'refused', 's1sr.foc-ppmid', '']);
  assert.equal(await ask('2021-07-20T00:00:00+01:00'), [0, 'admitted', undefined, '']);
});

test('the audit log has each decision, and shows what was done to it', async () => {
  const shown = JSON.parse((await runCli(['audit', 'show', '--log', log, '--json'])).stdout) as {
    records: { by: string; decision: { verdict: string } }[];
  };
  assert.equal(
    shown.records.map(({ decision }) => decision.verdict),
    ['refused', 'admitted'],
  );
  assert.is((await runCli(['audit', 'check', '--log', log])).code, 0);
  copyFileSync(log, `${log}.kept`);
  writeFileSync(log, readFileSync(log, 'utf8').replace('"refused"', '"admitted"'));
  const edited = await runCli(['audit', 'check', '--log', log]);
  assert.is(edited.code, 3);
  assert.match(edited.stdout, /edited +record 1/);
  writeFileSync(log, readFileSync(`${log}.kept`, 'utf8').split('\n').slice(0, 1).join('\n'));
  const cut = await runCli([...BASE, ...DEVICE]);
  assert.is(cut.code, 3);
  assert.match(cut.stdout, 'audit-log-damaged');
});

test.run();
