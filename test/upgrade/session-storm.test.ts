/**
 * Random storms of events against a session, in any order, whatever a device or a link may do: it never
 * throws, always ends, authorises only after an unconditional admission, and commands one activation for
 * each that was asked for. SEED=n repeats one storm.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { STATUS } from '../../src/protocol/zcl-ota/codec.ts';
import type { Activation } from '../../src/protocol/zcl-ota/session.ts';
import type { SessionEvent, SessionInput } from '../../src/upgrade/session.ts';
import { isFinal } from '../../src/upgrade/states.ts';
import { SeededRandom } from '../../src/virtual/random.ts';
import { Desk, IMAGE_BYTES, LIMITS, NEW, OLD, query, reading, START_MS } from './desk.ts';

const STORMS = 4_000;
const EVENTS = 60;
/** Every deadline there is, one after the other, and the time to activate at. */
const LONGEST_MS = 8 * 24 * 3_600_000 + LIMITS.heldMs;
const VERSIONS = [OLD, OLD, OLD, OLD, NEW, NEW + 1, 0xffffffff, undefined];
const GAPS_MS = [0, 0, 1, 100, 1_000, 5_000, 20_000, 100_000];

function pick<T>(random: SeededRandom, from: readonly T[]): T {
  return from[Math.floor(random.next() * from.length)]!;
}

function inputsOf(random: SeededRandom): (() => SessionInput)[] {
  const offset = () => Math.floor(random.next() * IMAGE_BYTES);
  return [
    () =>
      reading({
        currentFileVersion: pick(random, VERSIONS),
        downloadedFileVersion: pick(random, VERSIONS),
        imageUpgradeStatus: pick(random, [undefined, 0, 1, 2, 3, 4, 5, 6, 255]),
        softwareBuild: pick(random, [undefined, '1.0', '2.0']),
      }),
    () => ({ kind: 'reading-failed', reason: 'none' }),
    () =>
      query(
        pick(random, VERSIONS) ?? OLD,
        {
          manufacturerCode: pick(random, [0x121d, 0x121d, 0x121d, 0xffff]),
          hardwareVersion: pick(random, [undefined, 0x0100, 0x0100, 0x0200, 0xffff]),
        },
        pick(random, ['offered', 'deferred', 'no-image', 'running-already'] as const),
      ),
    () => ({ kind: 'asks-unauthorised', offset: offset() }),
    () => ({ kind: 'started', offset: offset() }),
    () => ({ kind: 'partial-dropped', offset: offset() }),
    () => ({ kind: 'progress', sentBytes: offset(), lastRequestMs: START_MS + offset() }),
    () => ({ kind: 'downloaded', answer: pick(random, ['now', 'held', 'at', 'aborted'] as const) }),
    () => ({ kind: 'ended', status: pick(random, [STATUS.abort, STATUS.abort, 0x96, 0x01]) }),
    () => ({ kind: 'stalled', silentMs: 20_000 }),
    () => ({ kind: 'announced' }),
    () => ({ kind: 'link-down', reason: 'storm' }),
    () => ({ kind: 'link-up' }),
  ];
}

function storm(seed: number): Desk {
  const random = new SeededRandom(seed);
  const activations: Activation[] = [
    { when: 'now' },
    { when: 'held' },
    { when: 'at', atMs: START_MS + 600_000 },
    { when: 'at', atMs: START_MS + 24 * 3_600_000 },
    { when: 'at', atMs: START_MS - 1 },
  ];
  const desk = new Desk({
    activation: pick(random, activations),
    resumable: random.next() < 0.3,
    ...(random.next() < 0.2 ? { device: { imageProfile: 'gb-ppmid' } } : {}),
  });
  // Some kinds are left out each time: a storm that refuses at once reaches nothing else.
  const kinds = inputsOf(random).filter(() => random.next() < 0.4);
  let asked = desk.session['request'].activation.when === 'held' ? 0 : 1;
  let deferred = 0;
  // Some begin late: from the start few storms come so far.
  pick(random, [
    () => desk.start(),
    () => desk.offered(),
    () => desk.distributing(),
    () => desk.downloaded(),
  ])();
  checkAuthorise(desk, 0);
  for (let event = 0; event < EVENTS && kinds.length > 0; event++) {
    const before = desk.commands.length;
    if (desk.session.holds() && random.next() < 0.3) {
      desk.session.activate(pick(random, activations), desk.nowMs);
      asked++;
    }
    const input = pick(random, kinds)();
    if (input.kind === 'query' && input.answer === 'deferred') deferred++;
    desk.say(input);
    checkAuthorise(desk, before, input);
    desk.pass(pick(random, GAPS_MS));
    assert.ok(isFinal(desk.state) || desk.session.pollTimeout() < Number.POSITIVE_INFINITY);
  }
  checkActivations(desk, asked);
  desk.say({ kind: 'link-up' }).frozenMs(LONGEST_MS);
  checkActivations(desk, asked);
  assert.ok(desk.count('authorise') <= 2 + deferred, 'one for a reading, one a question');
  assert.is(desk.states().filter(isFinal).length, 1, 'one outcome');
  if (desk.count('activate') > 0) assert.ok(desk.count('authorise') > 0, 'activated what may be');
  return desk;
}

/** One command for each that was given, and few more where it was read to have been lost. */
function checkActivations(desk: Desk, asked: number): void {
  const again = desk.notes(/told again/);
  const first = desk.count('activate') - again;
  assert.ok(first <= asked, `${first} of ${asked} commands`);
  assert.ok(again <= 3 * asked, `${again} repeats of ${asked} commands`);
}

/** What is authorised was just admitted, unconditionally, on what the device said of itself last. */
function checkAuthorise(desk: Desk, from: number, input?: SessionInput): void {
  const authorised = desk.commands
    .slice(from)
    .flatMap(({ value }) => (value.kind === 'authorise' ? value : []));
  if (authorised.length === 0) return;
  const last = desk.events.findLast(({ value }) => value.kind === 'decision')!.value;
  const { verdict, conditional } = (last as Extract<SessionEvent, { kind: 'decision' }>).decision;
  assert.is(verdict, 'admitted');
  assert.not.ok(conditional, 'authorised on an unconditional admission');
  if (input?.kind === 'query') assert.equal(authorised.at(-1)!.admitted, input.facts);
}

test('storms of events', () => {
  const only = process.env['SEED'];
  const first = only ? Number(only) : 1;
  const seen = new Map<string, number>();
  for (let seed = first; seed < first + (only ? 1 : STORMS); seed++) {
    try {
      const { state, code } = storm(seed).session;
      seen.set(code ?? state, (seen.get(code ?? state) ?? 0) + 1);
    } catch (error) {
      console.log(`SEED ${seed}`);
      throw error;
    }
  }
  if (only) return;
  console.log(`NOTE ${[...seen].map(([outcome, times]) => `${outcome} ${times}`).join(', ')}`);
  assert.ok(seen.size >= 14, `the storms reach most outcomes: ${seen.size}`);
});

test.run();
