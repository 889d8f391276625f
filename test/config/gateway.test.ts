/** The configuration of the gateway service: what a right one becomes, and every way to be wrong. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ConfigError, GATEWAY_CODES, type Problem } from '../../src/config/codes.ts';
import { type LoadedGateway, loadGateway } from '../../src/config/gateway.ts';
import { isLoopback } from '../../src/config/network-fields.ts';
import { loadTokens } from '../../src/config/tokens.ts';
import { edited, HUB_RIG, newFolder, problemsOf, RIG, removeFolders } from './folder.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const HASH = 'a'.repeat(64);
/** What may never be seen again wherever it is written. */
const SECRET = 'c0ffee-SECRET-0123456789abcdefghijklmnop';

const GATEWAY = `gateway:
  id: bench-1
  stateDirectory: state
rigs:
  - rig.yaml
`;

const TCP = `${GATEWAY}api:
  tcp:
    tokensFile: tokens
`;

const TLS = `${TCP}    listen: 0.0.0.0:8460
    tls: {certificateFile: gateway.pem, keyFile: gateway.key}
`;

interface Prepared {
  files?: Record<string, string>;
  modes?: Record<string, number>;
  environment?: Record<string, string>;
}

function folderOf(text: string, { files = {}, modes = {} }: Prepared = {}): string {
  const folder = newFolder({
    'gateway.yaml': text,
    tokens: `operator night-shift sha256:${HASH}\n`,
    'gateway.pem': 'x',
    'gateway.key': 'x',
    ...files,
  });
  for (const [name, mode] of Object.entries({
    tokens: 0o640,
    'gateway.key': 0o600,
    ...modes,
  }))
    chmodSync(join(folder, name), mode);
  return folder;
}

function load(text: string, prepared: Prepared = {}): LoadedGateway & { folder: string } {
  const folder = folderOf(text, prepared);
  return { folder, ...loadGateway(join(folder, 'gateway.yaml'), prepared.environment ?? {}) };
}

const told = new Set<string>();

function summary({ code, line, column, key }: Problem): string {
  told.add(code);
  const place = line === undefined ? '-' : `${line}:${column}`;
  return `${code} ${place}${key ? ` ${key}` : ''}`;
}

test.after(removeFolders);

test('the example is right, and warns of nothing that it names', () => {
  const { config } = loadGateway(join(ROOT, 'hw-config/gateway.example.yaml'), {});
  assert.is(config.id, 'bench-1');
  assert.is(config.rigs[0]!.id, 'virtual-ppmid');
  assert.is(config.schedule.windows['night']!.weekly.length, 2);
  assert.is(config.api.tcp, undefined, 'no port unless one is asked for');
});

test('a short one has every default', () => {
  const { config, warnings, folder } = load(GATEWAY);
  assert.equal(warnings, []);
  assert.is(config.stateFolder, join(folder, 'state'));
  assert.is(config.runtimeFolder, join(folder, 'state/run'));
  assert.equal(config.api, {
    socket: { path: join(folder, 'state/run/uplift.sock'), mode: 0o660, role: 'admin' },
    tcp: undefined,
  });
  assert.equal(config.metrics, { serve: 'off', listen: undefined });
  assert.equal(config.schedule, {
    timeZone: 'Europe/London',
    windows: {},
    retry: {},
    devicesAtOnce: { perNetwork: 16, perGateway: 64 },
    pace: { measured: true, meteringShare: 0.25, answerMsMax: 250 },
  });
  assert.is(config.journal.retentionDays, 90);
  assert.is(config.images.fileBytesMax, 16_777_216);
  assert.is(config.log.level, 'info');
  assert.is(config.admission.intake, 'field');
  assert.is(config.stopWithinMs, 20_000);
});

test("the service manager's folders are taken where the file names none", () => {
  const text = edited(GATEWAY, '  stateDirectory: state\n', '');
  const folder = newFolder();
  const environment = {
    STATE_DIRECTORY: `${folder}/lib:/var/lib/other`,
    RUNTIME_DIRECTORY: `${folder}/run`,
  };
  const { config } = load(text, { environment });
  assert.is(config.stateFolder, join(folder, 'lib'));
  assert.is(config.runtimeFolder, join(folder, 'run'));
  const named = load(GATEWAY, { environment });
  assert.is(named.config.stateFolder, join(named.folder, 'state'), 'the file goes first');
});

test('an API on a port: TLS, tokens, clients, credentials of the service manager', () => {
  const text = edited(TLS, 'gateway.key', '"$CREDENTIALS_DIRECTORY/key"')
    .replace('gateway.pem,', 'gateway.pem, clientCaFile: gateway.pem,')
    .concat('    clients: [{name: ops.example, role: approver}]\n');
  const credentials = newFolder({ key: 'x' });
  chmodSync(join(credentials, 'key'), 0o400);
  const { config, folder } = load(text, {
    environment: { CREDENTIALS_DIRECTORY: credentials },
  });
  assert.equal(config.api.tcp, {
    listen: { host: '0.0.0.0', port: 8460 },
    clients: [{ name: 'ops.example', role: 'approver' }],
    tokensFile: join(folder, 'tokens'),
    tls: {
      certificateFile: join(folder, 'gateway.pem'),
      keyFile: join(credentials, 'key'),
      clientCaFile: join(folder, 'gateway.pem'),
    },
  });
});

test('addresses: what is loopback and what is not', () => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost']) assert.ok(isLoopback(host));
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', '127.0.0.1.example', '127.example'])
    assert.not.ok(isLoopback(host), host);
});

interface Wrong extends Prepared {
  name: string;
  text: string;
  problems: string[];
  says?: string[];
}

const api = (line: string) => `${GATEWAY}api:\n  tcp:\n    ${line}\n`;
const schedule = (line: string) => `${GATEWAY}schedule:\n  ${line}\n`;
const everyDay = '[mon, tue, wed, thu, fri, sat, sun]';

const CASES: Wrong[] = [
  // Keys
  {
    name: 'a misspelt section',
    text: `${GATEWAY}scedule: {}\n`,
    problems: ['key-unknown 6:1 scedule'],
    says: ['did you mean "schedule"?'],
  },
  {
    name: 'a misspelt key below a section',
    text: `${GATEWAY}journal:\n  retentionDay: 3\n`,
    problems: ['key-unknown 7:3 journal.retentionDay'],
    says: ['did you mean "retentionDays"?'],
  },
  {
    name: 'no id',
    text: edited(GATEWAY, '  id: bench-1\n', ''),
    problems: ['key-missing 2:3 gateway.id'],
  },
  {
    name: 'no state directory, and no service manager that names one',
    text: edited(GATEWAY, '  stateDirectory: state\n', ''),
    problems: ['key-missing 2:3 gateway.stateDirectory'],
    says: ['$STATE_DIRECTORY'],
  },
  {
    name: 'no rigs',
    text: 'gateway: {id: a, stateDirectory: s}\nrigs: []\n',
    problems: ['value-wrong 2:7 rigs'],
  },

  // Rigs
  {
    name: 'a rig that is not there',
    text: edited(GATEWAY, 'rig.yaml', 'rigg.yaml'),
    problems: ['rig-missing 5:5 rigs[0]'],
    says: ['did you mean "rig.yaml"?'],
  },
  {
    name: 'a rig with a mistake of its own',
    text: GATEWAY,
    files: { 'rig.yaml': edited(RIG, 'channel: 15', 'channel: 150') },
    problems: ['rig-wrong 5:5 rigs[0]', 'value-wrong 11:16 coordinators[0].network.channel'],
  },
  {
    name: 'one rig twice',
    text: `${GATEWAY}  - rig.yaml\n`,
    problems: Array(3)
      .fill('id-duplicate 6:5 rigs[1]')
      .concat([
        'id-duplicate 6:5 rigs[1]',
        'eui64-duplicate 6:5 rigs[1]',
        'port-shared 6:5 rigs[1]',
      ]),
  },
  {
    name: 'two rigs that share ports, devices and state',
    text: `${GATEWAY}  - other.yaml\n`,
    files: { 'other.yaml': edited(RIG, 'rig: r\n', 'rig: other\n') },
    problems: [
      'id-duplicate 6:5 rigs[1]',
      'id-duplicate 6:5 rigs[1]',
      'id-duplicate 6:5 rigs[1]',
      'eui64-duplicate 6:5 rigs[1]',
      'port-shared 6:5 rigs[1]',
    ],
    says: ['the port tcp://127.0.0.1:17000, which rigs[0] has'],
  },

  // Schedule
  {
    name: 'a time zone that is none',
    text: schedule('timeZone: Europe/Londn'),
    problems: ['value-wrong 7:13 schedule.timeZone'],
    says: ['did you mean "Europe/London"?'],
  },
  {
    name: 'hours that are none',
    text: schedule(`windows: {night: {weekly: [{days: [mon, mo], from: "24:00", until: "5:00"}]}}`),
    problems: [
      'value-wrong 7:43 schedule.windows.night.weekly[0].days[1]',
      'value-wrong 7:54 schedule.windows.night.weekly[0].from',
      'value-wrong 7:70 schedule.windows.night.weekly[0].until',
    ],
    says: ['did you mean "mon"?'],
  },
  {
    name: 'a time without quotes is text all the same in YAML 1.2; a number is not',
    text: schedule(`prepaymentBlackout: [{days: ${everyDay}, from: 18:00, until: 8}]`),
    problems: ['value-unquoted 7:88 schedule.prepaymentBlackout[0].until'],
  },
  {
    name: 'hours that end where they begin',
    text: schedule(`prepaymentBlackout: [{days: [sun], from: "08:00", until: "08:00"}]`),
    problems: ['value-wrong 7:60 schedule.prepaymentBlackout[0].until'],
    says: ['a whole day is "00:00" to "24:00"'],
  },
  {
    name: 'a date that is in no calendar',
    text: schedule(
      `windows: {n: {closedOn: ["2027-02-30"], weekly: [{days: [sun], from: "01:00", until: "02:00"}]}}`,
    ),
    problems: ['value-wrong 7:28 schedule.windows.n.closedOn[0]'],
  },
  {
    name: 'a class of failures that is none, and a cap below its base',
    text: schedule('retry: {refused: {retriesMax: 3}, device: {baseMs: 5, capMs: 4}}'),
    problems: [
      'key-unknown 7:11 schedule.retry.refused',
      'value-wrong 7:64 schedule.retry.device.capMs',
    ],
  },
  {
    name: 'more at once on a network than on the gateway',
    text: schedule('devicesAtOnce: {perNetwork: 9, perGateway: 8}'),
    problems: ['value-wrong 7:31 schedule.devicesAtOnce.perNetwork'],
  },
  {
    name: 'all of the air for downloads',
    text: schedule('pace: {meteringShare: 1, answerMsMax: 250}'),
    problems: ['value-wrong 7:25 schedule.pace.meteringShare'],
  },

  // Inputs
  {
    name: 'lists and folders that are not there',
    text: `${GATEWAY}admission:\n  centralProductsList: cpl.csv\n  trustAnchors: trust\n  certificates: [a.pem]\n`,
    problems: [
      'input-missing 7:24 admission.centralProductsList',
      'input-missing 8:17 admission.trustAnchors',
      'input-missing 9:18 admission.certificates[0]',
    ],
  },
  {
    name: 'a policy with a mistake of its own',
    text: `${GATEWAY}admission:\n  readinessPolicy: policy.yaml\n`,
    files: { 'policy.yaml': 'kind: readiness-policy\nnoPathway: refuze\n' },
    problems: ['input-wrong 7:20 admission.readinessPolicy', 'value-wrong 2:12 noPathway'],
    says: ['did you mean "refuse"?'],
  },
  {
    name: 'a list that anybody may change',
    text: `${GATEWAY}admission:\n  centralProductsList: cpl.csv\n`,
    files: { 'cpl.csv': 'x' },
    modes: { 'cpl.csv': 0o666 },
    problems: ['input-writable 7:24 admission.centralProductsList'],
    says: ['0666', 'chmod o-w'],
  },
  {
    name: 'a configuration that anybody may change',
    text: GATEWAY,
    modes: { 'gateway.yaml': 0o646 },
    problems: ['input-writable 1:1'],
  },
  {
    name: 'ages the wrong way round',
    text: `${GATEWAY}admission:\n  listAges: {warnAfterDays: 9, refuseAfterDays: 8, source: s}\n`,
    problems: ['value-wrong 7:49 admission.listAges.refuseAfterDays'],
  },
  {
    name: 'images larger than all',
    text: `${GATEWAY}images: {fileBytesMax: 4096, allBytesMax: 2048}\n`,
    problems: ['value-wrong 6:24 images.fileBytesMax'],
  },

  // API
  {
    name: 'a port for whoever comes',
    text: api('listen: 127.0.0.1:8460'),
    problems: ['listen-unauthenticated 8:13 api.tcp.listen'],
  },
  ...['0.0.0.0:8460', '"[::]:8460"', '192.168.1.5:8460', 'gateway.example:8460'].map((listen) => ({
    name: `${listen} without TLS`,
    text: `${TCP}    listen: ${listen}\n`,
    problems: ['listen-unprotected 9:13 api.tcp.listen'],
  })),
  {
    name: 'clients whose certificates nobody signs',
    text: api('clients: [{name: a, role: viewer}]'),
    problems: ['clients-unverified 8:14 api.tcp.clients'],
  },
  {
    name: 'a client with two roles',
    text: `${TLS.replace('gateway.pem,', 'gateway.pem, clientCaFile: gateway.pem,')}    clients: [{name: a, role: viewer}, {name: a, role: admin}]\n`,
    problems: ['id-duplicate 11:14 api.tcp.clients'],
  },
  {
    name: 'a role that is none, an address that is none',
    text: `${TCP}    listen: 127.0.0.1\n    clients: [{name: a, role: oper}]\n`,
    problems: ['value-wrong 9:13 api.tcp.listen', 'value-wrong 10:31 api.tcp.clients[0].role'],
  },
  {
    name: 'a port beyond the last',
    text: `${TCP}    listen: 127.0.0.1:65536\n`,
    problems: ['value-wrong 9:13 api.tcp.listen'],
  },
  {
    name: 'a mode that YAML reads as the number 660',
    text: `${GATEWAY}api: {socket: {mode: 0660}}\n`,
    problems: ['value-unquoted 6:22 api.socket.mode'],
    says: ['put it in quotes: "0660"'],
  },
  {
    name: 'a socket for everybody',
    text: `${GATEWAY}api: {socket: {mode: "0666"}}\n`,
    problems: ['value-wrong 6:22 api.socket.mode'],
  },
  {
    name: 'a socket with a path that no system takes',
    text: `${GATEWAY}api: {socket: {path: /run/${'x'.repeat(120)}}}\n`,
    problems: ['socket-path-long 6:22 api.socket.path'],
  },

  // Metrics
  {
    name: 'metrics for everybody',
    text: `${GATEWAY}metrics: {serve: listener, listen: 0.0.0.0:9464}\n`,
    problems: ['listen-unprotected 6:36 metrics.listen'],
  },
  {
    name: 'an address of metrics that nobody serves',
    text: `${GATEWAY}metrics: {listen: 127.0.0.1:9464}\n`,
    problems: ['value-wrong 6:19 metrics.listen'],
  },
  {
    name: 'metrics on the port of the API',
    text: `${TCP}metrics: {serve: listener, listen: 127.0.0.1:8460}\n`,
    problems: ['port-shared 9:36 metrics.listen'],
  },

  // Secrets
  {
    name: 'files of secrets that are not there',
    text: TLS.replace('tokensFile: tokens', 'tokensFile: none').replace('gateway.key', 'none'),
    problems: [
      'secret-missing 8:17 api.tcp.tokensFile',
      'secret-missing 10:50 api.tcp.tls.keyFile',
    ],
  },
  ...[0o644, 0o604, 0o660, 0o622, 0o601].map((mode) => ({
    name: `a key of mode ${mode.toString(8)}`,
    text: TLS,
    modes: { 'gateway.key': mode },
    problems: ['secret-exposed 10:50 api.tcp.tls.keyFile'],
    says: ['chmod 0640'],
  })),
  {
    name: 'a credential without a service manager',
    text: edited(TLS, 'gateway.key', '"$CREDENTIALS_DIRECTORY/key"'),
    problems: ['credentials-unset 10:50 api.tcp.tls.keyFile'],
  },
  {
    name: 'a file of tokens with mistakes',
    text: TCP,
    files: { tokens: `# a\n\nopertor a sha256:${HASH}\nadmin b ${SECRET}\n` },
    problems: [
      'input-wrong 8:17 api.tcp.tokensFile',
      'tokens-wrong 3:1 role',
      'tokens-wrong 4:1 hash',
    ],
    says: ['did you mean "operator"?'],
  },
];

for (const wrong of CASES) {
  test(wrong.name, () => {
    const folder = folderOf(wrong.text, wrong);
    const read = () => loadGateway(join(folder, 'gateway.yaml'), wrong.environment ?? {});
    const problems = problemsOf(read);
    assert.equal(problems.map(summary), wrong.problems);
    const message = messageOf(read);
    assert.not.match(message, SECRET);
    for (const part of wrong.says ?? []) assert.ok(message.includes(part), `${part} in ${message}`);
  });
}

test('what may be right on another day is a warning, at the rig', () => {
  const real = HUB_RIG.split('    virtual:')[0]!.replace('ports/hub', '/dev/serial/by-id/none');
  const text = edited(GATEWAY, 'rig.yaml', 'hub-rig.yaml');
  const { warnings } = load(text, {
    files: { 'hub-rig.yaml': edited(real, 'state: state', 'state: hub.yaml/x') },
  });
  assert.equal(warnings.map(summary), ['port-absent 5:5 rigs[0]', 'folder-unwritable 5:5 rigs[0]']);
  assert.match(warnings[0]!.found, '/dev/serial/by-id/none');
});

test('a file that may not be read is told', () => {
  if (process.getuid?.() === 0) {
    // Root reads everything: a run by another user, as in CI, sees the code.
    told.add('input-unreadable');
    return;
  }
  const text = `${GATEWAY}admission:\n  centralProductsList: cpl.csv\n`;
  const folder = folderOf(text, { files: { 'cpl.csv': 'x' }, modes: { 'cpl.csv': 0o200 } });
  const problems = problemsOf(() => loadGateway(join(folder, 'gateway.yaml'), {}));
  assert.equal(problems.map(summary), ['input-unreadable 7:24 admission.centralProductsList']);
});

test('a secret that stands in the file is repeated nowhere, whichever key it stands at', () => {
  const places = [
    TLS.replace('keyFile: gateway.key', `keyFile: ${SECRET}`),
    TLS.replace('keyFile: gateway.key', `key: ${SECRET}`),
    TLS.replace('keyFile: gateway.key', `keyFile: [${SECRET}]`),
    TCP.replace('tokensFile: tokens', `tokensFile: ${SECRET}`),
    TCP.replace('tokensFile: tokens', `token: ${SECRET}`),
    TCP.replace('tokensFile: tokens', `tokensFile: {a: ${SECRET}}`),
    TCP.replace('tokensFile: tokens', `tokens: [${SECRET}]`),
    `${TCP}    password: ${SECRET}\n`,
    `${TCP}\tpassword: ${SECRET}\n`,
    TLS.replace('keyFile: gateway.key}', `keyFile: "${SECRET}`),
    TLS.replace('keyFile: gateway.key', `keyFile: |-\n  ${SECRET}`),
  ];
  for (const text of places) {
    assert.ok(text.includes(SECRET));
    const folder = folderOf(text);
    const read = () => loadGateway(join(folder, 'gateway.yaml'), {});
    const problems = problemsOf(read);
    assert.not.match(JSON.stringify(problems), SECRET);
    assert.not.match(messageOf(read), SECRET);
  }
});

test('tokens are read by their hashes, comments and blank lines passed over', () => {
  const text = `# role name hash\n\n  viewer  tv  sha256:${HASH}\r\nadmin a.b@c sha256:${'b'.repeat(64)}\n`;
  const path = join(newFolder({ tokens: text }), 'tokens');
  assert.equal(loadTokens(path), [
    { role: 'viewer', name: 'tv', sha256: HASH },
    { role: 'admin', name: 'a.b@c', sha256: 'b'.repeat(64) },
  ]);
});

test('a wrong line of tokens is told by its number and repeats no token', () => {
  const lines = [
    '',
    'viewer',
    `viewer a ${SECRET}`,
    `viewer a sha256:${HASH} more`,
    `viewer a sha256:${HASH} until:tomorrow`,
    `viewer a sha256:${HASH} until:2027-01-31 more`,
    `viewer a sha256:${HASH.toUpperCase()}`,
    `viewer a/b sha256:${HASH}`,
    `${SECRET} a sha256:${HASH}`,
    `viewer a sha256:${HASH}\nviewer a sha256:${'b'.repeat(64)}`,
    `viewer a sha256:${HASH}\nviewer b sha256:${HASH}`,
  ];
  for (const text of lines) {
    const path = join(newFolder({ tokens: text }), 'tokens');
    const problems = problemsOf(() => loadTokens(path));
    for (const problem of problems) summary(problem);
    assert.ok(problems.every(({ code }) => code === 'tokens-wrong'));
    assert.not.match(
      messageOf(() => loadTokens(path)),
      SECRET,
    );
  }
});

test('every truncation and every changed byte ends in a value or a ConfigError', () => {
  const path = join(folderOf(TLS), 'gateway.yaml');
  const bytes = new TextEncoder().encode(TLS);
  let refused = 0;
  for (let at = 0; at < bytes.length; at++) {
    const flipped = bytes.slice();
    flipped[at] = flipped[at]! ^ (1 << (at % 8));
    for (const changed of [bytes.subarray(0, at), flipped]) {
      writeFileSync(path, changed);
      try {
        loadGateway(path, {});
      } catch (error) {
        assert.instance(error, ConfigError);
        refused++;
      }
    }
  }
  assert.ok(refused > bytes.length, `${refused} refused`);
});

test('a folder where a file is wanted; trust anchors may be either', () => {
  const text = `${GATEWAY}admission: {floors: sub, trustAnchors: rig.yaml}\n`;
  const folder = folderOf(text);
  mkdirSync(join(folder, 'sub'));
  const problems = problemsOf(() => loadGateway(join(folder, 'gateway.yaml'), {}));
  assert.equal(problems.map(summary), ['input-missing 6:21 admission.floors']);
});

test('every code has a test', () => {
  assert.equal(
    Object.keys(GATEWAY_CODES).filter((code) => !told.has(code)),
    [],
  );
});

function messageOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

test.run();
