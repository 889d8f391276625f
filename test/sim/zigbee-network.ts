/**
 * A coordinator, the air around it and the virtual PPMIDs behind it, which outlive every gateway; and the
 * site through which one gateway process has the coordinator, on the OTA server that its worker runs.
 */
import * as assert from 'uvu/assert';
import { checkBytes } from '../../src/admission/token.ts';
import type { CoordinatorConfig, PpmidDevice } from '../../src/config/schema.ts';
import { UpliftError } from '../../src/errors.ts';
import type { CoordinatorSite } from '../../src/gateway/coordinator-host.ts';
import type { CoordinatorLink } from '../../src/gateway/zigbee-device.ts';
import type { SiteEvent } from '../../src/gateway/zigbee-site.ts';
import { OTA_CLUSTER, OTA_COMMAND } from '../../src/protocol/zcl-ota/codec.ts';
import type { DeviceReading } from '../../src/protocol/zcl-ota/device-reading.ts';
import { AirProbe } from '../../src/transport/zigbee/air-probe.ts';
import type { LinkEvent, Method, Methods } from '../../src/transport/zigbee/messages.ts';
import { OtaLink } from '../../src/transport/zigbee/ota-link.ts';
import { type OtaMethods, otaMethods } from '../../src/transport/zigbee/ota-methods.ts';
import type { UplinkFrame } from '../../src/virtual/node.ts';
import { type VirtualPpmid, versionText } from '../../src/virtual/ppmid.ts';
import type { SeededRandom } from '../../src/virtual/random.ts';
import type { ProcessImage, SimulatedClock } from './clock.ts';

/** One way. */
const AIR_MS = 8;
/** Between the gateway and its coordinator's process. */
const IPC_MS = 1;
const PROGRESS_MS = 200;
const COORDINATOR_ENDPOINT = 1;
const NETWORK_IDENTITY = 'simulated';

/** What a test looks at: what reached devices, whatever a gateway thinks of it. */
export interface NetworkWatch {
  /** Image bytes are about to leave for a device. */
  block(eui64: string, offset: number): void;
  /** A command to activate is about to leave. */
  activate(eui64: string): void;
}

export class SimulatedNetwork {
  readonly ppmids = new Map<string, VirtualPpmid>();
  readonly config: CoordinatorConfig;
  /** The cable to the coordinator. */
  isUp = true;
  /** The coordinator's process hangs: nothing that is asked of it comes back. */
  isFrozen = false;
  /** Of frames, either way. */
  loss = 0;
  airMs = AIR_MS;
  /** How long a frame keeps the air, which carries one at a time; 0: room for all. */
  airtimeMs = 0;
  /** As the gateway asked for it, in order. */
  readonly blockPeriods: number[] = [];
  private airFreeMs = 0;
  private readonly clock: SimulatedClock;
  private readonly random: SeededRandom;
  private site: SimulatedSite | undefined;

  constructor(config: CoordinatorConfig, clock: SimulatedClock, random: SeededRandom) {
    this.config = config;
    this.clock = clock;
    this.random = random;
  }

  add(ppmid: VirtualPpmid): void {
    this.ppmids.set(ppmid.eui64, ppmid);
    ppmid.association = {
      networkIdentity: NETWORK_IDENTITY,
      networkAddress: this.ppmids.size,
    };
    ppmid.networkUp();
  }

  take(site: SimulatedSite | undefined): void {
    this.site = site;
  }

  isOf(site: SimulatedSite): boolean {
    return this.site === site && this.isUp;
  }

  setUp(isUp: boolean): void {
    if (this.isUp === isUp) return;
    this.isUp = isUp;
    this.site?.cable(isUp);
  }

  /** As a device sends it. */
  uplink(eui64: string, frame: UplinkFrame): void {
    if (frame.clusterId !== OTA_CLUSTER || this.random.chance(this.loss)) return;
    this.carry(() => this.site?.frame(eui64, frame));
  }

  announce(eui64: string): void {
    this.clock.after(this.airMs, () => this.site?.tell({ kind: 'announced', eui64 }));
  }

  /** Confirmed when it is there; lost where the device is not. */
  downlink(eui64: string, endpoint: number, payload: Uint8Array, confirm: () => void): void {
    const isLost = this.random.chance(this.loss);
    this.carry(() => {
      confirm();
      const ppmid = this.ppmids.get(eui64);
      if (isLost || !ppmid?.online) return;
      ppmid.receive({
        clusterId: OTA_CLUSTER,
        sourceEndpoint: COORDINATOR_ENDPOINT,
        destinationEndpoint: endpoint,
        broadcast: false,
        payload,
      });
    });
  }

  /** A question and its answer, as when a meter is read. */
  exchange(answered: () => void): void {
    this.carry(() => this.carry(answered));
  }

  /** One way, behind what is in the air already. */
  private carry(arrived: () => void): void {
    const nowMs = this.clock.nowMs();
    this.airFreeMs = Math.max(this.airFreeMs, nowMs) + this.airtimeMs;
    this.clock.after(this.airFreeMs - nowMs + this.airMs, arrived);
  }

  /** What attribute reads bring, or nothing. */
  reading(eui64: string): DeviceReading | undefined {
    const ppmid = this.ppmids.get(eui64);
    if (!ppmid?.online || !this.isUp || this.random.chance(this.loss)) return undefined;
    const { client, fileVersion } = ppmid;
    return {
      manufacturerName: undefined,
      modelIdentifier: undefined,
      softwareBuild: versionText(fileVersion),
      currentFileVersion: fileVersion,
      downloadedFileVersion: client.record?.complete ? client.record.fileVersion : undefined,
      imageUpgradeStatus: client.upgradeStatus,
      fileOffset: client.record ? client.writer.takenBytes : undefined,
      upgradeTimeoutPolicy: client.quirks.timeoutPolicy,
    };
  }
}

export class SimulatedSite implements CoordinatorSite {
  private readonly network: SimulatedNetwork;
  private readonly image: ProcessImage;
  private readonly clock: SimulatedClock;
  private readonly onEvent: (event: SiteEvent) => void;
  private readonly link: OtaLink;
  private readonly methods: OtaMethods;
  private readonly probe: AirProbe;
  private isClosed = false;
  private isSampling = false;
  private lastSamples = '';

  constructor(
    network: SimulatedNetwork,
    image: ProcessImage,
    clock: SimulatedClock,
    watch: NetworkWatch,
    imageOf: (sha256: string) => Uint8Array,
    onEvent: (event: SiteEvent) => void,
  ) {
    this.network = network;
    this.image = image;
    this.clock = clock;
    this.onEvent = onEvent;
    this.link = new OtaLink((event) => this.tell(event), image.timers);
    this.methods = otaMethods(
      this.link,
      ({ token }) => {
        const bytes = imageOf(token.sha256);
        assert.ok(checkBytes(token, bytes).ok, 'the very bytes that were admitted');
        return bytes;
      },
      image.timers,
    );
    this.probe = new AirProbe({
      timers: image.timers,
      devices: () => this.link.downloading(),
      ask: (_, timeoutMs) =>
        new Promise((answered, late) => {
          network.exchange(() => image.enter(answered));
          image.timers.after(timeoutMs, () => late(new Error('no answer')));
        }),
      onAnswer: (answerMs) => this.tell({ kind: 'probed', answerMs }),
    });
    this.link.setSender({
      send: (eui64, endpoint, _, bytes) =>
        new Promise((sent, lost) => {
          if (!image.isAlive || network.isFrozen || !network.isOf(this)) {
            lost(new Error('no link'));
            return;
          }
          if (bytes[2] === OTA_COMMAND.imageBlockResponse && bytes[3] === 0) {
            const view = new DataView(bytes.buffer, bytes.byteOffset);
            watch.block(eui64, view.getUint32(12, true));
          }
          if (bytes[2] === OTA_COMMAND.upgradeEndResponse && !isHold(bytes)) watch.activate(eui64);
          image.step('frame to a PPMID');
          network.downlink(eui64, endpoint, bytes, () => image.enter(sent));
        }),
    });
  }

  async open(coordinator: CoordinatorConfig): Promise<CoordinatorLink> {
    this.image.step('open the coordinator');
    await this.pass();
    if (this.network.isFrozen) return new Promise(() => {});
    if (!this.network.isUp) {
      throw new UpliftError('coordinator-unreachable', `${coordinator.port} does not open`);
    }
    this.network.take(this);
    // Where there is room for all, nothing waits for anything.
    if (this.network.airtimeMs > 0) this.probe.start();
    return { call: (method, parameters) => this.call(method, parameters) };
  }

  async missing(_: CoordinatorConfig, devices: PpmidDevice[]): Promise<PpmidDevice[]> {
    await this.pass();
    if (this.network.isFrozen) return new Promise(() => {});
    if (!this.network.isUp) throw new UpliftError('link-down', 'the coordinator is not open');
    return devices.filter(({ eui64 }) => !this.network.ppmids.has(eui64));
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.probe.stop();
    this.link.stop();
    if (this.network.isOf(this)) this.network.take(undefined);
  }

  /** To the gateway, over its process's channel. */
  tell(event: LinkEvent): void {
    const { id } = this.network.config;
    this.clock.after(IPC_MS, () =>
      this.image.enter(() => {
        if (this.isClosed || this.network.isFrozen) return;
        this.image.step(`event ${event.kind}`);
        this.onEvent({ kind: 'link', coordinator: id, event });
      }),
    );
  }

  frame(eui64: string, { sourceEndpoint, destinationEndpoint, payload }: UplinkFrame): void {
    if (this.isClosed || !this.network.isUp || this.network.isFrozen) return;
    this.image.enter(() => {
      this.image.step('frame of a PPMID');
      const bytes = payload.slice();
      this.link.handleFrame({ eui64, endpoint: sourceEndpoint, destinationEndpoint, bytes });
      this.sampleSoon();
    });
  }

  cable(isUp: boolean): void {
    this.tell(isUp ? { kind: 'link-up' } : { kind: 'link-down', reason: 'the cable' });
  }

  private async call<M extends Method>(
    method: M,
    parameters: Methods[M][0],
  ): Promise<Methods[M][1]> {
    this.image.step(`call ${method}`);
    await this.pass();
    if (this.network.isFrozen) return new Promise(() => {});
    this.image.assertAlive(method);
    const result = await this.answer(method, parameters);
    this.sampleSoon();
    await this.pass();
    return result;
  }

  private async answer<M extends Method>(
    method: M,
    parameters: Methods[M][0],
  ): Promise<Methods[M][1]> {
    if (method === 'read') return (await this.read(parameters as Methods['read'][0])) as never;
    if (method === 'pace') {
      this.network.blockPeriods.push((parameters as Methods['pace'][0]).blockPeriodMs);
    }
    const body = this.methods[method as keyof OtaMethods] as (given: unknown) => Promise<never>;
    return body(parameters);
  }

  private async read({ eui64, timeoutMs }: Methods['read'][0]): Promise<DeviceReading> {
    await this.pass(2 * this.network.airMs);
    const reading = this.network.reading(eui64);
    if (reading) return reading;
    await this.pass(timeoutMs);
    throw new UpliftError('link-error', 'no answer to attribute reads');
  }

  private sampleSoon(): void {
    if (this.isSampling) return;
    this.isSampling = true;
    this.image.timers.after(PROGRESS_MS, () => {
      this.isSampling = false;
      const samples = this.link.samples();
      const text = JSON.stringify(samples);
      if (text === this.lastSamples) return;
      this.lastSamples = text;
      this.tell({ kind: 'progress', samples });
    });
  }

  private pass(ms = IPC_MS): Promise<void> {
    return new Promise((done) => this.image.timers.after(ms, done));
  }
}

function isHold(upgradeEndResponse: Uint8Array): boolean {
  return upgradeEndResponse.subarray(-4).every((byte) => byte === 0xff);
}
