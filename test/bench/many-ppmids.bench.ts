/**
 * Many PPMIDs at once through one coordinator: all done, at what rate, and what each costs in memory.
 *
 * The memory of the worker process is its heap with all downloads done less its heap with all devices
 * joined, so the driver's own is taken off; that of the gateway is its heap with all sessions running, and
 * with all outcomes, less its heap before. After a collection, divided by the number of devices; the one copy
 * of the image is not on the heap. A first run of two devices has the code compiled before it counts.
 */

import { fork } from 'node:child_process';
import { join } from 'node:path';
import { BENCH } from '../../src/admission/context.ts';
import { flash } from '../../src/gateway/flash.ts';
import { loadImage } from '../../src/gateway/image-library.ts';
import { loadCentralProductsList } from '../../src/gateway/list-library.ts';
import { HUB_SESSION_LIMITS } from '../../src/upgrade/hub-session-messages.ts';
import { SESSION_LIMITS } from '../../src/upgrade/session.ts';
import { FIRMWARE, TestRig } from '../support/rigs.ts';
import { collector, FULL, printDigest } from './bench.ts';

const DEVICES = FULL ? 200 : 2;
const CLIENT = { answerTimeoutMs: 3_000, retryPauseMs: 100, rebootMs: 10, failuresMax: 50 };

await worker();
await gateway(2);
report(await gateway(DEVICES));

async function worker(): Promise<void> {
  await withRig(DEVICES, async (rig, coordinator) => {
    const imageBytes = loadImage(FIRMWARE.new, { profile: 'gb-ppmid' }).image!.bytes.length;
    const script = join(import.meta.dirname, 'processes/gateway.ts');
    const child = fork(script, ['ours', rig.path, FIRMWARE.new], {
      execArgv: ['--expose-gc', '--stack-trace-limit=0'],
    });
    const { cpuMs, wallMs, heapBytes } = (await once(child)) as Record<string, number>;
    coordinator.send('report');
    const { digests, blocks } = (await once(coordinator)) as { digests: string[]; blocks: number };
    const same = new Set(digests).size === 1 && digests.length === DEVICES;
    if (!same) throw new Error('not every device holds the image');
    console.log(`${DEVICES} PPMIDs, ${imageBytes} bytes each, through one worker process`);
    console.log(
      `  ${((blocks / wallMs!) * 1000).toFixed(0)} blocks/s, ${((cpuMs! * 1000) / blocks).toFixed(1)} us of CPU a block`,
    );
    console.log(
      `  ${(heapBytes! / DEVICES).toFixed(0)} bytes of heap a device beside the driver's own`,
    );
    printDigest('many-ppmids', Number.parseInt(digests[0]!.slice(0, 8), 16));
  });
}

interface GatewayRun {
  wallMs: number;
  runningBytes: number;
  outcomeBytes: number;
}

function report({ wallMs, runningBytes, outcomeBytes }: GatewayRun): void {
  console.log(
    `  ${DEVICES} of ${DEVICES} done in ${(wallMs / 1000).toFixed(1)} s, joined to read back`,
  );
  console.log(
    `  ${(runningBytes / DEVICES).toFixed(0)} bytes of heap a device in the gateway with all sessions running,`,
  );
  console.log(
    `  ${(outcomeBytes / DEVICES).toFixed(0)} when all are over, outcome and decision kept`,
  );
}

async function gateway(devices: number): Promise<GatewayRun> {
  let run: GatewayRun | undefined;
  await withRig(devices, async (rig) => {
    const image = loadImage(FIRMWARE.new, { profile: 'gb-ppmid' });
    const list = loadCentralProductsList(FIRMWARE.list);
    const collect = collector();
    collect();
    const before = process.memoryUsage().heapUsed;
    const startedMs = performance.now();
    const begun = new Set<string>();
    let runningBytes = 0;
    const outcomes = await flash(
      {
        rig: rig.rig,
        devices: rig.rig.ppmids,
        imageFor: () => image,
        list,
        policy: {},
        contextFor: () => BENCH,
        activation: { when: 'now' },
        limits: { ppmid: SESSION_LIMITS, hub: HUB_SESSION_LIMITS },
      },
      (event) => {
        if (event.kind !== 'progress' || begun.size === devices) return;
        begun.add(event.device.id);
        if (begun.size < devices) return;
        collect();
        runningBytes = process.memoryUsage().heapUsed - before;
      },
      new AbortController().signal,
    );
    const wallMs = performance.now() - startedMs;
    collect();
    const outcomeBytes = process.memoryUsage().heapUsed - before;
    const done = outcomes.filter(({ state }) => state === 'done').length;
    if (done !== devices) throw new Error(`${done} of ${devices} done`);
    run = { wallMs, runningBytes, outcomeBytes };
  });
  return run!;
}

async function withRig(
  devices: number,
  body: (rig: TestRig, coordinator: ReturnType<typeof fork>) => Promise<void>,
): Promise<void> {
  const rig = await TestRig.make({ devices, otaClient: CLIENT, joinTimeoutMs: 200_000 });
  const coordinator = fork(join(import.meta.dirname, 'processes/coordinator.ts'), [rig.path]);
  try {
    await once(coordinator);
    await body(rig, coordinator);
  } finally {
    coordinator.kill();
    await rig.remove();
  }
}

function once(child: ReturnType<typeof fork>): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('exit', (code) => reject(new Error(`a process of the bench ended (${code})`)));
  });
}
