/**
 * Attacks on a fleet, each at whom it has to fail with: the real coordinator over its database, and the real
 * follower of a gateway over its journal. The code names the attack; nothing is kept or begun, and
 * the next good campaign is taken. What one signed document may not say is in campaigns.test.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeManifest, type Manifest } from '../../src/campaign/manifest.ts';
import { sealEvents } from '../../src/fleet/bundle/carried-events.ts';
import type { Coordinator } from '../../src/fleet/coordinator/control.ts';
import type { CoseSigner } from '../../src/trust/cose.ts';
import { ANN, BOB, keyIdOf, MANIFEST, NOW, signedBy, signer } from '../campaign/campaigns.ts';
import { FollowerDesk, WHOLE } from '../fleet/agent/follower-desk.ts';
import {
  AUTHOR,
  document,
  fleetManifest,
  hashOf,
  inChunks,
  OPERATOR,
  open,
  refusesWith,
  startCampaign,
  TEST_IMAGE,
  TestClock,
  TestGateway,
  uploadImage,
} from '../fleet/coordinator/fleets.ts';
import { HOUR_MS, IMAGE } from '../gateway/gateway-desk.ts';

const test = suite('attacks on a fleet');
const folder = mkdtempSync(join(tmpdir(), 'uplift-attacks-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** Of people whom nobody vouches for. */
const STRANGER = signer('mallory', { signedBy: 'mallory', issuer: [['CN', 'mallory']] });
let databases = 0;

async function atCoordinator(
  attack: (coordinator: Coordinator, clock: TestClock) => Promise<void>,
): Promise<void> {
  const clock = new TestClock();
  const path = join(folder, `${++databases}`, 'fleet.db');
  const coordinator = await open({ kind: 'sqlite', path }, clock);
  try {
    await uploadImage(coordinator);
    await attack(coordinator, clock);
    assert.is(await coordinator.checkAudit(), undefined);
  } finally {
    await coordinator.close();
  }
}

/** Is refused there, and leaves what there was. */
async function submits(
  coordinator: Coordinator,
  code: string,
  changes: Partial<Manifest>,
  signers: CoseSigner[] = [ANN, BOB],
): Promise<void> {
  const before = await coordinator.campaigns(undefined, 100);
  const bytes = signedBy(encodeManifest(fleetManifest(changes)), ...signers);
  await refusesWith(code, coordinator.submit(bytes, AUTHOR));
  assert.equal(await coordinator.campaigns(undefined, 100), before);
}

/** A gateway that follows what its carrier gives it, as the carrier signed it. */
class Gateway extends FollowerDesk {
  offer(changes: Partial<Manifest> = {}, signers: CoseSigner[] = [ANN, BOB]): void {
    const { window: _, ...manifest } = { ...MANIFEST, ...this.life, ...WHOLE, ...changes };
    const bytes = signedBy(encodeManifest(manifest), ...signers);
    const devices = this.names.map((device) => ({ device, attempt: 1 }));
    this.follower.desire(
      'coordinator',
      [{ document: bytes, course: 'run', devices }],
      'coordinator',
    );
  }

  async refuses(
    code: string,
    changes: Partial<Manifest>,
    signers: CoseSigner[] = [ANN, BOB],
  ): Promise<void> {
    const runs = this.desk.field.runs.length;
    this.offer({ id: `evil-${code}`, ...changes }, signers);
    await this.settle();
    const refused = this.follower.campaigns().filter(({ state }) => state === 'refused');
    assert.equal(
      refused.map((one) => one.code),
      [code],
    );
    assert.is(this.desk.field.runs.length, runs, 'nothing was begun');
  }
}

test('4a freeze: a campaign that has ended is offered in place of a later one', async () => {
  const life = { issuedMs: NOW - 3 * HOUR_MS, expiresMs: NOW - HOUR_MS };
  await atCoordinator((coordinator) => submits(coordinator, 'campaign-expired', life));
  await new Gateway().refuses('campaign-expired', life);
});

test('2 rollback: an older generation after a newer one', async () => {
  await atCoordinator(async (coordinator) => {
    await coordinator.submit(document({ generation: 9 }), AUTHOR);
    await submits(coordinator, 'generation-not-above', { id: 'old', generation: 8 });
  });
  const gateway = new Gateway();
  gateway.offer({ generation: 9 });
  await gateway.settle();
  await gateway.refuses('generation-rollback', { generation: 8 });
  await gateway.restart().refuses('generation-rollback', { generation: 8 });
});

test('3 fast-forward: a generation after which there is none', async () => {
  const gateway = new Gateway();
  gateway.offer({ generation: 7 });
  await gateway.settle();
  await gateway.refuses('generation-fast-forward', { generation: 0xffff_fff0 });
  gateway.offer({ id: 'next', generation: 8 });
  await gateway.settle();
  assert.is(gateway.follower.campaigns().find(({ id }) => id === 'next')?.state, 'running');
});

test('6a mix-and-match: other bytes under the name of an image', async () => {
  await atCoordinator(async (coordinator) => {
    const { bytes } = TEST_IMAGE;
    const other = inChunks(new Uint8Array(bytes));
    await refusesWith('blob-other', coordinator.putBlob(hashOf('x'), bytes, other, AUTHOR));
    const images = [{ ...TEST_IMAGE, bytes: bytes - 1 }];
    const { id } = await coordinator.submit(document({ images }), AUTHOR);
    await refusesWith('image-size', coordinator.start(id, OPERATOR));
  });
  const gateway = new Gateway(1);
  gateway.images.set(IMAGE, 1);
  gateway.offer();
  await gateway.settle();
  assert.is(gateway.events().at(-1)?.code, 'image-size');
  assert.is(gateway.desk.field.runs.length, 0);
});

test('4a expired: it ends while it runs, and what has not begun is never begun', async () => {
  await atCoordinator(async (coordinator, clock) => {
    await new TestGateway(coordinator, clock, 1, 2).enrol();
    const id = await startCampaign(coordinator, { expiresMs: NOW + HOUR_MS });
    clock.pass(HOUR_MS);
    await coordinator.keepHouse();
    assert.is((await coordinator.campaign(id))?.state, 'expired');
    await refusesWith('campaign-state', coordinator.resume(id, OPERATOR));
  });
});

test('wrong-signer: keys that nobody vouches for', async () => {
  const refused = 'unknown-issuer';
  for (const signers of [
    [STRANGER, BOB],
    [ANN, STRANGER],
  ]) {
    await atCoordinator((coordinator) => submits(coordinator, refused, {}, signers));
    await new Gateway().refuses(refused, {}, signers);
  }
});

test('14a one-signer-twice: two signatures of one approver', async () => {
  const signers = [ANN, BOB, signer('robert', { key: 'another key of robert' })];
  const changes = { approvals: 2 };
  await atCoordinator(async (coordinator) => {
    const { id, state, approvalsMissing } = await coordinator.submit(
      document(changes, signers),
      AUTHOR,
    );
    assert.equal([state, approvalsMissing], ['unsigned', 1], 'the second counts for nothing');
    await refusesWith('campaign-state', coordinator.start(id, OPERATOR));
  });
  await new Gateway().refuses('approver-twice', changes, signers);
});

test('22a replayed-event: a stretch again, under another record, and by another gateway', () =>
  atCoordinator(async (coordinator, clock) => {
    const gateway = await new TestGateway(coordinator, clock, 1, 1).enrol();
    const other = await new TestGateway(coordinator, clock, 2, 1).enrol();
    const id = await startCampaign(coordinator);
    const done = gateway.batch({ device: gateway.devices[0]!, phase: 'failed', code: 'link-lost' });
    for (let time = 0; time < 3; time++) await coordinator.takeEvents(gateway.id, done);
    const counted = async () => (await coordinator.campaign(id))!.rings[0]!.counts.failed;
    assert.is(await counted(), 1, 'once');
    const forged = { ...done, through: { ...done.through, hash: hashOf('another journal') } };
    await refusesWith('events-forked', coordinator.takeEvents(gateway.id, forged));
    await refusesWith('event-of-other', coordinator.takeEvents(other.id, done));
    const sealed = sealEvents({ fleet: 'north', gateway: gateway.id, batch: done }, ANN);
    assert.is(await coordinator.identify(keyIdOf(ANN)), undefined);
    await refusesWith('events-other-gateway', coordinator.bringEvents(sealed, OPERATOR));
    assert.is(await counted(), 1);
  }));

test('4b clock-back: the clock is set back, so that an end is in the future again', async () => {
  const gateway = new Gateway();
  gateway.offer();
  await gateway.settle();
  const { timers } = gateway.desk;
  timers.nowMs = () => NOW - 2 * HOUR_MS;
  const life = { issuedMs: NOW - 4 * HOUR_MS, expiresMs: NOW - HOUR_MS };
  gateway.offer({ id: 'ended', line: 'other', ...life });
  const [refused] = gateway.follower.campaigns().filter(({ state }) => state === 'refused');
  assert.is(refused?.code, 'clock-set-back');
});

test.run();
