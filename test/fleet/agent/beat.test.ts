/** What is asked next and when, against a simulated clock and a coordinator of a few lines. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Beat, type BeatStart } from '../../../src/fleet/agent/beat.ts';
import type { Answer, Ask } from '../../../src/fleet/agent/beat-messages.ts';
import { BEAT } from '../../../src/fleet/agent/beat-settings.ts';
import type { AgentCode } from '../../../src/fleet/agent/codes.ts';
import { SeededRandom } from '../../../src/virtual/random.ts';

const test = suite('beat');
const START_MS = Date.UTC(2026, 0, 1);
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const NEVER = Number.POSITIVE_INFINITY;
const ENROLLED: BeatStart = { hasToken: false, isEnrolled: true };
const DONE: Answer = { kind: 'done' };
const AWAY: Answer = { kind: 'unreached', code: 'fleet-unreachable', detail: 'ECONNREFUSED' };
const refused = (code: AgentCode): Answer => ({ kind: 'refused', code, detail: 'HTTP 4xx' });

/** A gateway with its beat, a clock, and answers that a test says. */
class Site {
  nowMs: number;
  readonly beat: Beat;
  readonly asked: { ask: Ask; atMs: number }[] = [];
  readonly said: string[] = [];
  events = 0;
  inventory = 'as it is';
  documentMs = NEVER;
  imageMs = NEVER;
  private readonly underWay: { ask: Ask; answer: Answer; atMs: number }[] = [];

  constructor(start: BeatStart = ENROLLED, seed = 1, nowMs = START_MS) {
    this.nowMs = nowMs;
    this.beat = new Beat(start, new SeededRandom(seed), nowMs);
  }

  /** @param answer what comes of an errand, and after how long */
  run(untilMs: number, answer: (ask: Ask, nowMs: number) => Answer | [Answer, number]): void {
    for (let steps = 0; steps < 100_000; steps++) {
      const { events, inventory, documentMs, imageMs } = this;
      const work = { events: events > 0, inventory, documentMs, imageMs };
      this.beat.handleWork(work, this.nowMs);
      for (let ask = this.beat.pollTransmit(this.nowMs); ask; ) {
        this.asked.push({ ask, atMs: this.nowMs });
        const said = answer(ask, this.nowMs);
        const [result, tookMs] = Array.isArray(said) ? said : [said, 50];
        this.underWay.push({ ask, answer: result, atMs: this.nowMs + tookMs });
        ask = this.beat.pollTransmit(this.nowMs);
      }
      for (let event = this.beat.pollEvent(); event; event = this.beat.pollEvent()) {
        if (event.kind === 'interrupt') this.interrupt();
        else if (event.kind === 'condition') this.said.push(event.condition.code);
        else this.said.push(event.kind === 'cleared' ? `-${event.code}` : event.kind);
      }
      this.underWay.sort((a, b) => a.atMs - b.atMs);
      const next = this.underWay[0];
      const dueMs = this.beat.pollTimeout();
      assert.ok(dueMs > this.nowMs, 'what is due was begun');
      const atMs = Math.min(dueMs, next?.atMs ?? NEVER);
      if (atMs > untilMs) break;
      this.nowMs = atMs;
      if (next?.atMs === atMs) {
        this.underWay.shift();
        this.beat.handleAnswer(next.ask.errand, next.answer, this.nowMs);
      } else this.beat.handleTimeout(this.nowMs);
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  private interrupt(): void {
    const poll = this.underWay.find(({ ask }) => ask.errand === 'desired');
    if (!poll) return;
    poll.atMs = this.nowMs;
    poll.answer = { kind: 'ended' };
  }

  names(): string[] {
    return this.asked.map(({ ask }) => ask.errand);
  }

  times(errand: string): number[] {
    return this.asked.filter(({ ask }) => ask.errand === errand).map(({ atMs }) => atMs);
  }
}

/** All is well: long polls wait for their time, and what waits is taken. */
function well(site: Site): (ask: Ask) => Answer | [Answer, number] {
  return (ask) => {
    if (ask.errand === 'desired') {
      return [{ kind: 'done', pollMs: 60_000 }, 50 + ask.waitSeconds * SECOND_MS];
    }
    if (ask.errand === 'document') site.documentMs = NEVER;
    if (ask.errand === 'image') site.imageMs = NEVER;
    if (ask.errand !== 'events') return DONE;
    site.events = Math.max(0, site.events - 100);
    return { kind: 'done', more: site.events > 0 };
  };
}

test('in order: enrolment, what to do, what happened, then the rest', () => {
  const site = new Site({ hasToken: true, isEnrolled: false });
  site.events = 250;
  site.documentMs = site.imageMs = 0;
  site.run(START_MS + 40 * SECOND_MS, well(site));
  assert.equal(site.names().slice(0, 5), ['enrol', 'desired', 'events', 'events', 'events']);
  assert.equal(site.names().slice(5), ['document', 'inventory', 'image', 'desired']);
  assert.equal(site.asked[1]!.ask, { errand: 'desired', conditional: false, waitSeconds: 0 });
  assert.equal(site.asked[8]!.ask, { errand: 'desired', conditional: true, waitSeconds: 50 });
  assert.equal(site.said, ['connected']);
});

test('a long poll follows the other, and nothing else is asked for without need', () => {
  const site = new Site();
  site.run(START_MS + HOUR_MS, well(site));
  assert.equal(new Set(site.names()), new Set(['desired', 'inventory']));
  assert.ok(Math.abs(site.times('desired').length - 72) <= 2, `${site.times('desired').length}`);
  assert.is(site.times('inventory').length, 1);
});

test('a coordinator that does not wait is asked as seldom as it says', () => {
  const site = new Site();
  site.run(START_MS + HOUR_MS, (ask) =>
    ask.errand === 'desired' ? { kind: 'done', pollMs: 5 * MINUTE_MS } : DONE,
  );
  const times = site.times('desired');
  assert.ok(times.length >= 10 && times.length <= 13, `${times.length}`);
  for (let at = 2; at < times.length; at++) {
    const pauseMs = times[at]! - times[at - 1]!;
    assert.ok(pauseMs >= 5 * MINUTE_MS && pauseMs <= 6.26 * MINUTE_MS, `${pauseMs}`);
  }
});

test('a coordinator that always has something new is not asked without pause', () => {
  const site = new Site();
  site.run(START_MS + 10 * MINUTE_MS, (ask) =>
    ask.errand === 'desired' ? { kind: 'done', pollMs: 100, more: true } : DONE,
  );
  assert.ok(site.times('desired').length <= 601);
});

test('the inventory: when it is another, after a pause, and once a day', () => {
  const site = new Site();
  site.run(START_MS + MINUTE_MS, well(site));
  assert.is(site.times('inventory').length, 1);
  site.inventory = 'another';
  site.run(START_MS + 3 * MINUTE_MS, well(site));
  assert.is(site.times('inventory').length, 2);
  const [first, second] = site.times('inventory');
  assert.ok(second! - first! >= BEAT.inventoryPauseMs);
  site.run(START_MS + 3 * DAY_MS, well(site));
  assert.is(site.times('inventory').length, 4);
});

test('an inventory that another process told is not told again', () => {
  const told = { digest: 'as it is', atMs: START_MS - HOUR_MS };
  const site = new Site({ ...ENROLLED, inventory: told });
  site.run(START_MS + 22 * HOUR_MS, well(site));
  assert.is(site.times('inventory').length, 0);
  site.run(START_MS + 24 * HOUR_MS, well(site));
  assert.is(site.times('inventory').length, 1);
});

test('an inventory that changes while it is told is told again', () => {
  const site = new Site();
  site.run(START_MS + 5 * MINUTE_MS, (ask) => {
    if (ask.errand === 'inventory') site.inventory = 'changed meanwhile';
    return well(site)(ask);
  });
  assert.is(site.times('inventory').length, 2);
});

test('events that come one by one go together', () => {
  const site = new Site();
  site.run(START_MS + MINUTE_MS, well(site));
  for (let at = 0; at < 60; at++) {
    site.events++;
    site.run(site.nowMs + 250, well(site));
  }
  const posts = site.times('events').length;
  assert.ok(posts >= 6 && posts <= 9, `${posts} posts in 15 s`);
});

test('the first contact after a start is spread over its window', () => {
  const delays = Array.from({ length: 1000 }, (_, seed) => {
    const site = new Site(ENROLLED, seed);
    return site.beat.pollTimeout() - START_MS;
  });
  const tenths = new Array<number>(10).fill(0);
  for (const delayMs of delays) tenths[Math.floor(delayMs / (BEAT.contact.baseMs / 10))]!++;
  for (const count of tenths) assert.ok(count > 60 && count < 140, `${tenths}`);
});

test('a gateway that has a token to enrol with does so at once', () => {
  const site = new Site({ hasToken: true, isEnrolled: false });
  assert.is(site.beat.pollTimeout(), START_MS);
  const again = new Site({ hasToken: true, isEnrolled: true });
  assert.ok(again.beat.pollTimeout() > START_MS);
});

test('an outage of two days: few tries, spread over their window, and then all of it in order', () => {
  const outageMs = 2 * DAY_MS;
  const returns: number[] = [];
  for (let seed = 0; seed < 200; seed++) {
    const site = new Site(ENROLLED, seed);
    site.run(START_MS + MINUTE_MS, well(site));
    const awayMs = site.nowMs;
    site.asked.length = 0;
    site.events = 1_000;
    site.documentMs = site.imageMs = 0;
    site.run(awayMs + outageMs, () => AWAY);
    const tries = site.asked.length;
    assert.ok(tries > 200 && tries < 600, `${tries} tries in two days`);
    assert.equal(
      site.beat.standing.map(({ about, code }) => ({ about, code })),
      [{ about: 'coordinator', code: 'fleet-unreachable' }],
    );
    assert.not(site.beat.isConnected);
    // A long poll was open when the line went, and an errand beside it; then one probe at a time.
    const late = site.names().slice(3);
    assert.ok(late.every((name) => name === 'desired'));
    site.asked.length = 0;
    site.run(awayMs + outageMs + HOUR_MS, well(site));
    returns.push(site.asked[0]!.atMs - awayMs - outageMs);
    const order = site.names().filter((name, at, all) => name !== all[at - 1]);
    // Nothing comes between the stretches.
    assert.equal(order.slice(0, 5), ['desired', 'events', 'document', 'inventory', 'image']);
    assert.equal(site.asked[0]!.ask, { errand: 'desired', conditional: true, waitSeconds: 0 });
    assert.is(site.events, 0);
    assert.equal(site.beat.standing, []);
  }
  const { capMs } = BEAT.contact;
  assert.ok(returns.every((ms) => ms <= capMs));
  const buckets = new Array<number>(5).fill(0);
  for (const ms of returns) buckets[Math.min(4, Math.floor(ms / (capMs / 5)))]!++;
  // A gateway returns at what is left of a window that it is somewhere in: early more often than late.
  assert.ok(Math.max(...buckets) < 120, `${buckets} of 200 gateways in each fifth of the window`);
});

test('a lost connection is made anew within the first window', () => {
  const site = new Site();
  site.run(START_MS + MINUTE_MS, well(site));
  const lostMs = site.nowMs;
  site.asked.length = 0;
  let isLost = true;
  site.run(lostMs + 3 * MINUTE_MS, (ask) => {
    if (!isLost) return well(site)(ask);
    isLost = false;
    return AWAY;
  });
  const [, again] = site.times('desired');
  assert.ok(again! - site.times('desired')[0]! <= BEAT.contact.baseMs + 50);
  assert.equal(site.said, ['connected', 'fleet-unreachable', '-fleet-unreachable', 'connected']);
});

test('two errands that lose one connection count as one failure', () => {
  const counts = (both: boolean): number => {
    const beat = new Beat(ENROLLED, { next: () => 0.999 }, START_MS);
    let nowMs = START_MS + BEAT.contact.baseMs;
    const work = { events: true, inventory: '', documentMs: NEVER, imageMs: NEVER };
    beat.handleWork(work, nowMs);
    assert.is(beat.pollTransmit(nowMs)?.errand, 'desired');
    beat.handleAnswer('desired', { kind: 'done', more: true }, nowMs);
    nowMs += SECOND_MS;
    assert.is(beat.pollTransmit(nowMs)?.errand, 'desired');
    assert.is(beat.pollTransmit(nowMs)?.errand, 'events');
    beat.handleAnswer('events', AWAY, nowMs);
    if (both) beat.handleAnswer('desired', AWAY, nowMs);
    return beat.pollTimeout() - nowMs;
  };
  assert.ok(counts(true) <= BEAT.contact.baseMs);
  // While the other is still open nobody else is asked.
  assert.is(counts(false), NEVER);
});

test('Retry-After holds everything back, and not all gateways for the same time', () => {
  const returns = Array.from({ length: 50 }, (_, seed) => {
    const site = new Site(ENROLLED, seed);
    let said = 0;
    site.run(START_MS + HOUR_MS, (ask, nowMs) => {
      if (said > 0) return well(site)(ask);
      said = nowMs + 50;
      const wait = { retryAfterMs: 10 * MINUTE_MS };
      return { kind: 'later', code: 'busy', detail: 'HTTP 429', ...wait };
    });
    assert.equal(site.said, ['connected', 'busy', '-busy']);
    return site.asked[1]!.atMs - said;
  });
  assert.ok(returns.every((ms) => ms >= 10 * MINUTE_MS && ms <= 12.5 * MINUTE_MS + 1));
  assert.ok(new Set(returns.map((ms) => Math.floor(ms / 1000))).size > 25);
});

test('an errand that has trouble backs off by itself', () => {
  const site = new Site();
  site.events = 1;
  site.run(START_MS + HOUR_MS, (ask) => {
    if (ask.errand !== 'events') return well(site)(ask);
    return { kind: 'later', code: 'fleet-failing', detail: 'HTTP 500' };
  });
  const posts = site.times('events').length;
  assert.ok(posts >= 5 && posts < 30, `${posts}`);
  assert.ok(site.times('desired').length > 60);
  assert.is(site.times('inventory').length, 1, 'the rest does not wait for it');
  assert.equal(site.said, ['connected', 'fleet-failing']);
  assert.ok(site.beat.isConnected);
});

test('the wait that an acknowledgement asks for is one of the events alone', () => {
  const site = new Site();
  site.events = 1000;
  site.run(START_MS + HOUR_MS, (ask) => {
    if (ask.errand !== 'events') return well(site)(ask);
    site.events -= 100;
    return { kind: 'done', more: true, retryAfterMs: 5 * MINUTE_MS };
  });
  const posts = site.times('events').length;
  assert.ok(posts >= 9 && posts <= 10, `${posts}`);
  assert.ok(site.times('desired').length > 60);
});

for (const code of ['gateway-revoked', 'gateway-unknown', 'certificate-missing'] as const) {
  test(`${code}: nothing is asked but once an hour, and then goes on`, () => {
    const site = new Site();
    site.events = 1;
    site.imageMs = 0;
    site.run(START_MS + 10 * HOUR_MS, () => refused(code));
    assert.ok(site.asked.length >= 8 && site.asked.length <= 11, `${site.asked.length}`);
    assert.ok(site.names().every((name) => name === 'desired'));
    assert.equal(site.said, [code]);
    assert.not(site.beat.isConnected);
    assert.is(site.beat.lastContactMs! > START_MS, true);
    site.run(START_MS + 12 * HOUR_MS, well(site));
    assert.equal(site.said, [code, `-${code}`, 'connected']);
    assert.is(site.events, 0);
  });
}

test('a gateway that is unknown tries its token again', () => {
  const site = new Site({ hasToken: true, isEnrolled: true });
  let isKnown = false;
  site.run(START_MS + 3 * HOUR_MS, (ask) => {
    if (ask.errand === 'enrol') isKnown = true;
    return isKnown ? well(site)(ask) : refused('gateway-unknown');
  });
  assert.equal(site.names().slice(0, 3), ['desired', 'enrol', 'desired']);
  assert.ok(site.beat.isConnected);
});

test('an enrolment whose acknowledgement was lost is found by asking', () => {
  const site = new Site({ hasToken: true, isEnrolled: false });
  let isFirst = true;
  site.run(START_MS + HOUR_MS, (ask) => {
    if (ask.errand !== 'enrol') return well(site)(ask);
    const answer = isFirst ? AWAY : refused('token-unknown');
    isFirst = false;
    return answer;
  });
  assert.equal(site.names().slice(0, 4), ['enrol', 'enrol', 'desired', 'inventory']);
  assert.ok(site.said.includes('-token-unknown'));
  assert.equal(site.beat.standing, []);
});

test('a token that is not known: it says so, and tries once an hour', () => {
  const site = new Site({ hasToken: true, isEnrolled: false });
  site.run(START_MS + 5 * HOUR_MS, (ask) =>
    refused(ask.errand === 'enrol' ? 'token-unknown' : 'gateway-unknown'),
  );
  assert.ok(site.asked.length >= 8 && site.asked.length <= 12, `${site.asked.length}`);
  assert.equal(
    site.beat.standing.map(({ code }) => code),
    ['gateway-unknown', 'token-unknown'],
  );
  assert.equal(site.said, ['token-unknown', 'gateway-unknown']);
});

test('a stretch that does not fit: the mark is asked for at once, and then less and less often', () => {
  const site = new Site();
  site.events = 1;
  site.run(START_MS + HOUR_MS, (ask) =>
    ask.errand === 'events' ? refused('events-gap') : well(site)(ask),
  );
  const first = site.asked.findIndex(({ ask }) => ask.errand === 'events');
  const after = site.asked.slice(first + 1).find(({ ask }) => ask.errand === 'desired');
  assert.equal(after!.ask, { errand: 'desired', conditional: false, waitSeconds: 0 });
  assert.ok(after!.atMs - site.asked[first]!.atMs <= SECOND_MS, 'no long poll is in its way');
  const posts = site.times('events').length;
  assert.ok(posts >= 4 && posts < 30, `${posts}`);
  assert.equal(site.said, ['connected', 'events-gap']);
  site.run(START_MS + 2 * HOUR_MS, well(site));
  assert.equal(site.said, ['connected', 'events-gap', '-events-gap']);
});

test('a journal that is forked stops the events, and nothing else', () => {
  const site = new Site();
  site.events = 1;
  site.imageMs = 0;
  site.run(START_MS + 6 * HOUR_MS, (ask) =>
    ask.errand === 'events' ? refused('events-forked') : well(site)(ask),
  );
  const posts = site.times('events').length;
  assert.ok(posts >= 5 && posts <= 7, `${posts}`);
  assert.ok(site.times('desired').length > 350, 'long polls go on');
  assert.is(site.imageMs, NEVER, 'an image is fetched');
  assert.equal(site.said, ['connected', 'events-forked']);
  // Each time how far the coordinator has the journal is asked before.
  const marks = site.asked.filter(({ ask }) => ask.errand === 'desired' && !ask.conditional);
  assert.is(marks.length, posts);
});

test('a fork that the gateway itself finds is one too', () => {
  const site = new Site();
  site.events = 1;
  site.run(START_MS + MINUTE_MS, well(site));
  site.beat.handleUntellable('events-forked', 'record 7 is not here', site.nowMs);
  assert.not(site.beat.isMarked);
  site.events = 1;
  const before = site.times('events').length;
  site.run(site.nowMs + 50 * MINUTE_MS, well(site));
  assert.is(site.times('events').length, before);
  site.run(site.nowMs + HOUR_MS, well(site));
  assert.is(site.times('events').length, before + 1);
  assert.equal(site.beat.standing, []);
});

test('a blob that breaks off says nothing about the coordinator', () => {
  const site = new Site();
  site.imageMs = 0;
  let tries = 0;
  site.run(START_MS + MINUTE_MS, (ask, nowMs) => {
    if (ask.errand !== 'image') return well(site)(ask);
    site.imageMs = nowMs + 10 * SECOND_MS;
    tries++;
    return { kind: 'ended' };
  });
  assert.ok(tries >= 3);
  assert.ok(site.beat.isConnected);
  assert.equal(site.said, ['connected']);
});

test('a clock that is set back by years does not keep anything waiting', () => {
  const site = new Site();
  site.run(START_MS + 10 * MINUTE_MS, well(site));
  site.run(site.nowMs + 5 * MINUTE_MS, () => AWAY);
  site.nowMs -= 20 * 365 * DAY_MS;
  site.asked.length = 0;
  site.run(site.nowMs + 16 * MINUTE_MS, well(site));
  assert.ok(site.names().includes('desired'));
  assert.ok(site.beat.isConnected);
  site.inventory = 'another';
  site.run(site.nowMs + 2 * MINUTE_MS, well(site));
  assert.ok(site.names().includes('inventory'));
});

test('the same seed asks at the same times', () => {
  const times = (seed: number) => {
    const site = new Site(ENROLLED, seed);
    site.run(START_MS + 12 * HOUR_MS, () => AWAY);
    return site.asked.map(({ atMs }) => atMs);
  };
  assert.equal(times(3), times(3));
  assert.not.equal(times(3), times(4));
});

test.run();
