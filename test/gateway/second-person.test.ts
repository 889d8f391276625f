/** Jobs that a door demands a second person for: they wait for one who is not their author, on record. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UpliftError } from '../../src/errors.ts';
import type { AdmissionDesk } from '../../src/gateway/admission-desk.ts';
import { ServiceControl, type ServiceControlOptions } from '../../src/gateway/service-control.ts';
import type { JobRequest } from '../../src/jobs/records.ts';
import { GatewayDesk, HOUR_MS, IMAGE } from './gateway-desk.ts';

const test = suite('jobs for two');
const WHY = 'it goes back to an older version';

/** `goesBack`: devices for which there is a waiver, and whether what is asked would rest on it. */
function control(
  desk: GatewayDesk,
  goesBack: Record<string, boolean | 'unreadable'>,
): ServiceControl {
  const admission = {
    mayGoBack: (id: string) => id in goesBack,
    review: (_image: string, id: string) => {
      if (goesBack[id] === 'unreadable') throw new UpliftError('image-poisoned', 'it is damaged');
      return goesBack[id] ? { secondPerson: WHY } : {};
    },
  } as unknown as AdmissionDesk;
  const { gateway } = desk;
  return new ServiceControl({
    ...{ id: 'g', version: '1', gateway, desk: admission, nowMs: () => gateway.nowMs },
  } as unknown as ServiceControlOptions);
}

function wish(desk: GatewayDesk, more: Partial<JobRequest> = {}): JobRequest {
  return {
    image: IMAGE,
    devices: ['ppmid-1'],
    activation: { when: 'now' },
    priority: 4,
    deadlineMs: desk.gateway.nowMs + HOUR_MS,
    ...more,
  };
}

const states = ({ upgrades }: { upgrades: readonly { state: string }[] }) =>
  upgrades.map(({ state }) => state);

test('one that goes back waits for approval, whatever was asked, and its author does not give it', () => {
  const desk = new GatewayDesk();
  const door = control(desk, { 'ppmid-1': true });
  const job = door.createJob(wish(desk), 'api:ann');
  assert.equal(states(job), ['awaiting-approval']);
  assert.is(job.request.needsApproval, true, 'on record');
  assert.is(desk.field.runs.length, 0);
  assert.throws(
    () => door.approve(job.id, 'api:ann'),
    (error: UpliftError) => error.code === 'own-approval',
  );
  door.approve(job.id, 'api:robert');
  assert.is(job.approvedBy, 'api:robert');
  assert.equal(states(job), ['verifying']);
});

test('one device that goes back is enough; those that do not need nobody', () => {
  const desk = new GatewayDesk();
  const both = control(desk, { 'ppmid-1': false, 'hub-1': true });
  const job = both.createJob(wish(desk, { devices: ['ppmid-1', 'hub-1'] }), 'api:ann');
  assert.equal(states(job), ['awaiting-approval', 'awaiting-approval']);
  const alone = both.createJob(wish(desk, { devices: ['ppmid-2'] }), 'api:ann');
  assert.is(alone.request.needsApproval, undefined);
});

test('where it cannot be judged now, a second person looks as well', () => {
  const desk = new GatewayDesk();
  const job = control(desk, { 'ppmid-1': 'unreadable' }).createJob(wish(desk), 'api:ann');
  assert.equal(states(job), ['awaiting-approval']);
});

test('the same request again is the same job, though more was demanded than it asked', () => {
  const desk = new GatewayDesk();
  const door = control(desk, { 'ppmid-1': true });
  const asked = wish(desk, { requestId: 'r1' });
  const job = door.createJob(asked, 'api:ann');
  assert.is(door.createJob(asked, 'api:ann').id, job.id);
  assert.throws(
    () => door.createJob({ ...asked, priority: 5 }, 'api:ann'),
    (error: UpliftError) => error.code === 'request-id-reused',
  );
});

test.run();
