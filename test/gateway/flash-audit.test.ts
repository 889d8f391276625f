/**
 * Flash with an audit log, on a virtual hub in this process: each decision is on disk before the hub hears
 * of it, and without its record nothing is done.
 */
import { mkdirSync, readFileSync, rmdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadTargets } from '../../src/cli/inputs.ts';
import { UpliftError } from '../../src/errors.ts';
import { AuditLog } from '../../src/gateway/audit-log.ts';
import { type DeviceOutcome, type FlashEvent, flash } from '../../src/gateway/flash.ts';
import { HUB_SESSION_LIMITS } from '../../src/upgrade/hub-session-messages.ts';
import { SESSION_LIMITS } from '../../src/upgrade/session.ts';
import { HUB_FIRMWARE, HubRig, type HubRigOptions } from '../support/hub-rigs.ts';
import { sleep } from '../support/rigs.ts';

const test = suite('flash with an audit log');

/** More than a hub is sent until an image is uploaded to it. */
const QUESTIONS_BYTES_MAX = 500;

interface Bench {
  rig: HubRig;
  log: string;
  /** Bytes the hub was sent, and the records on disk when the first beyond questions came. */
  heard: { bytes: number; recordsAtUpload: number | undefined };
  events: FlashEvent[];
  flash(onEvent?: (event: FlashEvent) => void): Promise<DeviceOutcome[]>;
}

async function withHub(body: (bench: Bench) => Promise<void>, options: HubRigOptions = {}) {
  const rig = await HubRig.up({ auditLog: 'audit.jsonl', ...options });
  const log = join(rig.folder, 'audit.jsonl');
  const heard: Bench['heard'] = { bytes: 0, recordsAtUpload: undefined };
  const { hub } = rig.hub;
  const receive = hub.receive.bind(hub);
  hub.receive = (chunk) => {
    heard.bytes += chunk.length;
    if (heard.bytes > QUESTIONS_BYTES_MAX) heard.recordsAtUpload ??= linesOf(log);
    receive(chunk);
  };
  const events: FlashEvent[] = [];
  const smp = options.protocol !== 'gecko-bootloader';
  const image = smp ? HUB_FIRMWARE.new : join(rig.folder, 'new.gbl');
  const trust = smp ? { trust: HUB_FIRMWARE.trust } : { allowUnsigned: true };
  const targets = loadTargets({ rig: rig.path, image, cpl: false, ...trust });
  const limits = { ppmid: SESSION_LIMITS, hub: HUB_SESSION_LIMITS };
  try {
    await body({
      rig,
      log,
      heard,
      events,
      flash: (onEvent) =>
        flash(
          { ...targets, activation: { when: 'now' }, limits },
          (event) => {
            events.push(event);
            onEvent?.(event);
          },
          new AbortController().signal,
        ),
    });
  } finally {
    await rig.down();
  }
}

const linesOf = (path: string) => readFileSync(path, 'utf8').split('\n').length - 1;
const decisionsOf = (events: readonly FlashEvent[]) =>
  events.filter((event) => event.kind === 'session' && event.event.kind === 'decision').length;

function isStaged(event: FlashEvent): boolean {
  if (event.kind !== 'session' || event.event.kind !== 'state') return false;
  return event.event.state === 'staged';
}

for (const protocol of ['smp', 'gecko-bootloader'] as const) {
  const name = `${protocol}: a log that takes no more records ends the run with the hub as it was; with one that does, one record a decision, before the image`;
  test(name, () =>
    withHub(
      async ({ log, heard, events, flash: run }) => {
        // A head cannot be written where there is a folder.
        const inTheWay = `${log}.head.new`;
        const [outcome] = await run((event) => {
          if (isStaged(event)) mkdirSync(inTheWay);
        });
        const { state, code, exit, expected, actual, next } = outcome!;
        assert.equal([state, code, exit], ['failed', 'audit-log-unwritable', 4]);
        assert.ok(expected && actual && next);
        // What had left without its record would be on the line by now.
        await sleep(100);
        assert.ok(heard.bytes < QUESTIONS_BYTES_MAX, `only questions: ${heard.bytes} bytes`);
        assert.is(events.at(-1)!.kind, 'failed', 'and nothing is said after it');
        // Beside those of the session the one that let the port be opened.
        const before = new AuditLog(log).check();
        assert.equal([before.findings, before.records], [[], 1 + decisionsOf(events)]);
        rmdirSync(inTheWay);
        heard.bytes = 0;
        const [again] = await run();
        assert.is(again!.exit, 0, again!.detail);
        const after = new AuditLog(log).check();
        assert.equal([after.findings, after.records], [[], 2 + decisionsOf(events)]);
        assert.is(heard.recordsAtUpload, after.records);
      },
      { protocol },
    ),
  );
}

test('a full disk: refused, and nothing is sent', () =>
  withHub(async ({ log, heard, events, flash: run }) => {
    symlinkSync('/dev/full', log);
    for (let n = 0; n < 2; n++) {
      const error = await run().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      assert.instance(error, UpliftError);
      assert.is((error as UpliftError).code, 'audit-log-unwritable');
      assert.equal([events, heard.bytes], [[], 0], 'no port was opened and no decision told');
    }
  }));

test.run();
