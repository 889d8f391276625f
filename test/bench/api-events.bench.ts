/**
 * A thousand listeners of the event stream, a tenth of which never read: how long the event loop is
 * held up while records are announced to all of them, how long an announcement takes, and that
 * those that do not read are let go. Listeners are in a process of their own, so that the loop is
 * the server's alone.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiServer } from '../../src/api/server.ts';
import { FakeControl } from '../api/fake-control.ts';
import { realTimers } from '../api/served.ts';
import { FULL, mix, printDigest } from './bench.ts';

const LISTENERS = FULL ? 1_000 : 100;
const SLOW = LISTENERS / 10;
const RECORDS = FULL ? 2_000 : 300;
/** So much is said at once, and then after a pause again. */
const BURST = 10;
const PAUSE_MS = FULL ? 100 : 10;
const TEXT = 'x'.repeat(FULL ? 200 : 1_500);
/** Kernel buffers take some of what is sent to who does not read; then it is the server's. */
const BUFFER_BYTES_MAX = 32 * 1024;

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
  const peers = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  let heard = '';
  peers.stdout.on('data', (text) => {
    heard += text;
  });
  while (server.events.count < LISTENERS) await sleep(10);
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const announcing: number[] = [];
  delay.enable();
  for (let n = 0; n < RECORDS; n++) {
    const startedMs = performance.now();
    control.append({ kind: 'test', text: TEXT });
    announcing.push(performance.now() - startedMs);
    if (n % BURST === BURST - 1) await sleep(PAUSE_MS);
  }
  delay.disable();
  await sleep(200);
  control.append({ kind: 'end' });
  const ended = new Promise((done) => peers.on('close', done));
  await ended;
  const [whole, digest] = heard.trim().split(' ').map(Number);
  const p99 = (list: number[]) => list.sort((a, b) => a - b)[Math.floor(list.length * 0.99)]!;
  const { dropped } = server.events;
  if (whole !== LISTENERS - SLOW) throw new Error(`${whole} listeners had every record`);
  if (dropped !== SLOW) throw new Error(`${dropped} were let go`);
  console.log(
    `${LISTENERS} listeners, ${RECORDS} records: event loop p50 ` +
      `${(delay.percentile(50) / 1e6).toFixed(1)} ms, p99 ${(delay.percentile(99) / 1e6).toFixed(1)} ms; ` +
      `announcing p99 ${(p99(announcing) * 1_000).toFixed(0)} us; ${dropped} of ${SLOW} slow ones let go`,
  );
  printDigest('api events', digest!);
  await server.close(0);
  rmSync(folder, { recursive: true });
}

/** Reads until the record that ends it; says how many had all, and mixes what they had. */
function listenAll(socketPath: string): void {
  let whole = 0;
  let digest = 0;
  for (let n = 0; n < LISTENERS; n++) {
    const socket = connect(socketPath);
    socket.on('error', () => {});
    socket.write('GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n');
    if (n % 10 === 0) {
      socket.pause();
      continue;
    }
    let records = 0;
    let rest = '';
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      rest += text;
      const lines = rest.split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.startsWith('id: ')) records = mix(records, Number(line.slice(4)));
        if (!line.includes('"kind":"end"')) continue;
        whole++;
        digest = mix(digest, records);
        if (whole < LISTENERS - SLOW) continue;
        process.stdout.write(`${whole} ${digest}\n`, () => process.exit(0));
      }
    });
  }
}
