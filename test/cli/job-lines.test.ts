/** What `job create --watch` says of an upgrade that waits. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { JobView, UpgradeDocument } from '../../src/api/views.ts';
import { waitLine } from '../../src/cli/job-lines.ts';

const test = suite('lines of a job');
const AT_MS = Date.UTC(2027, 0, 31, 20);
const HELD: UpgradeDocument = {
  device: 'ppmid-1',
  state: 'awaiting-activation',
  owner: 'gateway',
  waitsFor: 'nothing is activated in these hours',
  sinceMs: AT_MS,
  untilMs: Date.UTC(2027, 1, 1, 8),
  attempt: 1,
  sentBytes: 8,
  totalBytes: 8,
  activation: { when: 'now' },
  cancelRequested: false,
};

function lineOf(upgrade: Partial<UpgradeDocument>, state = 'awaiting-activation') {
  const job = { upgrades: [{ ...HELD, ...upgrade }] } as unknown as JobView;
  const record = { sequence: 9, atMs: AT_MS, kind: 'state', device: 'ppmid-1', state };
  return waitLine(record, job);
}

test('what the scheduler waits for is said, with who acts next and until when', () => {
  assert.is(
    lineOf({}),
    '2027-01-31T20:00:00Z  ppmid-1  waits  gateway: nothing is activated in these hours, until 2027-02-01T08:00:00Z',
  );
  assert.match(lineOf({ state: 'scheduled', owner: 'person' }, 'scheduled')!, / person: nothing/);
});

test('nothing is said where no end is known, of what goes on, or of what is past', () => {
  assert.is(lineOf({ untilMs: undefined }), undefined);
  assert.is(lineOf({ state: 'distributing' }, 'distributing'), undefined);
  assert.is(lineOf({ state: 'activating' }), undefined);
  assert.is(lineOf({ device: 'ppmid-2' }), undefined);
  assert.is(lineOf({ state: 'done', owner: 'nobody' }, 'done'), undefined);
});

test.run();
