/**
 * A fleet over its real doors: the coordinator `uplift fleet serve` on SQLite and gateways `uplift serve`
 * with the real driver over virtual devices, each a process of its own, and people who ask by the commands.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { z } from '../../src/config/fields.ts';
import type {
  auditCheck,
  auditPage,
  campaignDetail,
  campaignDevicePage,
  gatewayDetail,
} from '../../src/fleet/coordinator/operator-schemas.ts';
import { GatewaySite, until } from '../support/fleet-gateway.ts';
import { FLEET } from '../support/fleet-material.ts';
import { type CoordinatorProcess, FleetSite } from '../support/fleet-site.ts';
import {
  FIRMWARE,
  NEW_VERSION,
  OLD_VERSION,
  QUICK_CLIENT,
  sha256Of,
  TestRig,
} from '../support/rigs.ts';

type Campaign = z.output<typeof campaignDetail>;
type Gateway = z.output<typeof gatewayDetail>;

const test = suite('a fleet: coordinator and gateways');
const DAY_MS = 86_400_000;
const SHA256 = sha256Of(FIRMWARE.new);
const HARDWARE = {
  ...{ manufacturer: '121D', model: '0084', hardwareVersion: '01', hardwareRevision: '00' },
};

let fleet: FleetSite;
let coordinator: CoordinatorProcess;
let good: GatewaySite;
let bad: GatewaySite;

test.before(async () => {
  fleet = new FleetSite();
  coordinator = await fleet.coordinator();
  const rigs = await Promise.all([
    TestRig.make({ devices: 3, otaClient: QUICK_CLIENT }),
    TestRig.make({
      ...{ devices: 3, otaClient: QUICK_CLIENT, number: 2 },
      faults: { revertsAfterActivation: true },
    }),
  ]);
  [good, bad] = rigs.map(
    (rig, at) => new GatewaySite(`site-${at + 1}`, rig, coordinator.url, fleet),
  ) as [GatewaySite, GatewaySite];
  await Promise.all([coordinator.start(), ...rigs.map((rig) => rig.up())]);
});

test.after(async () => {
  await Promise.all([good?.stop(), bad?.stop(), coordinator?.stop()]);
  await Promise.all([good?.rig.remove(), bad?.rig.remove()]);
  fleet?.remove();
});

test('a gateway enrols once, by its token, with a key that it made itself', async () => {
  for (const site of [good, bad]) {
    const added = await coordinator.told<{ token: string }>('olive', 'gateway', 'add', site.id);
    writeFileSync(site.token, `${added.token}\n`, { mode: 0o600 });
  }
  await Promise.all([good.start(), bad.start()]);
  for (const site of [good, bad]) {
    const isWhole = ({ state, inventory }: Gateway) =>
      state === 'enrolled' &&
      inventory.length === site.devices.length &&
      inventory.every(({ firmwareVersion }) => firmwareVersion !== undefined);
    const { certificate, inventory } = await until(() => gateway(site.id), isWhole);
    const own = new X509Certificate(readFileSync(join(site.state, 'identity/gateway.crt')));
    assert.is(certificate, createHash('sha256').update(own.raw).digest('hex'));
    assert.equal(inventory.map(({ device }) => device).sort(), [...site.devices].sort());
  }
});

test('one submits, another starts; ring by ring, over a pause and a killed coordinator', async () => {
  const [first, ...rest] = good.devices;
  const path = await fleet.signed(manifest('good', 1, good, first!));
  const submit = ['campaign', 'submit', path, '--image', FIRMWARE.new];
  const submitted = await coordinator.told<Campaign>('ann', ...submit);
  assert.is(submitted.state, 'ready');
  const own = await coordinator.ask('ann', 'campaign', 'start', 'good');
  assert.is.not(own.code, 0);
  assert.match(own.stderr, 'author-starts');
  const viewed = await coordinator.ask('victor', 'campaign', 'start', 'good');
  assert.match(viewed.stderr, 'forbidden');
  const started = await coordinator.told<Campaign>('olive', 'campaign', 'start', 'good');
  assert.equal(
    started.rings.map(({ name, size }) => [name, size]),
    [
      ['first', 1],
      ['rest', 2],
    ],
  );

  await until(campaign('good'), ({ rings }) => rings[0]!.counts['under-way'] === 1);
  const pause = ['campaign', 'pause', 'good', '--reason', 'a look at the first'];
  assert.is((await coordinator.told<Campaign>('ann', ...pause)).state, 'paused');
  await coordinator.kill9();
  // What was begun goes on to its end without a coordinator, and is told of when there is one.
  await until(
    async () => good.version(first!),
    (version) => version === NEW_VERSION,
  );
  await coordinator.start();
  const held = await until(campaign('good'), ({ rings }) => rings[0]!.counts.succeeded === 1);
  assert.is(held.state, 'paused');
  assert.is(held.rings[1]!.counts.pending, 2, 'nothing more is begun');
  await coordinator.told<Campaign>('ann', 'campaign', 'resume', 'good');
  await until(campaign('good'), ({ rings }) => rings[1]!.counts['under-way'] > 0);
  await coordinator.kill9();
  await coordinator.start();
  await until(campaign('good'), ({ state }) => state === 'finished');

  const { stdout } = await coordinator.ask('victor', 'campaign', 'show', 'good');
  assert.match(stdout, /good {2}finished/);
  const done = await coordinator.told<Campaign>('victor', 'campaign', 'show', 'good');
  assert.equal(
    done.rings.map(({ counts }) => counts.succeeded),
    [1, 2],
  );
  for (const device of [first!, ...rest]) assert.is(good.version(device), NEW_VERSION);
  const { devices } = await coordinator.told<z.output<typeof campaignDevicePage>>(
    ...(['victor', 'campaign', 'devices', 'good'] as const),
  );
  for (const { attempt, phase, runs } of devices)
    assert.equal([attempt, phase, runs], [1, 'done', '02000000']);
});

test('it stops by itself when devices fail', async () => {
  const [first, ...rest] = bad.devices;
  const path = await fleet.signed(manifest('bad', 2, bad, first!));
  await coordinator.told('ann', 'campaign', 'submit', path);
  await coordinator.told('olive', 'campaign', 'start', 'bad');
  const { detail, rings } = await until(campaign('bad'), ({ state }) => state === 'aborted');
  assert.match(detail!, /1 of 1 in ring first|1 of 1/);
  assert.equal(rings[0]!.failed, { reverted: 1 });
  assert.is(rings[1]!.counts.pending, rest.length);
  const again = await coordinator.ask('olive', 'campaign', 'resume', 'bad');
  assert.match(again.stderr, 'campaign-state');
  for (const device of bad.devices) assert.is(bad.version(device), OLD_VERSION);
});

test('who asked for what is on record, over both kills', async () => {
  const { isWhole } = await coordinator.told<z.output<typeof auditCheck>>(
    ...(['victor', 'audit', 'check'] as const),
  );
  assert.is(isWhole, true);
  const { entries } = await coordinator.told<z.output<typeof auditPage>>('victor', 'audit', 'show');
  const said = entries.map(({ what, by }) => `${what} ${by.replace(/^.*:/, '')}`);
  for (const line of ['campaign-submitted ann', 'campaign-started olive', 'campaign-paused ann'])
    assert.ok(said.includes(line), `${line}\n${said.join('\n')}`);
});

/** Its first ring is one device, the other has the rest. */
function manifest(id: string, generation: number, site: GatewaySite, first: string) {
  const moment = (ms: number) => new Date(ms).toISOString().replace(/\.\d+/, '');
  return {
    ...{ version: 1, id, reason: 'a test', fleet: FLEET, line: 'ppmid', generation, approvals: 1 },
    issued: moment(Date.now() - 60_000),
    expires: moment(Date.now() + DAY_MS),
    images: [
      {
        ...{ sha256: SHA256, bytes: statSync(FIRMWARE.new).size, format: 'zigbee-ota' },
        ...{ version: NEW_VERSION, firmwareVersion: '02000000' },
      },
    ],
    gateways: [site.id],
    targets: [{ ...HARDWARE, from: ['01000000'], image: SHA256, floor: OLD_VERSION }],
    rings: [
      { name: 'first', members: [first], untilPercent: 100 },
      { name: 'rest', all: true, untilPercent: 100 },
    ],
    pace: { first: 10, growthPercent: 100, afterSucceeded: 1, most: 10 },
    aborts: [{ failure: 'any', count: 1 }],
    activation: { when: 'now' },
  };
}

function gateway(id: string): Promise<Gateway> {
  return coordinator.client.get(`/gateways/${id}`);
}

function campaign(id: string): () => Promise<Campaign> {
  return () => coordinator.client.get(`/campaigns/${id}`);
}

test.run();
