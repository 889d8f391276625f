/**
 * Campaigns that come by a stick and by the coordinator, of two or of one: the coordinator is told of what
 * it named and of nothing else, in stretches that it takes, and at the end it knows what the gateway knows.
 */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type DeviceState, deviceProgress } from '../../../src/campaign/device-progress.ts';
import { COORDINATOR } from '../../../src/fleet/agent/carrier.ts';
import { boundedStretch } from '../../../src/fleet/agent/event-source.ts';
import { isRefusal, stretchStanding } from '../../../src/fleet/coordinator/journal-stretch.ts';
import { type EventBatch, eventBatch, type JournalMark } from '../../../src/fleet/wire.ts';
import { NOW } from '../../campaign/campaigns.ts';
import { HOUR_MS } from '../../gateway/gateway-desk.ts';
import { euiOf, FollowerDesk } from './follower-desk.ts';

const test = suite('two carriers');
const [ONE, TWO, THREE] = [euiOf(1), euiOf(2), euiOf(3)];
const STICK = 'stick';

/** Takes what a coordinator takes, and refuses what it refuses. */
class Coordinator {
  mark: JournalMark | undefined;
  readonly states = new Map<string, DeviceState>();
  readonly refused: string[] = [];
  /** How often each device was said to have come to an end. */
  readonly ends = new Map<string, number>();
  private readonly named = new Set<string>();
  private readonly desk: FollowerDesk;

  constructor(desk: FollowerDesk) {
    this.desk = desk;
  }

  /** Grants devices of it. */
  wants(devices: string[], change: Parameters<FollowerDesk['desire']>[0] = {}): string {
    const list = Object.fromEntries(devices.map((device) => [device, 1]));
    const campaign = this.desk.desire(change, list);
    this.named.add(campaign);
    for (const device of devices) this.named.add(`${campaign} ${device}`);
    return campaign;
  }

  /** By the link, until nothing is left to tell. */
  hear(): void {
    const { coordinatorEvents } = this.desk.follower;
    for (let told = 0; coordinatorEvents.waiting(this.mark) > 0; told++) {
      assert.ok(told < 50, 'it comes to an end');
      this.take(boundedStretch(coordinatorEvents, this.mark)!);
    }
  }

  take(batch: EventBatch): void {
    assert.equal(eventBatch.parse(batch), batch);
    assert.is(stretchStanding(this.mark, batch), 'next');
    for (const event of batch.events) {
      assert.ok(this.named.has(event.campaign), 'a campaign that it knows');
      if (isRefusal(event)) {
        this.refused.push(event.refused);
        continue;
      }
      const key = `${event.campaign} ${event.device}`;
      assert.ok(this.named.has(key), 'a device that it named');
      const before = this.states.get(key) ?? 'granted';
      const { state } = deviceProgress(event, { when: 'now' }, before);
      this.states.set(key, state);
      if (state === 'succeeded') this.ends.set(key, (this.ends.get(key) ?? 0) + 1);
    }
    this.mark = batch.through;
  }

  of(campaign: string, device: string): DeviceState | undefined {
    return this.states.get(`${campaign} ${device}`);
  }
}

test('of a campaign that came by a stick the coordinator hears nothing, and of its own all', async () => {
  const desk = new FollowerDesk(3);
  const coordinator = new Coordinator(desk);
  desk.desire({}, 'own', 'run', STICK);
  await desk.settle();
  for (const n of [1, 2, 3]) desk.run(n).end('done');
  await desk.settle();
  assert.is(desk.follower.coordinatorEvents.waiting(undefined), 0);
  assert.ok(desk.follower.events.waiting(undefined) > 6, 'a stick takes it home');
  const own = coordinator.wants([ONE], { id: 'other', line: 'other' });
  await desk.settle();
  coordinator.hear();
  assert.equal([coordinator.of(own, ONE), coordinator.states.size], ['under-way', 1]);
  assert.is(coordinator.mark!.sequence, desk.desk.journal.rows.length, 'and nothing is left out');
  desk.restart();
  desk.run(1);
  coordinator.wants([ONE], { id: 'other', line: 'other' });
  await desk.settle();
  coordinator.hear();
  assert.is(coordinator.states.size, 1);
});

test('what a stick began is told when the coordinator names it, and is counted once', async () => {
  const desk = new FollowerDesk(3);
  const coordinator = new Coordinator(desk);
  desk.desire({}, 'own', 'run', STICK);
  await desk.settle();
  desk.run(1).end('done');
  desk.run(2).say('staged', 'distributing');
  desk.run(3).say('staged', 'distributing');
  await desk.settle();
  const campaign = coordinator.wants([ONE, TWO]);
  await desk.settle();
  coordinator.hear();
  assert.is(coordinator.of(campaign, ONE), 'succeeded');
  assert.is(coordinator.of(campaign, TWO), 'under-way');
  assert.is(coordinator.of(campaign, THREE), undefined, 'it is not named yet');
  desk.run(2).end('done');
  desk.run(3).end('failed', 'image-refused-by-device');
  await desk.settle(HOUR_MS);
  coordinator.hear();
  coordinator.wants([ONE, TWO]);
  coordinator.wants([ONE, TWO, THREE]);
  await desk.settle();
  coordinator.hear();
  assert.is(coordinator.of(campaign, THREE), 'failed');
  assert.equal([...coordinator.ends.values()], [1, 1]);
  assert.is([...desk.desk.gateway.book.jobs].length, 3, 'nothing is begun twice');
});

test('home by both ways, each stretch is taken once', async () => {
  const desk = new FollowerDesk(2);
  const coordinator = new Coordinator(desk);
  const campaign = coordinator.wants([ONE]);
  await desk.settle();
  desk.run(1).say('staged', 'distributing');
  await desk.settle();
  // The link is down; a stick takes home what it does not have.
  const sealed = desk.follower.events.stretch(coordinator.mark, 1_000)!;
  coordinator.take(sealed);
  assert.is(stretchStanding(coordinator.mark, sealed), 'repeated', 'once more changes nothing');
  desk.run(1).end('done');
  await desk.settle();
  coordinator.hear();
  assert.is(coordinator.of(campaign, ONE), 'succeeded');
  assert.equal([...coordinator.ends.values()], [1]);
});

for (const restarts of [false, true]) {
  const when = restarts ? ', after a start too' : '';
  test(`what was finished by a stick is told, not refused, when the coordinator comes to it${when}`, async () => {
    const desk = new FollowerDesk(2);
    const coordinator = new Coordinator(desk);
    desk.desire({}, 'own', 'run', STICK);
    await desk.settle();
    for (const n of [1, 2]) desk.run(n).end('done');
    await desk.settle();
    assert.is(desk.follower.campaigns()[0]?.state, 'finished');
    if (restarts) desk.restart();
    const campaign = coordinator.wants([ONE, TWO]);
    coordinator.wants([ONE, TWO]);
    await desk.settle();
    coordinator.hear();
    assert.equal(
      [ONE, TWO].map((one) => coordinator.of(campaign, one)),
      ['succeeded', 'succeeded'],
    );
    assert.equal(coordinator.refused, []);
    assert.equal([...coordinator.ends.values()], [1, 1]);
  });

  test(`one that was ended here is refused to the coordinator where devices are left${when}`, async () => {
    const desk = new FollowerDesk(2);
    const coordinator = new Coordinator(desk);
    desk.desire({}, { [ONE]: 1 }, 'run', STICK);
    await desk.settle();
    desk.run(1).end('done');
    desk.desire({}, {}, 'abort', STICK);
    await desk.settle();
    if (restarts) desk.restart();
    const campaign = coordinator.wants([ONE, TWO]);
    coordinator.wants([ONE, TWO]);
    await desk.settle();
    coordinator.hear();
    assert.is(coordinator.of(campaign, ONE), 'succeeded');
    assert.equal(coordinator.refused, ['campaign-replayed']);
  });
}

test('what the coordinator conducts no stick begins beside it, after a start neither', async () => {
  const desk = new FollowerDesk(3);
  const coordinator = new Coordinator(desk);
  coordinator.wants([ONE]);
  await desk.settle();
  const jobs = () => [...desk.desk.gateway.book.jobs].length;
  for (const restarts of [false, true]) {
    if (restarts) desk.restart();
    desk.desire({}, 'own', 'run', STICK);
    await desk.settle();
    assert.is(jobs(), 1);
    assert.is(desk.follower.campaigns()[0]?.carrier, COORDINATOR);
  }
  coordinator.wants([ONE, TWO]);
  await desk.settle();
  assert.is(jobs(), 2);
});

test('what both carriers bring in vain is refused to each, once', async () => {
  const desk = new FollowerDesk(1);
  const coordinator = new Coordinator(desk);
  const change = { issuedMs: NOW + HOUR_MS };
  desk.desire(change, 'own', 'run', STICK);
  assert.is(desk.follower.coordinatorEvents.waiting(undefined), 0);
  for (let n = 0; n < 3; n++) {
    coordinator.wants([ONE], change);
    desk.desire(change, 'own', 'run', STICK);
  }
  coordinator.hear();
  assert.equal(coordinator.refused, ['campaign-from-future']);
  assert.is(desk.follower.events.waiting(undefined), 2);
});

test('whatever comes by whom and when, it takes every stretch and knows what the gateway knows', async () => {
  const step = fc.record({
    what: fc.constantFrom('stick', 'coordinator', 'end', 'hear', 'restart'),
    second: fc.boolean(),
    mask: fc.integer({ min: 0, max: 7 }),
    n: fc.integer({ min: 1, max: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
      const desk = new FollowerDesk(3);
      const coordinator = new Coordinator(desk);
      const changes = [{}, { id: 'other', line: 'other' }];
      const named = [new Set<string>(), new Set<string>()];
      const digests: string[] = ['', ''];
      for (const { what, second, mask, n } of steps) {
        const which = second ? 1 : 0;
        if (what === 'stick') desk.desire(changes[which], 'own', 'run', STICK);
        if (what === 'coordinator') {
          const some = desk.names.filter((_, bit) => mask & (1 << bit));
          for (const name of some) named[which]!.add(name);
          digests[which] = coordinator.wants(some, changes[which]);
        }
        const run = desk.desk.field.runs.findLast(({ task }) => task.device === `ppmid-${n}`);
        if (what === 'end' && run && !run.isOver) run.end('done');
        if (what === 'hear') coordinator.hear();
        if (what === 'restart') desk.restart();
        await desk.settle();
      }
      coordinator.hear();
      const { stories } = desk.follower.ledger;
      for (const [which, campaign] of digests.entries()) {
        for (const [name, { state }] of stories.get(campaign)?.devices ?? []) {
          const told = coordinator.of(campaign, name);
          assert.is(told, named[which]!.has(name) ? state : undefined, name);
        }
      }
    }),
    { numRuns: 60, seed: 7 },
  );
});

test.run();
