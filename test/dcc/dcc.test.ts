/** Service Requests over a gateway: taken once, begun once, and told of step by step, over restarts too. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../src/errors.ts';
import { DccDesk, euiOf, OTHER_USER, ppmids } from './dcc-desk.ts';

const test = suite('Service Requests over a gateway');
const HOUR_MS = 3_600_000;

/** What each message is about, by the elements that tell them apart. */
const TELLERS = [
  ['ppmid activated', /ActivateImageResultCode>ActivationSuccess/],
  ['ppmid not activated', /ActivateImageResultCode>ActivationFailure/],
  ['transferred', /TransferResponseCode>FileTransferSuccess/],
  ['transfer failed', /TransferResponseCode>FileTransferFailure/],
  ['not reached', /FirmwareDistributionFailure/],
  ['version', /ReadFirmwareVersionRsp/],
  [
    'dated taken',
    /ActivateFirmwareRsp MessageSuccess="true"><\/ra:ActivateFirmwareRsp|ActivateFirmwareRsp MessageSuccess="true"\/>/,
  ],
  ['activation succeeded', /ActivateFirmwareRsp MessageSuccess="true"/],
  ['activation failed', /ActivateFirmwareRsp MessageSuccess="false"/],
  ['dated done', /GBCSHexAlertCode>8F66/],
  ['dated failed', /GBCSHexAlertCode>8F67/],
] as const;

function told({ sent }: DccDesk): string[] {
  return sent.map(({ text }) => TELLERS.find(([, pattern]) => pattern.test(text))?.[0] ?? text);
}

test('11.1: taken, distributed and held; 11.3 activates it; every step is told once', async () => {
  const desk = new DccDesk();
  const request = desk.update([1, 2, 9]);
  const answer = await desk.take(request);
  assert.is(answer.code, 'W110101');
  assert.match(answer.text, new RegExp(`InvalidDeviceIDList>${eui(9)}<`));
  assert.match(answer.text, /schemaVersion="4.0"/);
  const [view] = desk.service.requests();
  assert.equal([view!.deviceCount, view!.jobs.length], [2, 1]);
  assert.equal(desk.desk.field.of('ppmid-1').task.activation, { when: 'held' });
  desk.download('ppmid-1');
  await desk.settle();
  assert.equal(told(desk), ['transferred']);
  const activation = await desk.take(desk.activation(1));
  assert.is(activation.code, 'I99');
  const run = desk.desk.field.of('ppmid-1');
  run.say('staged', 'distributed', 'activating', 'confirming').end('done');
  await desk.settle();
  assert.equal(told(desk).sort(), ['activation succeeded', 'ppmid activated', 'transferred']);
  desk.restart();
  await desk.settle();
  assert.is(desk.sent.length, 3, 'nothing is told again');
});

test('the same again gets the same answer and does nothing; other content or an older counter is refused', async () => {
  const desk = new DccDesk();
  const old = desk.update([2]);
  const request = desk.update([1]);
  const first = await desk.take(request);
  const again = await desk.take(request);
  assert.ok(again.isRepeated);
  assert.equal([again.text, again.code], [first.text, first.code]);
  const forged = { ...request, body: { ...request.body, firmwareVersion: '9' } as never };
  assert.match((await desk.take(forged)).code, /^E/);
  assert.match((await desk.take(old)).code, /^E/);
  assert.is([...desk.desk.gateway.book.jobs].length, 1);
  desk.restart();
  assert.is((await desk.take(request)).text, first.text, 'after a restart too');
  assert.is([...desk.desk.gateway.book.jobs].length, 1);
});

test('a crash at any record between the acceptance and its jobs: they are made once', async () => {
  for (let room = 0; room < 8; room++) {
    const desk = new DccDesk();
    const request = desk.update([1, 2]);
    desk.desk.journal.room = room;
    const code = await desk.take(request).then(
      (answer) => answer.code,
      () => 'none',
    );
    desk.restart();
    await desk.settle();
    const isTaken = desk.service.requests().length === 1;
    if (code !== 'none') assert.ok(isTaken, `room ${room}: answered is taken`);
    const answer = await desk.take(request);
    assert.is(answer.code, 'I0', `room ${room}`);
    assert.is([...desk.desk.gateway.book.jobs].length, 1, `room ${room}`);
  }
});

test('11.4 is activated by itself; a device that fails is told of, one that was never reached in a list', async () => {
  const desk = new DccDesk({ devices: ppmids(3) });
  const answer = await desk.take(desk.update([1, 2, 3], 'UpdatePPMIDFirmware'));
  assert.is(answer.code, 'I0');
  desk.download('ppmid-1');
  desk.desk.field.of('ppmid-2').say('staged', 'distributing').end('failed', 'transfer-given-up');
  await desk.settle();
  assert.ok(told(desk).includes('ppmid activated'));
  desk.desk.gateway.jobs.cancel(desk.service.requests()[0]!.jobs[0]!, ['ppmid-3'], 'api:a');
  desk.desk.field.of('ppmid-3').stop();
  await desk.settle();
  await desk.pass(2 * 60_000);
  assert.ok(told(desk).includes('not reached'), told(desk).join());
});

test('11.3 for later is kept, called off by the year 3000, or done at its time by a command of its own', async () => {
  const desk = new DccDesk();
  await desk.take(desk.update([1]));
  desk.download('ppmid-1');
  await desk.settle();
  const later = desk.nowMs + 5 * HOUR_MS;
  assert.is((await desk.take(desk.activation(1, { execution: later }))).code, 'I99');
  assert.ok(told(desk).includes('dated taken'));
  assert.is((await desk.take(desk.activation(1, { execution: 'cancel' }))).code, 'I99');
  await desk.pass(6 * HOUR_MS);
  assert.is(desk.desk.state(jobOf(desk)), 'awaiting-activation', 'called off');
  const again = desk.nowMs + 2 * HOUR_MS;
  await desk.take(desk.activation(1, { execution: again }));
  desk.restart();
  await desk.pass(2 * HOUR_MS);
  const run = desk.desk.field.of('ppmid-1');
  run.say('staged', 'distributed', 'activating', 'confirming').end('done');
  await desk.settle();
  assert.ok(told(desk).includes('dated done'), told(desk).join());
  assert.is(desk.desk.intents(jobOf(desk)), 1);
});

test('11.3 with another hash, or for a device that holds nothing, is answered with its result', async () => {
  const desk = new DccDesk();
  await desk.take(desk.activation(2));
  await desk.settle();
  assert.match(desk.sent.at(-1)!.text, /ASN1Status>noImageHeld/);
  await desk.take(desk.update([1]));
  desk.download('ppmid-1');
  await desk.settle();
  await desk.take(desk.activation(1, { firmwareHash: 'ab'.repeat(32) }));
  await desk.settle();
  assert.match(desk.sent.at(-1)!.text, /ASN1Status>hashMismatch/);
  assert.is(desk.desk.state(jobOf(desk)), 'awaiting-activation');
});

test('11.2 reads the device, and says so where it does not answer', async () => {
  const desk = new DccDesk();
  desk.desk.field.says.set('ppmid-1', '02000001');
  assert.is((await desk.take(desk.reading(1))).code, 'I99');
  await desk.settle();
  assert.match(desk.sent.at(-1)!.text, /ra:FirmwareVersion>02000001</);
  await desk.take(desk.reading(2));
  await desk.settle();
  assert.match(desk.sent.at(-1)!.text, /SMETS1Debug|MessageSuccess="false"/);
  assert.is(desk.sent.length, 2);
});

test('an endpoint that is down gets everything in order when it is up; one that refuses, what a person releases', async () => {
  let status = 503;
  const desk = new DccDesk({ answers: () => ({ kind: 'answered', status }) });
  await desk.take(desk.update([1, 2]));
  desk.download('ppmid-1');
  desk.download('ppmid-2');
  await desk.settle();
  assert.is(desk.service.waiting, 2);
  desk.restart();
  await desk.settle();
  status = 200;
  await desk.pass(HOUR_MS);
  await desk.pass(HOUR_MS);
  assert.is(desk.service.waiting, 0);
  const delivered = desk.sent.slice(-2).map(({ message }) => message);
  assert.ok(delivered[0]! < delivered[1]!);
  status = 400;
  await desk.take(desk.activation(1, { firmwareHash: 'ab'.repeat(32) }));
  for (let hour = 0; hour < 5; hour++) {
    await desk.pass(HOUR_MS);
  }
  const [lane] = desk.service.outbox();
  const [parked] = lane!.parked;
  assert.ok(parked, JSON.stringify(lane));
  status = 200;
  desk.service.release(parked!.message, 'api:a');
  await desk.settle();
  assert.is(desk.service.waiting, 0);
  assert.throws(() => desk.service.release(parked!.message, 'api:a'), /not put aside/);
});

test('a message whose document is lost is put aside and shown, and those after it go on', async () => {
  let status = 503;
  const desk = new DccDesk({ answers: () => ({ kind: 'answered', status }) });
  await desk.take(desk.update([1, 2]));
  desk.download('ppmid-1');
  await desk.settle();
  const lost = [...desk.documents.keys()].at(-1)!;
  desk.download('ppmid-2');
  await desk.settle();
  desk.documents.delete(lost);
  status = 200;
  await desk.pass(HOUR_MS);
  const [lane] = desk.service.outbox();
  assert.equal([lane!.waiting, lane!.parked.length], [0, 1]);
});

test('users that may not, targets that are none, devices that another job has', async () => {
  const desk = new DccDesk();
  const stranger = desk.update([1]);
  stranger.header.requestId.originator = OTHER_USER.replace('3', '4');
  assert.match((await desk.take(stranger)).code, /^E/);
  const target = desk.update([1]);
  target.header.requestId.target = euiOf(1);
  assert.match((await desk.take(target)).code, /^E/);
  await desk.take(desk.update([1]));
  const other = await desk.take(desk.update([1]));
  assert.match(other.text, new RegExp(`OtherRequestInProgressList>${eui(1)}<`));
});

test('the other supplier of the premises hears of it once, and of a device of others not at all', async () => {
  const suppliers = (id: string) => (id === 'ppmid-1' ? ['Electric', 'Gas'] : ['Electric']);
  const desk = new DccDesk({ suppliers });
  await desk.take(desk.update([1, 2]));
  await desk.settle();
  desk.restart();
  await desk.settle();
  assert.is(desk.sent.length, 1);
  const [{ user, text }] = desk.sent as [(typeof desk.sent)[0]];
  assert.is(user, OTHER_USER);
  assert.match(text, new RegExp(`FirmwareUpgradeRequested.*DeviceList>${eui(1)}<`));
});

test('a request that cannot be begun hinders no other, and its user is told', async () => {
  const desk = new DccDesk();
  desk.desk.gateway.jobs.create = () => {
    throw new UpliftError('image-unknown', 'it was set aside');
  };
  await desk.take(desk.update([1]));
  desk.desk.field.says.set('ppmid-2', '01000000');
  await desk.take(desk.reading(2));
  await desk.pass(2 * 60_000);
  assert.equal(told(desk).sort(), ['not reached', 'version']);
  desk.restart();
  await desk.pass(2 * 60_000);
  assert.is(desk.sent.length, 2, 'and told once');
});

test('a request whose devices are all done is let go a day later, and nothing is told again', async () => {
  const desk = new DccDesk();
  await desk.take(desk.update([1], 'UpdatePPMIDFirmware'));
  desk.download('ppmid-1');
  await desk.settle();
  const before = desk.sent.length;
  for (const ms of [1, 23 * HOUR_MS, 3 * HOUR_MS]) {
    desk.desk.clock.run(ms);
    desk.service.keepHouse(desk.nowMs);
  }
  const settled = desk.desk.journal.rows.filter((row) => row['step'] === 'settled');
  assert.is(settled.length, 1);
  desk.restart();
  await desk.settle();
  assert.is(desk.sent.length, before);
});

function jobOf({ service }: DccDesk): string {
  return service.requests().find(({ serviceReference }) => serviceReference !== '11.3')!.jobs[0]!;
}

function eui(n: number): string {
  return euiOf(n).toUpperCase().match(/../g)!.join('-');
}

test.run();
