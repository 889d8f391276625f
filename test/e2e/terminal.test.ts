/** What a person sees of `uplift flash` and `uplift watch` at a real pseudo-terminal. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiClient } from '../../src/api/client.ts';
import type { GatewayRecord } from '../../src/gateway/control.ts';
import { FIRMWARE, QUICK_CLIENT, runCli, startCli, TestRig } from '../support/rigs.ts';
import { onScreen } from '../support/screen.ts';

const test = suite('terminal');

/** Slow enough to be looked at. */
const SLOW = { devices: 3, otaClient: QUICK_CLIENT, faults: { slowMs: 1 } };

test('several devices are a table; narrowed, it begins anew and fits; the bell rings at the end', async () => {
  const rig = await TestRig.make(SLOW);
  try {
    await rig.up();
    const seen = onScreen([...rig.flashArguments(), '--bell'], 100);
    if (!seen) return;
    const { screen } = seen;
    // A machine that stood still for a moment had devices ask again: what they repeated stands at the end then.
    await seen.until(({ text }) =>
      /▸ distributing .* [1-9]\d? %.* of 140 s(?: +\d+)?$/m.test(text),
    );
    assert.match(screen.text, /^device +state +.*done/m);
    assert.ok(screen.isCursorHidden);
    seen.resize(44);
    assert.is(await seen.done, 0, screen.text);
    const lines = screen.text.split('\n');
    const heads = lines.flatMap((line, at) => (/^device +state/.test(line) ? [at] : []));
    // A wide picture that was on its way when the terminal became narrow may stand between the two.
    assert.ok(heads.length >= 2, `as it was, and once more beneath:\n${screen.text}`);
    const table = lines.slice(heads.at(-1)!, heads.at(-1)! + 4);
    for (const id of rig.rig.ppmids.map((device) => device.id)) {
      assert.ok(
        table.some((line) => new RegExp(`^${id} +✓ done$`).test(line)),
        table.join('\n'),
      );
    }
    assert.is(screen.bells, 1);
    assert.ok(screen.colours > 0);
    assert.is(screen.isCursorHidden, false, 'the cursor is given back');
  } finally {
    await rig.remove();
  }
});

test('watch follows a gateway over kill -9 and says so, at a terminal and as lines of JSON', async () => {
  const rig = await TestRig.make({ ...SLOW, devices: 1 });
  const state = join(rig.folder, 'state');
  const socket = join(state, 'run/uplift.sock');
  const config = join(rig.folder, 'gateway.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      gateway: { id: 'test', stateDirectory: state },
      rigs: [rig.path],
      admission: { intake: 'bench', centralProductsList: FIRMWARE.list },
      schedule: { prepaymentBlackout: [] },
      api: { socket: { role: 'admin' } },
    }),
  );
  await rig.up();
  let gateway = startCli(['serve', '--config', config]);
  const isReady = ({ code }: Record<string, unknown>) => code === 'ready';
  try {
    await gateway.until(isReady);
    const json = startCli(['watch', '--socket', socket, '--json']);
    await json.until(({ event }) => event === 'picture');
    const seen = onScreen(['watch', '--socket', socket], 100, { NO_COLOR: '1' });
    const devices = rig.rig.ppmids.map(({ id }) => id);
    const words = ['job', 'create', '--image', FIRMWARE.new, '--device', ...devices];
    const created = await runCli([...words, '--socket', socket, '--json']);
    assert.is(created.code, 0, created.stdout);
    const id = String(created.events[0]!['id']);
    await json.until(({ event }) => event === 'progress');
    await seen?.until(({ text }) =>
      new RegExp(`^${devices[0]} +${id} +▸ distributing`, 'm').test(text),
    );

    await gateway.powerCut();
    await json.until(({ event }) => event === 'lost');
    await seen?.until(({ text }) => text.includes('✗ does not answer for'));
    gateway = startCli(['serve', '--config', config]);
    await gateway.until(isReady);
    const back = await json.until(({ event }) => event === 'back');
    assert.is(back['isRestarted'], true);
    // That it was started anew is a line that six later ones take the place of, perhaps before it is drawn.
    await seen?.until(({ text }) => !text.includes('✗ does not answer for'));
    const isDone = (device: string) => (event: Record<string, unknown>) => {
      const record = event['record'] as Record<string, unknown> | undefined;
      return record?.['device'] === device && record['state'] === 'done';
    };
    for (const device of devices) await json.until(isDone(device));
    for (const device of devices) {
      await seen?.until(({ text }) => new RegExp(`^${device} +${id} +✓ done$`, 'm').test(text));
    }

    // Notes of progress that were written by the clock are in the journal, and not told as records.
    const isTold = ({ kind }: GatewayRecord) => kind !== 'progress';
    const told = json.events.flatMap(({ record }) => (record as GatewayRecord) ?? []);
    const [first, last] = [told[0]!.sequence, told.at(-1)!.sequence];
    const path = `/records?from=${first}&limit=500`;
    const { records } = await new ApiClient(socket).get<{ records: GatewayRecord[] }>(path);
    assert.equal(
      told.filter(isTold).map(({ sequence }) => sequence),
      records
        .filter((record) => isTold(record) && record.sequence <= last)
        .map(({ sequence }) => sequence),
      'no record lost or told twice',
    );
    const once = await runCli(['watch', '--once', '--socket', socket]);
    assert.is(once.code, 0);
    assert.match(once.stdout, /^✓ ready: test, Uplift/);
    json.child.kill('SIGINT');
    assert.is((await json.done).code, 130);
    seen?.pty.kill('SIGINT');
    if (!seen) return;
    assert.is(await seen.done, 130);
    assert.is(seen.screen.colours, 0, 'NO_COLOR');
    assert.is(seen.screen.isCursorHidden, false);
  } finally {
    await gateway.powerCut();
    await rig.remove();
  }
});

test('where nobody is at a terminal, nothing moves: a line a change, and no codes', async () => {
  const rig = await TestRig.make({ devices: 1, otaClient: QUICK_CLIENT });
  try {
    await rig.up();
    const piped = await runCli([...rig.flashArguments(), '--bell']);
    assert.is(piped.code, 0, piped.stderr);
    assert.match(piped.stderr, /^ppmid: distributing$/m);
    assert.match(piped.stderr, /^ppmid: done, runs 0x02000000, read back$/m);
    for (const code of ['\u001b', '\u0007', '\r']) assert.not.match(piped.stderr, code);
  } finally {
    await rig.remove();
  }
});

test.run();
