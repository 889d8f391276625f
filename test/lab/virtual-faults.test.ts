/** Faults that virtual devices have themselves, by the words of a lab. */
import { connect } from 'node:net';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { VirtualAirFaults, VirtualHubFaults } from '../../src/lab/faults/virtual-faults.ts';
import { supplyIn } from '../../src/lab/power/virtual-switch.ts';
import { openVirtualHub } from '../../src/virtual/communications-hub/open-hub.ts';
import { type CoordinatorEvent, VirtualCoordinator } from '../../src/virtual/coordinator.ts';
import type { VirtualRig } from '../../src/virtual/rig.ts';
import { SystemScheduler } from '../../src/virtual/scheduler.ts';
import { A } from '../upgrade/hub-world.ts';
import { GEOMETRY } from '../virtual/communications-hub/fixture.ts';

const test = suite('virtual faults');
const PORT = 'tcp://127.0.0.1:0';

/** Whether something takes connections there. */
function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(Number(path.split(':').at(-1)), '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}

const codeOf = (body: () => void): string | undefined => {
  try {
    body();
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

test('the line of a virtual hub', async () => {
  const scheduler = new SystemScheduler();
  const hub = await openVirtualHub({ scheduler, port: PORT, flash: GEOMETRY, firmware: A.bytes });
  const faults = new VirtualHubFaults(hub);
  faults.set({ drop: 0.1, corrupt: 0.2 });
  assert.equal([hub.hub.line.faults.loss, hub.hub.line.faults.corruption], [0.1, 0.2]);
  assert.is(
    codeOf(() => faults.set({ direction: 'up', drop: 0.1 })),
    'fault-not-possible',
  );
  assert.is(
    codeOf(() => faults.set({ delayMs: 10 })),
    'fault-not-possible',
  );
  faults.set({ disconnected: true });
  await faults.settled();
  assert.is(await answers(hub.path), false);
  assert.equal([hub.hub.line.faults.loss, faults.counts.disconnections], [0, 1]);
  faults.clear();
  await faults.settled();
  assert.is(await answers(hub.path), true);
  await hub.stop();
  scheduler.stop();
});

test('the air of a virtual coordinator, its wire and its supply', async () => {
  const scheduler = new SystemScheduler();
  const events: CoordinatorEvent[] = [];
  const coordinator = await VirtualCoordinator.open({
    ...{ scheduler, port: PORT },
    onEvent: (event) => events.push(event),
  });
  const faults = new VirtualAirFaults(coordinator);
  faults.set({ direction: 'up', drop: 0.1, duplicate: 0.2, delayMs: 30 });
  const { lossUp, lossDown, duplicateUp, lateUp, lateMs } = coordinator.radio.faults;
  assert.equal([lossUp, lossDown, duplicateUp, lateUp, lateMs], [0.1, 0, 0.2, 1, 30]);
  faults.set({ drop: 0.3 });
  assert.equal([coordinator.radio.faults.lossDown, coordinator.radio.faults.lateUp], [0.3, 0]);
  assert.is(
    codeOf(() => faults.set({ corrupt: 0.1 })),
    'fault-not-possible',
  );
  assert.is(
    codeOf(() => faults.set({ direction: 'down', delayMs: 5 })),
    'fault-not-possible',
  );
  faults.set({ disconnected: true });
  await faults.settled();
  assert.is(await answers(coordinator.path), false);
  faults.clear();
  await faults.settled();
  assert.is(await answers(coordinator.path), true);
  assert.is(faults.counts['disconnections'], 1);
  const rig = {
    hubs: new Map(),
    devices: new Map(),
    coordinators: new Map([['zigbee-1', coordinator]]),
  } as unknown as VirtualRig;
  const supply = supplyIn(rig, 'zigbee-1')!;
  await supply.set(false);
  assert.is(await answers(coordinator.path), false);
  const resets = events.filter(({ kind }) => kind === 'reset').length;
  await supply.set(true);
  assert.is(await answers(coordinator.path), true);
  assert.is(events.filter(({ kind }) => kind === 'reset').length, resets + 1);
  await coordinator.stop();
  scheduler.stop();
});

test.run();
