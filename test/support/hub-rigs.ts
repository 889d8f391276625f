/** Rigs of virtual hubs for tests: files in a folder of their own, hubs in this process on real terminals. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type OpenHub, openVirtualHub } from '../../src/virtual/communications-hub/open-hub.ts';
import type { HubSettings } from '../../src/virtual/communications-hub/options.ts';
import { SystemScheduler } from '../../src/virtual/scheduler.ts';
import { makeGbl } from '../virtual/communications-hub/silicon-labs-files.ts';

const ROOT = resolve(import.meta.dirname, '../..');
export const HUB_FIRMWARE = {
  old: join(ROOT, 'firmware/hub-1.0.0-test.mcuboot.bin'),
  new: join(ROOT, 'firmware/hub-2.0.0-test.mcuboot.bin'),
  trust: join(ROOT, 'firmware/trust'),
} as const;

const FLASH = {
  slotBytes: 262_144,
  eraseBlockBytes: 4_096,
  programPageBytes: 256,
  eraseBlockMs: 1,
  programPageMs: 0.2,
};

/** As fast as the tests can stand; the bytes are paced all the same. */
const BAUD_RATE = 2_000_000;
/** A hub with room for long requests: fewer of them. */
const ROOM = { bufBytes: 1_024, poolLines: 16 };

/** Small, for a bootloader is slow: a block of 128 after the other. */
function gbl(version: number): Uint8Array {
  return makeGbl({ version, programBytes: GBL_BYTES });
}

const GBL_BYTES = 12_000;

/** What the application of the virtual hub takes for the word. */
const ENTER_BOOTLOADER = [{ rts: true }, { send: '\nbootloader\n', waitMs: 400 }];

export interface HubRigOptions {
  protocol?: 'smp' | 'gecko-bootloader';
  hubs?: number;
  /** What the rig file says the line does, where the hub does another. */
  writtenBaudRate?: number;
  smp?: Record<string, unknown>;
  serial?: Record<string, unknown>;
  settings?: Partial<HubSettings>;
  /** Beside the rig file. */
  auditLog?: string;
}

export class HubRig {
  readonly folder = mkdtempSync(join(tmpdir(), 'uplift-hubs-'));
  readonly path = join(this.folder, 'rig.yaml');
  readonly hubs: OpenHub[] = [];
  private readonly options: HubRigOptions;
  private readonly scheduler = new SystemScheduler();

  private constructor(options: HubRigOptions) {
    this.options = options;
  }

  static async up(options: HubRigOptions = {}): Promise<HubRig> {
    const rig = new HubRig(options);
    const { hubs = 1, protocol = 'smp', settings } = options;
    for (let n = 1; n <= hubs; n++) {
      const open = await openVirtualHub({
        protocol,
        scheduler: rig.scheduler,
        port: rig.portOf(n),
        flash: FLASH,
        firmware: protocol === 'smp' ? readFileSync(HUB_FIRMWARE.old) : gbl(0x10000),
        baudRate: BAUD_RATE,
        bootMs: 200,
        ...settings,
        smp: { ...ROOM, ...settings?.smp },
        // Its application runs when it is turned to, however soon that is.
        bootloader: { windowMs: 0, ...settings?.bootloader },
      });
      rig.hubs.push(open);
    }
    writeFileSync(join(rig.folder, 'hub.yaml'), rig.modelText());
    writeFileSync(join(rig.folder, 'new.gbl'), gbl(0x20000));
    writeFileSync(rig.path, JSON.stringify(rig.document()));
    return rig;
  }

  get hub(): OpenHub {
    return this.hubs[0]!;
  }

  portOf(n: number): string {
    return join(this.folder, `hub-${n}`);
  }

  /** The devices of the rig file. */
  devices(): object[] {
    return this.hubs.map((_, index) => ({
      id: `hub-${index + 1}`,
      model: join(this.folder, 'hub.yaml'),
      port: this.portOf(index + 1),
    }));
  }

  flashArguments(): string[] {
    const common = ['flash', '--rig', this.path, '--no-cpl', '--json'];
    if (this.options.protocol === 'gecko-bootloader') {
      return [...common, '--image', join(this.folder, 'new.gbl'), '--allow-unsigned'];
    }
    return [...common, '--image', HUB_FIRMWARE.new, '--trust', HUB_FIRMWARE.trust];
  }

  async down(): Promise<void> {
    for (const hub of this.hubs) await hub.stop();
    this.scheduler.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private document(): object {
    return {
      rig: 'hub-rig',
      description: 'hubs for tests',
      state: 'state',
      ...(this.options.auditLog && { auditLog: this.options.auditLog }),
      devices: this.devices(),
    };
  }

  private modelText(): string {
    const { protocol = 'smp', smp, serial, writtenBaudRate } = this.options;
    return JSON.stringify({
      model: 'test-hub',
      kind: 'communications-hub',
      description: 'a hub for tests',
      source: 'test',
      deviceModel: {
        manufacturer: '121D',
        model: protocol === 'smp' ? '0090' : '0091',
        hardwareVersion: '01',
        hardwareRevision: '00',
      },
      imageProfile: protocol === 'smp' ? 'mcuboot' : 'gbl',
      serial: {
        protocol,
        baudRate: writtenBaudRate ?? BAUD_RATE,
        bootMs: 2_000,
        ...(protocol === 'smp' ? {} : { enterBootloader: ENTER_BOOTLOADER }),
        ...serial,
      },
      ...(protocol === 'smp' ? { smp: { receivePoolLines: ROOM.poolLines, ...smp } } : {}),
      flash: FLASH,
    });
  }
}
