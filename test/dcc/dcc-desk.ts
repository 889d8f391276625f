/**
 * A gateway with Service Users under a simulated clock: requests are handed over as if their signature was
 * good, devices follow a script, and every message that leaves is kept. A restart builds all of it anew
 * over the records and documents that were on disk.
 */
import * as assert from 'uvu/assert';
import type { AdmissionPolicy, DeviceFacts } from '../../src/admission/facts.ts';
import type { DuisUser } from '../../src/config/duis.ts';
import { DccService } from '../../src/dcc/service.ts';
import type { World } from '../../src/dcc/world.ts';
import type { DeliveryResult } from '../../src/duis/outbox.ts';
import { SERVICE_MATRIX } from '../../src/duis/service-matrix.ts';
import type {
  FirmwareActivation,
  RequestBody,
  ServiceRequest,
} from '../../src/duis/service-request.ts';
import { factsOfModel } from '../../src/gateway/device-facts.ts';
import type { Brief, FieldDevice } from '../../src/gateway/field.ts';
import type { GatewayOptions } from '../../src/gateway/gateway.ts';
import { ImageFile } from '../../src/gateway/image-library.ts';
import { sha256Hex } from '../../src/trust/digest.ts';
import { GatewayDesk, type ProcessTimers } from '../gateway/gateway-desk.ts';
import { makeImage, makeModel, VERSION_NEW } from '../virtual/fixture.ts';

export const USER = '90b3d51f30010000';
export const OTHER_USER = '90b3d51f30030000';
export const BROKER = '0255504c46540002';
export const IMAGE = makeImage(VERSION_NEW, 500);
export const IMAGE_SHA256 = sha256Hex(IMAGE);
const DAY_MS = 24 * 3_600_000;

const MODEL = makeModel();
const POLICY: AdmissionPolicy = {
  listRequired: false,
  unsignedImage: 'warn',
  unverifiedSignature: 'warn',
};
const USERS: [string, DuisUser][] = [USER, OTHER_USER].map((eui64) => [
  eui64,
  {
    ...{ eui64, certificates: [], endpoint: undefined },
    ...(eui64 === USER
      ? { roles: ['IS'] as const, party: 'Electric' }
      : { roles: ['GS'] as const, party: 'Gas' }),
  } as DuisUser,
]);

export function euiOf(n: number): string {
  return (0x0255504c46542000n + BigInt(n)).toString(16).padStart(16, '0');
}

export function ppmids(count: number): FieldDevice[] {
  return Array.from({ length: count }, (_, n) => ({
    id: `ppmid-${n + 1}`,
    kind: 'ppmid',
    eui64: euiOf(n + 1),
    link: `network:zigbee-${(n % 20) + 1}`,
    canHold: true,
  }));
}

export interface Sent {
  user: string;
  message: number;
  text: string;
}

export interface DeskShape {
  devices?: readonly FieldDevice[];
  activation?: World['activation'];
  suppliers?(device: string): readonly string[];
  /** What the endpoint answers; 200 unless told. */
  answers?(sent: Sent): DeliveryResult | Promise<DeliveryResult>;
  /** Of every process: another field, say. */
  gateway?(timers: ProcessTimers): Partial<GatewayOptions>;
  startMs?: number;
}

export class DccDesk {
  readonly desk: GatewayDesk;
  readonly documents = new Map<string, Uint8Array>();
  /** In the order in which they arrived, repeats included. */
  readonly sent: Sent[] = [];
  service!: DccService;
  private readonly shape: DeskShape;
  private readonly image = new ImageFile('image.zigbee', { trust: undefined }, IMAGE);
  private counter = 1_000n;

  constructor(shape: DeskShape = {}) {
    this.shape = shape;
    const hasImage = (sha256: string) => sha256 === IMAGE_SHA256;
    this.desk = new GatewayDesk(
      (timers) => ({ brief: () => this.brief(), hasImage, ...shape.gateway?.(timers) }),
      shape.devices ?? ppmids(2),
      shape.startMs,
    );
    this.startService();
  }

  get nowMs(): number {
    return this.desk.nowMs;
  }

  /** Another process over what is on disk; the one before is gone as with kill -9. */
  restart(): void {
    this.desk.start();
    this.startService();
  }

  /** Time passes, in steps that leave room for answers to arrive. */
  async pass(ms: number, stepMs = 60_000): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.desk.clock.run(Math.min(left, stepMs));
      await this.settle();
    }
  }

  /** Lets what waits for a later turn have it. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 8; turn++) {
      await new Promise(setImmediate);
      this.desk.clock.run(0);
    }
  }

  request(body: RequestBody, change: Partial<ServiceRequest['header']> = {}): ServiceRequest {
    const reference = REFERENCES[body.kind];
    const requestId = { originator: USER, target: BROKER, counter: ++this.counter };
    return {
      schemaVersion: body.kind === 'UpdatePPMIDFirmware' ? '5.1' : '4.0',
      header: {
        requestId,
        commandVariant: VARIANTS[body.kind],
        serviceReference: reference,
        serviceReferenceVariant: reference,
        ...change,
      },
      body,
    };
  }

  update(
    devices: readonly number[],
    kind: 'UpdateFirmware' | 'UpdatePPMIDFirmware' = 'UpdateFirmware',
  ) {
    const deviceIds = devices.map(euiOf);
    return this.request({ kind, image: IMAGE, firmwareVersion: '02000001', deviceIds });
  }

  activation(device: number, change: Partial<FirmwareActivation> = {}): ServiceRequest {
    const requestId = { originator: USER, target: euiOf(device), counter: ++this.counter };
    const body: FirmwareActivation = {
      kind: 'ActivateFirmware',
      firmwareHash: this.hash,
      ...change,
    };
    return this.request(body, { requestId });
  }

  reading(device: number): ServiceRequest {
    const requestId = { originator: USER, target: euiOf(device), counter: ++this.counter };
    return this.request({ kind: 'ReadFirmwareVersion' }, { requestId });
  }

  /** By which lists know the image. */
  get hash(): string {
    const { facts } = this.image.for('zigbee-ota');
    assert.ok(facts.ok && facts.kind === 'ota');
    return facts.hashes.manufacturerImage;
  }

  /** The code and the document that it is answered with. */
  async take(
    request: ServiceRequest,
  ): Promise<{ code: string; text: string; isRepeated: boolean }> {
    const sha256 = sha256Hex(new TextEncoder().encode(textOf(request)));
    const taking = this.service.take({ request, sha256 });
    await this.settle();
    const { bytes, responseCode, isRepeated } = await taking;
    return { code: responseCode, text: new TextDecoder().decode(bytes), isRepeated };
  }

  /** A PPMID that does all that it is told. */
  download(id: string): void {
    const run = this.desk.field.of(id);
    run.say('staged', 'distributing', 'distributed');
    if (run.task.activation.when === 'held') run.hold();
    else run.say('activating', 'confirming').end('done');
  }

  private brief(): Brief {
    const image = this.image.for('zigbee-ota');
    return { image, list: undefined, policy: POLICY, context: undefined };
  }

  private startService(): void {
    const { desk, documents } = this;
    const { gateway, journal } = desk;
    const facts: DeviceFacts = factsOfModel(MODEL);
    const world: World = {
      get nowMs() {
        return desk.nowMs;
      },
      timers: desk.timers,
      gateway,
      messages: {
        put: (bytes) => {
          const sha256 = sha256Hex(bytes);
          documents.set(sha256, bytes);
          return sha256;
        },
        get: (sha256) => documents.get(sha256),
        removeUnused: (needed) => {
          for (const key of documents.keys()) if (!needed.has(key)) documents.delete(key);
          return 0;
        },
      },
      settings: {
        brokers: [BROKER],
        users: new Map(USERS.map(([eui64, { roles }]) => [eui64, roles])),
        matrix: SERVICE_MATRIX,
      },
      users: new Map(USERS),
      devicesByEui: gateway.idsByEui,
      activation: this.shape.activation ?? { updateFirmware: 'held', updatePpmidFirmware: 'now' },
      deadlineMs: 14 * DAY_MS,
      briefFor: (_image, id) => ({
        brief: this.brief(),
        device: { ...facts, eui64: gateway.devices.get(id)!.eui64 },
      }),
      hubOf: () => undefined,
      suppliersOf: (id) => this.shape.suppliers?.(id) ?? [],
      storeImage: (image) => ({ sha256: sha256Hex(image) }),
      sign: (document) => new TextEncoder().encode(document),
      signInner: (document) => document,
      write: (...records) => gateway.record(...(records as Parameters<typeof gateway.record>)),
      nextTurn: () => new Promise((done) => desk.timers.after(0, done)),
    };
    this.service = new DccService({
      world,
      records: (from, limit) => journal.records(from, limit),
      random: { next: () => 0.5 },
      post: async (user, { message, body }) => {
        const sent = { user, message, text: new TextDecoder().decode(body) };
        this.sent.push(sent);
        return (await this.shape.answers?.(sent)) ?? { kind: 'answered', status: 200 };
      },
      log: { write() {} },
    });
    this.service.start();
  }
}

const REFERENCES: Record<RequestBody['kind'], string> = {
  UpdateFirmware: '11.1',
  ReadFirmwareVersion: '11.2',
  ActivateFirmware: '11.3',
  SignedPreCommand: '11.3',
  UpdatePPMIDFirmware: '11.4',
};
const VARIANTS: Record<RequestBody['kind'], number> = {
  UpdateFirmware: 8,
  ReadFirmwareVersion: 1,
  ActivateFirmware: 4,
  SignedPreCommand: 5,
  UpdatePPMIDFirmware: 8,
};

export function textOf(request: ServiceRequest): string {
  return JSON.stringify(request, (_key, value) => (typeof value === 'bigint' ? `${value}` : value));
}
