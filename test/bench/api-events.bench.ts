/**
 * A thousand listeners of the event stream, a tenth of which never read: how long the event loop is
 * held up while records are announced to all of them, how long an announcement takes, and that
 * those that do not read are let go. Listeners are in a process of their own, so that the loop is
 * the server's alone.
 *
 * Records come in bursts, each less than a listener may leave unread. The next is announced when
 * the listeners' process says that every reading listener has had the one before: so none of them
 * is let go, however little of the machine that process gets.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiServer } from '../../src/api/server.ts';
import { FakeControl } from '../api/fake-control.ts';
import { realTimers } from '../api/served.ts';
import { FULL, mix, printDigest } from './bench.ts';

const LISTENERS = FULL ? 1_000 : 100;
const SLOW = LISTENERS / 10;
const READING = LISTENERS - SLOW;
/** So many are announced at once, and then none until all of them were had. */
const BURST = 10;
const BURSTS = FULL ? 200 : 30;
const TEXT = 'x'.repeat(FULL ? 200 : 1_500);
/** Kernel buffers take some of what is sent to who does not read; then it is the server's. */
const BUFFER_BYTES_MAX = 32 * 1024;
/** Of a burst, which takes milliseconds: who needs so much longer does not go on at all. */
const STEP_MS_MAX = 15_000;

const [, , role, path] = process.argv;
if (role === 'listen') listenAll(path!);
else await serve();

async function serve(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'uplift-events-'));
  const socket = { path: join(folder, 'api.sock'), mode: 0o600, role: 'viewer' as const };
  const control = new FakeControl(() => Date.now());
  const server = await ApiServer.start({
    control,
    config: { socket, tcp: undefined },
    timers: realTimers,
    log: { write() {} },
    version: '0.0.0',
    limits: {
      listenersMax: LISTENERS,
      connectionsMax: LISTENERS + 10,
      bufferBytesMax: BUFFER_BYTES_MAX,
    },
  });
  const words = [import.meta.filename, 'listen', socket.path, ...(FULL ? ['--full'] : [])];
  const peers = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const said = sayings(peers);
    await said('listening');
    const { count } = server.events;
    if (count !== LISTENERS) throw new Error(`${count} listeners are there, not ${LISTENERS}`);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    const announcing: number[] = [];
    delay.enable();
    for (let burst = 0; burst < BURSTS; burst++) {
      for (let n = 0; n < BURST; n++) {
        const startedMs = performance.now();
        control.append({ kind: 'test', text: TEXT });
        announcing.push(performance.now() - startedMs);
      }
      await said(`burst ${burst}`);
    }
    delay.disable();
    const digest = Number(await said('digest'));
    const { dropped } = server.events;
    if (dropped !== SLOW) throw new Error(`${dropped} listeners were let go, not ${SLOW}`);
    const p99 = announcing.sort((a, b) => a - b)[Math.floor(announcing.length * 0.99)]!;
    console.log(
      `${LISTENERS} listeners, ${BURSTS * BURST} records: event loop p50 ` +
        `${(delay.percentile(50) / 1e6).toFixed(1)} ms, p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms; ` +
        `announcing p99 ${(p99 * 1_000).toFixed(0)} us; ${dropped} of ${SLOW} slow ones let go`,
    );
    printDigest('api events', digest);
  } finally {
    peers.kill();
    await server.close(0);
    rmSync(folder, { recursive: true });
  }
}

/** Waits for the line that begins so, and gives what follows; what is said instead is an error. */
function sayings(peers: ChildProcess): (wanted: string) => Promise<string> {
  const lines: string[] = [];
  let wake = () => {};
  createInterface(peers.stdout!).on('line', (line) => {
    lines.push(line);
    wake();
  });
  peers.on('exit', (code) => {
    lines.push(`the listeners' process ended (${code})`);
    wake();
  });
  return async (wanted) => {
    const changed = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const late = sleep(STEP_MS_MAX, undefined, { ref: false });
    if (lines.length === 0) await Promise.race([changed, late]);
    const line = lines.shift() ?? `nothing for ${STEP_MS_MAX / 1000} s`;
    if (!line.startsWith(wanted)) throw new Error(`waiting for '${wanted}': ${line}`);
    return line.slice(wanted.length);
  };
}

/** Says when every reading listener is there, has had a burst, has had all; or what went wrong. */
function listenAll(socketPath: string): void {
  const say = (line: string) => process.stdout.write(`${line}\n`);
  const had = new Array<number>(BURSTS).fill(0);
  let digest = 0;
  let listening = 0;
  for (let n = 0; n < LISTENERS; n++) {
    const socket = connect(socketPath);
    socket.write('GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n');
    let count = 0;
    let records = 0;
    let rest = '';
    socket.setEncoding('latin1');
    if (n % 10 === 0) {
      socket.once('data', () => {
        socket.pause();
        if (++listening === LISTENERS) say('listening');
      });
      socket.on('error', () => {});
      continue;
    }
    socket.on('error', ({ message }) => say(`listener ${n}, after ${count} records: ${message}`));
    socket.on('close', () => say(`listener ${n} was let go after ${count} records`));
    socket.on('data', (text: string) => {
      rest += text;
      const lines = rest.split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith('retry: ') && ++listening === LISTENERS) say('listening');
        if (!line.startsWith('id: ')) continue;
        records = mix(records, Number(line.slice(4)));
        if (++count % BURST > 0) continue;
        const burst = count / BURST - 1;
        if (++had[burst]! === READING) say(`burst ${burst}`);
        if (burst < BURSTS - 1) continue;
        digest = mix(digest, records);
        if (had[burst] === READING) say(`digest ${digest}`);
      }
    });
  }
}
