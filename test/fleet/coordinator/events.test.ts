/** Stretches of a journal, and what their events make of devices: pure functions. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  changesDesired,
  type DeviceStanding,
  standingAfter,
} from '../../../src/fleet/coordinator/event-effects.ts';
import { stretchStanding } from '../../../src/fleet/coordinator/journal-stretch.ts';
import type { FleetEvent, JournalMark } from '../../../src/fleet/wire.ts';
import { UPGRADE_STATES } from '../../../src/jobs/states.ts';
import { digestOf, hashOf } from './fleets.ts';

const test = suite('fleet/events');

const mark = (sequence: number, journal = 'own'): JournalMark => ({
  sequence,
  hash: hashOf(`${journal} ${sequence}`),
});

const EVENT: FleetEvent = {
  sequence: 1,
  atMs: 0,
  campaign: digestOf(),
  device: '0000000000010001',
  attempt: 1,
  phase: 'distributing',
};

test('how a stretch stands to what is there', () => {
  const stand = (known: number | undefined, after: number | undefined, through: JournalMark) =>
    stretchStanding(known === undefined ? undefined : mark(known), {
      ...(after === undefined ? {} : { after: mark(after) }),
      through,
      events: [],
    });
  // What is there; where the stretch begins and ends; how it stands.
  assert.is(stand(undefined, undefined, mark(5)), 'next');
  assert.is(stand(5, 5, mark(9)), 'next');
  assert.is(stand(5, 5, mark(5)), 'repeated');
  assert.is(stand(5, undefined, mark(5)), 'repeated');
  assert.is(stand(5, 1, mark(4)), 'repeated');
  assert.is(stand(5, undefined, mark(9)), 'gap');
  assert.is(stand(5, 4, mark(9)), 'gap');
  assert.is(stand(5, 6, mark(9)), 'gap');
  assert.is(stand(undefined, 5, mark(9)), 'gap');
  assert.is(stand(5, 1, mark(5, 'other')), 'forked');
  assert.is(stand(5, 9, mark(5)), 'disordered');
  const forked = { after: mark(5, 'other'), through: mark(9), events: [] };
  assert.is(stretchStanding(mark(5), forked), 'forked');
});

test('one record may be about several devices, and about each once', () => {
  const other = { ...EVENT, device: '0000000000010002' };
  const stand = (...events: FleetEvent[]) =>
    stretchStanding(undefined, { through: mark(3), events });
  assert.is(stand(EVENT, other, { ...EVENT, sequence: 3 }), 'next');
  assert.is(stand(EVENT, other, EVENT), 'disordered');
  const { campaign, atMs } = EVENT;
  const refused = { sequence: 1, atMs, campaign, refused: 'other-region' };
  const batch = { through: mark(3), events: [EVENT, refused, refused] };
  assert.is(stretchStanding(undefined, batch), 'disordered');
});

function standing(changes: Partial<DeviceStanding> = {}): DeviceStanding {
  return {
    campaign: EVENT.campaign,
    device: EVENT.device,
    gateway: 'gateway-1',
    state: 'granted',
    attempt: 2,
    phase: null,
    failure: null,
    code: null,
    detail: null,
    runs: null,
    epoch: 1,
    sequence: 10,
    granted_ms: 7,
    ...changes,
  };
}

const after = (before: DeviceStanding, event: Partial<FleetEvent>, epoch = 1) =>
  standingAfter(before, { ...EVENT, attempt: 2, sequence: 11, ...event }, epoch, { when: 'now' });

test('only what is newer counts, and no attempt before this one', () => {
  assert.is(after(standing(), { sequence: 10 }), undefined);
  assert.is(after(standing(), { sequence: 9 }), undefined);
  assert.is(after(standing(), { attempt: 1 }), undefined);
  assert.is(after(standing({ epoch: 2 }), {}), undefined);
  assert.is(after(standing(), { sequence: 1 }, 2)?.state, 'under-way');
  assert.is(after(standing(), { attempt: 3 })?.attempt, 3);
  // The grant was taken back meanwhile.
  assert.is(after(standing({ state: 'pending' }), {})?.state, 'under-way');
});

test('what was attempted stays so, in the same attempt', () => {
  for (const state of ['under-way', 'succeeded', 'failed'] as const) {
    assert.is(after(standing({ state }), { phase: 'scheduled' })?.state, 'under-way');
    assert.is(after(standing({ state }), { phase: 'scheduled', attempt: 3 })?.state, 'taken');
  }
  assert.is(after(standing(), { phase: 'scheduled' })?.state, 'taken');
});

test('of every phase: a failure has a class, and nothing else has', () => {
  for (const phase of UPGRADE_STATES) {
    const next = after(standing({ failure: 'transfer' }), { phase, code: 'link-lost' })!;
    assert.is(next.failure !== null, next.state === 'failed', phase);
    assert.is(next.granted_ms, changesDesired(standing(), next) ? null : 7, phase);
  }
});

test('a list changes when a device comes into it, leaves it, or is tried again', () => {
  const changes = (one: Partial<DeviceStanding>, two: Partial<DeviceStanding>) =>
    changesDesired(standing(one), standing(two));
  assert.is(changes({}, { state: 'under-way' }), false);
  assert.is(changes({}, { state: 'failed' }), true);
  assert.is(changes({ state: 'pending' }, { state: 'taken' }), true);
  assert.is(changes({ state: 'pending' }, { state: 'succeeded' }), false);
  assert.is(changes({}, { attempt: 3 }), true);
});

test.run();
