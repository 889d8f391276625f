/** Gateways: enrolment, inventories, and what they tell of. */
import * as assert from 'uvu/assert';
import { sealEvents } from '../../../src/fleet/bundle/carried-events.ts';
import type { EventBatch, FleetEvent } from '../../../src/fleet/wire.ts';
import { keyIdOf, signer } from '../../campaign/campaigns.ts';
import {
  type FleetTest,
  hashOf,
  inventoryDevice,
  MINUTE_MS,
  OPERATOR,
  refusesWith,
  startCampaign,
  TestGateway,
} from './fleets.ts';

const DAY_MS = 24 * 60 * MINUTE_MS;

export function gatewayCases(fleetTest: FleetTest): void {
  fleetTest('a token enrols once, and its certificate is known', async ({ coordinator }) => {
    const { token } = await coordinator.addGateway('gw', OPERATOR);
    await refusesWith('gateway-exists', coordinator.addGateway('gw', OPERATOR));
    await refusesWith('token-unknown', coordinator.enrol('no such token', 'gw', '1', hashOf('a')));
    await refusesWith('token-unknown', coordinator.enrol(token, 'other', '1', hashOf('a')));
    assert.is(await coordinator.identify(hashOf('a')), undefined);
    await coordinator.enrol(token, 'gw', '1', hashOf('a'));
    // The answer may have been lost: the same asks again.
    await coordinator.enrol(token, 'gw', '1', hashOf('a'));
    await refusesWith('token-unknown', coordinator.enrol(token, 'gw', '1', hashOf('b')));
    assert.is(await coordinator.identify(hashOf('a')), 'gw');
    const what = (await coordinator.audit(undefined, 10)).items.map((entry) => entry.what);
    assert.equal(what, ['gateway-added', 'gateway-enrolled']);
  });

  fleetTest('of two that use one token at once, one enrols', async ({ coordinator }) => {
    const { token } = await coordinator.addGateway('gw', OPERATOR);
    const certificates = ['a', 'b', 'c', 'd'].map(hashOf);
    const tried = await Promise.allSettled(
      certificates.map((certificate) => coordinator.enrol(token, 'gw', '1', certificate)),
    );
    assert.is(tried.filter(({ status }) => status === 'fulfilled').length, 1);
    const known = await Promise.all(certificates.map((one) => coordinator.identify(one)));
    assert.is(known.filter((one) => one === 'gw').length, 1);
  });

  fleetTest('a token runs out', async ({ coordinator, clock }) => {
    const { token, untilMs } = await coordinator.addGateway('gw', OPERATOR);
    assert.is(untilMs - clock.nowMs(), 7 * DAY_MS);
    clock.pass(7 * DAY_MS);
    await refusesWith('token-unknown', coordinator.enrol(token, 'gw', '1', hashOf('a')));
    const renewed = await coordinator.renewGateway('gw', OPERATOR);
    await refusesWith('token-unknown', coordinator.enrol(token, 'gw', '1', hashOf('a')));
    await coordinator.enrol(renewed.token, 'gw', '1', hashOf('a'));
  });

  fleetTest('a certificate is one gateway alone', async ({ coordinator, clock }) => {
    const one = await new TestGateway(coordinator, clock, 1, 0).enrol();
    const { token } = await coordinator.addGateway('gw', OPERATOR);
    await refusesWith('certificate-in-use', coordinator.enrol(token, 'gw', '1', one.certificate));
    await coordinator.enrol(token, 'gw', '1', hashOf('another'));
    // Two at one instant.
    const tokens = [];
    for (const id of ['a', 'b']) tokens.push((await coordinator.addGateway(id, OPERATOR)).token);
    const tried = await Promise.allSettled([
      coordinator.enrol(tokens[0]!, 'a', '1', hashOf('shared')),
      coordinator.enrol(tokens[1]!, 'b', '1', hashOf('shared')),
    ]);
    const refused = tried.find((one) => one.status === 'rejected');
    assert.is((refused?.reason as { code?: string } | undefined)?.code, 'certificate-in-use');
    assert.ok(tried.some(({ status }) => status === 'fulfilled'));
  });

  fleetTest('one that is shut out is known no more', async ({ coordinator, clock }) => {
    const gateway = await new TestGateway(coordinator, clock, 1, 1).enrol();
    await coordinator.revokeGateway(gateway.id, OPERATOR, 'stolen');
    assert.is(await coordinator.identify(gateway.certificate), undefined);
    await refusesWith('gateway-revoked', coordinator.desired(gateway.id, undefined));
    await refusesWith('gateway-revoked', gateway.tell());
    await refusesWith('gateway-unknown', coordinator.revokeGateway('nobody', OPERATOR, 'x'));
    await refusesWith('gateway-unknown', coordinator.desired('nobody', undefined));
  });

  fleetTest('an inventory is what there is', async ({ coordinator, clock }) => {
    const gateway = await new TestGateway(coordinator, clock, 1, 3).enrol('scotland');
    const [first, second] = gateway.devices;
    const devices = [
      inventoryDevice(first!, '02000000'),
      { ...inventoryDevice(second!), readMs: 5 },
    ];
    const own = { version: '2.0.0', windows: [], devices };
    await coordinator.takeInventory(gateway.id, own);
    assert.equal(await coordinator.gatewayDevices(gateway.id), devices);
    const view = await coordinator.gateway(gateway.id);
    assert.is(view?.devices, 2);
    assert.is(view?.version, '2.0.0');
    assert.is(view?.region, undefined);
    await coordinator.takeInventory(gateway.id, { ...own, devices: [] });
    assert.equal(await coordinator.gatewayDevices(gateway.id), []);
  });

  fleetTest('gateways come in pages', async ({ coordinator }) => {
    for (const id of ['c', 'B', 'a', 'A']) await coordinator.addGateway(id, OPERATOR);
    const first = await coordinator.gateways(undefined, 3);
    assert.equal(
      first.items.map(({ id }) => id),
      ['A', 'B', 'a'],
    );
    assert.is(first.more, true);
    const rest = await coordinator.gateways('a', 3);
    assert.equal([rest.items.map(({ id }) => id), rest.more], [['c'], false]);
  });
}

export function eventCases(fleetTest: FleetTest): void {
  fleetTest('a stretch that is told again changes nothing', async ({ coordinator, clock }) => {
    const gateway = await new TestGateway(coordinator, clock, 1, 2).enrol();
    const id = await startCampaign(coordinator);
    const [device] = gateway.devices;
    const told = gateway.batch({ device: device!, phase: 'distributing' });
    const taken = await coordinator.takeEvents(gateway.id, told);
    assert.equal(taken, { journal: told.through });
    const before = await coordinator.campaignDevices(id, { limit: 10 });
    clock.pass(1);
    assert.equal(await coordinator.takeEvents(gateway.id, told), taken);
    assert.equal(await coordinator.campaignDevices(id, { limit: 10 }), before);
    gateway.mark = taken.journal;
    await gateway.tell({ device: device!, phase: 'done', runs: '02000000' });
    // The first once more, now wholly before the mark.
    assert.equal(await coordinator.takeEvents(gateway.id, told), { journal: gateway.mark });
    const [after] = (await coordinator.campaignDevices(id, { limit: 10 })).items;
    assert.is(after?.state, 'succeeded');
    assert.is(after?.runs, '02000000');
  });

  fleetTest('what is brought on a medium counts once with what is told', async (place) => {
    const { coordinator, clock } = place;
    const gateway = await new TestGateway(coordinator, clock, 1, 1).enrol();
    const own = signer(gateway.id);
    const { token } = await coordinator.renewGateway(gateway.id, OPERATOR);
    await coordinator.enrol(token, gateway.id, '1', keyIdOf(own));
    const id = await startCampaign(coordinator);
    const device = gateway.devices[0]!;
    const sealed = (batch: EventBatch, by = own, about = {}) =>
      sealEvents({ fleet: 'north', gateway: gateway.id, batch, ...about }, by);
    const bring = (bytes: Uint8Array) => coordinator.bringEvents(bytes, OPERATOR);
    const first = gateway.batch({ device, phase: 'distributing' });
    for (const [code, bytes] of [
      ['events-other-gateway', sealed(first, signer('gateway-2'))],
      ['events-other-gateway', sealed(first, own, { gateway: 'gateway-2' })],
      ['events-other-fleet', sealed(first, own, { fleet: 'south' })],
      ['events-large', new Uint8Array(2 * 1024 * 1024)],
      ['cose-structure', sealed(first).subarray(1)],
    ] as const)
      await refusesWith(code, bring(bytes));
    assert.is((await coordinator.gateway(gateway.id))?.journal, undefined, 'nothing was taken');
    const brought = { gateway: gateway.id, journal: first.through };
    // At once, as by two people; and told by the gateway itself, when it has a connection again.
    assert.equal(await Promise.all([bring(sealed(first)), bring(sealed(first))]), [
      brought,
      brought,
    ]);
    assert.equal(await coordinator.takeEvents(gateway.id, first), { journal: first.through });
    gateway.mark = first.through;
    const second = gateway.batch({ device, phase: 'done', runs: '02000000' });
    await coordinator.takeEvents(gateway.id, second);
    assert.equal((await bring(sealed(second))).journal, second.through);
    assert.equal((await bring(sealed(first))).journal, second.through);
    const story = await coordinator.deviceEvents(id, device, 100);
    assert.equal(
      story?.map(({ phase }) => phase),
      ['distributing', 'done'],
    );
    const { items } = await coordinator.audit(undefined, 100);
    const entries = items.filter(({ what }) => what === 'events-brought');
    assert.equal([entries.length, entries[0]?.by, entries[0]?.about], [4, OPERATOR, gateway.id]);
    const later = { ...second, after: { ...second.through, sequence: 99 } };
    const through = { ...second.through, sequence: 120 };
    await refusesWith('events-gap', bring(sealed({ ...later, through, events: [] })));
    await coordinator.revokeGateway(gateway.id, OPERATOR, 'stolen');
    await refusesWith('events-other-gateway', bring(sealed(first)));
  });

  fleetTest(
    'a medium that says more than what is new, and of what is known nowhere here',
    async (place) => {
      const { coordinator, clock } = place;
      const gateway = await new TestGateway(coordinator, clock, 1, 2).enrol();
      const own = signer(gateway.id);
      const { token } = await coordinator.renewGateway(gateway.id, OPERATOR);
      await coordinator.enrol(token, gateway.id, '1', keyIdOf(own));
      const id = await startCampaign(coordinator);
      const [first, second] = gateway.devices as [string, string];
      const bring = (batch: EventBatch) =>
        coordinator.bringEvents(
          sealEvents({ fleet: 'north', gateway: gateway.id, batch }, own),
          OPERATOR,
        );
      const stick = gateway.batch({ device: first, phase: 'distributing' });
      await bring(stick);
      // The next stick begins where the first did, as nobody told the gateway that it arrived.
      const [told] = stick.events;
      const mark = { sequence: 9, hash: hashOf('9') };
      const later = { atMs: clock.nowMs(), campaign: gateway.campaign, attempt: 1 };
      const next: EventBatch = {
        through: mark,
        events: [
          told!,
          { ...later, sequence: 5, device: first, phase: 'done', runs: '02000000' },
          { ...later, sequence: 6, device: second, phase: 'distributing' },
          { ...later, sequence: 7, device: second, phase: 'done', campaign: hashOf('elsewhere') },
          { ...later, sequence: 8, device: 'ffffffffffffffff', phase: 'done' },
        ],
      };
      assert.equal((await bring(next)).journal, mark);
      assert.equal((await bring(next)).journal, mark, 'and brought again it changes nothing');
      const phases = async (device: string) =>
        (await coordinator.deviceEvents(id, device, 10)).map(({ phase }) => phase);
      assert.equal(await phases(first), ['distributing', 'done']);
      assert.equal(await phases(second), ['distributing']);
      const { counts } = (await coordinator.campaign(id))!.rings[0]!;
      assert.equal([counts.succeeded, counts['under-way']], [1, 1]);
      // It may not say something else of what it told.
      const other = { ...next, through: { sequence: 20, hash: hashOf('20') } };
      const forged = { ...(next.events[1] as FleetEvent), phase: 'failed' as const };
      await refusesWith('events-forked', bring({ ...other, events: [told!, forged] }));
      assert.is((await coordinator.gateway(gateway.id))?.trouble, 'events-forked');
    },
  );

  fleetTest('of what several tell at once each is taken for itself', async (place) => {
    const { coordinator, clock } = place;
    const gateways = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((at) => new TestGateway(coordinator, clock, at, 2).enrol()),
    );
    const [good, again, gap, forked, other, revoked] = gateways as [TestGateway, ...TestGateway[]];
    const id = await startCampaign(coordinator);
    const told = (of: TestGateway, phase: 'done' | 'verifying') =>
      of.batch(...of.devices.map((device) => ({ device, phase })));
    const repeated = told(again!, 'verifying');
    await coordinator.takeEvents(again!.id, repeated);
    await forked!.tell({ device: forked!.devices[0]!, phase: 'verifying' });
    await coordinator.revokeGateway(revoked!.id, OPERATOR, 'stolen');
    const take = (of: string, batch: EventBatch) => coordinator.takeEvents(of, batch);
    const mark = { sequence: 7, hash: hashOf('7') };
    const fork = { ...forked!.mark!, hash: hashOf('other') };
    await Promise.all([
      take(good.id, told(good, 'done')).then(({ journal }) => assert.is(journal?.sequence, 3)),
      take(again!.id, repeated).then(({ journal }) => assert.equal(journal, repeated.through)),
      refusesWith('events-gap', take(gap!.id, { after: mark, through: mark, events: [] })),
      refusesWith('events-forked', take(forked!.id, { after: fork, through: fork, events: [] })),
      refusesWith('event-of-other', take(other!.id, told(good, 'done'))),
      refusesWith('gateway-revoked', take(revoked!.id, told(revoked!, 'done'))),
      refusesWith('gateway-unknown', take('nobody', told(good, 'done'))),
      // The second of the same gateway, which finds the first.
      refusesWith(
        'events-forked',
        take(good.id, { ...told(good, 'done'), through: { sequence: 3, hash: hashOf('x') } }),
      ),
    ]);
    const { items } = await coordinator.campaignDevices(id, { limit: 20 });
    const succeeded = items.filter(({ state }) => state === 'succeeded');
    assert.equal(
      succeeded.map(({ gateway }) => gateway),
      [good.id, good.id],
    );
    assert.is((await coordinator.gateway(other!.id))?.trouble, 'event-of-other');
    assert.is((await coordinator.gateway(gap!.id))?.journal, undefined);
  });

  fleetTest('a stretch that does not follow is not taken', async ({ coordinator, clock }) => {
    const gateway = await new TestGateway(coordinator, clock, 1, 1).enrol();
    await startCampaign(coordinator);
    const event = { device: gateway.devices[0]!, phase: 'verifying' } as const;
    const later = { sequence: 7, hash: hashOf('7') };
    const after = { ...gateway.batch(event), after: later, through: { ...later, sequence: 9 } };
    await refusesWith('events-gap', coordinator.takeEvents(gateway.id, { ...after, events: [] }));
    await gateway.tell(event);
    const overlapping = gateway.batch(event);
    delete overlapping.after;
    await refusesWith('events-gap', coordinator.takeEvents(gateway.id, overlapping));
    assert.equal((await coordinator.gateway(gateway.id))?.journal, gateway.mark);
    assert.is((await coordinator.gateway(gateway.id))?.trouble, undefined);
  });

  fleetTest('another journal under the same numbers is a fork', async ({ coordinator, clock }) => {
    const gateway = await new TestGateway(coordinator, clock, 1, 1).enrol();
    await startCampaign(coordinator);
    const event = { device: gateway.devices[0]!, phase: 'verifying' } as const;
    await gateway.tell(event);
    const { mark } = gateway;
    const other = { ...gateway.batch(event), after: { ...mark!, hash: hashOf('other') } };
    for (let times = 0; times < 3; times++) {
      await refusesWith('events-forked', coordinator.takeEvents(gateway.id, other));
    }
    assert.equal((await coordinator.gateway(gateway.id))?.journal, mark);
    assert.is((await coordinator.gateway(gateway.id))?.trouble, 'events-forked');
    const { items } = await coordinator.audit(undefined, 100);
    assert.is(items.filter(({ what }) => what === 'gateway-trouble').length, 1);
    // A new certificate, and its journal from the beginning.
    const { token } = await coordinator.renewGateway(gateway.id, OPERATOR);
    await coordinator.enrol(token, gateway.id, '1', hashOf('new certificate'));
    assert.is((await coordinator.gateway(gateway.id))?.trouble, undefined);
    gateway.mark = undefined;
    await gateway.tell(event, { device: gateway.devices[0]!, phase: 'done' });
  });

  fleetTest('events out of order or out of place are not taken', async ({ coordinator, clock }) => {
    const gateway = await new TestGateway(coordinator, clock, 1, 1).enrol();
    await startCampaign(coordinator);
    const event = { device: gateway.devices[0]!, phase: 'verifying' } as const;
    const { events, through } = gateway.batch(event, event);
    const [one, two] = events as [FleetEvent, FleetEvent];
    const wrong = [
      [two, one],
      [one, one],
      [{ ...one, sequence: through.sequence + 1 }],
      [{ ...one, sequence: 0 }],
    ];
    for (const order of wrong) {
      const batch = { through, events: order };
      await refusesWith('events-order', coordinator.takeEvents(gateway.id, batch));
    }
    await coordinator.takeEvents(gateway.id, { through, events });
  });

  fleetTest('nobody tells of devices of another', async ({ coordinator, clock }) => {
    const one = await new TestGateway(coordinator, clock, 1, 1).enrol();
    const other = await new TestGateway(coordinator, clock, 2, 1).enrol();
    const id = await startCampaign(coordinator);
    const [device] = other.devices;
    await refusesWith('event-of-other', one.tell({ device: device!, phase: 'done' }));
    const unknown = { device: one.devices[0]!, phase: 'done', campaign: hashOf('none') } as const;
    await refusesWith('event-of-other', one.tell(unknown));
    assert.is((await coordinator.gateway(one.id))?.trouble, 'event-of-other');
    assert.is((await coordinator.gateway(one.id))?.journal, undefined);
    const { items } = await coordinator.campaignDevices(id, { limit: 9, state: 'succeeded' });
    assert.equal(items, []);
    await one.tell({ device: one.devices[0]!, phase: 'done' });
    assert.is((await coordinator.gateway(one.id))?.trouble, undefined);
  });

  fleetTest('all of one stretch is taken in order', async ({ coordinator, clock }) => {
    const gateway = await new TestGateway(coordinator, clock, 1, 3).enrol();
    const id = await startCampaign(coordinator);
    const [a, b, c] = gateway.devices;
    const failed = { phase: 'failed', code: 'device-silent', detail: 'no answer' } as const;
    await gateway.tell(
      { device: a!, phase: 'scheduled' },
      { device: a!, phase: 'distributing' },
      { device: b!, phase: 'distributing' },
      { device: b!, ...failed },
      // The gateway tries again by itself: it stays attempted.
      { device: b!, phase: 'scheduled' },
      { device: c!, ...failed },
      { device: a!, phase: 'done', runs: '02000000' },
    );
    const { items } = await coordinator.campaignDevices(id, { limit: 9 });
    assert.equal(
      items.map(({ state, failure }) => [state, failure]),
      [
        ['succeeded', undefined],
        ['under-way', undefined],
        ['failed', 'unreachable'],
      ],
    );
  });
}
