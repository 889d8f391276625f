/**
 * What is asked of a front, as Service Users and its coordinator see it: one campaign for what is asked at
 * once, every device told of once, whatever goes away or starts again meanwhile.
 */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { CampaignDeviceView } from '../../../src/fleet/coordinator/control.ts';
import { FRONT_LIMITS } from '../../../src/fleet/front/fleet-field.ts';
import { ANN } from '../../campaign/campaigns.ts';
import { euiOf, IMAGE_SHA256 } from '../../dcc/dcc-desk.ts';
import { FrontDesk, type FrontShape, HOUR_MS, OLD, SECOND_MS } from './front-desk.ts';
import type { Call } from './memory-fleet.ts';

const DISTRIBUTING = { state: 'under-way', phase: 'distributing' } as const;
const HELD = { state: 'succeeded', phase: 'awaiting-activation' } as const;
const DONE = { state: 'succeeded', phase: 'done', runs: '02000001' } as const;
const ALL = [1, 2, 3, 4];
const DAY_MS = 24 * HOUR_MS;

async function withDesk(work: (desk: FrontDesk) => Promise<void>, shape?: FrontShape) {
  const desk = new FrontDesk(shape);
  try {
    await desk.pass();
    await work(desk);
  } finally {
    desk.remove();
  }
}

/** An 11.1 for the devices, whose campaign runs. */
async function asked(desk: FrontDesk, devices: readonly number[] = ALL): Promise<void> {
  const { code } = await desk.dcc.take(desk.dcc.update(devices));
  assert.is(code, 'I0');
  await desk.pass();
}

const oneCampaign = suite('a front: one campaign for what is asked at once');

oneCampaign('an 11.1 is one campaign, held, and every device is told of', () =>
  withDesk(async (desk) => {
    await asked(desk);
    assert.is(desk.fleet.all.size, 1);
    const { manifest, state } = desk.fleet.last;
    assert.is(state, 'running');
    assert.equal([...manifest.devices!].sort(), ALL.map(euiOf));
    assert.equal(manifest.targets[0]!.from, [OLD]);
    assert.is(manifest.activation.when, 'held');
    assert.is(manifest.images[0]!.firmwareVersion, '02000001');
    assert.ok(desk.fleet.blobs.has(IMAGE_SHA256));
    assert.is(desk.state(1), 'staged');
    desk.fleet.sayAll(DISTRIBUTING);
    await desk.pass();
    assert.is(desk.state(1), 'distributing');
    assert.is(desk.told('FileTransferSuccess'), 0);
    desk.fleet.sayAll(HELD);
    await desk.pass();
    assert.is(desk.state(1), 'awaiting-activation');
    assert.is(desk.told('FileTransferSuccess'), 4);
  }),
);

oneCampaign('two requests for one image that come together are one campaign', () =>
  withDesk(async (desk) => {
    await desk.dcc.take(desk.dcc.update([1, 2]));
    await desk.dcc.take(desk.dcc.update([3, 4]));
    await desk.pass();
    assert.is(desk.fleet.all.size, 1);
    assert.is(desk.fleet.last.devices.size, 4);
  }),
);

oneCampaign('held and activated at once are two campaigns', () =>
  withDesk(async (desk) => {
    await desk.dcc.take(desk.dcc.update([1, 2]));
    await desk.dcc.take(desk.dcc.update([3, 4], 'UpdatePPMIDFirmware'));
    await desk.pass();
    const whens = [...desk.fleet.all.values()].map(({ manifest }) => manifest.activation.when);
    assert.equal(whens.sort(), ['held', 'now']);
  }),
);

oneCampaign('11.3 is a campaign of its own, activated now, and answered', () =>
  withDesk(async (desk) => {
    await asked(desk);
    desk.fleet.sayAll(HELD);
    await desk.pass();
    await desk.dcc.take(desk.dcc.activation(1));
    await desk.dcc.take(desk.dcc.activation(2));
    await desk.pass();
    assert.is(desk.fleet.all.size, 2);
    const { manifest } = desk.fleet.last;
    assert.is(manifest.activation.when, 'now');
    assert.equal([...manifest.devices!].sort(), [euiOf(1), euiOf(2)]);
    desk.fleet.say(euiOf(1), DONE);
    desk.fleet.say(euiOf(2), { state: 'under-way', phase: 'confirming' });
    await desk.pass();
    assert.equal(
      [1, 2, 3].map((n) => desk.state(n)),
      ['done', 'confirming', 'awaiting-activation'],
    );
    assert.is(desk.told(/ActivateFirmwareRsp MessageSuccess="true"/), 1);
  }),
);

oneCampaign('a device of which nobody has read what it runs holds up nobody else', () =>
  withDesk(async (desk) => {
    const { firmwareVersion: _, ...unread } = desk.fleet.inventories.get('gateway-1')![0]!;
    desk.fleet.inventories.set('gateway-1', [unread]);
    await desk.pass(20 * 60 * SECOND_MS, 60 * SECOND_MS);
    const n = ALL.find((one) => euiOf(one) === unread.device)!;
    await asked(desk, [1, n]);
    assert.equal([...desk.fleet.last.manifest.devices!], [euiOf(1)]);
    assert.is(desk.state(n), 'staged');
    await desk.pass(FRONT_LIMITS.unreadMs + 60 * SECOND_MS);
    const [upgrade] = desk.upgradesOf(n);
    assert.is(`${upgrade!.state} ${upgrade!.code}`, 'failed precursor-unknown');
    assert.is(desk.fleet.all.size, 1);
  }),
);

oneCampaign('what is read while it is waited for is in a campaign a little later', () =>
  withDesk(async (desk) => {
    const [first, ...rest] = desk.fleet.inventories.get('gateway-1')!;
    const { firmwareVersion: _, ...unread } = first!;
    desk.fleet.inventories.set('gateway-1', [unread, ...rest]);
    await desk.pass(20 * 60 * SECOND_MS, 60 * SECOND_MS);
    const n = ALL.find((one) => euiOf(one) === unread.device)!;
    await asked(desk, [n]);
    await desk.pass(60 * SECOND_MS);
    assert.is(desk.fleet.all.size, 0);
    desk.fleet.inventories.set('gateway-1', [first!, ...rest]);
    await desk.pass(60 * SECOND_MS);
    assert.equal([...desk.fleet.last.manifest.devices!], [unread.device]);
  }),
);

oneCampaign('what is called off while it is gathered is in no campaign; later it is too late', () =>
  withDesk(async (desk) => {
    await desk.dcc.take(desk.dcc.update(ALL));
    const { jobs, book } = desk.dcc.desk.gateway;
    const [job] = [...book.jobs];
    jobs.cancel(job!.id, [euiOf(1)], 'api:somebody');
    await desk.pass();
    assert.is(desk.state(1), 'cancelled');
    assert.is(desk.fleet.last.devices.size, 3);
    jobs.cancel(job!.id, [euiOf(2)], 'api:somebody');
    await desk.pass();
    assert.is(desk.state(2), 'staged');
    desk.fleet.sayAll(HELD);
    await desk.pass(60 * SECOND_MS);
    assert.equal(
      [2, 3].map((n) => desk.state(n)),
      ['cancelled', 'awaiting-activation'],
    );
  }),
);

oneCampaign('a read is answered by what its gateway read within a day', () =>
  withDesk(async (desk) => {
    await desk.dcc.take(desk.dcc.reading(1));
    await desk.pass();
    assert.is(desk.told(`<ra:FirmwareVersion>${OLD}`), 1);
    await desk.pass(25 * HOUR_MS, HOUR_MS);
    await desk.dcc.take(desk.dcc.reading(1));
    await desk.pass();
    assert.is(desk.told(/does not say/), 1);
  }),
);

oneCampaign('devices that a gateway has since are taken without a start', () =>
  withDesk(async (desk) => {
    desk.add('gateway-3', 5);
    const { code } = await desk.dcc.take(desk.dcc.update([5]));
    assert.is.not(code, 'I0', 'nobody knows it yet');
    await desk.pass(15 * 60 * SECOND_MS, 60 * SECOND_MS);
    await asked(desk, [5]);
    assert.is(desk.fleet.last.devices.get(euiOf(5))!.gateway, 'gateway-3');
  }),
);

oneCampaign('a device that no model file fits is left out', () =>
  withDesk(async (desk) => {
    desk.add('gateway-3', 5, { model: 'FFFF' });
    await desk.pass(15 * 60 * SECOND_MS, 60 * SECOND_MS);
    assert.is(desk.field.devices.length, 4);
  }),
);

oneCampaign.run();

const ends = suite('a front: what devices and campaigns come to');

const FAILED: readonly [string, Partial<CampaignDeviceView>, string][] = [
  [
    'it never answered',
    { phase: 'failed', failure: 'unreachable', code: 'device-silent' },
    'failed device-silent',
  ],
  [
    'it went back',
    { phase: 'failed', failure: 'reverted', code: 'device-reverted' },
    'failed device-reverted',
  ],
  [
    'its gateway refused it',
    { phase: 'refused', failure: 'refused', code: 'other-precursor' },
    'refused other-precursor',
  ],
  [
    'a person there called it off',
    { phase: 'cancelled', failure: 'refused' },
    'cancelled called-off-there',
  ],
  ['a deadline passed', { phase: 'expired', failure: 'expired' }, 'failed deadline-passed'],
  ['nothing was said of why', { phase: 'failed', failure: 'activation' }, 'failed hold-expired'],
];
for (const [name, view, expected] of FAILED) {
  ends(`${name}: ${expected}, and no second campaign`, () =>
    withDesk(async (desk) => {
      await asked(desk);
      desk.fleet.say(euiOf(1), { state: 'failed', ...view });
      await desk.pass();
      const [upgrade] = desk.upgradesOf(1);
      assert.is(`${upgrade!.state} ${upgrade!.code}`, expected);
      await desk.pass(6 * HOUR_MS, 10 * 60 * SECOND_MS);
      assert.is(desk.fleet.all.size, 1);
      assert.is(desk.upgradesOf(1).length, 1);
      assert.ok(desk.told(/FileTransferFailure|FirmwareDistributionFailure|ActivationFailure/) > 0);
    }),
  );
}

ends('what is not known is asked for again, and may come to be known', () =>
  withDesk(async (desk) => {
    await desk.dcc.take(desk.dcc.update([1], 'UpdatePPMIDFirmware'));
    await desk.pass();
    desk.fleet.say(euiOf(1), { state: 'under-way', phase: 'activating' });
    await desk.pass();
    assert.is(desk.state(1), 'activating');
    const unknown = {
      state: 'failed',
      phase: 'unknown-outcome',
      failure: 'unknown-outcome',
    } as const;
    desk.fleet.say(euiOf(1), unknown);
    await desk.pass();
    assert.is(desk.state(1), 'unknown-outcome');
    desk.fleet.say(euiOf(1), DONE);
    await desk.pass(HOUR_MS, 10 * SECOND_MS);
    assert.is(desk.state(1), 'done');
    assert.is(desk.fleet.all.size, 1);
  }),
);

for (const [state, code] of [
  ['aborted', 'campaign-aborted'],
  ['expired', 'campaign-expired'],
  ['superseded', 'campaign-superseded'],
] as const) {
  ends(`a campaign that is ${state} ends what it has not begun at once, the rest in its time`, () =>
    withDesk(async (desk) => {
      await desk.dcc.take(desk.dcc.update(ALL, 'UpdatePPMIDFirmware'));
      await desk.pass();
      desk.fleet.say(euiOf(2), { state: 'taken', phase: 'scheduled' });
      desk.fleet.say(euiOf(3), DISTRIBUTING);
      desk.fleet.say(euiOf(4), DISTRIBUTING);
      await desk.pass();
      desk.fleet.last.state = state;
      await desk.pass(60 * SECOND_MS);
      assert.is(`${desk.state(1)} ${desk.upgradesOf(1)[0]!.code}`, `failed ${code}`);
      assert.equal(
        [2, 3].map((n) => desk.state(n)),
        ['staged', 'distributing'],
      );
      desk.fleet.say(euiOf(4), DONE);
      await desk.pass(2 * HOUR_MS, 60 * SECOND_MS);
      assert.equal(
        [2, 3, 4].map((n) => desk.state(n)),
        ['failed', 'distributing', 'done'],
      );
      await desk.pass(DAY_MS, 10 * 60 * SECOND_MS);
      assert.is(desk.state(3), 'unknown-outcome');
      assert.ok(desk.dcc.desk.journal.rows.some(({ code }) => code === 'gateway-silent'));
    }),
  );
}

ends('a device that the coordinator did not find when it started is told of', () =>
  withDesk(async (desk) => {
    await desk.dcc.take(desk.dcc.update(ALL));
    desk.fleet.inventories.set('gateway-1', []);
    await desk.pass(10 * SECOND_MS);
    assert.is(desk.fleet.last.devices.size, 2);
    const codes = ALL.map((n) => desk.upgradesOf(n)[0]!.code);
    assert.is(codes.filter((code) => code === 'campaign-without-it').length, 2);
  }),
);

ends('without enough signatures it waits for people, and is started when they have signed', () =>
  withDesk(
    async (desk) => {
      await asked(desk);
      assert.is(desk.fleet.last.state, 'unsigned');
      assert.match(desk.upgradesOf(1)[0]!.detail!, /approvals are missing: 1/);
      desk.fleet.approve();
      await desk.pass(60 * SECOND_MS);
      assert.is(desk.fleet.last.state, 'running');
      desk.fleet.sayAll(HELD);
      await desk.pass(60 * SECOND_MS);
      assert.is(desk.state(1), 'awaiting-activation');
    },
    { signers: [ANN] },
  ),
);

ends('where another has to start it, it waits for that', () =>
  withDesk(async (desk) => {
    desk.fleet.hasOtherStarter = false;
    await asked(desk);
    assert.is(desk.fleet.last.state, 'ready');
    assert.match(desk.upgradesOf(1)[0]!.detail!, /somebody other/);
    desk.fleet.begin();
    desk.fleet.sayAll(HELD);
    await desk.pass(60 * SECOND_MS);
    assert.is(desk.state(1), 'awaiting-activation');
  }),
);

ends('what a coordinator refuses is offered for a day, and no longer', () =>
  withDesk(
    async (desk) => {
      await asked(desk);
      assert.is(desk.fleet.all.size, 0);
      assert.is(desk.state(1), 'staged');
      await desk.pass(DAY_MS + HOUR_MS, 10 * 60 * SECOND_MS);
      assert.is(`${desk.state(1)} ${desk.upgradesOf(1)[0]!.code}`, 'failed campaign-refused');
    },
    { signers: [] },
  ),
);

ends('nothing is in progress for ever, though the coordinator is never heard again', () =>
  withDesk(async (desk) => {
    await asked(desk);
    desk.fleet.sayAll(DISTRIBUTING);
    await desk.pass();
    desk.fleet.isAway = true;
    await desk.pass(16 * DAY_MS, 2 * HOUR_MS);
    assert.is(`${desk.state(1)} ${desk.upgradesOf(1)[0]!.code}`, 'failed gateway-silent');
  }),
);

ends.run();

const away = suite('a front: its coordinator goes away, and it starts again');

away('what is asked for while it is away is begun when it is back', () =>
  withDesk(async (desk) => {
    desk.fleet.isAway = true;
    await desk.pass(11 * 60 * SECOND_MS, 10 * SECOND_MS);
    const up = [...desk.dcc.desk.gateway.linkStates.values()].map((link) => link.up);
    assert.equal(up, [false, false]);
    await asked(desk);
    assert.is(desk.state(1), 'scheduled');
    desk.fleet.isAway = false;
    await desk.pass(3 * 60 * SECOND_MS);
    assert.is(desk.fleet.all.size, 1);
    assert.is(desk.fleet.last.devices.size, 4);
  }),
);

away('it goes away while devices report: nothing is lost', () =>
  withDesk(async (desk) => {
    await asked(desk);
    desk.fleet.isAway = true;
    desk.fleet.sayAll(HELD);
    await desk.pass(HOUR_MS, 10 * SECOND_MS);
    assert.is(desk.state(1), 'staged');
    desk.fleet.isAway = false;
    await desk.pass(2 * 60 * SECOND_MS);
    assert.is(desk.state(1), 'awaiting-activation');
    assert.is(desk.told('FileTransferSuccess'), 4);
  }),
);

for (const call of [
  'hasBlob',
  'putBlob',
  'submit',
  'campaign',
  'start',
  'campaignDevices',
] as Call[]) {
  away(`the answer to ${call} is lost: one campaign`, () =>
    withDesk(async (desk) => {
      desk.fleet.loses = call;
      await asked(desk);
      await desk.pass(60 * SECOND_MS);
      assert.is(desk.fleet.loses, undefined);
      assert.is(desk.fleet.all.size, 1);
      assert.is(desk.fleet.last.state, 'running');
      desk.fleet.sayAll(HELD);
      await desk.pass(60 * SECOND_MS);
      assert.equal(
        ALL.map((n) => desk.state(n)),
        ALL.map(() => 'awaiting-activation'),
      );
    }),
  );
}

/** A front that is killed after every so many steps of the whole, and comes back after a minute. */
for (let killedAt = 0; killedAt < 16; killedAt++) {
  away(`killed after ${killedAt} half seconds: one campaign, each told once`, () =>
    withDesk(async (desk) => {
      await desk.dcc.take(desk.dcc.update(ALL));
      for (let step = 0; step < killedAt; step++) {
        await desk.pass(SECOND_MS / 2, SECOND_MS / 2);
        if (step === 8) desk.fleet.sayAll(DISTRIBUTING);
        if (step === 11) desk.fleet.say(euiOf(1), HELD);
      }
      desk.restart();
      await desk.pass(60 * SECOND_MS);
      assert.is(desk.fleet.all.size, 1);
      assert.is(desk.fleet.last.state, 'running');
      desk.fleet.sayAll(HELD);
      desk.restart();
      await desk.pass(60 * SECOND_MS);
      assert.equal(
        ALL.map((n) => desk.state(n)),
        ALL.map(() => 'awaiting-activation'),
      );
      assert.is(desk.told('FileTransferSuccess'), 4);
      assert.is(desk.fleet.all.size, 1);
    }),
  );
}

for (const call of ['submit', 'start'] as Call[]) {
  away(`killed before it hears the answer to ${call}: one campaign`, () =>
    withDesk(async (desk) => {
      desk.fleet.loses = call;
      await desk.dcc.take(desk.dcc.update(ALL));
      while (desk.fleet.loses) await desk.pass(SECOND_MS / 2, SECOND_MS / 2);
      desk.restart();
      await desk.pass(60 * SECOND_MS);
      assert.is(desk.fleet.all.size, 1);
      assert.is(desk.fleet.last.state, 'running');
    }),
  );
}

away('it starts while its coordinator is away: devices and upgrades are known', () =>
  withDesk(async (desk) => {
    await asked(desk);
    desk.fleet.isAway = true;
    desk.restart();
    await desk.pass(HOUR_MS, 10 * SECOND_MS);
    assert.is(desk.dcc.desk.gateway.devices.size, 4);
    assert.is(desk.state(1), 'scheduled');
    desk.fleet.isAway = false;
    desk.fleet.sayAll(HELD);
    await desk.pass(3 * 60 * SECOND_MS);
    assert.is(desk.state(1), 'awaiting-activation');
    assert.is(desk.fleet.all.size, 1);
  }),
);

away('its store fails while devices report: after a start each is told of, once', () =>
  withDesk(async (desk) => {
    await asked(desk);
    desk.fleet.sayAll(HELD);
    desk.dcc.desk.journal.room = 0;
    await desk.pass(30 * SECOND_MS);
    assert.is(desk.dcc.desk.gateway.condition.state, 'degraded');
    assert.is(desk.told('FileTransferSuccess'), 0);
    desk.restart();
    await desk.pass(60 * SECOND_MS);
    assert.is(desk.state(1), 'awaiting-activation');
    assert.is(desk.told('FileTransferSuccess'), 4);
    assert.is(desk.fleet.all.size, 1);
  }),
);

away('killed while a device activates: it is not commanded again', () =>
  withDesk(async (desk) => {
    await desk.dcc.take(desk.dcc.update(ALL, 'UpdatePPMIDFirmware'));
    await desk.pass();
    desk.fleet.sayAll({ state: 'under-way', phase: 'activating' });
    await desk.pass();
    desk.restart();
    await desk.pass(60 * SECOND_MS);
    assert.is(desk.state(1), 'activating');
    desk.fleet.sayAll(DONE);
    await desk.pass(60 * SECOND_MS);
    assert.is(desk.state(1), 'done');
    assert.is(desk.fleet.all.size, 1);
    const intents = desk.dcc.desk.journal.rows.filter(({ kind }) => kind === 'intent');
    assert.is(intents.length, 4);
  }),
);

away('a person who has a failure tried again gets another campaign, also after a start', () =>
  withDesk(async (desk) => {
    await asked(desk);
    desk.fleet.say(euiOf(1), { state: 'failed', phase: 'failed', failure: 'unreachable' });
    await desk.pass();
    assert.is(desk.state(1), 'failed');
    const [job] = [...desk.dcc.desk.gateway.book.jobs];
    desk.dcc.desk.gateway.jobs.retry(job!.id, [euiOf(1)], 'api:somebody');
    desk.restart();
    await desk.pass(30 * SECOND_MS);
    assert.is(desk.fleet.all.size, 2);
    assert.equal([...desk.fleet.last.manifest.devices!], [euiOf(1)]);
    assert.is(desk.state(1), 'staged');
  }),
);

away.run();
