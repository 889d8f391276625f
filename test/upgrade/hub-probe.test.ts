/** What the probe finds on lines to virtual hubs, and on lines with nothing of the kind on them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type HubFinding, problemOf } from '../../src/upgrade/hub-finding.ts';
import { HUB_PROBE_LIMIT_MS, HubProbe, type HubProbeOptions } from '../../src/upgrade/hub-probe.ts';
import { VirtualHub } from '../../src/virtual/communications-hub/hub.ts';
import type { HubSettings } from '../../src/virtual/communications-hub/options.ts';
import type { Scheduled, Scheduler } from '../../src/virtual/scheduler.ts';
import { seeded } from '../protocol/zcl-ota/naive-frames.ts';
import { GEOMETRY, makeImage } from '../virtual/communications-hub/fixture.ts';
import { makeEbl, makeGbl } from '../virtual/communications-hub/silicon-labs-files.ts';
import { SimulatedScheduler } from '../virtual/fixture.ts';

type Protocol = HubProbeOptions['protocol'];

const PROTOCOLS: readonly Protocol[] = ['smp', 'gecko-bootloader', 'ember-bootloader'];
const A = makeImage({ version: [1, 2, 3, 0] });
/** The digits that choose in a bootloader's menu. */
const CHOICES = /[123]/;

interface Device {
  receive(bytes: Uint8Array): void;
}

interface Outcome {
  finding: HubFinding;
  elapsedMs: number;
  sent: Uint8Array;
}

/** Runs a probe against a device to its end, and a while longer. */
function probe(
  scheduler: SimulatedScheduler,
  protocol: Protocol,
  makeDevice: (toHost: (bytes: Uint8Array) => void) => Device,
): Outcome {
  const startMs = scheduler.nowMs();
  const machine = new HubProbe({ protocol, baudRate: 115_200 }, startMs);
  const sent: number[] = [];
  const findings: { finding: HubFinding; atMs: number }[] = [];
  let timer: Scheduled | undefined;
  const pump = () => {
    const nowMs = scheduler.nowMs();
    for (let out = machine.pollTransmit(nowMs); out; out = machine.pollTransmit(nowMs)) {
      sent.push(...out);
      device.receive(out.slice());
    }
    for (let event = machine.pollEvent(); event; event = machine.pollEvent()) {
      findings.push({ finding: event.finding, atMs: nowMs });
    }
    timer?.cancel();
    const atMs = machine.pollTimeout();
    if (atMs === Number.POSITIVE_INFINITY) return;
    timer = (scheduler as Scheduler).after(atMs - nowMs, () => {
      machine.handleTimeout(scheduler.nowMs());
      pump();
    });
  };
  const device = makeDevice((bytes) => {
    machine.handleBytes(bytes, scheduler.nowMs());
    pump();
  });
  pump();
  scheduler.run(HUB_PROBE_LIMIT_MS + 5_000, 1_000_000);
  assert.is(findings.length, 1, 'one finding, whatever the line does');
  assert.not.ok(machine.active);
  assert.is(machine.pollTimeout(), Number.POSITIVE_INFINITY);
  const { finding, atMs } = findings[0]!;
  return { finding, elapsedMs: atMs - startMs, sent: Uint8Array.from(sent) };
}

interface HubCase extends Partial<HubSettings> {
  /** What is done to the hub before it is probed. */
  before?: (hub: VirtualHub, scheduler: SimulatedScheduler) => void;
}

function probeHub(protocol: Protocol, { before, ...settings }: HubCase = {}) {
  const scheduler = new SimulatedScheduler();
  let toHost = (_bytes: Uint8Array) => {};
  const hub = new VirtualHub({
    flash: GEOMETRY,
    firmware: A.bytes,
    ...settings,
    scheduler,
    write: (bytes) => toHost(bytes),
  });
  hub.powerOn();
  scheduler.run(1_000);
  before?.(hub, scheduler);
  const found = hub.flash.snapshot();
  const outcome = probe(scheduler, protocol, (listener) => {
    toHost = listener;
    return hub;
  });
  assert.equal(hub.flash.snapshot(), found, 'flash is as it was');
  return { ...outcome, hub };
}

const say = (text: string) => (hub: VirtualHub, scheduler: SimulatedScheduler) => {
  hub.receive(Buffer.from(text, 'latin1'));
  scheduler.run(500);
};

test('an application: what runs, slots, buffers', () => {
  for (const protocol of PROTOCOLS) {
    const { finding, elapsedMs } = probeHub(protocol);
    assert.is(finding.kind, 'smp', protocol);
    if (finding.kind !== 'smp') return;
    assert.is(finding.mode, 'application');
    assert.equal(
      finding.images.map(({ version, slot, active }) => [version, slot, active]),
      [['1.2.3', 0, true]],
    );
    assert.equal(finding.params, { bufferBytes: 384, bufferCount: 4, messageBytes: 380 });
    assert.is(finding.slots.length, 2);
    assert.is(problemOf(finding), undefined);
    if (protocol === 'smp') assert.ok(elapsedMs < 200, `${elapsedMs} ms`);
  }
});

test('recovery, with params and without', () => {
  for (const recoveryParams of [true, false]) {
    const { finding } = probeHub('smp', {
      smp: { recovery: true, recoveryWithoutImage: true, recoveryParams },
      firmware: makeImage({ spoilt: true }).bytes,
    });
    assert.is(finding.kind, 'smp');
    if (finding.kind !== 'smp') return;
    assert.is(finding.mode, 'recovery');
    assert.is(finding.params?.bufferBytes, recoveryParams ? 1_024 : undefined);
  }
});

const SILICON_LABS = {
  'gecko-bootloader': makeGbl({ version: 1 }),
  'ember-bootloader': makeEbl(),
} as const;

test('a bootloader in its menu, whatever it was expected to be', () => {
  for (const speaks of ['gecko-bootloader', 'ember-bootloader'] as const) {
    for (const expected of PROTOCOLS) {
      for (const menuShown of [true, false]) {
        const { finding, sent } = probeHub(expected, {
          protocol: speaks,
          bootloader: { windowMs: 60_000, version: 'v1.12.01' },
          firmware: SILICON_LABS[speaks],
          ...(menuShown && { before: say('\n') }),
        });
        const label = `${speaks}, expected ${expected}`;
        assert.is(finding.kind, 'bootloader', label);
        if (finding.kind !== 'bootloader') return;
        const { family, version } = finding.facts;
        assert.equal([family, version], [speaks.slice(0, 5), '1.12.01'], label);
        assert.not.match(Buffer.from(sent).toString('latin1'), CHOICES, label);
      }
    }
  }
});

test('a bootloader whose upload was left half done', () => {
  for (const expected of PROTOCOLS) {
    const { finding } = probeHub(expected, {
      protocol: 'gecko-bootloader',
      bootloader: { windowMs: 60_000 },
      firmware: SILICON_LABS['gecko-bootloader'],
      before: (hub, scheduler) => {
        say('\n')(hub, scheduler);
        say('1')(hub, scheduler);
      },
    });
    assert.is(finding.kind, 'bootloader', expected);
  }
});

test('an application without a protocol is text, one that prints nothing is silence', () => {
  const quiet = { protocol: 'gecko-bootloader', bootloader: { windowMs: 100 } } as const;
  const firmware = SILICON_LABS['gecko-bootloader'];
  const { finding, elapsedMs } = probeHub('gecko-bootloader', { ...quiet, firmware });
  assert.equal(finding, { kind: 'silence' });
  assert.ok(elapsedMs < 10_000, `${elapsedMs} ms`);
  const scheduler = new SimulatedScheduler();
  const text = probe(scheduler, 'gecko-bootloader', (toHost) => {
    const print = () => {
      toHost(Buffer.from('\x1b[1;32muart:~$ \x1b[0munknown command\r\n\0', 'latin1'));
      scheduler.after(300, print);
    };
    scheduler.after(100, print);
    return { receive: () => {} };
  }).finding;
  assert.is(text.kind, 'babble');
  if (text.kind !== 'babble') return;
  assert.ok(text.readable);
  assert.not.ok(text.echoes);
  assert.match(text.text, 'uart:~$');
  assert.is(problemOf(text), 'hub-no-protocol');
});

test('silence ends in time', () => {
  for (const [protocol, limitMs] of [
    ['smp', 4_000],
    ['gecko-bootloader', 10_000],
    ['ember-bootloader', 10_000],
  ] as const) {
    const { finding, elapsedMs, sent } = probeHub(protocol, { faults: { silent: true } });
    assert.equal(finding, { kind: 'silence' });
    assert.is(problemOf(finding), 'hub-silent');
    assert.ok(elapsedMs <= limitMs, `${protocol}: ${elapsedMs} ms`);
    assert.not.match(Buffer.from(sent).toString('latin1'), CHOICES);
  }
});

test('the wrong baud rate is guessed from bytes that are no text', () => {
  for (const protocol of PROTOCOLS) {
    for (let seed = 1; seed <= 5; seed++) {
      const random = seeded(seed);
      const scheduler = new SimulatedScheduler();
      const { finding } = probe(scheduler, protocol, (toHost) => ({
        // A device that answers each request, heard at another speed.
        receive: () => toHost(Uint8Array.from({ length: 40 }, () => random(256))),
      }));
      assert.is(finding.kind, 'babble', protocol);
      assert.is(problemOf(finding), 'hub-unreadable', protocol);
    }
  }
});

test('an endless stream of noise ends in time', () => {
  for (const protocol of PROTOCOLS) {
    for (const alphabet of ['\x00\x06\x09A=\xff', 'BL > \n', '\x06\x09AAsAAAABAABC\n', 'C']) {
      const random = seeded(alphabet.length);
      const scheduler = new SimulatedScheduler();
      const { finding, elapsedMs } = probe(scheduler, protocol, (toHost) => {
        const noise = () => {
          const text = Array.from({ length: 20 }, () => alphabet[random(alphabet.length)]);
          toHost(Buffer.from(text.join(''), 'latin1'));
          scheduler.after(5, noise);
        };
        scheduler.after(1, noise);
        return { receive: () => {} };
      });
      assert.ok(finding.kind === 'babble' || finding.kind === 'bootloader');
      assert.ok(elapsedMs <= HUB_PROBE_LIMIT_MS, `${elapsedMs} ms`);
    }
  }
});

test('a line joined to itself echoes', () => {
  for (const protocol of PROTOCOLS) {
    const scheduler = new SimulatedScheduler();
    const { finding } = probe(scheduler, protocol, (toHost) => ({
      receive: (bytes) => void scheduler.after(2, () => toHost(bytes)),
    }));
    assert.is(problemOf(finding), 'hub-echoes', protocol);
  }
});

test('a bad line costs time, not the finding', () => {
  let found = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const faults = { loss: 0.001, corruption: 0.001, noise: 0.001, babble: 0.5 };
    const { finding } = probeHub('smp', { seed, faults });
    if (finding.kind === 'smp' && finding.mode === 'application') found++;
  }
  assert.ok(found >= 38, `${found} of 40`);
});

test('a hub that stops within the probe is known as far as it told', () => {
  const { finding } = probeHub('smp', { faults: { stallAtByte: 30 } });
  assert.is(finding.kind, 'smp');
  if (finding.kind !== 'smp') return;
  assert.is(finding.mode, 'unknown');
  assert.is(finding.params?.bufferBytes, 384);
});

test.run();
