/**
 * A gateway that follows campaigns, on a desk: the real gateway and follower over a field whose devices do
 * what a test says.
 */
import { createHash } from 'node:crypto';
import {
  type CampaignTarget,
  encodeManifest,
  type Manifest,
} from '../../../src/campaign/manifest.ts';
import { COORDINATOR } from '../../../src/fleet/agent/carrier.ts';
import type { JournalEvents, ToldJournal } from '../../../src/fleet/agent/event-source.ts';
import { Follower } from '../../../src/fleet/agent/follower.ts';
import type { FleetEvent } from '../../../src/fleet/wire.ts';
import type { FieldDevice } from '../../../src/gateway/field.ts';
import type { GatewayOptions } from '../../../src/gateway/gateway.ts';
import { sha256Hex } from '../../../src/trust/digest.ts';
import { NO_FLOORS, raiseFloor, type VersionFloors } from '../../../src/trust/rollback.ts';
import {
  ANN,
  BOB,
  GATEWAY,
  HARDWARE,
  MANIFEST,
  NOW,
  signedBy,
  TRUST,
} from '../../campaign/campaigns.ts';
import { GatewayDesk, HOUR_MS, IMAGE, type ScriptedRun } from '../../gateway/gateway-desk.ts';

export const CAMPAIGN_IMAGE = {
  sha256: IMAGE,
  bytes: 260_000,
  format: 'zigbee-ota',
  version: 0x0200_0000,
  firmwareVersion: '02000000',
} as const;

/** EUI-64 of the n-th. */
export const euiOf = (n: number) => `000d6f00${n.toString(16).padStart(8, '0')}`;

/** Everything at once, nothing in between. */
export const WHOLE: Partial<Manifest> = {
  images: [CAMPAIGN_IMAGE],
  targets: [{ ...HARDWARE, from: ['01000000'], image: IMAGE }],
  rings: [{ name: 'all', all: true, untilPercent: 100 }],
  pace: { first: 100, growthPercent: 100, afterSucceeded: 1, most: 100 },
  aborts: [{ failure: 'any', count: 1000 }],
  activation: { when: 'now' },
};

export class FollowerDesk {
  readonly desk: GatewayDesk;
  follower!: Follower;
  source!: JournalEvents;
  floors: VersionFloors = NO_FLOORS;
  readonly images = new Map<string, number>([[IMAGE, CAMPAIGN_IMAGE.bytes]]);
  readonly names: readonly string[];
  trust: { anchors: (typeof TRUST)['anchors'] } = TRUST;
  anchorsDigest = 'anchors-1';
  readsDaily = false;
  private upgradesMax = 16;

  constructor(count = 3, change: Partial<GatewayOptions> = {}) {
    this.names = Array.from({ length: count }, (_, n) => euiOf(n + 1));
    const devices = this.names.map(
      (eui64, n): FieldDevice => ({
        id: `ppmid-${n + 1}`,
        kind: 'ppmid',
        eui64,
        link: 'network:zigbee-1',
        canHold: true,
      }),
    );
    this.desk = new GatewayDesk(
      { windows: {}, hasImage: (sha256) => this.images.has(sha256), ...change },
      devices,
      NOW,
    );
    this.follow();
  }

  /** Another process over what is on disk. */
  restart(): this {
    this.follower.stop();
    this.desk.start();
    return this.follow();
  }

  /** Devices that download at once. */
  pace(upgradesMax: number): void {
    this.upgradesMax = upgradesMax;
    this.desk.field.listener.pace('network:zigbee-1', upgradesMax);
  }

  /** With hashes, as a real one has them. */
  private get journal(): ToldJournal {
    const { desk } = this;
    return {
      get head() {
        const { length } = desk.journal.rows;
        return { sequence: length, hash: hashAt(length) };
      },
      *records(from, limit) {
        for (const record of desk.journal.records(from, limit))
          yield { ...record, hash: hashAt(record.sequence) };
      },
    };
  }

  private follow(): this {
    const { desk } = this;
    this.pace(this.upgradesMax);
    for (const { id } of desk.field.devices) {
      const version = this.says.has(id) ? this.says.get(id) : '01000000';
      if (version !== undefined) desk.field.says.set(id, version);
    }
    this.follower = new Follower({
      gateway: desk.gateway,
      journal: this.journal,
      timers: desk.timers,
      identity: { ...GATEWAY, windows: ['night'] },
      trust: this.trust,
      anchorsDigest: this.anchorsDigest,
      floors: () => this.floors,
      raiseFloors: (targets) => this.raise(targets),
      devices: desk.field.devices.map(({ id, eui64, kind }) => ({
        id,
        kind,
        name: eui64!,
        hardware: HARDWARE,
      })),
      readsDaily: this.readsDaily,
      imageBytes: (sha256) => this.images.get(sha256),
      log: { write() {} },
    });
    this.follower.replay(this.journal.records(1, 1_000_000));
    this.source = this.follower.events;
    return this;
  }

  /** What devices say that they run, where it is not 01000000. */
  readonly says = new Map<string, string | undefined>();

  say(device: string, version: string | undefined): void {
    if (version === undefined) this.desk.field.says.delete(device);
    else this.desk.field.says.set(device, version);
    this.says.set(device, version);
  }

  desire(
    changes: Partial<Manifest> = {},
    devices: 'own' | Record<string, number> = Object.fromEntries(this.names.map((n) => [n, 1])),
    course: 'run' | 'pause' | 'abort' = 'run',
    carrier = COORDINATOR,
  ): string {
    const list = Object.entries(devices).map(([device, attempt]) => ({ device, attempt }));
    const { window: _, ...manifest } = { ...MANIFEST, ...this.life, ...WHOLE, ...changes };
    const document = signedBy(encodeManifest(manifest), ANN, BOB);
    const one = { document, course, devices: devices === 'own' ? ('own' as const) : list };
    this.follower.desire(carrier, [one], carrier);
    return sha256Hex(encodeManifest(manifest));
  }

  /** Around the time that the clock shows. */
  get life(): Partial<Manifest> {
    return { issuedMs: NOW - HOUR_MS, expiresMs: NOW + 30 * 24 * HOUR_MS };
  }

  /** Lets readings and turns happen. */
  async settle(ms = 1): Promise<void> {
    for (let n = 0; n < 5; n++) await Promise.resolve();
    this.desk.clock.run(ms);
    for (let n = 0; n < 5; n++) await Promise.resolve();
    this.desk.clock.run(1);
  }

  events(): FleetEvent[] {
    const batch = this.source.stretch(undefined, 10_000);
    return (batch?.events ?? []).filter((event): event is FleetEvent => 'device' in event);
  }

  /** The phases of a device, in order. */
  phases(name: string): string[] {
    return this.events().flatMap(({ device, phase }) => (device === name ? [phase] : []));
  }

  run(n: number): ScriptedRun {
    return this.desk.field.of(`ppmid-${n}`);
  }

  private raise(targets: readonly CampaignTarget[]): void {
    for (const target of targets) {
      if (target.floor === undefined) continue;
      const raised = raiseFloor(this.floors, target, target.floor);
      if (raised.ok) this.floors = raised.floors;
    }
  }
}

export function hashAt(sequence: number): string {
  return createHash('sha256').update(`${sequence}`).digest('hex');
}
