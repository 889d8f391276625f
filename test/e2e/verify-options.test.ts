/** Each option of `uplift verify` that says what is around an upgrade: what it admits, and what it refuses. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { testKey } from '../../firmware/test-material.ts';
import { loadRig } from '../../src/config/load.ts';
import { loadImage } from '../../src/gateway/image-library.ts';
import { parseWaiver, waiverText } from '../../src/trust/downgrade-waiver.ts';
import { FIRMWARE, runCli } from '../support/rigs.ts';
import { certificate, crl, fingerprint, pem, signRaw } from '../trust/naive-x509.ts';
import { ISSUING, ROOT, SPECS } from '../trust/test-pki.ts';

const test = suite('options of verify');
const folder = mkdtempSync(join(tmpdir(), 'uplift-verify-'));
test.after(() => rmSync(folder, { recursive: true }));

const RIG = resolve(import.meta.dirname, '../../hw-config/rigs/virtual-ppmid.yaml');
const AT = '2026-01-10T00:00:00Z';
const HARDWARE = {
  manufacturer: '121D',
  model: '0084',
  hardwareVersion: '01',
  hardwareRevision: '00',
};
const IMAGE_VERSION = 0x02000000;
/** The party whose signature the test image carries. */
const SIGNER = 'UPLIFT TEST SIGNING KEY, NOT A SECRET';

function file(name: string, content: string | object | Uint8Array): string {
  const path = join(folder, name);
  const isRaw = typeof content === 'string' || content instanceof Uint8Array;
  writeFileSync(path, isRaw ? content : JSON.stringify(content));
  return path;
}

interface Said {
  exit: number | null;
  verdict: string;
  ruleId: string | undefined;
  outcomeOf(ruleId: string): string | undefined;
}

const PPMID = [FIRMWARE.new, '--rig', RIG, '--running', '0x01000000'];
/** The one test image that is signed as the GB specification says, and the device it is for. */
const SIGNED = [
  resolve(import.meta.dirname, '../../firmware/121D-0000-02000000-test-signed.zigbee'),
  ...['--profile', 'gb-signed', '--device-model', '121D:0000:01:00', '--running', '0x01000000'],
];

async function verify(image: readonly string[], ...options: string[]): Promise<Said> {
  const { code, stdout, stderr } = await runCli([
    ...['verify', ...image, '--cpl', FIRMWARE.list],
    ...['--at', AT, '--intake', 'bench', '--json', ...options],
  ]);
  const { verdicts } = JSON.parse(stdout || '{}') as {
    verdicts?: {
      decision: {
        verdict: string;
        ruleId?: string;
        findings: { ruleId: string; outcome: string }[];
      };
    }[];
  };
  assert.ok(verdicts, stdout + stderr);
  const { verdict, ruleId, findings } = verdicts[0]!.decision;
  return {
    exit: code,
    verdict,
    ruleId,
    outcomeOf: (rule) => findings.find((finding) => finding.ruleId === rule)?.outcome,
  };
}

const OF_SIGNED = ['signature.party', 'image.signature'];
const imageOf = (rule: string) => (OF_SIGNED.includes(rule) ? SIGNED : PPMID);

async function admitted(rule: string, outcome: string, ...options: string[]): Promise<void> {
  const said = await verify(imageOf(rule), ...options);
  assert.equal([said.exit, said.verdict, said.outcomeOf(rule)], [0, 'admitted', outcome]);
}

async function refused(rule: string, ...options: string[]): Promise<void> {
  const said = await verify(imageOf(rule), ...options);
  assert.equal([said.exit, said.verdict, said.ruleId], [3, 'refused', rule]);
}

/** Pinned anchors as a file; each is a key or a certificate, by its DER. */
interface Pinned {
  name: string;
  purpose: string;
  label: 'CERTIFICATE' | 'PUBLIC KEY';
  der: Uint8Array;
  person?: string;
}

function anchorsFile(name: string, anchors: readonly Pinned[]): string {
  return file(name, {
    version: 1,
    anchors: anchors.map(({ label, der, ...rest }) => ({
      ...rest,
      fingerprint: fingerprint(der),
      pem: pem(label, der),
    })),
  });
}

function keyAnchor(phrase: string, purpose: string, person?: string): Pinned {
  const der = new Uint8Array(testKey(phrase).publicKey.export({ type: 'spki', format: 'der' }));
  return { name: phrase, purpose, label: 'PUBLIC KEY', der, ...(person ? { person } : {}) };
}

const floorsOf = (floor: number) =>
  file(`floors-${floor}.json`, { version: 1, floors: [{ ...HARDWARE, floor }] });

test('--floors: the very version of the floor, and one below it', async () => {
  await admitted('version.floor', 'pass', '--floors', floorsOf(IMAGE_VERSION));
  await refused('version.floor', '--floors', floorsOf(IMAGE_VERSION + 1));
});

const PEOPLE = [
  keyAnchor('ann', 'downgrade-waiver', 'ann'),
  keyAnchor('bob', 'downgrade-waiver', 'bob'),
];

/** Signed by both. */
function waiverFile(name: string, changes: object = {}): string {
  const image = loadImage(FIRMWARE.new, { profile: 'gb-ppmid' }).facts;
  if (!image.ok) throw new Error(image.message);
  const document = {
    kind: 'downgrade-waiver',
    version: 1,
    id: 'W-1',
    reason: 'a test',
    author: 'ann',
    approver: 'bob',
    devices: [loadRig(RIG).ppmids[0]!.eui64],
    hardware: HARDWARE,
    imageVersion: IMAGE_VERSION,
    imageSha256: image.sendSha256,
    notBefore: '2026-01-01T00:00:00Z',
    expires: '2026-01-15T00:00:00Z',
    signatures: [],
    ...changes,
  };
  const parsed = parseWaiver(document);
  if (!parsed.ok) throw new Error(parsed.message);
  const text = Buffer.from(waiverText(parsed.waiver));
  const signatures = ['ann', 'bob'].map((person) => ({
    person,
    value: Buffer.from(signRaw(testKey(person).privateKey, text)).toString('hex'),
  }));
  return file(name, { ...document, signatures });
}

test('--waiver: leave for this device and image, and leave that has expired or that nobody may give', async () => {
  const below = ['--floors', floorsOf(IMAGE_VERSION + 1)];
  const people = ['--trust', anchorsFile('people.json', PEOPLE)];
  const good = waiverFile('waiver.json');
  await admitted('version.floor', 'warn', ...below, ...people, '--waiver', good);
  const expired = waiverFile('expired.json', { expires: '2026-01-09T00:00:00Z' });
  await refused('version.floor', ...below, ...people, '--waiver', expired);
  await refused('version.floor', ...below, '--waiver', good);
});

test('--trust: the key that signed, pinned for firmware; pinned for something else; another key', async () => {
  const pinned = (name: string, anchor: Pinned) => ['--trust', anchorsFile(name, [anchor])];
  await admitted(
    'signature.party',
    'pass',
    ...pinned('signer.json', keyAnchor(SIGNER, 'gb-firmware')),
  );
  await refused('signature.party', ...pinned('campaign.json', keyAnchor(SIGNER, 'campaign')));
  await refused('image.signature', ...pinned('other.json', keyAnchor('other', 'gb-firmware')));
});

const root = certificate(SPECS.root);
const issuing = certificate(SPECS.issuing);
const rooted = () => [
  '--trust',
  anchorsFile('root.json', [
    { name: 'root', purpose: 'gb-firmware', label: 'CERTIFICATE', der: root },
  ]),
];
const chainOf = (name: string, key: string) => [
  '--certificate',
  file(`${name}.pem`, pem('CERTIFICATE', certificate({ ...SPECS.supplier, key }))),
  file('issuing.pem', pem('CERTIFICATE', issuing)),
];

test('--certificate: of the party that signed, and of another', async () => {
  await admitted('signature.party', 'pass', ...rooted(), ...chainOf('signer', SIGNER));
  await refused('signature.party', ...rooted(), ...chainOf('stranger', 'stranger'));
  await refused('signature.party', ...chainOf('signer', SIGNER));
});

test('--crl: of every issuer and without the party, with it, and not of every issuer', async () => {
  const party = [...rooted(), ...chainOf('signer', SIGNER)];
  const ofRoot = file('root.crl', crl({ signedBy: 'root', issuer: ROOT }));
  const ofIssuing = (name: string, revoked: readonly bigint[]) =>
    file(name, pem('X509 CRL', crl({ signedBy: 'issuing', issuer: ISSUING, revoked })));
  const clean = ofIssuing('issuing.crl', [99n]);
  await admitted('signature.party', 'pass', ...party, '--crl', ofRoot, clean);
  const revoked = ofIssuing('revoked.crl', [SPECS.supplier.serial]);
  await refused('signature.party', ...party, '--crl', ofRoot, revoked);
  await refused('signature.party', ...party, '--crl', clean);
});

const COMBINATION = 'provider,communications_hub,esme,gsme,ppmid';
const combination = (version: string) =>
  `CSP-N,106C:0001:01:00:00000007,,,121D:0084:01:00:${version}`;
const home = file(
  'installation.csv',
  `installation_id,${COMBINATION},cohort,electricity_supplier,gas_supplier\n` +
    `HOME,${combination('01000000')},FOC,SUPPLIER-A,SUPPLIER-B\n`,
);
const eligible = (name: string, version: string, heading = 'added_on') =>
  file(name, `combination_id,${COMBINATION},${heading}\nC1,${combination(version)},2021-01-01\n`);

test('--epcl with --installation: the combination that comes of it is eligible, or is not', async () => {
  const list = eligible('epcl.csv', '02000000');
  await admitted('epcl.combination', 'pass', '--installation', home, '--epcl', list);
  const before = eligible('before.csv', '01000000');
  await refused('epcl.combination', '--installation', home, '--epcl', before);
});

test('--installation: one that the device is not part of', async () => {
  const other = file(
    'other.csv',
    `installation_id,${COMBINATION},cohort,electricity_supplier,gas_supplier\n` +
      'AWAY,CSP-N,106C:0001:01:00:00000007,,,FFFF:0001:01:00:00000001,FOC,SUPPLIER-A,SUPPLIER-B\n',
  );
  const list = ['--epcl', eligible('epcl.csv', '02000000')];
  await refused('epcl.combination', '--installation', other, ...list);
});

test('--columns: a list with headings of its own', async () => {
  const list = eligible('headings.csv', '02000000', 'Added');
  const columns = file('columns.yaml', {
    kind: 'list-columns',
    eligibleCombinations: { columns: { added_on: 'Added' } },
  });
  const options = ['--installation', home, '--epcl', list];
  await admitted('epcl.combination', 'pass', ...options, '--columns', columns);
  const { code } = await runCli(['verify', FIRMWARE.new, ...options]);
  assert.is(code, 2, 'without them it cannot be read');
});

test('--ppct: read and judged with the other lists, and one that is none is refused', async () => {
  const tests = (name: string, outcome: string) =>
    file(
      name,
      `ppct_reference,${COMBINATION},opened_on,outcome\nT1,${combination('02000000')},2021-08-01,${outcome}\n`,
    );
  const fetched = ['--fetched', '2026-01-09'];
  await admitted('cpl.stale', 'pass', '--ppct', tests('ppct.csv', 'open'), ...fetched);
  const wrong = ['--ppct', file('no-ppct.csv', 'ppct_reference\nT1\n')];
  const { code, stdout } = await runCli(['verify', FIRMWARE.new, ...wrong, '--json']);
  assert.is(code, 2, stdout);
});

test('--fetched: lists of yesterday, lists that are too old, lists from the future', async () => {
  await admitted('cpl.stale', 'pass', '--fetched', '2026-01-09');
  await refused('cpl.stale', '--fetched', '2021-07-20');
  await refused('cpl.stale', '--fetched', '2026-02-09');
});

test.run();
