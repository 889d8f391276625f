/**
 * A device that vanishes, on a real pseudo-terminal, with a host in a process of its own: every time the
 * link closes, and the process rests. The binding as it comes fails this, which is why it is cured.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { HostPort } from '../../../src/virtual/host-port.ts';
import type { Said, Traffic } from './processes/host.ts';
import { freePath, newTerminal, removeTerminals, until } from './terminal.ts';

const HOST = resolve(import.meta.dirname, 'processes/host.ts');
const ROUNDS = 10;

/** Of one core. A spinning reader takes half a core or more. */
const BUSY_MAX = 0.35;

/** How long a link may take to close once its device is gone. */
const CLOSE_LIMIT_MS = 2_000;

test.after(removeTerminals);

for (const traffic of ['idle', 'request-answer', 'streaming'] as const) {
  test(`a device that vanishes closes its link, ${traffic}`, async () => {
    const rounds = await vanishings(traffic, 'cured', ROUNDS);
    assert.equal(
      rounds.filter(({ reason }) => reason !== 'vanished'),
      [],
      'every time',
    );
    // A collection may fall into one round or two; a reader that spins does so in every other one.
    const busy = rounds.map((round) => round.busy).sort((a, b) => b - a)[2]!;
    assert.ok(
      busy < BUSY_MAX,
      `no spinning: ${busy.toFixed(2)} of a core in the third busiest round`,
    );
  });
}

test('the binding as it comes is left spinning: what the others test can fail', async () => {
  const rounds = await vanishings('streaming', 'stock', ROUNDS);
  assert.ok(
    rounds.some(({ reason }) => reason === 'none'),
    JSON.stringify(rounds),
  );
});

interface Round {
  reason: string;
  detail: string;
  busy: number;
}

/** Ends with the first round that brings no event. */
async function vanishings(traffic: Traffic, kind: string, count: number): Promise<Round[]> {
  const path = freePath(`${traffic}-${kind}`);
  // Before there is a terminal: a process that was started later would have its device's end too.
  const host = fork(HOST, [path, traffic, kind]);
  const said: Said[] = [];
  host.on('message', (message: Said) => said.push(message));
  const rounds: Round[] = [];
  try {
    await once(host, 'spawn');
    const device = await newTerminal((chunk, port) => {
      if (traffic === 'request-answer') port.write(chunk);
    }, path);
    if (device === undefined)
      return [{ reason: kind === 'stock' ? 'none' : 'vanished', detail: 'running', busy: 0 }];
    while (rounds.length < count) {
      const round = await oneRound(device, host, said, traffic, rounds.length);
      rounds.push(round);
      if (round.reason === 'none') return rounds;
      await device.restore();
    }
    return rounds;
  } finally {
    host.kill('SIGKILL');
  }
}

async function oneRound(
  device: HostPort,
  host: ChildProcess,
  said: Said[],
  traffic: Traffic,
  round: number,
): Promise<Round> {
  host.send('open');
  await until(() => said.some(({ kind }) => kind === 'open'));
  const stop = traffic === 'streaming' ? streaming(device) : () => {};
  // Each time at another moment of the traffic.
  await new Promise((done) => setTimeout(done, 5 + 3 * round));
  await device.cut();
  stop();
  try {
    await until(() => said.some(({ kind }) => kind === 'closed'), CLOSE_LIMIT_MS);
  } catch {
    return { reason: 'none', detail: host.exitCode === null ? 'running' : 'ended', busy: 1 };
  }
  const { how, busy } = said.find((message) => message.kind === 'closed')!;
  said.length = 0;
  return { ...how, busy };
}

/** As fast as the host takes it, so that it is reading when the device goes. */
function streaming(device: HostPort): () => void {
  const bytes = new Uint8Array(1024).fill(0xaa);
  let stopped = false;
  const more = () => {
    if (stopped) return;
    device.write(bytes);
    setImmediate(more);
  };
  more();
  return () => {
    stopped = true;
  };
}

test.run();
