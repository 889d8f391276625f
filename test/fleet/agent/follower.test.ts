/** What a gateway does with campaigns that are carried to it. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CampaignLedger } from '../../../src/fleet/agent/campaign-ledger.ts';
import { NOW } from '../../campaign/campaigns.ts';
import { HOUR_MS, IMAGE } from '../../gateway/gateway-desk.ts';
import { CAMPAIGN_IMAGE, euiOf, FollowerDesk, WHOLE } from './follower-desk.ts';

const test = suite('follower');
const [ONE, TWO, THREE] = [euiOf(1), euiOf(2), euiOf(3)];
const LINK = 'network:zigbee-1';

test('a device that may be started is asked what it runs, given a job and told of', async () => {
  const desk = new FollowerDesk();
  desk.desire({}, { [ONE]: 1 });
  await desk.settle();
  desk
    .run(1)
    .say('verifying' as never, 'staged', 'distributing', 'distributed', 'activating', 'confirming');
  desk.run(1).end('done');
  await desk.settle();
  assert.is(desk.follower.campaigns()[0]?.devices.succeeded, 1);
  assert.equal(desk.phases(TWO), []);
  const phases = desk.phases(ONE);
  assert.is(phases[0], 'scheduled');
  assert.is(phases.at(-1), 'done');
});

test('the same level again, and a start anew, begin nothing a second time', async () => {
  const desk = new FollowerDesk();
  desk.desire();
  await desk.settle();
  const jobs = [...desk.desk.gateway.book.jobs].length;
  assert.is(jobs, 3);
  desk.desire();
  await desk.settle();
  desk.restart().desire();
  await desk.settle();
  assert.is([...desk.desk.gateway.book.jobs].length, jobs);
  desk.run(1).end('done');
  await desk.settle();
  desk.restart().desire();
  await desk.settle(HOUR_MS);
  assert.is([...desk.desk.gateway.book.jobs].length, jobs);
  assert.is(desk.follower.campaigns()[0]?.devices.succeeded, 1);
});

test('what runs the version already is done without a job', async () => {
  const desk = new FollowerDesk();
  desk.say('ppmid-1', '02000000');
  desk.desire({}, { [ONE]: 1 });
  await desk.settle();
  assert.equal(desk.phases(ONE), ['done']);
  assert.is([...desk.desk.gateway.book.jobs].length, 0);
});

test('a device that runs what the campaign does not start from is refused by name', async () => {
  const desk = new FollowerDesk();
  desk.say('ppmid-1', '00900000');
  desk.desire({}, { [ONE]: 1, '000d6f00ffffffff': 1 });
  await desk.settle();
  const codes = desk.events().map(({ device, phase, code }) => [device, phase, code]);
  assert.equal(codes.sort(), [
    [ONE, 'refused', 'other-precursor'],
    ['000d6f00ffffffff', 'refused', 'device-unknown'],
  ]);
});

test('one that does not say what it runs is asked again, and then counts as silent', async () => {
  const desk = new FollowerDesk();
  desk.say('ppmid-1', undefined);
  desk.desire({}, { [ONE]: 1 });
  await desk.settle();
  assert.equal(desk.phases(ONE), []);
  for (let n = 0; n < 8; n++) await desk.settle(10 * 60_000);
  assert.equal(
    desk.events().map(({ phase, code }) => [phase, code]),
    [['failed', 'device-silent']],
  );
  // Another attempt asks anew.
  desk.say('ppmid-1', '01000000');
  desk.desire({}, { [ONE]: 2 });
  await desk.settle();
  assert.is(desk.phases(ONE).at(-1), 'verifying');
});

test('a link that is down is not the silence of its devices: they are asked when it is up', async () => {
  const desk = new FollowerDesk(2);
  const { field } = desk.desk;
  field.listener.link(LINK, false, 'not open yet');
  desk.desire({}, { [ONE]: 1, [TWO]: 1 });
  for (let n = 0; n < 48; n++) await desk.settle(HOUR_MS);
  assert.is(field.asked.size, 0, 'nobody is asked over a link that is down');
  assert.equal(desk.events(), []);
  field.listener.link(LINK, true, 'open again');
  await desk.settle();
  assert.equal([desk.phases(ONE)[0], desk.phases(TWO)[0]], ['scheduled', 'scheduled']);
});

for (const code of ['link-down', 'port-in-use', 'coordinator-failed', 'device-busy', 'link-lost']) {
  test(`${code} is the gateway's: asked again soon, seldom in the long run, never counted`, async () => {
    const desk = new FollowerDesk(1);
    const { field } = desk.desk;
    field.troubles.set('ppmid-1', code);
    desk.desire();
    for (let n = 0; n < 60; n++) await desk.settle(1_000);
    const soon = field.asked.get('ppmid-1')!;
    assert.ok(soon >= 4 && soon <= 7, `${soon} times in a minute`);
    for (let n = 0; n < 24 * 60; n++) await desk.settle(60_000);
    const asked = field.asked.get('ppmid-1')!;
    assert.ok(asked > 200 && asked < 310, `${asked} times in a day`);
    assert.equal(desk.events(), []);
    field.troubles.clear();
    // Whatever it waited for, a link that comes up ends the wait.
    field.listener.link(LINK, true, 'open again');
    await desk.settle();
    assert.is(desk.phases(ONE)[0], 'scheduled');
  });
}

test('where the link never comes up the campaign ends with its own end, and says so', async () => {
  const desk = new FollowerDesk(2);
  desk.desk.field.listener.link(LINK, false, 'not open yet');
  desk.desire({ expiresMs: NOW + HOUR_MS }, { [ONE]: 1 });
  await desk.settle();
  assert.equal(desk.events(), []);
  await desk.settle(HOUR_MS);
  assert.equal(
    desk.events().map(({ device, phase, code }) => [device, phase, code]),
    [[ONE, 'expired', 'link-not-back']],
  );
  const [campaign] = desk.follower.campaigns();
  assert.equal([campaign?.state, campaign?.code], ['expired', 'campaign-expired']);
  assert.is(campaign?.devices.failed, 1);
  await desk.settle(HOUR_MS);
  assert.is(desk.events().length, 1, 'once');
});

test('carried by a stick, rings do not wait for ever for a device out of reach', async () => {
  const desk = new FollowerDesk(3);
  desk.desk.field.troubles.set('ppmid-3', 'port-in-use');
  desk.desire({}, 'own');
  await desk.settle();
  assert.is([...desk.desk.gateway.book.jobs].length, 0, 'rings are shares of all');
  for (let n = 0; n < 30; n++) await desk.settle(60_000);
  assert.is([...desk.desk.gateway.book.jobs].length, 2);
  assert.equal(desk.phases(THREE), []);
  desk.desk.field.troubles.clear();
  for (let n = 0; n < 6; n++) await desk.settle(60_000);
  assert.is(desk.phases(THREE)[0], 'scheduled');
});

test('what has not begun and is not wanted any more is called off; what has begun goes on', async () => {
  // One at a time on the network.
  const desk = new FollowerDesk(3);
  desk.pace(1);
  desk.desire();
  await desk.settle();
  desk.run(1).say('staged', 'distributing');
  desk.desire({}, {}, 'pause');
  await desk.settle();
  assert.is(desk.follower.campaigns()[0]?.state, 'paused');
  assert.is(desk.phases(ONE).at(-1), 'distributing');
  for (const name of [TWO, THREE]) {
    const last = desk.events().findLast(({ device }) => device === name)!;
    assert.equal([last.phase, last.withdrawn], ['cancelled', true]);
  }
  desk.run(1).end('done');
  // Wanted again, with the same attempt: it was never begun.
  desk.desire({}, { [TWO]: 1, [THREE]: 1 });
  await desk.settle();
  desk.run(2).end('done');
  await desk.settle();
  desk.run(3).end('done');
  await desk.settle();
  assert.is(desk.follower.campaigns()[0]?.devices.succeeded, 3);
});

test('called off and granted again, as often as that happens, in each attempt: it starts again', async () => {
  for (const restarts of [false, true]) {
    const desk = new FollowerDesk(2);
    // The one device is never at its turn while the other has it.
    const grant = async (attempt: number, wanted: boolean) => {
      desk.desire({}, { [ONE]: 1, ...(wanted ? { [TWO]: attempt } : {}) });
      await desk.settle();
      if (restarts) desk.restart();
    };
    desk.pace(1);
    for (const attempt of [1, 2, 3]) {
      for (let turn = 0; turn < 4; turn++) {
        await grant(attempt, true);
        assert.is(desk.phases(TWO).at(-1), 'scheduled', `attempt ${attempt}, turn ${turn}`);
        await grant(attempt, false);
        const last = desk.events().findLast(({ device }) => device === TWO)!;
        assert.equal([last.phase, last.withdrawn, last.attempt], ['cancelled', true, attempt]);
      }
      await grant(attempt, true);
      const open = desk.desk.gateway.book.openFor('ppmid-2');
      assert.is(open.length, 1, `attempt ${attempt} is open`);
      assert.is(desk.phases(TWO).at(-1), 'scheduled');
      // A person calls it off: only another attempt begins after that.
      desk.desk.gateway.jobs.cancel(open[0]!.job.id, undefined, 'api:ann');
      await grant(attempt, true);
      assert.is(desk.desk.gateway.book.openFor('ppmid-2').length, 0);
    }
  }
});

test('a failed device is tried again as another attempt, and only as one', async () => {
  const desk = new FollowerDesk(1);
  desk.desire();
  await desk.settle();
  desk.run(1).end('failed', 'image-refused-by-device');
  await desk.settle(HOUR_MS);
  desk.desire();
  await desk.settle();
  const failed = desk.follower.campaigns()[0]!.devices;
  assert.is(failed.failed, 1);
  desk.desire({}, { [ONE]: 2 });
  await desk.settle();
  desk.run(1).end('done');
  await desk.settle();
  assert.is(desk.follower.campaigns()[0]!.devices.succeeded, 1);
  assert.is(desk.events().at(-1)?.attempt, 2);
});

test('without the image nothing begins, and which is missing is said', async () => {
  const desk = new FollowerDesk(1);
  desk.images.delete(IMAGE);
  desk.desire();
  await desk.settle();
  const [campaign] = desk.follower.campaigns();
  assert.is(campaign?.state, 'lacks-images');
  assert.equal(campaign?.missing, [{ sha256: IMAGE, bytes: CAMPAIGN_IMAGE.bytes }]);
  desk.images.set(IMAGE, CAMPAIGN_IMAGE.bytes);
  desk.follower.imageStored();
  await desk.settle();
  assert.is(desk.phases(ONE)[0], 'scheduled');
});

test('an image of another length than the campaign states is refused', async () => {
  const desk = new FollowerDesk(1);
  desk.images.set(IMAGE, CAMPAIGN_IMAGE.bytes + 1);
  desk.desire();
  await desk.settle();
  assert.is(desk.events()[0]?.code, 'image-size');
});

test('a campaign that is called off is never taken up again', async () => {
  const desk = new FollowerDesk();
  desk.desire();
  desk.desire({}, {}, 'abort');
  await desk.settle();
  assert.is(desk.follower.campaigns()[0]?.state, 'aborted');
  desk.restart().desire();
  await desk.settle();
  const [campaign] = desk.follower.campaigns();
  assert.equal([campaign?.state, campaign?.code], ['refused', 'campaign-replayed']);
  assert.is([...desk.desk.gateway.book.jobs].length, 0);
});

test('at its end it expires: what waits is called off, and that is on record', async () => {
  const desk = new FollowerDesk(2);
  desk.pace(1);
  desk.desire({ expiresMs: NOW + HOUR_MS });
  await desk.settle();
  desk.run(1).say('staged', 'distributing');
  await desk.settle(2 * HOUR_MS);
  assert.is(desk.follower.campaigns()[0]?.state, 'expired');
  assert.is(desk.desk.gateway.book.openFor('ppmid-2').length, 0);
});

test('a later generation takes the place of an earlier one; an earlier is refused after it', async () => {
  const desk = new FollowerDesk(2);
  desk.pace(1);
  desk.desire();
  await desk.settle();
  desk.run(1).say('staged', 'distributing');
  desk.desire({ id: 'ppmid-2026-02', generation: 8, reason: 'again' });
  await desk.settle();
  const last = desk.events().findLast(({ device }) => device === TWO)!;
  assert.is(last.phase, 'scheduled');
  desk.run(1).end('failed', 'image-refused-by-device');
  await desk.settle();
  desk.run(2).end('done');
  await desk.settle();
  // The device whose upgrade had begun is started under the new campaign when that ended.
  assert.is(desk.run(1).isOver, false);
  desk.desire({ id: 'ppmid-2026-00', generation: 6 });
  const refused = desk.follower.campaigns().find(({ state }) => state === 'refused');
  assert.is(refused?.code, 'generation-rollback');
});

test('a device that holds the image is activated by a later generation, and not sent it again', async () => {
  const desk = new FollowerDesk(1);
  desk.desire({ activation: { when: 'held' } });
  await desk.settle();
  desk.run(1).say('staged', 'distributing', 'distributed').hold();
  await desk.settle();
  assert.is(desk.follower.campaigns()[0]?.devices.succeeded, 1);
  desk.desire({ id: 'ppmid-2026-02', generation: 8 });
  await desk.settle();
  desk.run(1).say('staged', 'activating').end('done');
  await desk.settle();
  const jobs = [...desk.desk.gateway.book.jobs];
  assert.is(jobs.length, 1);
  const campaigns = new Set(desk.events().map(({ campaign }) => campaign));
  assert.is(campaigns.size, 2);
  const second = desk.follower.campaigns().find(({ id }) => id === 'ppmid-2026-02');
  assert.is(second?.devices.succeeded, 1);
  const first = desk.follower.campaigns().find(({ id }) => id === 'ppmid-2026-01');
  assert.is(first?.devices.succeeded, 1);
});

test('carried by a stick, rings and pace are kept over its own devices', async () => {
  const desk = new FollowerDesk(10);
  desk.desire(
    {
      rings: [
        { name: 'canary', members: [ONE], untilPercent: 100 },
        { name: 'rest', all: true, untilPercent: 100 },
      ],
      pace: { first: 3, growthPercent: 100, afterSucceeded: 1, most: 3 },
    },
    'own',
  );
  await desk.settle();
  assert.is([...desk.desk.gateway.book.jobs].length, 1);
  desk.run(1).end('done');
  await desk.settle();
  assert.is([...desk.desk.gateway.book.jobs].length, 4);
  for (let n = 2; n <= 10; n++) {
    desk.run(n).end('done');
    await desk.settle();
  }
  assert.is(desk.follower.campaigns()[0]?.state, 'finished');
});

test('carried by a stick, it gives itself up when devices fail', async () => {
  const desk = new FollowerDesk(10);
  const pace = { first: 2, growthPercent: 100, afterSucceeded: 1, most: 2 };
  desk.desire({ pace, aborts: [{ failure: 'any', count: 2 }] }, 'own');
  await desk.settle();
  for (const run of [...desk.desk.field.runs]) run.end('failed', 'image-refused-by-device');
  await desk.settle();
  const [campaign] = desk.follower.campaigns();
  assert.equal([campaign?.state, campaign?.code], ['aborted', 'abort-rule']);
  assert.is([...desk.desk.gateway.book.jobs].length, 2);
});

test('floors of an accepted campaign are raised before anything else', async () => {
  const desk = new FollowerDesk(1);
  const [target] = WHOLE.targets!;
  desk.desire({ targets: [{ ...target!, floor: 0x0180_0000 }] });
  assert.is(desk.floors.floors[0]?.floor, 0x0180_0000);
});

test('events are stretches of the journal: any mark goes on where it stands', async () => {
  const desk = new FollowerDesk();
  desk.desire();
  await desk.settle();
  for (const n of [1, 2, 3]) desk.run(n).say('staged', 'distributing').end('done');
  await desk.settle();
  const all = desk.source.stretch(undefined, 10_000)!;
  const told = [];
  let mark: Parameters<typeof desk.source.stretch>[0];
  for (let batch = desk.source.stretch(mark, 2); batch; batch = desk.source.stretch(mark, 2)) {
    assert.equal(batch.after, mark);
    told.push(...batch.events);
    mark = batch.through;
  }
  assert.equal(told, all.events);
  assert.equal(desk.source.markAt(mark!.sequence), mark);
  // After a start the same journal says the same.
  assert.equal(desk.restart().events(), all.events);
});

test('a refusal is on record once, and is looked at again', async () => {
  const desk = new FollowerDesk(1);
  desk.desire({ issuedMs: NOW + HOUR_MS });
  desk.desire({ issuedMs: NOW + HOUR_MS });
  const refusals = desk.desk.journal.rows.filter(({ kind }) => kind === 'campaign');
  assert.is(refusals.length, 1);
  assert.is(desk.follower.campaigns()[0]?.code, 'campaign-from-future');
  await desk.settle(2 * HOUR_MS);
  await desk.settle();
  assert.is(desk.phases(ONE)[0], 'scheduled');
});

test('what was accepted outlives the records that said so', async () => {
  const desk = new FollowerDesk(1);
  desk.desire();
  await desk.settle();
  const { ledger } = desk.follower;
  assert.is(ledger.neededSinceMs(desk.desk.nowMs), NOW, 'while it may go on');
  desk.desire({}, {}, 'abort');
  assert.is(ledger.neededSinceMs(desk.desk.nowMs), Number.POSITIVE_INFINITY);
  const after = new CampaignLedger();
  const said = JSON.parse(JSON.stringify(ledger.restated(desk.desk.nowMs)));
  for (const [n, record] of said.entries())
    after.keep({ ...record, sequence: n + 1, atMs: desk.desk.nowMs });
  assert.equal([...after.state.lines], [...ledger.state.lines]);
  assert.is(after.state.newestSeenMs, ledger.state.newestSeenMs);
  // Nothing that was signed before is alive when it is forgotten.
  assert.equal(ledger.restated(NOW + 900 * 24 * HOUR_MS)[0], {
    ...{ kind: 'campaign', step: 'standing', newestSeenMs: NOW, lines: [] },
  });
});

test('where somebody wants to know, each device is asked once a day', async () => {
  const desk = new FollowerDesk(3);
  desk.say('ppmid-3', undefined);
  desk.readsDaily = true;
  desk.restart();
  desk.follower.turn();
  const asked = (n: number) =>
    desk.desk.journal.rows.filter(
      ({ kind, device }) => kind === 'device-read' && device === `ppmid-${n}`,
    ).length;
  for (let n = 0; n < 30; n++) await desk.settle(60_000);
  assert.equal([asked(1), asked(2), asked(3)], [1, 1, 1]);
  for (let n = 0; n < 48; n++) await desk.settle(HOUR_MS);
  assert.ok(asked(1) === 3 && asked(2) === 3, `${asked(1)} ${asked(2)}`);
  assert.ok(asked(3) >= 2 && asked(3) <= 4, `${asked(3)} of a silent one`);
});

test.run();
