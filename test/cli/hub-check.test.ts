/** What `uplift rig check` says of the ports of hubs. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkHubPorts, hubLines, selectHubs } from '../../src/cli/hub-check.ts';
import { loadHubModel } from '../../src/config/load.ts';
import type { HubDevice, Rig } from '../../src/config/schema.ts';
import { freePath, newTerminal, removeTerminals } from '../transport/serial/terminal.ts';

const model = loadHubModel('hw-config/hubs/virtual-hub.yaml');
const hub = (id: string, port: string): HubDevice => ({
  kind: 'hub',
  id,
  port,
  baudRate: 115_200,
  model,
  virtual: undefined,
});

test.after(removeTerminals);

test('a port that opens and one that is not there', async () => {
  const device = await newTerminal();
  if (!device) return;
  const missing = freePath('missing');
  const checks = await checkHubPorts([hub('here', device.path), hub('gone', missing)]);
  const { problem, next, ...gone } = checks[1]!;
  assert.equal(checks[0], {
    device: 'here',
    port: device.path,
    opens: true,
    path: device.path,
    hasModemLines: false,
    isLowLatency: false,
  });
  assert.equal(gone, { device: 'gone', port: missing, opens: false, code: 'port-missing' });
  assert.match(problem!, `there is no port ${missing}`);
  assert.match(next!, 'uplift rig up');
  const lines = hubLines(checks);
  assert.match(lines[0]!, `here (${device.path}) opens`);
  assert.match(lines[1]!, 'no RTS and DTR');
  assert.match(lines[2]!, 'does not open');
});

test('a slow latency timer is told with what to do, a quick one is not', () => {
  const check = { device: 'hub', port: 'usb:A1', opens: true, path: '/dev/ttyUSB3' };
  const of = (timer: number, isLowLatency: boolean) =>
    hubLines([{ ...check, latencyTimerMs: timer, isLowLatency }])
      .slice(1)
      .join('');
  assert.match(of(16, false), '16 ms an answer');
  assert.match(of(16, false), '/sys/bus/usb-serial/devices/ttyUSB3/latency_timer');
  assert.match(of(16, true), 'low');
  assert.is(of(1, false), '');
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
