/** Campaigns: taken, signed by several, started, and led by people. */
import * as assert from 'uvu/assert';
import type { Manifest } from '../../../src/campaign/manifest.ts';
import { ANN, BOB, CARLA, DAY_MS, signer } from '../../campaign/campaigns.ts';
import {
  AUTHOR,
  document,
  type FleetTest,
  hashOf,
  IMAGE_FILE,
  inChunks,
  inventoryDevice,
  OPERATOR,
  refusesWith,
  startCampaign,
  TEST_IMAGE,
  TestGateway,
  uploadImage,
} from './fleets.ts';

const next = (generation: number): Partial<Manifest> => ({ id: `c-${generation}`, generation });

export function submissionCases(fleetTest: FleetTest): void {
  fleetTest('signatures that come one by one are put together', async ({ coordinator, clock }) => {
    await new TestGateway(coordinator, clock, 1, 1).enrol();
    await uploadImage(coordinator);
    const asked = { approvals: 2 };
    await refusesWith('author-unsigned', coordinator.submit(document(asked, [BOB]), AUTHOR));
    const first = await coordinator.submit(document(asked, [ANN]), AUTHOR);
    assert.equal([first.state, first.approvalsMissing], ['unsigned', 2]);
    await refusesWith('campaign-state', coordinator.start(first.id, OPERATOR));
    const second = await coordinator.submit(document(asked, [BOB]), 'api:robert');
    assert.equal([second.state, second.approvalsMissing], ['unsigned', 1]);
    // The author once more, and the same approver: nobody new.
    const again = await coordinator.submit(document(asked, [ANN, BOB]), AUTHOR);
    assert.equal([again.state, again.approvalsMissing], ['unsigned', 1]);
    const third = await coordinator.submit(document(asked, [CARLA]), 'api:carla');
    assert.equal([third.state, third.approvalsMissing], ['ready', 0]);
    assert.is(third.approvers.length, 2);
    assert.is(third.submittedBy, AUTHOR);
    const started = await coordinator.start(third.id, OPERATOR);
    assert.is(started.state, 'running');
    const what = (await coordinator.audit(undefined, 20)).items.map((entry) => entry.what);
    assert.is(what.filter((one) => one === 'campaign-signed').length, 2);
  });

  fleetTest('what is wrong with a campaign is said', async ({ coordinator, clock }) => {
    const submit = (changes: Partial<Manifest>, signers = [ANN, BOB]) =>
      coordinator.submit(document(changes, signers), AUTHOR);
    await refusesWith('other-fleet', submit({ fleet: 'south' }));
    const stranger = signer('eve', { signedBy: 'eve' });
    await refusesWith('unknown-issuer', submit({}, [ANN, stranger]));
    const bytes = document();
    bytes[bytes.length - 1]! ^= 1;
    await refusesWith('signature-other-bytes', coordinator.submit(bytes, AUTHOR));
    await coordinator.submit(document(next(7)), AUTHOR);
    await refusesWith('campaign-exists', submit({ ...next(8), id: 'c-7' }));
    await refusesWith('generation-not-above', submit({ id: 'other', generation: 7 }));
    await refusesWith('generation-not-above', submit({ id: 'other', generation: 6 }));
    clock.pass(40 * DAY_MS);
    await refusesWith('campaign-expired', submit(next(9)));
    assert.is((await coordinator.campaigns(undefined, 9)).items.length, 1);
  });

  fleetTest('a start wants images, devices and another person', async ({ coordinator, clock }) => {
    const { id } = await coordinator.submit(document(), AUTHOR);
    await refusesWith('campaign-unknown', coordinator.start('nothing', OPERATOR));
    await refusesWith('author-starts', coordinator.start(id, AUTHOR));
    await refusesWith('image-missing', coordinator.start(id, OPERATOR));
    await uploadImage(coordinator);
    await refusesWith('no-devices', coordinator.start(id, OPERATOR));
    await new TestGateway(coordinator, clock, 1, 1).enrol();
    await coordinator.start(id, OPERATOR);
    await refusesWith('campaign-state', coordinator.start(id, OPERATOR));
  });

  fleetTest('an image is stored when it is what was stated', async ({ coordinator }) => {
    const { sha256, bytes } = TEST_IMAGE;
    const put = (digest: string, length: number, content: Uint8Array) =>
      coordinator.putBlob(digest, length, inChunks(content), AUTHOR);
    await refusesWith('blob-other', put(hashOf('x'), bytes, IMAGE_FILE));
    await refusesWith('blob-other', put(sha256, bytes - 1, IMAGE_FILE));
    await refusesWith('blob-other', put(sha256, bytes + 1, IMAGE_FILE));
    assert.is(await coordinator.hasBlob(sha256), false);
    assert.is(await coordinator.blob(sha256), undefined);
    await put(sha256, bytes, IMAGE_FILE);
    await put(sha256, bytes, new Uint8Array());
    const blob = await coordinator.blob(sha256);
    assert.is(blob?.bytes, bytes);
    for (const [offset, length] of [
      [0, bytes],
      [262_143, 2],
      [262_144, 1],
      [1, 10],
      [299_999, 50],
    ] as const) {
      const pieces: Uint8Array[] = [];
      for await (const piece of blob!.read(offset, length)) pieces.push(piece);
      assert.equal(
        new Uint8Array(Buffer.concat(pieces)),
        IMAGE_FILE.slice(offset, offset + length),
      );
    }
  });

  fleetTest('devices are those that are targets', async ({ coordinator, clock }) => {
    const here = await new TestGateway(coordinator, clock, 1, 5).enrol('scotland');
    await new TestGateway(coordinator, clock, 2, 1).enrol('wales');
    await new TestGateway(coordinator, clock, 3, 1).enrol();
    const [a, b, c, d, e] = here.devices.map((device) => inventoryDevice(device));
    const { firmwareVersion: _, ...silent } = e!;
    const devices = [
      a!,
      { ...b!, firmwareVersion: '02000000' },
      { ...c!, firmwareVersion: '01700000' },
      { ...d!, model: '0085' },
      silent,
    ];
    await coordinator.takeInventory(here.id, {
      version: '1',
      region: 'scotland',
      windows: [],
      devices,
    });
    const id = await startCampaign(coordinator, { regions: ['scotland'] });
    const { items } = await coordinator.campaignDevices(id, { limit: 9 });
    assert.equal(
      items.map(({ device }) => device),
      [a!.device, b!.device],
    );
    const named = { ...next(8), gateways: ['gateway-2', 'gateway-3'], devices: [...here.devices] };
    await coordinator.submit(document(named), AUTHOR);
    await refusesWith('no-devices', coordinator.start('c-8', OPERATOR));
    // Nothing of that start was kept: what ran before runs on.
    assert.is((await coordinator.campaign(id))?.state, 'running');
  });
}

export function courseCases(fleetTest: FleetTest): void {
  fleetTest('a later generation takes the place of an earlier', async ({ coordinator, clock }) => {
    const gateway = await new TestGateway(coordinator, clock, 1, 2).enrol();
    const id = await startCampaign(coordinator);
    await gateway.tell({ device: gateway.devices[0]!, phase: 'distributing' });
    await coordinator.submit(document(next(8)), AUTHOR);
    await coordinator.submit(document(next(9)), AUTHOR);
    await coordinator.start('c-9', OPERATOR);
    for (const earlier of [id, 'c-8']) {
      assert.is((await coordinator.campaign(earlier))?.state, 'superseded');
    }
    await refusesWith('campaign-state', coordinator.start('c-8', OPERATOR));
    const { campaigns } = (await coordinator.desired(gateway.id, undefined))!;
    assert.equal(campaigns.map((one) => [one.id, one.course, one.devices.length]).sort(), [
      ['c-9', 'run', 2],
      [id, 'abort', 0],
    ]);
  });

  fleetTest('a pause starts nothing, and a resumption goes on', async ({ coordinator, clock }) => {
    const gateway = await new TestGateway(coordinator, clock, 1, 3).enrol();
    const id = await startCampaign(coordinator);
    const [device] = gateway.devices;
    await gateway.tell({ device: device!, phase: 'distributing' });
    const { version } = (await coordinator.desired(gateway.id, undefined))!;
    const paused = await coordinator.pause(id, OPERATOR, 'complaints');
    assert.equal([paused.state, paused.detail], ['paused', 'complaints']);
    const told = await coordinator.desired(gateway.id, version);
    assert.ok(told!.version > version);
    assert.equal(
      told!.campaigns.map(({ course, devices }) => [course, devices.length]),
      [['pause', 0]],
    );
    await coordinator.keepHouse();
    assert.equal(await gateway.granted(), []);
    assert.is((await coordinator.campaign(id))?.rings[0]?.counts.granted, 0);
    await coordinator.resume(id, OPERATOR);
    assert.equal(await gateway.granted(), [...gateway.devices]);
    await refusesWith('campaign-state', coordinator.resume(id, OPERATOR));
  });

  fleetTest(
    'an abort is final, and gateways hear of it for a day',
    async ({ coordinator, clock }) => {
      const gateway = await new TestGateway(coordinator, clock, 1, 2).enrol();
      const id = await startCampaign(coordinator);
      const [device] = gateway.devices;
      await gateway.tell({ device: device!, phase: 'distributing' });
      const aborted = await coordinator.abort(id, OPERATOR, 'wrong image');
      assert.equal([aborted.state, aborted.course], ['aborted', 'aborted']);
      const courses = async () =>
        (await coordinator.desired(gateway.id, undefined))!.campaigns.map(({ course }) => course);
      assert.equal(await courses(), ['abort']);
      await refusesWith('campaign-state', coordinator.retryFailed(id, undefined, OPERATOR));
      await refusesWith('campaign-state', coordinator.resume(id, OPERATOR));
      const { version } = (await coordinator.desired(gateway.id, undefined))!;
      clock.pass(DAY_MS);
      await coordinator.keepHouse();
      assert.equal(await courses(), []);
      assert.ok((await coordinator.desired(gateway.id, version))!.version > version);
      // What was under way ends, and counts.
      await gateway.tell({ device: device!, phase: 'done' });
      const after = await coordinator.campaign(id);
      assert.equal([after?.state, after?.rings[0]?.counts.succeeded], ['aborted', 1]);
    },
  );

  fleetTest('what is over in time ends so', async ({ coordinator, clock }) => {
    const gateway = await new TestGateway(coordinator, clock, 1, 2).enrol();
    const id = await startCampaign(coordinator);
    await gateway.tell({ device: gateway.devices[0]!, phase: 'distributing' });
    await coordinator.submit(document({ ...next(8), line: 'other' }), AUTHOR);
    clock.pass(30 * DAY_MS);
    await coordinator.keepHouse();
    for (const name of [id, 'c-8']) {
      assert.is((await coordinator.campaign(name))?.state, 'expired');
    }
  });

  fleetTest('those that failed are tried again', async ({ coordinator, clock }) => {
    const gateway = await new TestGateway(coordinator, clock, 1, 2).enrol();
    const id = await startCampaign(coordinator);
    const [a, b] = gateway.devices;
    await refusesWith('nothing-failed', coordinator.retryFailed(id, undefined, OPERATOR));
    await gateway.tell(
      { device: a!, phase: 'done' },
      { device: b!, phase: 'failed', code: 'link-lost' },
    );
    await refusesWith('nothing-failed', coordinator.retryFailed(id, [a!], OPERATOR));
    const retried = await coordinator.retryFailed(id, [a!, b!], OPERATOR);
    assert.is(retried.state, 'running');
    const [entry] = (await coordinator.desired(gateway.id, undefined))!.campaigns;
    assert.equal(entry?.devices, [{ device: b!, attempt: 2 }]);
    // Of the attempt before: told late, and nothing now.
    await gateway.tell({ device: b!, phase: 'failed', code: 'link-lost', attempt: 1 });
    assert.is((await coordinator.campaign(id))?.rings[0]?.counts.granted, 1);
    await gateway.tell({ device: b!, phase: 'done', attempt: 2 });
    await coordinator.keepHouse();
    assert.is((await coordinator.campaign(id))?.state, 'finished');
    await refusesWith('campaign-state', coordinator.retryFailed(id, undefined, OPERATOR));
  });

  fleetTest(
    'a ring that ended badly holds, and a retry goes on',
    async ({ coordinator, clock }) => {
      const gateway = await new TestGateway(coordinator, clock, 1, 2).enrol();
      const [a, b] = gateway.devices;
      const rings = [
        { name: 'canary', members: [a!], untilPercent: 100 },
        { name: 'all', all: true, untilPercent: 90 } as const,
      ];
      const id = await startCampaign(coordinator, { rings });
      gateway.campaign = (await coordinator.campaign(id))!.digest;
      assert.equal(await gateway.granted(), [a]);
      await gateway.tell({ device: a!, phase: 'failed', code: 'link-lost' });
      await coordinator.keepHouse();
      assert.is((await coordinator.campaign(id))?.state, 'held');
      assert.equal(await gateway.granted(), []);
      const retried = await coordinator.retryFailed(id, undefined, OPERATOR);
      assert.equal(
        [retried.state, retried.rings.map(({ isOpen }) => isOpen)],
        ['running', [true, false]],
      );
      await gateway.tell({ device: a!, phase: 'done', attempt: 2 });
      await coordinator.keepHouse();
      assert.equal(await gateway.granted(), [b]);
    },
  );

  fleetTest('pages of devices, and of one ring or state', async ({ coordinator, clock }) => {
    const one = await new TestGateway(coordinator, clock, 1, 3).enrol();
    const two = await new TestGateway(coordinator, clock, 2, 2).enrol();
    const id = await startCampaign(coordinator);
    const all = [...one.devices, ...two.devices];
    const first = await coordinator.campaignDevices(id, { limit: 4 });
    assert.equal([first.items.map(({ device }) => device), first.more], [all.slice(0, 4), true]);
    const rest = await coordinator.campaignDevices(id, { limit: 4, after: all[3]! });
    assert.equal([rest.items.map(({ device }) => device), rest.more], [all.slice(4), false]);
    const own = await coordinator.campaignDevices(id, { limit: 9, gateway: two.id, ring: 'all' });
    assert.is(own.items.length, 2);
    const none = await coordinator.campaignDevices(id, { limit: 9, state: 'failed' });
    assert.is(none.items.length, 0);
    await refusesWith('campaign-unknown', coordinator.campaignDevices('x', { limit: 1 }));
  });

  fleetTest('the log tells who did what, and shows a change', async ({ coordinator, clock }) => {
    await new TestGateway(coordinator, clock, 1, 1).enrol();
    const id = await startCampaign(coordinator);
    await coordinator.pause(id, OPERATOR, 'a reason');
    assert.is(await coordinator.checkAudit(), undefined);
    const all = await coordinator.audit(undefined, 100);
    assert.is(all.more, false);
    const last = all.items.at(-1)!;
    assert.equal(
      [last.by, last.what, last.about, last.detail],
      [OPERATOR, 'campaign-paused', id, 'a reason'],
    );
    const page = await coordinator.audit(1, 2);
    assert.equal(page, { items: all.items.slice(1, 3), more: true });
    assert.ok((await coordinator.campaign(id))?.author.includes('ann'));
  });
}
