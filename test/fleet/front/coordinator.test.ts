/** A front at the real coordinator, on SQLite: what a gateway there tells comes out at the front. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Coordinator } from '../../../src/fleet/coordinator/control.ts';
import type { FleetClient } from '../../../src/fleet/front/client.ts';
import type { FleetEvent } from '../../../src/fleet/wire.ts';
import { euiOf } from '../../dcc/dcc-desk.ts';
import { hashOf, inChunks, open } from '../coordinator/fleets.ts';
import { FrontDesk, inventoryOf, SECOND_MS } from './front-desk.ts';

const GATEWAY = 'gateway-1';
const CERTIFICATE = hashOf(GATEWAY);
const DEVICES = [1, 2, 3];

function clientOf(opened: Promise<Coordinator>): FleetClient {
  return {
    gateways: async (...asked) => (await opened).gateways(...asked),
    gatewayDevices: async (id) => (await opened).gatewayDevices(id),
    hasBlob: async (sha256) => (await opened).hasBlob(sha256),
    putBlob: async (sha256, content) =>
      (await opened).putBlob(sha256, content.length, inChunks(content), 'api:front'),
    submit: async (document) => (await opened).submit(document, 'api:front'),
    campaigns: async (...asked) => (await opened).campaigns(...asked),
    campaign: async (id) => (await opened).campaign(id),
    manifest: async (id) => (await (await opened).campaign(id))?.manifest,
    campaignDevices: async (...asked) => (await opened).campaignDevices(...asked),
    start: async (id) => (await opened).start(id, 'api:starter'),
  };
}

class Site {
  readonly desk: FrontDesk;
  readonly coordinator: Promise<Coordinator>;
  private sequence = 0;
  private readonly folder = mkdtempSync(join(tmpdir(), 'uplift-front-'));

  constructor() {
    let opened: (coordinator: Promise<Coordinator>) => void = () => {};
    this.coordinator = new Promise((done) => {
      opened = done;
    });
    this.desk = new FrontDesk({ devices: 0, client: clientOf(this.coordinator) });
    const database = { kind: 'sqlite', path: join(this.folder, 'fleet.db') } as const;
    opened(open(database, this.desk.dcc.desk.clock));
  }

  async enrol(): Promise<void> {
    const coordinator = await this.coordinator;
    const { token } = await coordinator.addGateway(GATEWAY, 'api:olive');
    await coordinator.enrol(token, GATEWAY, '1.0.0', CERTIFICATE);
    const devices = DEVICES.map((n) => inventoryOf(n));
    await coordinator.takeInventory(GATEWAY, { version: '1.0.0', windows: [], devices });
    await this.pass(60);
  }

  /** Seconds, in which the database has its turns too. */
  async pass(seconds: number): Promise<void> {
    for (let left = seconds; left > 0; left--) {
      await this.desk.pass(SECOND_MS);
      await (await this.coordinator).keepHouse();
    }
  }

  async tell(n: number, phase: FleetEvent['phase'], more: Partial<FleetEvent> = {}): Promise<void> {
    const coordinator = await this.coordinator;
    const desired = await coordinator.desired(GATEWAY, undefined);
    const { digest } = desired!.campaigns.at(-1)!;
    const mark = (sequence: number) => ({ sequence, hash: hashOf(`${sequence}`) });
    const after = this.sequence === 0 ? {} : { after: mark(this.sequence) };
    const sequence = this.sequence + 1;
    const atMs = this.desk.dcc.nowMs;
    const event = { sequence, atMs, campaign: digest, device: euiOf(n), attempt: 1, phase };
    this.sequence += 2;
    const through = mark(this.sequence);
    await coordinator.takeEvents(GATEWAY, { ...after, through, events: [{ ...event, ...more }] });
  }

  async close(): Promise<void> {
    this.desk.remove();
    await (await this.coordinator).close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const real = suite('a front at the real coordinator');

real('an 11.1 is one campaign there, and each device comes back as its gateway tells', async () => {
  const site = new Site();
  try {
    await site.enrol();
    const { desk } = site;
    const { code } = await desk.dcc.take(desk.dcc.update(DEVICES));
    assert.is(code, 'I0');
    await site.pass(20);
    const coordinator = await site.coordinator;
    const { items } = await coordinator.campaigns(undefined, 10);
    assert.is(items.length, 1);
    assert.is(items[0]!.state, 'running');
    assert.is(items[0]!.startedBy, 'api:starter');
    await site.tell(1, 'distributing');
    await site.tell(2, 'awaiting-activation');
    await site.tell(3, 'failed', { code: 'device-silent' });
    await site.pass(60);
    assert.equal(
      DEVICES.map((n) => desk.state(n)),
      ['distributing', 'awaiting-activation', 'failed'],
    );
    desk.restart();
    await site.tell(1, 'awaiting-activation');
    await site.pass(60);
    assert.is(desk.state(1), 'awaiting-activation');
    assert.is((await coordinator.campaigns(undefined, 10)).items.length, 1);
    assert.is(desk.told('FileTransferSuccess'), 2);
  } finally {
    await site.close();
  }
});

real.run();
