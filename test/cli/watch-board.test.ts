/** What `uplift watch` shows, of pictures and events made up here. */
import { stripVTControlCharacters } from 'node:util';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { JobView } from '../../src/api/views.ts';
import { cellsOf } from '../../src/cli/cells.ts';
import { type GatewayPicture, WatchBoard } from '../../src/cli/watch-board.ts';

const test = suite('watch board');
const NOW_MS = Date.UTC(2027, 0, 31, 2, 30);
const SIZE = { columns: 120, rows: 30 };

function job(id: string, states: Record<string, JobView['upgrades'][number]['state']>): JobView {
  const upgrades = Object.entries(states).map(([device, state]) => ({
    device,
    state,
    owner: 'gateway' as const,
    waitsFor: '',
    sinceMs: NOW_MS,
    attempt: 1,
    sentBytes: 1_000,
    totalBytes: 4_000,
    activation: { when: 'now' as const },
    cancelRequested: false,
  }));
  const request = { image: '11'.repeat(32), devices: Object.keys(states) };
  return { id, by: 'a', createdMs: NOW_MS, isOver: false, request, upgrades } as unknown as JobView;
}

function picture(change: Partial<GatewayPicture> = {}): GatewayPicture {
  return {
    health: {
      gateway: 'leeds-7',
      version: '0.1.0',
      state: 'ready',
      reasons: [],
      startedMs: NOW_MS - 60_000,
      journal: { sequence: 9, hash: '' },
      upgrades: {},
      links: [{ link: 'network:zigbee-1', up: true, since: NOW_MS - 60_000 }],
    },
    devices: [],
    jobs: [],
    otherJobs: [],
    ...change,
  };
}

function seen(board: WatchBoard, size = SIZE, nowMs = NOW_MS): string[] {
  return board.lines(size, nowMs).map(stripVTControlCharacters);
}

test('a gateway that is well takes a line; without jobs it says so', () => {
  const board = new WatchBoard();
  board.show(picture(), NOW_MS);
  assert.equal(seen(board), [
    '✓ ready: leeds-7, Uplift 0.1.0, runs since 2027-01-31T02:29:00Z',
    'no open job',
  ]);
});

test('why it is not ready, which link is down, and what is behind it', () => {
  const board = new WatchBoard();
  const { health } = picture();
  const devices = ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => ({
    id,
    kind: 'ppmid' as const,
    link: id === 'f' ? 'port:f' : 'network:zigbee-2',
    linkUp: false,
  }));
  const links = [
    { link: 'network:zigbee-2', up: false, since: NOW_MS - 5_000, detail: 'no \u0007' },
  ];
  const reasons = [{ code: 'disk-full', message: 'the disk is full' }];
  const troubled = { ...health, state: 'degraded' as const, reasons, links };
  board.show(picture({ health: troubled as never, devices: devices as never }), NOW_MS);
  assert.equal(seen(board).slice(0, 3), [
    '! degraded: leeds-7, Uplift 0.1.0, runs since 2027-01-31T02:29:00Z',
    '! the disk is full (disk-full)',
    '✗ network:zigbee-2 is down since 2027-01-31T02:29:55Z, no \\u{7}; behind it a, b, c, d and 1 more',
  ]);
});

test('rows follow what is heard; ages are by one clock, the gateway’s', () => {
  const board = new WatchBoard();
  board.show(picture({ jobs: [job('j1', { 'hub-1': 'distributing', 'hub-2': 'done' })] }), NOW_MS);
  const gatewayMs = NOW_MS + 3_600_000;
  for (let second = 0; second < 5; second++) {
    board.hear(
      {
        event: 'progress',
        progress: {
          job: 'j1',
          device: 'hub-1',
          atMs: gatewayMs + second * 1_000,
          sentBytes: 1_000 + second * 500,
          totalBytes: 4_000,
          blocks: 3,
          repeats: 1,
          lastRequestMs: gatewayMs + second * 1_000 - 200,
        },
      },
      NOW_MS + second * 1_000,
    );
  }
  const at = NOW_MS + 4_000;
  const row = /^hub-1 +j1 +▸ distributing .* 75 % +3,000 of 4,000 +500 B\/s +2 s +0\.2 s +1$/;
  assert.match(seen(board, SIZE, at)[2]!, row);
  assert.not.match(seen(board).join('\n'), 'hub-2', 'what had ended before is not looked at');
  const record = { sequence: 10, atMs: at, kind: 'state', job: 'j1', device: 'hub-1' };
  board.hear({ event: 'record', record: { ...record, state: 'done' } }, at);
  assert.match(seen(board, SIZE, at)[2]!, /^hub-1 +j1 +✓ done$/);
  assert.match(seen(board, SIZE, at).at(-1)!, /^2027-\S+Z +hub-1 +done/);
  board.show(picture(), at);
  assert.match(seen(board, SIZE, at + 29_000).join('\n'), '✓ done', 'a while longer');
  board.show(picture(), at + 31_000);
  assert.match(seen(board, SIZE, at + 31_000).join('\n'), 'no open job');
});

test('a job for very many devices is a line of counts', () => {
  const board = new WatchBoard();
  const states = { distributing: 40, done: 49_960 };
  const other = { id: 'j9', devices: 50_000, states } as never;
  board.show(picture({ otherJobs: [other, other, other, other, other] }), NOW_MS);
  assert.is(seen(board)[1], '· j9, 50,000 devices: 40 distributing, 49,960 done');
  assert.is(seen(board)[4], '· and 2 older open jobs (uplift job list --open)');
});

test('a gateway that is gone is told in the place of its state, with the last picture beneath', () => {
  const board = new WatchBoard();
  board.show(picture({ jobs: [job('j1', { 'hub-1': 'scheduled' })] }), NOW_MS);
  board.lost(NOW_MS);
  board.lost(NOW_MS + 5_000);
  const lines = seen(board, SIZE, NOW_MS + 12_000);
  assert.match(lines[0]!, /^✗ does not answer for 12 s: leeds-7/);
  assert.match(lines[2]!, /^hub-1 +j1 +· scheduled$/);
  board.show(picture(), NOW_MS + 13_000);
  assert.match(seen(board)[0]!, /^✓ ready/);
});

test('it fits every terminal, and what happened last is in sight', () => {
  const board = new WatchBoard();
  const many = Object.fromEntries(
    Array.from({ length: 80 }, (_, i) => [`メーター-${i}`, 'staged']),
  );
  board.show(picture({ jobs: [job('j1', many as never)] }), NOW_MS);
  for (let index = 0; index < 100; index++) board.say(`event ${index} of a long sentence メーター`);
  for (let columns = 2; columns < 130; columns += 3) {
    for (const rows of [10, 24, 50]) {
      const lines = board.lines({ columns, rows }, NOW_MS);
      assert.ok(lines.length < rows, `${lines.length} of ${rows}`);
      for (const line of lines) assert.ok(cellsOf(line) <= columns - 1, `${columns}: ${line}`);
      if (columns > 60) assert.match(lines.at(-1)!, 'event 99 ');
    }
  }
});

test.run();
