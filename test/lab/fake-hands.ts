/** A rig without devices for tests of the runner: what a scenario does to it is written down. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HubDevice, Rig } from '../../src/config/schema.ts';
import { LabError } from '../../src/lab/failure.ts';
import type { Power } from '../../src/lab/ports.ts';
import type { HandsRequest, OpenHands, RigHands } from '../../src/lab/runner/hands.ts';
import { type LabEvent, type LabOptions, runLab } from '../../src/lab/runner/lab.ts';
import { defineScenario, type ScenarioDefinition } from '../../src/lab/scenario/define.ts';
import { TestRig } from '../support/rigs.ts';

export interface FakeOptions {
  /** Of a device whose power driver never answers when it is to switch off. */
  hangs?: string;
  /** Of one whose power driver fails: so many times, or for ever. */
  fails?: { device: string; times: number };
}

export class FakeRig {
  /** `hub: off`, in order. */
  readonly deeds: string[] = [];
  /** Devices whose hands are open now, and the most that were at once. */
  readonly open = new Set<string>();
  openMax = 0;
  readonly options: FakeOptions;

  constructor(options: FakeOptions = {}) {
    this.options = options;
  }

  readonly openHands: OpenHands = async (request: HandsRequest): Promise<RigHands> => {
    const ids = request.rig.devices.map(({ id }) => id);
    for (const id of ids) {
      if (this.open.has(id)) throw new Error(`${id} is in two runs`);
      this.open.add(id);
    }
    this.openMax = Math.max(this.openMax, this.open.size);
    return {
      rig: request.rig,
      ports: {},
      power: (device) => this.power(device),
      button: () => undefined,
      faults: () => undefined,
      resetCoordinator: () => undefined,
      glitchLine: async () => false,
      close: async () => {
        this.deeds.push(`${ids.join('+')}: closed`);
        for (const id of ids) this.open.delete(id);
      },
    };
  };

  private power(device: string): Power {
    let state: 'on' | 'off' = 'on';
    const { options, deeds } = this;
    const turn = async (to: 'on' | 'off') => {
      if (options.hangs === device && to === 'off') await new Promise(() => {});
      if (options.fails?.device === device && options.fails.times-- > 0) {
        throw new LabError('power-failed', { message: 'the relay does not answer' });
      }
      state = to;
      deeds.push(`${device}: ${to}`);
    };
    return {
      kind: 'fake',
      on: () => turn('on'),
      off: () => turn('off'),
      state: async () => state,
      selfTest: async () => {},
      close: async () => {},
    };
  }
}

/** So many hubs of one model, with nothing behind their ports. */
export async function bareRig(hubs: number): Promise<{ rig: Rig; remove(): Promise<void> }> {
  const test = await TestRig.make({ devices: 0, hubs: [{ id: 'hub' }] });
  const [hub] = test.rig.hubs as [HubDevice];
  const devices = Array.from({ length: hubs }, (_, n) => ({
    ...hub,
    id: hubs === 1 ? 'hub' : `hub-${n + 1}`,
  }));
  return { rig: { ...test.rig, devices, hubs: devices }, remove: () => test.remove() };
}

export interface Outcome {
  end: Awaited<ReturnType<typeof runLab>>;
  events: LabEvent[];
  results: Extract<LabEvent, { kind: 'ended' }>[];
  folder: string;
}

const folders: string[] = [];

export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'uplift-lab-'));
  folders.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** Runs it on as many bare hubs; `fake` tells what happened to them. */
export async function runOn(
  fake: FakeRig,
  hubs: number,
  definitions: ScenarioDefinition | ScenarioDefinition[],
  options: Partial<LabOptions> = {},
  change: (rig: Rig) => Rig = (rig) => rig,
): Promise<Outcome> {
  const { rig, remove } = await bareRig(hubs);
  const events: LabEvent[] = [];
  const folder = options.folder ?? newFolder();
  try {
    const end = await runLab({
      rig: change(rig),
      scenarios: [definitions].flat().map(defineScenario),
      seed: 1,
      openHands: fake.openHands,
      ...options,
      folder,
      onEvent: (event) => {
        events.push(event);
        options.onEvent?.(event);
      },
    });
    const results = events.filter((event) => event.kind === 'ended');
    return { end, events, results, folder };
  } finally {
    await remove();
  }
}
