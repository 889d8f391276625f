/** What `uplift rig check` says of hubs: their ports, and what answers there. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  checkHubs,
  type HubCheck,
  hubDocument,
  hubLines,
  selectHubs,
} from '../../src/cli/hub-check.ts';
import { loadHubModel } from '../../src/config/load.ts';
import type { HubDevice, Rig } from '../../src/config/schema.ts';
import type { HubFinding } from '../../src/upgrade/hub-finding.ts';
import { freePath, newTerminal, removeTerminals } from '../transport/serial/terminal.ts';

const model = loadHubModel('hw-config/hubs/virtual-hub.yaml');
const hub = (id: string, port: string): HubDevice => ({
  kind: 'hub',
  id,
  port,
  baudRate: 115_200,
  serialNumber: undefined,
  eui64: undefined,
  installation: undefined,
  model,
  virtual: undefined,
});

test.after(removeTerminals);

test('a port where nothing answers and one that is not there', async () => {
  const device = await newTerminal();
  if (!device) return;
  const missing = freePath('missing');
  const checks = await checkHubs([hub('here', device.path), hub('gone', missing)]);
  const { problem: silence, next: look, ...here } = checks[0]!;
  const { problem, next, ...gone } = checks[1]!;
  assert.equal(here, {
    device: 'here',
    port: device.path,
    opens: true,
    answers: false,
    path: device.path,
    hasModemLines: false,
    isLowLatency: false,
    baudRate: 115_200,
    found: { kind: 'silence' },
    code: 'hub-silent',
  });
  assert.is(silence, 'nothing answers');
  assert.match(look!, 'power');
  assert.equal(gone, {
    device: 'gone',
    port: missing,
    opens: false,
    answers: false,
    code: 'port-missing',
  });
  assert.match(problem!, `there is no port ${missing}`);
  assert.match(next!, 'uplift rig up');
  const lines = hubLines(checks).join('\n');
  assert.match(lines, `here (${device.path}) does not answer`);
  assert.match(lines, 'no RTS and DTR');
  assert.match(lines, `gone (${missing}) does not open`);
});

test('a cable that is pulled while the hub is asked', async () => {
  const device = await newTerminal(() => void device!.cut());
  if (!device) return;
  const [check] = await checkHubs([hub('hub', device.path)]);
  assert.is(check!.code, 'link-lost');
  assert.is(check!.answers, false);
});

const FOUND: HubCheck = { device: 'hub', port: '/p', opens: true, answers: true, baudRate: 9_600 };
const text = (check: Partial<HubCheck>) => hubLines([{ ...FOUND, ...check }]).join('\n');

test('what answers is told in words', () => {
  const image = {
    image: 0,
    slot: 0,
    version: '1.2.3',
    hash: Uint8Array.of(0xab, 0xcd),
    bootable: true,
    pending: false,
    confirmed: true,
    active: true,
    permanent: false,
    flagged: true,
  };
  const found: HubFinding = {
    kind: 'smp',
    mode: 'application',
    images: [image, { ...image, slot: 1, version: '2.0.0', active: false, confirmed: false }],
    slots: [],
    imageBytesMax: [],
    params: { bufferBytes: 384, bufferCount: 4, messageBytes: 380 },
  };
  const said = text({ found });
  assert.match(said, /runs +an application that speaks SMP/);
  assert.match(said, /slot 0 +1\.2\.3, active, confirmed/);
  assert.match(said, /slot 1 +2\.0\.0\n/);
  assert.match(said, /buffer +384 bytes, 4 of them/);
  assert.match(text({ found: { ...found, mode: 'recovery' } }), "MCUboot's serial recovery");
  assert.match(JSON.stringify(hubDocument({ ...FOUND, found })), '"hash":"abcd"');
  const facts = { family: 'gecko', version: '2.04.01', title: 'x', wants: 'gbl' } as const;
  assert.match(text({ found: { kind: 'bootloader', facts } }), 'Gecko bootloader 2.04.01');
  const odd = { ...facts, family: 'unknown', title: '\x1b[2J' } as const;
  assert.not.match(text({ found: { kind: 'bootloader', facts: odd } }), '\x1b[2J');
});

test('what does not answer is told with what was heard', () => {
  const found = {
    kind: 'babble',
    heardBytes: 40,
    readable: true,
    echoes: false,
    text: 'a\x1b[2Jb',
  };
  const log = text({ answers: false, problem: 'no protocol', found: found as HubFinding });
  assert.match(log, 'hub (/p) does not answer');
  assert.match(log, /heard +a/);
  assert.not.match(log, '\x1b[2J');
  const noise = text({ answers: false, found: { ...found, readable: false } as HubFinding });
  assert.match(noise, '40 bytes');
  assert.match(noise, '9600 baud');
});

test('a slow latency timer is told with what to do, a quick one is not', () => {
  const silent = { found: { kind: 'silence' }, path: '/dev/ttyUSB3' } as const;
  const of = (latencyTimerMs: number, isLowLatency: boolean) =>
    text({ ...silent, answers: false, latencyTimerMs, isLowLatency });
  assert.match(of(16, false), '16 ms an answer');
  assert.match(of(16, false), '/sys/bus/usb-serial/devices/ttyUSB3/latency_timer');
  assert.match(of(16, true), /latency +low/);
  assert.not.match(of(1, false), 'latency');
});

test('hubs by name, or all', () => {
  const rig = { hubs: [hub('a', '/a'), hub('b', '/b')] } as unknown as Rig;
  assert.is(selectHubs(rig, undefined).length, 2);
  assert.equal(
    selectHubs(rig, ['ppmid', 'b']).map(({ id }) => id),
    ['b'],
  );
});

test.run();
