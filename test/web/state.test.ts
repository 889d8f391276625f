/** What the page knows: a snapshot and records in, the present out; and nothing piles up. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { UPGRADE_STATES } from '../../src/jobs/states.ts';
import { PageState, type Upgrade } from '../../src/web/state.ts';
import { STATE_WORDS } from '../../src/web/words.ts';

const test = suite('state of the page');
const IMAGE = '11'.repeat(32);

function open(device: string, more: Partial<Upgrade> = {}) {
  return {
    job: 'j1',
    image: IMAGE,
    device,
    state: 'scheduled' as const,
    owner: 'gateway' as const,
    waitsFor: 'its turn',
    sinceMs: 1,
    attempt: 1,
    sentBytes: 0,
    totalBytes: 0,
    activation: { when: 'now' as const },
    cancelRequested: false,
    ...more,
  };
}

function stateRecord(sequence: number, device: string, state: string, more: object = {}) {
  const owner = state === 'done' || state === 'failed' ? 'nobody' : 'device';
  return {
    kind: 'state',
    sequence,
    atMs: sequence * 1_000,
    job: 'j1',
    device,
    state,
    owner,
    attempt: 1,
    ...more,
  };
}

function ready(...devices: string[]): PageState {
  const page = new PageState(0);
  page.setDevices(
    devices.map((id) => ({
      id,
      kind: 'ppmid',
      link: 'network:a',
      linkUp: true,
      upgrade: `j1/${id}`,
    })),
  );
  page.setUpgrades(
    devices.map((device) => open(device)),
    5,
  );
  return page;
}

test('every state has words of its own and a shape', () => {
  const words = UPGRADE_STATES.map((state) => STATE_WORDS[state].word);
  assert.is(new Set(words).size, UPGRADE_STATES.length);
});

test('only what was read back is called done', () => {
  for (const state of UPGRADE_STATES)
    assert.is(/done/i.test(STATE_WORDS[state].word), state === 'done', state);
  assert.match(STATE_WORDS.done.word, /read back/);
});

test('records move an upgrade on, and its device with it', () => {
  const page = ready('a', 'b');
  page.applyRecord(stateRecord(6, 'a', 'distributing', { untilMs: 99 }));
  assert.is(page.upgrades.get('j1/a')!.state, 'distributing');
  assert.is(page.upgrades.get('j1/a')!.untilMs, 99);
  page.applyProgress({
    ...{ job: 'j1', device: 'a', atMs: 7, sentBytes: 10, totalBytes: 20 },
    ...{ blocks: 1, repeats: 0, lastRequestMs: 7 },
  });
  assert.is(page.upgrades.get('j1/a')!.sentBytes, 10);
  page.applyRecord(stateRecord(8, 'a', 'done', { runs: '02000000' }));
  assert.is(page.sequence, 8);
  assert.is(page.upgrades.get('j1/a')!.untilMs, undefined, 'what is not said any more is gone');
  assert.is(page.devices.get('a')!.runs, '02000000');
  assert.is(page.devices.get('a')!.upgrade, undefined);
  assert.is(page.devices.get('b')!.upgrade, 'j1/b');
  assert.equal(
    page.openUpgrades.map(({ device }) => device),
    ['b'],
  );
});

test('what a record does not tell in full is asked for', () => {
  const page = ready('a');
  const wants = (kind: string, more: object = {}) =>
    page.applyRecord({ kind, sequence: 9, atMs: 1, job: 'j9', device: 'x', ...more });
  assert.equal(wants('state', { state: 'scheduled', owner: 'gateway' }), [{ job: 'j9' }]);
  assert.equal(wants('job'), [{ job: 'j9' }, 'devices']);
  assert.equal(wants('command'), [{ job: 'j9' }]);
  assert.equal(wants('device-read'), ['devices']);
  assert.equal(wants('image-stored'), ['images']);
  assert.equal(wants('of-a-later-release'), []);
});

test('what ended while nobody looked is asked for', () => {
  const page = ready('a', 'b');
  assert.equal(page.setUpgrades([open('b')], 40), [{ job: 'j1' }]);
  assert.is(page.sequence, 40);
});

test('a link that goes is seen at its devices', () => {
  const page = ready('a');
  page.applyLink('network:a', false);
  assert.is(page.devices.get('a')!.linkUp, false);
});

test('ten thousand upgrades that ended are a few hundred in memory, and the open ones all there', () => {
  const page = ready('open-1', 'open-2');
  for (let n = 0; n < 10_000; n++) {
    page.setJob({
      id: `k${n}`,
      by: 'x',
      createdMs: 1,
      isOver: true,
      request: {
        image: IMAGE,
        devices: ['d'],
        activation: { when: 'now' },
        priority: 4,
        deadlineMs: 9,
      },
      upgrades: [{ ...open('d'), state: 'done' as const, owner: 'nobody' as const }].map(
        ({ job: _, image: _image, ...rest }) => rest,
      ),
    });
  }
  assert.ok(page.upgrades.size <= 302, `${page.upgrades.size}`);
  assert.is(page.openUpgrades.length, 2);
  assert.ok(page.upgrades.has('k9999/d'), 'the newest stay');
});

test('while the gateway is away its time stands still', () => {
  const page = ready('a');
  page.clockOffsetMs = 500;
  assert.is(page.shownMs(2_000), 2_500);
  page.connection = { state: 'lost', sinceMs: 2_000, retryMs: 1_000 };
  assert.is(page.shownMs(90_000), 2_500);
});

test.run();
