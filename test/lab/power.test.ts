/** Supplies and buttons: every driver against a double of what it drives, and every way to fail. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { power } from '../../src/config/power-schema.ts';
import { UpliftError } from '../../src/errors.ts';
import { POWER_FAILURES } from '../../src/lab/power/codes.ts';
import { CommandSwitch } from '../../src/lab/power/command-switch.ts';
import { GpioSwitch } from '../../src/lab/power/gpio-switch.ts';
import { decodeAnswer, encodeReadCoil, encodeWriteCoil } from '../../src/lab/power/modbus.ts';
import { openButton, openPower } from '../../src/lab/power/open-power.ts';
import { type Switch, SwitchedButton, SwitchedPower } from '../../src/lab/power/switch.ts';
import { UsbHubSwitch } from '../../src/lab/power/usb-hub-switch.ts';
import { type Supply, supplyIn } from '../../src/lab/power/virtual-switch.ts';
import type { VirtualRig } from '../../src/virtual/rig.ts';
import { temporaryFolder } from '../store/failing-files.ts';
import { HubWorld } from '../upgrade/hub-world.ts';
import { SimulatedScheduler } from '../virtual/fixture.ts';

const test = suite('power');
const folder = temporaryFolder('power');
const told = new Set<string>();

/** A program made for the test. */
function program(name: string, script: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** As a rig file writes it, and as every driver takes its own. */
const parsed = (config: Record<string, unknown>) => power.parse(config) as never;

async function failureOf(body: () => Promise<unknown>): Promise<UpliftError> {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    told.add(error.code);
    return error;
  }
  throw new Error('it did not fail');
}

test('a command: on, off, what it prints; no shell sees its words', async () => {
  const state = join(folder, 'state');
  const relay = program(
    'relay',
    `printf '%s' "$2" > "${state}"; printf '%s\n' "$1" >> "${state}.words"`,
  );
  const config = parsed({
    driver: 'command',
    on: [relay, 'outlet $(id); 3', 'on'],
    off: [relay, 'x', 'off'],
    state: ['cat', state],
  });
  const supply = openPower(config, { device: 'hub' });
  assert.is(supply.kind, 'command');
  await supply.on();
  assert.is(await supply.state(), 'on');
  await supply.off();
  assert.is(await supply.state(), 'off');
  assert.match(readFileSync(`${state}.words`, 'utf8'), 'outlet $(id); 3\n');
  await supply.selfTest();
  assert.is(await supply.state(), 'on', 'left on');
  await supply.close();
});

test('a command without a state says that it is not known, and passes its self-test', async () => {
  const nothing = program('nothing', 'exit 0');
  const config = parsed({ driver: 'command', on: [nothing], off: [nothing] });
  const supply = openPower(config, { device: 'hub' });
  assert.is(await supply.state(), 'unknown');
  await supply.selfTest();
});

test('a command that is missing, fails, hangs, or talks nonsense', async () => {
  const fails = program('fails', 'echo "no such outlet" >&2; exit 3');
  const hangs = program('hangs', 'exec sleep 30');
  const says = program('says', 'echo perhaps');
  const of = (words: string[], state?: string[], timeoutMs = 10_000) =>
    new CommandSwitch(
      parsed({ driver: 'command', on: words, off: words, timeoutMs, ...(state && { state }) }),
    );
  const missing = await failureOf(() => of([join(folder, 'gone')]).set(true));
  assert.is(missing.code, 'power-tool-missing');
  const failed = await failureOf(() => of([fails]).set(true));
  assert.is(failed.code, 'power-tool-failed');
  assert.match(failed.actual!, /ended with 3: no such outlet/);
  assert.is((await failureOf(() => of([hangs], undefined, 200).set(true))).code, 'power-timeout');
  assert.is((await failureOf(() => of([fails], [says]).read())).code, 'power-answer-wrong');
});

test('a supply that does not switch is found by its self-test, and left on as far as it can be', async () => {
  const log: boolean[] = [];
  const stuck: Switch = {
    ...{ kind: 'stuck', name: 'stuck' },
    set: async (isOn) => void log.push(isOn),
    read: async () => 'on',
    close: async () => {},
  };
  const failure = await failureOf(() => new SwitchedPower(stuck).selfTest());
  assert.is(failure.code, 'power-not-switched');
  assert.equal(log, [false, true]);
});

for (const libgpiod of [1, 2] as const) {
  test(`a GPIO line by libgpiod ${libgpiod}: held as long as it is to be`, async () => {
    const log = join(folder, `gpioset${libgpiod}`);
    const gpioset = program(`gpioset-${libgpiod}`, `echo "$@" >> "${log}"; exec sleep 60`);
    const gpioget = program(`gpioget-${libgpiod}`, `echo "$@" >> "${log}"; echo 1`);
    const config = { driver: 'gpio', chip: 'gpiochip1', line: 17, activeLow: true, libgpiod };
    const line = new GpioSwitch(parsed(config), { gpioset, gpioget });
    assert.is(await line.read(), libgpiod === 1 ? 'unknown' : 'on');
    await line.set(true);
    assert.is(await line.read(), 'on');
    await line.set(true);
    await line.set(false);
    assert.is(await line.read(), 'off');
    await line.close();
    assert.equal(
      readFileSync(log, 'utf8').trim().split('\n'),
      libgpiod === 1
        ? ['--mode=signal --active-low gpiochip1 17=1', '--mode=signal --active-low gpiochip1 17=0']
        : [
            '--chip gpiochip1 --as-is --numeric --active-low 17',
            '--chip gpiochip1 --active-low 17=1',
            '--chip gpiochip1 --active-low 17=0',
          ],
    );
  });
}

test('a GPIO line that cannot be had, and tools that are not there', async () => {
  const busy = program('gpioset-busy', 'echo "unable to request lines: busy" >&2; exit 1');
  const nonsense = program('gpioget-odd', 'echo active');
  const config = parsed({ driver: 'gpio', chip: 'gpiochip0', line: 3 });
  const tools = { gpioset: busy, gpioget: nonsense };
  const line = new GpioSwitch(config, tools);
  const failure = await failureOf(() => line.set(true));
  assert.is(failure.code, 'power-tool-failed');
  assert.match(failure.actual!, /busy/);
  assert.is((await failureOf(() => line.read())).code, 'power-answer-wrong');
  const missing = new GpioSwitch(config, { ...tools, gpioset: join(folder, 'gone') });
  assert.is((await failureOf(() => missing.set(true))).code, 'power-tool-missing');
});

test('a port of a USB hub', async () => {
  const state = join(folder, 'usb');
  writeFileSync(state, '0100 power');
  const uhubctl = program(
    'uhubctl',
    `echo "$@" >> "${state}.log"
case "$6" in off) echo "0000 off" > "${state}";; on) echo "0503 power highspeed enable connect [0403:6001 off]" > "${state}";; esac
echo "Current status for hub 2-1.2 [2109:0817 VIA Labs, Inc. USB3.0 Hub, USB 3.00, 4 ports, ppps]"
echo "  Port 3: 02a0 power 5gbps Rx.Detect"
echo "Current status for hub 1-1.2 [2109:2817 VIA Labs, Inc. USB2.0 Hub, USB 2.10, 4 ports, ppps]"
echo "  Port 3: $(cat "${state}")"`,
  );
  const config = parsed({ driver: 'usb-hub', location: '1-1.2', port: 3 });
  const port = new UsbHubSwitch(config, uhubctl);
  assert.is(await port.read(), 'on');
  await port.set(false);
  assert.is(await port.read(), 'off');
  await new SwitchedPower(port).selfTest();
  const [first, second] = readFileSync(`${state}.log`, 'utf8').split('\n');
  assert.is(first, '--location 1-1.2 --ports 3');
  assert.is(second, '--location 1-1.2 --ports 3 --action off');
  const none = new UsbHubSwitch({ ...(config as object), port: 4 } as never, uhubctl);
  assert.is((await failureOf(() => none.read())).code, 'power-answer-wrong');
});

const REQUEST = { transaction: 0x0102, unit: 17, coil: 0xac };

test('frames of Modbus, as its specification shows them', () => {
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  assert.is(hex(encodeReadCoil(REQUEST)), '010200000006110100ac0001');
  assert.is(hex(encodeWriteCoil(REQUEST, true)), '010200000006110500acff00');
  assert.is(hex(encodeWriteCoil(REQUEST, false)), '010200000006110500ac0000');
});

test('every truncation and every flipped bit of an answer is no answer, or another valid one', () => {
  const cases: [Uint8Array, Uint8Array][] = [
    [encodeReadCoil(REQUEST), Uint8Array.of(1, 2, 0, 0, 0, 4, 17, 1, 1, 1)],
    [encodeWriteCoil(REQUEST, true), encodeWriteCoil(REQUEST, true)],
    [encodeReadCoil(REQUEST), Uint8Array.of(1, 2, 0, 0, 0, 3, 17, 0x81, 2)],
  ];
  const kinds = cases.map(([request, answer]) => decodeAnswer(answer, request).kind);
  assert.equal(kinds, ['coil', 'written', 'exception']);
  for (const [request, answer] of cases) {
    for (let length = 0; length < answer.length; length++)
      assert.is(decodeAnswer(answer.subarray(0, length), request).kind, 'incomplete');
    for (let bit = 0; bit < 8 * answer.length; bit++) {
      const flipped = answer.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const { kind } = decodeAnswer(flipped, request);
      const isSafe = kind !== 'written';
      assert.ok(isSafe, `bit ${bit} of ${kind}`);
    }
  }
});

/** A relay with 16 coils, made from the specification. */
class ModbusDouble {
  readonly coils = new Array<boolean>(16).fill(false);
  /** What it does instead of answering. */
  manner: 'answers' | 'silent' | 'hangs-up' | 'nonsense' | 'pieces' | 'late-answer-first' =
    'answers';
  stuck = false;
  readonly server: Server;

  constructor() {
    this.server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        if (this.manner === 'silent') return;
        if (this.manner === 'hangs-up') return void socket.end();
        if (this.manner === 'nonsense') return void socket.write('HTTP/1.1 400 Bad Request');
        const answer = this.answer(bytes);
        if (this.manner === 'late-answer-first') {
          const old = Buffer.from(answer);
          old.writeUInt16BE(0xfffe, 0);
          socket.write(old);
        }
        if (this.manner === 'pieces') for (const byte of answer) socket.write(Uint8Array.of(byte));
        else socket.write(answer);
      });
    });
  }

  async listen(): Promise<number> {
    await new Promise<void>((done) => this.server.listen(0, '127.0.0.1', done));
    return (this.server.address() as AddressInfo).port;
  }

  private answer(request: Buffer): Uint8Array {
    const coil = request.readUInt16BE(8);
    const head = [...request.subarray(0, 4)];
    const [unit, code] = [request[6]!, request[7]!];
    if (coil >= this.coils.length) return Uint8Array.from([...head, 0, 3, unit, code | 0x80, 2]);
    if (code === 1) return Uint8Array.from([...head, 0, 4, unit, 1, 1, this.coils[coil] ? 1 : 0]);
    if (!this.stuck) this.coils[coil] = request.readUInt16BE(10) === 0xff00;
    return Uint8Array.from(request);
  }
}

test('a relay that speaks Modbus', async () => {
  const relay = new ModbusDouble();
  const port = await relay.listen();
  const of = (coil: number) => {
    const config = { driver: 'modbus', host: '127.0.0.1', port, coil, timeoutMs: 1_500 };
    return openPower(parsed(config), { device: 'hub' });
  };
  const supply = of(5);
  for (const manner of ['answers', 'pieces', 'late-answer-first'] as const) {
    relay.manner = manner;
    await supply.on();
    assert.is(relay.coils[5], true);
    assert.is(await supply.state(), 'on');
    await supply.selfTest();
  }
  relay.manner = 'answers';
  const refused = await failureOf(() => of(99).on());
  assert.is(refused.code, 'power-refused');
  assert.match(refused.actual!, /exception 2: it has no such coil/);
  relay.stuck = true;
  assert.is((await failureOf(() => supply.selfTest())).code, 'power-not-switched');
  const manners = {
    silent: 'timeout',
    'hangs-up': 'unreachable',
    nonsense: 'answer-wrong',
  } as const;
  for (const [manner, code] of Object.entries(manners)) {
    relay.manner = manner as keyof typeof manners;
    assert.is((await failureOf(() => supply.on())).code, `power-${code}`, manner);
  }
  relay.server.close();
  await new Promise((done) => setTimeout(done, 20));
  assert.is((await failureOf(() => supply.on())).code, 'power-unreachable');
});

test('relays of both generations of Shelly, and a generic one, over HTTP', async () => {
  let isOn = false;
  let manner: 'answers' | 'refuses' | 'elsewhere' | 'nonsense' | 'silent' = 'answers';
  const asked: string[] = [];
  const answerOf = (request: IncomingMessage): unknown => {
    const url = new URL(request.url!, 'http://x');
    asked.push(`${request.method} ${request.url} ${request.headers['x-key'] ?? ''}`.trim());
    const turn = url.searchParams.get('turn') ?? url.searchParams.get('on');
    if (turn !== null) isOn = turn === 'on' || turn === 'true';
    if (url.pathname === '/rest/1') isOn = true;
    if (url.pathname === '/rest/0') isOn = false;
    return url.pathname.startsWith('/relay') ? { ison: isOn } : { id: 0, output: isOn };
  };
  const server = createHttpServer((request, response) => {
    if (manner === 'silent') return;
    if (manner === 'refuses') response.writeHead(401).end('who are you');
    else if (manner === 'elsewhere') response.writeHead(302, { location: '/other' }).end();
    else if (manner === 'nonsense') response.end('<html>');
    else response.end(JSON.stringify(answerOf(request)));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const configs = [1, 2].map((generation) =>
    parsed({ driver: 'shelly', url: `${url}/`, generation, channel: 1, timeoutMs: 1_500 }),
  );
  configs.push(
    parsed({
      driver: 'rest',
      on: { method: 'POST', url: `${url}/rest/1`, body: '{}' },
      off: { url: `${url}/rest/0` },
      state: { url: `${url}/rest`, on: '"output":true', off: '"output":false' },
      headers: { 'x-key': 'k' },
      timeoutMs: 1_500,
    }),
  );
  for (const config of configs) {
    manner = 'answers';
    const supply = openPower(config, { device: 'hub' });
    await supply.selfTest();
    assert.is(await supply.state(), 'on');
    await supply.off();
    assert.is(isOn, false);
    manner = 'refuses';
    assert.is((await failureOf(() => supply.on())).code, 'power-refused');
    manner = 'elsewhere';
    assert.is((await failureOf(() => supply.on())).code, 'power-answer-wrong');
    manner = 'nonsense';
    assert.is((await failureOf(() => supply.state())).code, 'power-answer-wrong');
    manner = 'silent';
    assert.is((await failureOf(() => supply.on())).code, 'power-timeout');
  }
  assert.ok(asked.includes('GET /relay/1?turn=off'));
  assert.ok(asked.includes('GET /rpc/Switch.Set?id=1&on=true'));
  assert.ok(asked.includes('GET /rpc/Switch.GetStatus?id=1'));
  assert.ok(asked.includes('POST /rest/1 k'));
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  const gone = openPower(configs[0]!, { device: 'hub' });
  assert.is((await failureOf(() => gone.on())).code, 'power-unreachable');
});

test('the supply of a virtual hub; of one that runs elsewhere there is none', async () => {
  const world = new HubWorld();
  const rig = {
    hubs: new Map([['hub', { hub: world.hub }]]),
    devices: new Map(),
    coordinators: new Map(),
  } as unknown as VirtualRig;
  const supply = supplyIn(rig, 'hub');
  const opened = openPower(parsed({ driver: 'virtual' }), { device: 'hub', supply });
  await opened.off();
  assert.is(world.hub.isPowered, false);
  assert.is(await opened.state(), 'off');
  await opened.selfTest();
  assert.is(world.hub.isPowered, true);
  assert.is(supplyIn(rig, 'other'), undefined);
  const elsewhere = async () => openPower(parsed({ driver: 'virtual' }), { device: 'hub' });
  assert.is((await failureOf(elsewhere)).code, 'power-virtual-elsewhere');
});

test('a button is on for so long, one press after another, and let go of in any case', async () => {
  const scheduler = new SimulatedScheduler();
  const log: string[] = [];
  let fails = false;
  const supply: Supply = {
    isOn: () => false,
    set: async (isOn) => {
      log.push(`${isOn ? 'on' : 'off'} ${scheduler.nowMs() - startMs}`);
      if (fails && isOn) throw new UpliftError('power-refused', 'made for the test');
    },
  };
  const startMs = scheduler.nowMs();
  const button = openButton(parsed({ driver: 'virtual' }), {
    ...{ device: 'hub', supply, timers: scheduler },
  });
  const presses = [button.press(100), button.press(50)];
  for (let step = 0; step < 40; step++) {
    await new Promise((done) => setImmediate(done));
    scheduler.run(5);
  }
  await Promise.all(presses);
  const times = log.map((entry) => Number(entry.split(' ')[1]));
  assert.equal(
    log.map((entry) => entry.split(' ')[0]),
    ['on', 'off', 'on', 'off'],
  );
  assert.ok(times[1]! - times[0]! >= 100 && times[3]! - times[2]! >= 50);
  fails = true;
  await failureOf(() => button.press(10));
  assert.match(log.at(-1)!, /^off/);
  assert.ok(button instanceof SwitchedButton);
  await button.close();
});

test('every code of the table was met', () => {
  assert.equal(
    Object.keys(POWER_FAILURES).filter((code) => !told.has(code)),
    [],
  );
});

test.run();
