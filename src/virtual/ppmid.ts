/**
 * A virtual PPMID: a ZigBee device with Basic, Identify and an OTA client, a flash slot of its model's
 * geometry, and a firmware version that changes when it restarts into a new image.
 *
 * It knows no signatures and no list of products: at the end of a download it checks what such a device
 * can check, that the image is whole, meant for it, and of its image profile.
 */
import { eui64ToWire } from '../bytes/hex.ts';
import type { OtaClientConfig, PpmidFaults, PpmidModel } from '../config/schema.ts';
import { locateUpgradeImage } from '../image/gb-upgrade.ts';
import { parseOtaFile } from '../image/zigbee-ota.ts';
import { ANY_U16, OTA_CLUSTER } from '../protocol/zcl-ota/codec.ts';
import { FlashSlot } from './flash.ts';
import {
  type Association,
  CAPABILITY,
  type DownlinkFrame,
  type RadioNode,
  type SimpleDescriptor,
  type UplinkFrame,
} from './node.ts';
import { type ClientEvent, type ClientQuirks, type ClientRecord, OtaClient } from './ota-client.ts';
import type { SeededRandom } from './random.ts';
import type { Scheduled, Scheduler } from './scheduler.ts';
import { checkSeal } from './sealed-firmware.ts';
import {
  type AttributeValue,
  answerProfileWide,
  decodeZclHead,
  defaultResponse,
  isClusterCommand,
  isFromServer,
  ZCL_STATUS,
} from './zcl.ts';

const BASIC_CLUSTER = 0x0000;
const IDENTIFY_CLUSTER = 0x0003;
const TIME_CLUSTER = 0x000a;
const ZIGBEE_PRO = 0x0002;
const NO_DOWNLOAD = 0xffffffff;
const NO_STACK_VERSION = 0xffff;
const DATE_CODE = '20260101';
const POWER_MAINS = 0x01;
const POWER_BATTERY = 0x03;

export type PpmidEvent =
  | ClientEvent
  | { kind: 'restarted'; atBlock: number | undefined }
  | { kind: 'activated'; fileVersion: number; sha256: string }
  | { kind: 'reverted'; fileVersion: number; refusedVersion: number };

/** The network side of a device: what the coordinator gives it. */
export interface PpmidNetwork {
  uplink(node: RadioNode, frame: UplinkFrame): void;
  announce(node: RadioNode): void;
  findServer(profileId: number, clusterId: number): number | undefined;
  rejoinWithNewAddress(node: RadioNode): void;
  forget(node: RadioNode): void;
}

/** What a device carries through a restart of the rig, beside the bytes in its slot. */
export interface PpmidState {
  fileVersion: number;
  /** What it really runs, where it says that it runs another version. */
  builtVersion?: number | undefined;
  activeSha256: string | undefined;
  association: Association | undefined;
  download: (ClientRecord & { storedBytes: number }) | undefined;
  restartsDone: number[];
}

export interface PpmidOptions {
  id: string;
  eui64: string;
  model: PpmidModel;
  otaClient: OtaClientConfig;
  faults: PpmidFaults;
  quirks?: Partial<ClientQuirks>;
  /** What it runs when it is new. */
  fileVersion: number;
  scheduler: Scheduler;
  random: SeededRandom;
  network: PpmidNetwork;
  /** The state of an earlier run, and the stored bytes of its slot. */
  restored?: { state: PpmidState; slot: Uint8Array };
  /** Its firmware came sealed, so it takes no image without an intact seal. */
  wantsSeal?: boolean;
  /** Refuses any other image, as a device with a signature check would. */
  expectedSha256?: string;
  /** Something that `state()` tells has changed. */
  onChange?: () => void;
  onEvent?: (event: PpmidEvent) => void;
}

export class VirtualPpmid implements RadioNode {
  readonly id: string;
  readonly eui64: string;
  readonly capability: number;
  readonly manufacturerCode: number;
  readonly endpoints: readonly SimpleDescriptor[];
  readonly sleepyPollMs: number;
  readonly client: OtaClient;
  readonly slot: FlashSlot;
  association: Association | undefined;
  /** The version it runs, and the hash of the whole file it came from where that was downloaded. */
  fileVersion: number;
  /** What it really runs, where it says that it runs another version. */
  builtVersion: number | undefined;
  activeSha256: string | undefined;
  /** Hash of the last complete download. */
  flashedSha256: string | undefined;
  restarts = 0;
  activations = 0;
  private readonly options: PpmidOptions;
  private powered = true;
  private readonly restartsDone: Set<number>;
  private rebooting: Scheduled | undefined;

  constructor(options: PpmidOptions) {
    const { model, restored } = options;
    const { endpoint, profileId, deviceId } = model.zigbee;
    this.options = options;
    this.id = options.id;
    this.eui64 = options.eui64;
    this.manufacturerCode = model.zigbee.manufacturerCode;
    this.sleepyPollMs = model.zigbee.sleepyPollMs;
    this.capability = this.sleepyPollMs > 0 ? CAPABILITY.sleepyEndDevice : CAPABILITY.router;
    const inputClusters = [BASIC_CLUSTER, IDENTIFY_CLUSTER];
    const outputClusters = [OTA_CLUSTER, TIME_CLUSTER];
    const version = 1;
    this.endpoints = [{ endpoint, profileId, deviceId, version, inputClusters, outputClusters }];
    this.slot = new FlashSlot(model.flash);
    this.fileVersion = restored?.state.fileVersion ?? options.fileVersion;
    this.builtVersion = restored?.state.builtVersion;
    this.activeSha256 = restored?.state.activeSha256;
    this.association = restored?.state.association;
    this.restartsDone = new Set(restored?.state.restartsDone);
    this.client = this.buildClient();
    if (restored?.state.download) {
      const { storedBytes, ...record } = restored.state.download;
      this.client.record = record;
      this.client.writer.restore(restored.slot.subarray(0, storedBytes));
    }
  }

  get online(): boolean {
    return this.powered && !this.options.faults.silent;
  }

  state(): PpmidState {
    const { record, writer } = this.client;
    return {
      fileVersion: this.fileVersion,
      builtVersion: this.builtVersion,
      activeSha256: this.activeSha256,
      association: this.association,
      download: record && { ...record, storedBytes: writer.storedBytes },
      restartsDone: [...this.restartsDone],
    };
  }

  receive(frame: DownlinkFrame): void {
    const { endpoint } = this.endpoints[0]!;
    if (frame.destinationEndpoint !== endpoint && frame.destinationEndpoint !== 0xff) return;
    const head = decodeZclHead(frame.payload);
    if (head === undefined) return;
    const clusterCommand = isClusterCommand(head);
    if (frame.clusterId === OTA_CLUSTER && (clusterCommand || head.command === 0x0b)) {
      this.client.handleFrame(frame.payload, frame.sourceEndpoint, frame.broadcast);
      return;
    }
    const answer = clusterCommand
      ? this.answerCommand(frame.clusterId, head)
      : answerProfileWide(head, (id) => this.attribute(frame.clusterId, isFromServer(head), id));
    if (answer !== undefined && !frame.broadcast) {
      this.send(frame.clusterId, frame.sourceEndpoint, answer);
    }
  }

  networkUp(): void {
    this.options.onChange?.();
    if (this.online) this.client.powerUp();
  }

  networkLeft(): void {
    this.client.powerDown();
    this.options.onChange?.();
  }

  /** Power off and on: memory is lost, flash is not. */
  restart(atBlock?: number): void {
    const { faults, network } = this.options;
    this.restarts++;
    this.powerOff();
    if (faults.losesProgress) this.client.writer.restart();
    this.options.onEvent?.({ kind: 'restarted', atBlock });
    this.powerOnLater(() => {
      if (faults.rejoinWithNewAddress) network.rejoinWithNewAddress(this);
      else network.announce(this);
    });
  }

  /** Takes the device off the air until `powerOn`. */
  powerOff(): void {
    this.powered = false;
    this.rebooting?.cancel();
    this.client.powerDown();
  }

  powerOn(): void {
    this.powered = true;
    this.options.network.announce(this);
    if (this.association && this.online) this.client.powerUp();
  }

  /** As by its button: it forgets its network and joins the next one that is open. */
  resetByHand(): void {
    this.options.network.forget(this);
  }

  private powerOnLater(announce: () => void): void {
    const { scheduler, otaClient } = this.options;
    this.rebooting = scheduler.after(otaClient.rebootMs, () => {
      this.powered = true;
      announce();
      this.options.onChange?.();
      if (this.association && this.online) this.client.powerUp();
    });
  }

  private buildClient(): OtaClient {
    const { eui64, faults, model, network, otaClient, quirks, random, scheduler } = this.options;
    const { manufacturerCode, imageType, hardwareVersion, profileId } = model.zigbee;
    const device = this;
    return new OtaClient({
      scheduler,
      random,
      config: otaClient,
      faults,
      ...(quirks && { quirks }),
      identity: { eui64, manufacturerCode, imageType, hardwareVersion },
      slot: this.slot,
      device: {
        get fileVersion() {
          return device.fileVersion;
        },
        send: (serverEndpoint, frame) => device.send(OTA_CLUSTER, serverEndpoint, frame),
        findServer: () => network.findServer(profileId, OTA_CLUSTER),
        restartsAt: (block) => device.restartsAt(block),
        verify: (record) => device.verify(record),
        activate: (record) => device.activate(record),
        recordChanged: () => device.options.onChange?.(),
        emit: (event) => {
          if (event.kind === 'download-finished') device.flashedSha256 = event.sha256;
          device.options.onEvent?.(event);
        },
      },
    });
  }

  private restartsAt(block: number): boolean {
    const due = this.options.faults.restartAtBlock.find(
      (wanted) => block >= wanted && !this.restartsDone.has(wanted),
    );
    if (due === undefined) return false;
    this.restartsDone.add(due);
    this.restart(block);
    return true;
  }

  private verify(record: ClientRecord): string | undefined {
    const { expectedSha256, model, wantsSeal } = this.options;
    const bytes = this.slot.read(0, record.totalBytes);
    const parsed = parseOtaFile(bytes);
    if (!parsed.ok) return parsed.message;
    const image = parsed.images[0]!;
    const { header } = image;
    if (image.bytes.length !== bytes.length) return 'the image is shorter than what was sent';
    const { manufacturerCode, imageType, hardwareVersion } = model.zigbee;
    if (header.manufacturerCode !== manufacturerCode && header.manufacturerCode !== ANY_U16) {
      return 'the image is of another manufacturer';
    }
    if (header.imageType !== imageType && header.imageType !== ANY_U16) {
      return 'the image is of another type';
    }
    if (header.fileVersion !== record.fileVersion) return 'the image is not the version offered';
    const minimum = header.minimumHardwareVersion ?? 0;
    const maximum = header.maximumHardwareVersion ?? ANY_U16;
    if (hardwareVersion < minimum || hardwareVersion > maximum) {
      return 'the image is for other hardware';
    }
    const { destinationEui64 } = header;
    if (destinationEui64 !== undefined && destinationEui64 !== this.eui64) {
      return 'the image is for another device';
    }
    const located = locateUpgradeImage(image, model.imageProfile);
    if (!located.ok) return located.message;
    if (wantsSeal && checkSeal(located.manufacturerImage) !== 'intact') {
      return 'the seal of the image is broken or absent';
    }
    if (expectedSha256 !== undefined && this.slot.sha256(bytes.length) !== expectedSha256) {
      return 'the image is not the one that was signed';
    }
    return undefined;
  }

  private activate(record: ClientRecord): void {
    const { faults, network, onEvent } = this.options;
    const sha256 = this.flashedSha256 ?? this.slot.sha256(record.totalBytes);
    this.powerOff();
    this.powerOnLater(() => {
      this.activations++;
      this.client.dropDownload();
      if (faults.revertsAfterActivation) {
        const { fileVersion } = this;
        onEvent?.({ kind: 'reverted', fileVersion, refusedVersion: record.fileVersion });
      } else {
        if (faults.claimsNewVersion) this.builtVersion ??= this.fileVersion;
        this.fileVersion = record.fileVersion;
        this.activeSha256 = sha256;
        onEvent?.({ kind: 'activated', fileVersion: record.fileVersion, sha256 });
      }
      network.announce(this);
    });
  }

  private send(clusterId: number, serverEndpoint: number, payload: Uint8Array): void {
    const sourceEndpoint = this.endpoints[0]!.endpoint;
    const frame = { clusterId, sourceEndpoint, destinationEndpoint: serverEndpoint, payload };
    this.options.network.uplink(this, frame);
  }

  private answerCommand(
    clusterId: number,
    head: NonNullable<ReturnType<typeof decodeZclHead>>,
  ): Uint8Array | undefined {
    const known = clusterId === IDENTIFY_CLUSTER && head.command <= 1;
    return defaultResponse(head, known ? ZCL_STATUS.success : ZCL_STATUS.unsupportedCommand);
  }

  private attribute(
    clusterId: number,
    ofClient: boolean,
    attributeId: number,
  ): AttributeValue | undefined {
    if (clusterId === OTA_CLUSTER && ofClient) return this.otaAttribute(attributeId);
    if (clusterId === BASIC_CLUSTER && !ofClient) return this.basicAttribute(attributeId);
    if (clusterId === IDENTIFY_CLUSTER && !ofClient && attributeId === 0) {
      return { type: 'u16', value: 0 };
    }
    return undefined;
  }

  private basicAttribute(attributeId: number): AttributeValue | undefined {
    const { zigbee } = this.options.model;
    switch (attributeId) {
      case 0x0000:
        return { type: 'u8', value: 3 };
      case 0x0001:
        return { type: 'u8', value: this.fileVersion >>> 24 };
      case 0x0002:
        return { type: 'u8', value: ZIGBEE_PRO };
      case 0x0003:
        return { type: 'u8', value: zigbee.hardwareVersion >>> 8 };
      case 0x0004:
        return { type: 'text', value: zigbee.manufacturerName };
      case 0x0005:
        return { type: 'text', value: zigbee.modelIdentifier };
      case 0x0006:
        return { type: 'text', value: DATE_CODE };
      case 0x0007:
        return { type: 'enum8', value: this.sleepyPollMs > 0 ? POWER_BATTERY : POWER_MAINS };
      case 0x4000:
        return { type: 'text', value: versionText(this.builtVersion ?? this.fileVersion) };
      default:
        return undefined;
    }
  }

  private otaAttribute(attributeId: number): AttributeValue | undefined {
    const { client } = this;
    const downloaded = client.record?.complete === true;
    switch (attributeId) {
      case 0x0000:
        return { type: 'eui64', value: eui64ToWire('ffffffffffffffff')! };
      case 0x0001:
        return { type: 'u32', value: client.record ? client.writer.takenBytes : NO_DOWNLOAD };
      case 0x0002:
        return { type: 'u32', value: this.fileVersion };
      case 0x0003:
        return { type: 'u16', value: ZIGBEE_PRO };
      case 0x0004:
        return { type: 'u32', value: downloaded ? client.record!.fileVersion : NO_DOWNLOAD };
      case 0x0005:
        return { type: 'u16', value: downloaded ? ZIGBEE_PRO : NO_STACK_VERSION };
      case 0x0006:
        return { type: 'enum8', value: client.upgradeStatus };
      case 0x0007:
        return { type: 'u16', value: this.options.model.zigbee.manufacturerCode };
      case 0x0008:
        return { type: 'u16', value: this.options.model.zigbee.imageType };
      case 0x0009:
        return { type: 'u16', value: client.minimumBlockPeriod };
      case 0x000a:
        return { type: 'u32', value: 0 };
      case 0x000b:
        return { type: 'enum8', value: client.quirks.activationPolicy };
      case 0x000c:
        return { type: 'enum8', value: client.quirks.timeoutPolicy };
      default:
        return undefined;
    }
  }
}

/** As the lists write a firmware version: 8 digits. */
export function versionText(fileVersion: number): string {
  return fileVersion.toString(16).toUpperCase().padStart(8, '0');
}
