/**
 * Loaded into a process of the product before its own code (`node --import`). Sent SIGUSR2, it writes
 * what the process used since it was asked before, as JSON to `$UPLIFT_USAGE_FOLDER/PID.json`.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';

export interface Usage {
  wallMs: number;
  cpuMs: number;
  residentBytes: number;
  heapBytes: number;
  /** How late a timer came. */
  loop: { p50Ms: number; p99Ms: number; maxMs: number };
  /** Files made durable by calls of Node: the kept head, state folders, images. */
  fileSyncs: number;
  /** Transactions of SQLite that were committed; each is synchronised once. */
  commits: number;
  /** How long both held the event loop up, and the longest of them. */
  syncMs: number;
  syncMaxMs: number;
}

const RESOLUTION_MS = 1;

const NONE = { fileSyncs: 0, commits: 0, syncMs: 0, syncMaxMs: 0 };
let counted = { ...NONE };
for (const name of ['fsyncSync', 'fdatasyncSync'] as const) {
  const real = fs[name];
  fs[name] = (descriptor) => {
    counted.fileSyncs++;
    timed(() => real(descriptor));
  };
}
syncBuiltinESMExports();
const exec = DatabaseSync.prototype.exec;
DatabaseSync.prototype.exec = function (sql: string) {
  if (sql !== 'COMMIT') return exec.call(this, sql);
  counted.commits++;
  timed(() => exec.call(this, sql));
};

function timed(work: () => void): void {
  const startedMs = performance.now();
  work();
  const tookMs = performance.now() - startedMs;
  counted.syncMs += tookMs;
  counted.syncMaxMs = Math.max(counted.syncMaxMs, tookMs);
}

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
delay.enable();
let last = { cpu: process.cpuUsage(), atMs: performance.now() };

process.on('SIGUSR2', () => {
  const { user, system } = process.cpuUsage(last.cpu);
  const late = (ns: number) => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  const { rss, heapUsed } = process.memoryUsage();
  const usage: Usage = {
    wallMs: performance.now() - last.atMs,
    cpuMs: (user + system) / 1000,
    residentBytes: rss,
    heapBytes: heapUsed,
    loop: {
      p50Ms: late(delay.percentile(50)),
      p99Ms: late(delay.percentile(99)),
      maxMs: late(delay.max),
    },
    ...counted,
  };
  const path = join(process.env['UPLIFT_USAGE_FOLDER']!, `${process.pid}.json`);
  fs.writeFileSync(`${path}.new`, JSON.stringify(usage));
  fs.renameSync(`${path}.new`, path);
  delay.reset();
  counted = { ...NONE };
  last = { cpu: process.cpuUsage(), atMs: performance.now() };
});
