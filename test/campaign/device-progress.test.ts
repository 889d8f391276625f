/** What an upgrade's state means for its campaign. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DEVICE_STATES, deviceProgress } from '../../src/campaign/device-progress.ts';
import { FAILURE_CLASSES } from '../../src/campaign/failure-classes.ts';
import { UPGRADE_STATES } from '../../src/jobs/states.ts';
import { FAILURES } from '../../src/upgrade/states.ts';

const test = suite('device progress');
const now = { when: 'now' } as const;

test('every state of an upgrade and every way to fail means something', () => {
  for (const phase of UPGRADE_STATES) {
    for (const code of [undefined, ...Object.keys(FAILURES)]) {
      for (const before of DEVICE_STATES) {
        const standing = { phase, ...(code === undefined ? {} : { code }) };
        const found = deviceProgress(standing, now, before);
        assert.ok(DEVICE_STATES.includes(found.state));
        if (found.state === 'failed') assert.ok(found.failure in FAILURE_CLASSES);
      }
    }
  }
});

for (const [phase, code, expected] of [
  ['scheduled', undefined, { state: 'taken' }],
  ['distributing', undefined, { state: 'under-way' }],
  ['awaiting-activation', undefined, { state: 'under-way' }],
  ['done', undefined, { state: 'succeeded' }],
  ['refused', 'below-floor', { state: 'failed', failure: 'refused' }],
  ['failed', 'device-reverted', { state: 'failed', failure: 'reverted' }],
  ['failed', 'device-silent', { state: 'failed', failure: 'unreachable' }],
  ['failed', 'not-activated', { state: 'failed', failure: 'activation' }],
  ['failed', 'a-code-of-tomorrow', { state: 'failed', failure: 'transfer' }],
  ['expired', undefined, { state: 'failed', failure: 'expired' }],
  ['unknown-outcome', undefined, { state: 'failed', failure: 'unknown-outcome' }],
  ['cancelled', undefined, { state: 'failed', failure: 'refused' }],
] as const) {
  test(`${phase} ${code ?? ''}`, () => {
    const standing = { phase, ...(code === undefined ? {} : { code }) };
    assert.equal(deviceProgress(standing, now, 'granted'), expected);
  });
}

test('an image that is to be held is held: that is success', () => {
  const held = deviceProgress({ phase: 'awaiting-activation' }, { when: 'held' }, 'under-way');
  assert.equal(held, { state: 'succeeded' });
});

test('what the campaign called off is to come again; what is tried again stays attempted', () => {
  const off = deviceProgress({ phase: 'cancelled', withdrawn: true }, now, 'taken');
  assert.equal(off, { state: 'pending' });
  assert.equal(deviceProgress({ phase: 'scheduled' }, now, 'under-way'), { state: 'under-way' });
});

test.run();
