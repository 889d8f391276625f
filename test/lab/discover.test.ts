/** What is found on ports, and the rig file that comes of it: checked by the reader of rig files. */
import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { loadHubModel, loadRig } from '../../src/config/load.ts';
import { UpliftError } from '../../src/errors.ts';
import { discover, type FoundPort } from '../../src/lab/rig/discover.ts';
import { proposeRig } from '../../src/lab/rig/propose-rig.ts';
import { ZnpProbe } from '../../src/lab/znp/probe.ts';
import type { Link, LinkListener } from '../../src/ports.ts';
import type { SerialPortInfo } from '../../src/transport/serial/ports.ts';
import { VirtualHub } from '../../src/virtual/communications-hub/hub.ts';
import { SystemScheduler } from '../../src/virtual/scheduler.ts';
import { encodeFrame } from '../../src/virtual/znp/frame.ts';
import { temporaryFolder } from '../store/failing-files.ts';
import { A } from '../upgrade/hub-world.ts';
import { GEOMETRY } from '../virtual/communications-hub/fixture.ts';
import { makeGbl } from '../virtual/communications-hub/silicon-labs-files.ts';

const test = suite('discover');
const folder = temporaryFolder('discover');
const HUBS = join(import.meta.dirname, '../../hw-config/hubs');

function adapter(name: string, serialNumber?: string, byId?: string): SerialPortInfo {
  const maker = {
    manufacturer: 'FTDI',
    product: 'FT232R\n  - id: evil',
    interfaceNumber: undefined,
  };
  return {
    path: `/dev/${name}`,
    byId,
    usb: { vendorId: '0403', productId: '6001', serialNumber, ...maker },
    driver: 'ftdi_sio',
    latencyTimerMs: 16,
  };
}

/** A link in this process to whatever answers bytes. */
class AnsweringLink implements Link {
  readonly name = 'answering';
  isOpen = false;
  listener: LinkListener | undefined;
  readonly sent: number[] = [];
  private readonly hear: (bytes: Uint8Array) => void;

  constructor(hear: (bytes: Uint8Array, link: AnsweringLink) => void) {
    this.hear = (bytes) => hear(bytes, this);
  }

  async open(listener: LinkListener): Promise<void> {
    this.listener = listener;
    this.isOpen = true;
  }

  send(bytes: Uint8Array, taken: (whole: boolean) => void): void {
    this.sent.push(...bytes);
    this.hear(bytes.slice());
    queueMicrotask(() => taken(true));
  }

  async close(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.listener?.closed({ reason: 'closed', detail: '' });
  }

  async drained(): Promise<void> {}
  async discard(): Promise<void> {}
  setBaudRate = async () => false;
  setSignals = async () => false;
  sendBreak = async () => false;
}

const NETWORK = encodeFrame(
  3,
  5,
  0x50,
  Uint8Array.from([
    ...[0, 0, 9, 0x62, 0x1a, 0, 0],
    ...[0, 0x70, 1, 0, 0, 0x4b, 0x12, 0],
    ...[1, 2, 3, 4, 5, 6, 7, 8],
    15,
  ]),
);
const ANSWERS: Record<string, Uint8Array> = {
  fe00210120: encodeFrame(3, 1, 1, Uint8Array.of(0x59, 6)),
  fe00210223: encodeFrame(3, 1, 2, Uint8Array.of(2, 1, 2, 7, 1, 0x6b, 0xb1, 0x34, 1)),
  fe00255075: NETWORK,
};
const coordinatorLink = () =>
  new AnsweringLink((bytes, link) => {
    const answer = ANSWERS[Buffer.from(bytes).toString('hex')];
    if (answer) queueMicrotask(() => link.listener?.received(answer));
  });

function hubLink(settings: Partial<ConstructorParameters<typeof VirtualHub>[0]>) {
  let hub: VirtualHub | undefined;
  const link = new AnsweringLink((bytes) => hub?.receive(bytes));
  hub = new VirtualHub({
    flash: GEOMETRY,
    firmware: A.bytes,
    bootMs: 1,
    ...settings,
    scheduler: new SystemScheduler(),
    write: (bytes) => link.listener?.received(bytes.slice()),
  });
  hub.powerOn();
  return { link, hub };
}

test('a coordinator, two hubs, silence and a port that does not open: asked, named, proposed', async () => {
  const smp = hubLink({});
  const bootloader = hubLink({
    protocol: 'gecko-bootloader',
    firmware: makeGbl({ version: 0x10000 }),
    bootloader: { windowMs: 60_000 },
  });
  const links: Record<string, Link> = {
    '/dev/ttyUSB0': coordinatorLink(),
    '/dev/ttyUSB1': smp.link,
    '/dev/ttyUSB2': bootloader.link,
    '/dev/ttyUSB3': new AnsweringLink(() => {}),
  };
  const ports = [
    adapter('ttyUSB0', 'A1', '/dev/serial/by-id/usb-coordinator'),
    adapter('ttyUSB1', 'B2'),
    adapter('ttyUSB2', 'TWICE'),
    adapter('ttyUSB3', 'TWICE'),
    adapter('ttyUSB4'),
    { ...adapter('ttyS0'), usb: undefined },
  ];
  const found = await discover({
    ports,
    baudRate: 115_200,
    asks: true,
    newLink: (port) => {
      if (links[port]) return links[port];
      const error = new UpliftError('port-in-use', `${port} is in use by something`);
      return Object.assign(new AnsweringLink(() => {}), { open: () => Promise.reject(error) });
    },
  });
  smp.hub.stop();
  bootloader.hub.stop();
  const words = found.map(({ port, found: { kind, ...rest } }) => {
    const finding = 'finding' in rest ? rest.finding : undefined;
    return `${port} ${kind} ${finding && 'kind' in finding ? finding.kind : ''}`.trim();
  });
  assert.equal(words, [
    '/dev/serial/by-id/usb-coordinator coordinator',
    'usb:0403:6001:B2 hub smp',
    '/dev/ttyUSB2 hub bootloader',
    '/dev/ttyUSB3 hub silence',
    '/dev/ttyUSB4 not-opened',
  ]);
  const text = propose(found, 'bench');
  assert.match(text, /panId: 0x1A62\n\s+extendedPanId: "00124b0000017000"\n\s+channel: 15/);
  assert.match(text, /# Not known what is on these:\n# .*nothing answers\n# .*is in use/);
  assert.not.match(text, /^ {2}- id: evil/m, 'what an adapter says makes no line of its own');
  const path = join(folder, 'bench.yaml');
  writeFileSync(path, text);
  const rig = loadRig(path);
  assert.is(rig.coordinators[0]?.port, '/dev/serial/by-id/usb-coordinator');
  assert.equal(
    rig.hubs.map(({ id, port, model }) => [id, port, model.serial.protocol]),
    [
      ['hub-1', 'usb:0403:6001:B2', 'smp'],
      ['hub-2', '/dev/ttyUSB2', 'gecko-bootloader'],
    ],
  );
});

function propose(found: readonly FoundPort[], rig: string): string {
  const models = ['virtual-hub.yaml', 'virtual-hub-radio.yaml'].map((name) => ({
    path: relative(folder, join(HUBS, name)),
    model: loadHubModel(join(HUBS, name)),
  }));
  return proposeRig(found, { rig, models, randomBytes: (count) => new Uint8Array(count).fill(7) });
}

test('without asking nothing is opened', async () => {
  const found = await discover({
    ports: [adapter('ttyUSB0', 'A1')],
    baudRate: 115_200,
    asks: false,
    newLink: () => {
      throw new Error('opened');
    },
  });
  assert.is(found[0]?.found.kind, 'not-asked');
  assert.match(propose(found, 'dry'), /# CHANGE: nothing that was plugged in answered/);
});

test('a model that cannot be told is left to a person', () => {
  const images = { images: [], slots: [], imageBytesMax: [], params: undefined } as const;
  const finding = { kind: 'smp', mode: 'unknown', ...images } as never;
  const found: FoundPort[] = [
    {
      ...{ info: adapter('ttyUSB0', 'A1'), port: 'usb:0403:6001:A1', baudRate: 9_600 },
      found: { kind: 'hub', finding },
    },
  ];
  const none = proposeRig(found, { rig: 'r', models: [], randomBytes: () => new Uint8Array(8) });
  assert.match(none, /CHANGE to the model file.*\n {4}model: "CHANGE-ME.yaml"/);
  assert.match(none, /baudRate: 9600/);
});

function ask(probe: ZnpProbe, answers: (frame: string) => Uint8Array | undefined) {
  let nowMs = 0;
  const sent: string[] = [];
  for (let step = 0; step < 50; step++) {
    for (let out = probe.pollTransmit(nowMs); out; out = probe.pollTransmit(nowMs)) {
      const frame = Buffer.from(out).toString('hex');
      sent.push(frame);
      const answer = answers(frame);
      if (answer) probe.handleBytes(answer);
    }
    const event = probe.pollEvent();
    if (event) return { sent, finding: event.finding, nowMs };
    nowMs = probe.pollTimeout();
    probe.handleTimeout(nowMs);
  }
  throw new Error('the probe did not end');
}

test('the probe of coordinators: golden frames, silence, a blank one, and one that says little', () => {
  const whole = ask(new ZnpProbe(), (frame) => ANSWERS[frame]);
  assert.equal(whole.sent, Object.keys(ANSWERS));
  assert.equal(whole.finding, {
    product: 1,
    revision: 20_230_507,
    network: { panId: 0x1a62, extendedPanId: '00124b0000017000', channel: 15 },
  });
  const silent = ask(new ZnpProbe(), () => undefined);
  assert.equal([silent.finding, silent.sent.length], [undefined, 2]);
  assert.ok(silent.nowMs <= 1_000);
  const blank = encodeFrame(3, 5, 0x50, new Uint8Array(24).fill(0xff));
  const empty = ask(new ZnpProbe(), (frame) => (frame === 'fe00255075' ? blank : ANSWERS[frame]));
  assert.is(empty.finding?.network, undefined);
  const little = ask(new ZnpProbe(), (frame) =>
    frame === 'fe00210120' ? ANSWERS[frame] : undefined,
  );
  assert.equal(little.finding, { product: undefined, revision: undefined, network: undefined });
});

test('every truncation of an answer leaves the probe with an end', () => {
  for (const frame of Object.keys(ANSWERS)) {
    for (let length = 0; length < ANSWERS[frame]!.length; length++) {
      const cut = ANSWERS[frame]!.subarray(0, length);
      ask(new ZnpProbe(), (asked) => (asked === frame ? cut : ANSWERS[asked]));
    }
  }
});

test.run();
