/**
 * The client side of ZigBee's OTA Upgrade cluster 0x0019, as field devices behave (zigbee-ota facts of
 * common stacks): it asks, fills its flash slot, verifies, reports, waits to be told when to activate,
 * and goes on at its stored offset after a loss of power, without a new query.
 *
 * Silence activates: a client whose reports stay unanswered upgrades by itself unless its time-out
 * policy forbids it. A count-down cannot be recalled. Delays are cut to `waitMaxMs`.
 */
import type { OtaClientConfig, PpmidFaults } from '../config/schema.ts';
import {
  ANY_U16,
  ANY_U32,
  decodeOtaFrame,
  encodeOtaFrame,
  type ImageTriple,
  OTA_COMMAND,
  type OtaMessage,
  STATUS,
  UPGRADE_TIME_HOLD,
} from '../protocol/zcl-ota/codec.ts';
import { type FlashSlot, SlotWriter } from './flash.ts';
import { type BlockOutcome, ImageFetch } from './image-fetch.ts';
import type { SeededRandom } from './random.ts';
import type { Scheduled, Scheduler } from './scheduler.ts';

/** Attribute 6, ImageUpgradeStatus. */
export const UPGRADE_STATUS = {
  normal: 0,
  downloading: 1,
  complete: 2,
  waiting: 3,
  countDown: 4,
  externalEvent: 6,
} as const;

/** A held image is asked about so often. */
const HELD_QUESTION_MS = 3_600_000;
/** An upgrade time before the current time: activates after this. */
const PAST_UPGRADE_MS = 3_600_000;
/** A request time before the current time: asks again after this. */
const PAST_REQUEST_MS = 300_000;
/** The first query after power-up comes within this. */
const FIRST_QUERY_MS = 255_000;
const JITTER_MAX = 100;

export type ClientEvent =
  | ({ kind: 'download-started' | 'download-resumed'; offset: number; bytes: number } & ImageTriple)
  | ({ kind: 'download-finished'; bytes: number; sha256: string } & ImageTriple)
  | { kind: 'download-aborted' | 'image-refused'; status: number; reason: string }
  | { kind: 'image-held' | 'activation-ignored' }
  | { kind: 'count-down'; delayMs: number };

export interface ClientCounters {
  requestsSent: number;
  queries: number;
  pageRequests: number;
  blocksReceived: number;
  bytesReceived: number;
  duplicates: number;
  emptyBlocks: number;
  waits: number;
  timeouts: number;
  endRequests: number;
  ignoredFrames: number;
}

/** What survives a loss of power beside the flash. */
export interface ClientRecord extends ImageTriple {
  totalBytes: number;
  serverEndpoint: number;
  complete: boolean;
  held: boolean;
}

export interface ClientIdentity {
  eui64: string;
  manufacturerCode: number;
  imageType: number;
  hardwareVersion: number;
}

/** Odd behaviour beyond the model file, for tests. */
export interface ClientQuirks {
  /** Attribute B: 0 the server decides, 1 only a person at the device. */
  activationPolicy: 0 | 1;
  /** Attribute C: 0 activates when nobody answers, 1 never. */
  timeoutPolicy: 0 | 1;
  /** Sends its EUI-64 with block and page requests. */
  sendsEui64: boolean;
  /** Its report of a failed image stops at the status. */
  shortEndRequest: boolean;
}

/** What the client asks of the device around it. */
export interface ClientDevice {
  readonly fileVersion: number;
  send(serverEndpoint: number, frame: Uint8Array): void;
  findServer(): number | undefined;
  /** A fault takes the block about to be stored: true where the device restarts instead. */
  restartsAt(block: number): boolean;
  /** Why the image in the slot is refused; `undefined` where it is good. */
  verify(record: ClientRecord): string | undefined;
  activate(record: ClientRecord): void;
  recordChanged(): void;
  emit(event: ClientEvent): void;
}

export interface OtaClientOptions {
  scheduler: Scheduler;
  random: SeededRandom;
  identity: ClientIdentity;
  config: OtaClientConfig;
  faults: PpmidFaults;
  quirks?: Partial<ClientQuirks>;
  slot: FlashSlot;
  device: ClientDevice;
}

type State = 'off' | 'idle' | 'querying' | 'fetching' | 'reporting' | 'held' | 'counting-down';

export class OtaClient {
  readonly counters: ClientCounters = {
    requestsSent: 0,
    queries: 0,
    pageRequests: 0,
    blocksReceived: 0,
    bytesReceived: 0,
    duplicates: 0,
    emptyBlocks: 0,
    waits: 0,
    timeouts: 0,
    endRequests: 0,
    ignoredFrames: 0,
  };
  /** The download, from the first block to the activation. */
  record: ClientRecord | undefined;
  readonly writer: SlotWriter;
  /** Attribute 9, in the unit the client was built for. */
  minimumBlockPeriod = 0;
  readonly quirks: ClientQuirks;
  private readonly options: OtaClientOptions;
  private state: State = 'off';
  private fetch: ImageFetch | undefined;
  private sequence = 0;
  private serverEndpoint: number | undefined;
  private failures = 0;
  /** Reports without an answer; answers in between do not reset it. */
  private missedReports = 0;
  private pagesUnknown = false;
  private stallOver = false;
  private lastRequestMs = Number.NEGATIVE_INFINITY;
  private timer: Scheduled | undefined;

  constructor(options: OtaClientOptions) {
    this.options = options;
    this.writer = new SlotWriter(options.slot);
    this.quirks = {
      activationPolicy: 0,
      timeoutPolicy: 0,
      sendsEui64: false,
      shortEndRequest: false,
      ...options.quirks,
    };
  }

  /** Attribute 6. */
  get upgradeStatus(): number {
    switch (this.state) {
      case 'fetching':
        return UPGRADE_STATUS.downloading;
      case 'reporting':
        return UPGRADE_STATUS.complete;
      case 'held':
        return this.quirks.activationPolicy === 1
          ? UPGRADE_STATUS.externalEvent
          : UPGRADE_STATUS.waiting;
      case 'counting-down':
        return UPGRADE_STATUS.countDown;
      default:
        return UPGRADE_STATUS.normal;
    }
  }

  /** Power is on and the network is up: goes on where it was, or waits for its next query. */
  powerUp(): void {
    if (this.state !== 'off') return;
    const { record } = this;
    this.failures = 0;
    if (record === undefined) {
      this.becomeIdle(this.options.random.next() * FIRST_QUERY_MS);
    } else if (record.complete) {
      this.serverEndpoint = record.serverEndpoint;
      this.report();
    } else {
      this.serverEndpoint = record.serverEndpoint;
      this.beginFetch('download-resumed');
    }
  }

  /** Memory and timers are gone; the flash and the record stay. */
  powerDown(): void {
    this.disarm();
    this.writer.losePower();
    this.fetch = undefined;
    this.state = 'off';
    this.minimumBlockPeriod = 0;
    this.lastRequestMs = Number.NEGATIVE_INFINITY;
  }

  /** Throws the download away. */
  dropDownload(): void {
    this.record = undefined;
    this.fetch = undefined;
    this.writer.restart();
    this.options.device.recordChanged();
  }

  /** A person at the device says so (activation policy 1), or a test does. */
  activateOutOfBand(): void {
    if (this.record?.complete) this.activate();
  }

  /** A frame of cluster 0x0019, cluster commands and default responses. */
  handleFrame(frame: Uint8Array, sourceEndpoint: number, broadcast: boolean): void {
    if (this.state === 'off') return;
    const decoded = decodeOtaFrame(frame);
    if (!decoded.ok) {
      this.counters.ignoredFrames++;
      if (!broadcast && decoded.code === 'unsupported-command') {
        this.answer(decoded, STATUS.unsupportedCommand, sourceEndpoint);
      }
      return;
    }
    const { message } = decoded;
    switch (message.kind) {
      case 'image-notify':
        this.handleNotify(message, decoded.sequence, sourceEndpoint, broadcast);
        return;
      case 'query-next-image-response':
        this.handleOffer(message, decoded.sequence, sourceEndpoint);
        return;
      case 'image-block-response':
        this.handleBlock(message);
        return;
      case 'image-block-wait':
        this.handleWait(message);
        return;
      case 'image-block-refusal':
        if (this.state === 'fetching') this.handleFetchRefusal(message.status);
        return;
      case 'upgrade-end-response':
        this.handleUpgradeEnd(message, decoded.sequence, sourceEndpoint);
        return;
      case 'default-response':
        this.handleDefaultResponse(message.command, message.status);
        return;
      default:
        this.counters.ignoredFrames++;
    }
  }

  private handleNotify(
    message: Extract<OtaMessage, { kind: 'image-notify' }>,
    sequence: number,
    sourceEndpoint: number,
    broadcast: boolean,
  ): void {
    if (broadcast && !this.broadcastConcerns(message)) return;
    if (this.state !== 'idle' && this.state !== 'querying') {
      if (!broadcast) {
        this.answer({ sequence, command: OTA_COMMAND.imageNotify }, STATUS.failure, sourceEndpoint);
      }
      return;
    }
    this.serverEndpoint = sourceEndpoint;
    this.failures = 0;
    this.query();
  }

  /** To many at once: the jitter draws who answers, and those it does not name keep quiet. */
  private broadcastConcerns(message: Extract<OtaMessage, { kind: 'image-notify' }>): boolean {
    const { identity, device, random } = this.options;
    const { manufacturerCode, imageType, fileVersion } = message;
    if (1 + Math.floor(random.next() * JITTER_MAX) > message.queryJitter) return false;
    return (
      matches(manufacturerCode, identity.manufacturerCode, ANY_U16) &&
      matches(imageType, identity.imageType, ANY_U16) &&
      fileVersion !== device.fileVersion
    );
  }

  private query(): void {
    const { identity, device, faults } = this.options;
    this.serverEndpoint ??= device.findServer();
    if (this.serverEndpoint === undefined) {
      this.becomeIdle(this.options.config.queryPeriodMs);
      return;
    }
    this.state = 'querying';
    this.arm(faults.slowMs, () => {
      this.counters.queries++;
      this.transmit({
        kind: 'query-next-image-request',
        manufacturerCode: identity.manufacturerCode,
        imageType: identity.imageType,
        fileVersion: device.fileVersion,
        hardwareVersion: identity.hardwareVersion,
      });
      this.expectAnswer(() => this.query());
    });
  }

  private handleOffer(
    message: Extract<OtaMessage, { kind: 'query-next-image-response' }>,
    sequence: number,
    sourceEndpoint: number,
  ): void {
    if (this.state !== 'querying') {
      this.counters.ignoredFrames++;
      return;
    }
    this.failures = 0;
    const refusal = this.offerRefusal(message);
    if (refusal !== undefined) {
      if (message.status === STATUS.success && refusal !== STATUS.success) {
        const refused = { sequence, command: OTA_COMMAND.queryNextImageResponse };
        this.answer(refused, refusal, sourceEndpoint);
        this.emitEnd('image-refused', refusal, 'the offer does not suit this device');
      }
      this.becomeIdle(this.options.config.queryPeriodMs);
      return;
    }
    this.takeOffer(message as Required<typeof message>);
  }

  /** Success: nothing to do; another status: why the offer is refused; undefined: it is taken. */
  private offerRefusal(
    message: Extract<OtaMessage, { kind: 'query-next-image-response' }>,
  ): number | undefined {
    const { identity, device, slot } = this.options;
    if (message.status !== STATUS.success) return STATUS.success;
    const imageBytes = message.imageBytes ?? 0;
    if (message.manufacturerCode !== identity.manufacturerCode) return STATUS.invalidField;
    if (message.imageType !== identity.imageType || imageBytes === 0) return STATUS.invalidField;
    if (message.fileVersion === device.fileVersion) return STATUS.success;
    if (imageBytes > slot.geometry.slotBytes) return STATUS.insufficientSpace;
    return undefined;
  }

  private takeOffer(offer: ImageTriple & { imageBytes: number }): void {
    const { manufacturerCode, imageType, fileVersion, imageBytes } = offer;
    const { record } = this;
    const same =
      record !== undefined &&
      record.fileVersion === fileVersion &&
      record.totalBytes === imageBytes &&
      !record.complete;
    if (same) {
      record.serverEndpoint = this.serverEndpoint!;
      this.beginFetch('download-resumed');
      return;
    }
    this.writer.restart();
    this.record = {
      manufacturerCode,
      imageType,
      fileVersion,
      totalBytes: imageBytes,
      serverEndpoint: this.serverEndpoint!,
      complete: false,
      held: false,
    };
    this.options.device.recordChanged();
    this.beginFetch('download-started');
  }

  private beginFetch(kind: 'download-started' | 'download-resumed'): void {
    const { config, device } = this.options;
    const { manufacturerCode, imageType, fileVersion, totalBytes } = this.record!;
    this.state = 'fetching';
    this.failures = 0;
    this.stallOver = false;
    this.fetch = new ImageFetch(this.writer, {
      totalBytes,
      maximumDataBytes: config.maximumDataBytes,
      pageBytes: this.pagesUnknown ? 0 : config.pageBytes,
    });
    const { offset } = this.fetch;
    device.emit({ kind, manufacturerCode, imageType, fileVersion, offset, bytes: totalBytes });
    if (this.fetch.complete) this.finish();
    else this.requestNext();
  }

  /** Sends the next request once flash, block period and the device's own slowness allow it. */
  private requestNext(): void {
    const { config, faults, scheduler } = this.options;
    const fetch = this.fetch!;
    const block = Math.floor(fetch.offset / config.maximumDataBytes);
    let delayMs = faults.slowMs + fetch.busyMs;
    fetch.busyMs = 0;
    if (faults.stallAtBlock !== undefined && block >= faults.stallAtBlock && !this.stallOver) {
      this.stallOver = true;
      if (faults.stallMs === undefined) {
        this.disarm();
        return;
      }
      delayMs += faults.stallMs;
    }
    if (this.minimumBlockPeriod > 0) {
      const dueMs = this.lastRequestMs + this.blockPeriodMs() - scheduler.nowMs();
      delayMs = Math.max(delayMs, dueMs);
    }
    if (delayMs > 0) this.arm(delayMs, this.sendRequest);
    else this.sendRequest();
  }

  private readonly sendRequest = (): void => {
    const { config, identity, scheduler } = this.options;
    const { manufacturerCode, imageType, fileVersion } = this.record!;
    const request = this.fetch!.next();
    const common = {
      manufacturerCode,
      imageType,
      fileVersion,
      fileOffset: request.offset,
      maximumDataBytes: request.maximumDataBytes,
      ...(this.quirks.sendsEui64 && { requestNodeEui64: identity.eui64 }),
    };
    this.lastRequestMs = scheduler.nowMs();
    if (request.kind === 'page') {
      this.counters.pageRequests++;
      this.transmit({
        kind: 'image-page-request',
        ...common,
        pageBytes: request.pageBytes,
        responseSpacingMs: config.pageSpacingMs,
      });
    } else if (config.blockPeriodUnit === 'none') {
      this.transmit({ kind: 'image-block-request', ...common });
    } else {
      const { minimumBlockPeriod } = this;
      this.transmit({ kind: 'image-block-request', ...common, minimumBlockPeriod });
    }
    this.expectAnswer(this.answerMissed);
  };

  private readonly answerMissed = (): void => {
    this.fetch!.pageWentQuiet();
    this.requestNext();
  };

  private handleBlock(message: Extract<OtaMessage, { kind: 'image-block-response' }>): void {
    const { config, device } = this.options;
    const { fetch } = this;
    if (this.state !== 'fetching' || fetch === undefined || !this.names(message)) {
      this.counters.ignoredFrames++;
      return;
    }
    const block = Math.floor(message.fileOffset / config.maximumDataBytes);
    if (message.fileOffset === fetch.offset && device.restartsAt(block)) return;
    const outcome = fetch.accept(message.fileOffset, message.data);
    this.count(outcome, message.data.length);
    if (outcome !== 'stored' && outcome !== 'parked') return;
    this.failures = 0;
    if (fetch.complete) {
      this.arm(fetch.busyMs, () => this.finish());
    } else if (fetch.expectsMoreOfPage) {
      this.arm(config.pageSpacingMs + config.answerTimeoutMs, this.answerMissed);
    } else {
      device.recordChanged();
      this.requestNext();
    }
  }

  private count(outcome: BlockOutcome, bytes: number): void {
    const { counters } = this;
    if (outcome === 'stored' || outcome === 'parked') {
      counters.blocksReceived++;
      counters.bytesReceived += bytes;
    } else if (outcome === 'duplicate') {
      counters.duplicates++;
    } else if (outcome === 'empty') {
      counters.emptyBlocks++;
    } else {
      counters.ignoredFrames++;
    }
  }

  private handleWait(message: Extract<OtaMessage, { kind: 'image-block-wait' }>): void {
    if (this.state !== 'fetching') return;
    const { config } = this.options;
    this.counters.waits++;
    this.failures = 0;
    if (message.minimumBlockPeriod !== undefined && config.blockPeriodUnit !== 'none') {
      this.minimumBlockPeriod = message.minimumBlockPeriod;
    }
    const seconds = message.requestTime - message.currentTime;
    const waitMs = seconds < 0 ? PAST_REQUEST_MS : seconds * 1000;
    this.fetch!.pageWentQuiet();
    this.arm(Math.min(waitMs, config.waitMaxMs), () => this.requestNext());
  }

  private handleDefaultResponse(command: number, status: number): void {
    const { state } = this;
    if (command === OTA_COMMAND.queryNextImageRequest && state === 'querying') {
      this.becomeIdle(this.options.config.queryPeriodMs);
    } else if (command === OTA_COMMAND.imagePageRequest && state === 'fetching') {
      if (status === STATUS.unsupportedCommand) {
        this.pagesUnknown = true;
        this.fetch!.withoutPages();
        this.requestNext();
      } else if (status !== STATUS.success) this.handleFetchRefusal(status);
    } else if (command === OTA_COMMAND.imageBlockRequest && state === 'fetching') {
      if (status !== STATUS.success) this.handleFetchRefusal(status);
    } else if (command === OTA_COMMAND.upgradeEndRequest && isReported(state)) {
      if (status === STATUS.success) return;
      this.abandon(status, 'the server refused the report');
    }
  }

  /** ABORT ends the download; anything else is a failed attempt. */
  private handleFetchRefusal(status: number): void {
    if (status === STATUS.abort) this.abandon(status, 'the server aborted');
    else this.attemptFailed(this.answerMissed);
  }

  private finish(): void {
    const { device, faults, slot } = this.options;
    const record = this.record!;
    const { manufacturerCode, imageType, fileVersion, totalBytes } = record;
    const sha256 = slot.sha256(totalBytes);
    device.emit({
      kind: 'download-finished',
      manufacturerCode,
      imageType,
      fileVersion,
      bytes: totalBytes,
      sha256,
    });
    let reason = faults.skipsVerification ? undefined : device.verify(record);
    if (faults.refusesImage) reason = 'the device refuses every image';
    if (reason === undefined) {
      record.complete = true;
      device.recordChanged();
      this.missedReports = 0;
      this.report();
      return;
    }
    this.sendEnd(STATUS.invalidImage);
    this.emitEnd('image-refused', STATUS.invalidImage, reason);
    this.dropDownload();
    this.becomeIdle(this.options.config.queryPeriodMs);
  }

  /** Tells the server that the image is good, until it is told what to do with it. */
  private report(): void {
    const { config } = this.options;
    this.state = this.record!.held ? 'held' : 'reporting';
    this.sendEnd(STATUS.success);
    this.arm(config.answerTimeoutMs, () => {
      this.counters.timeouts++;
      this.missedReports++;
      if (this.missedReports < config.failuresMax) this.report();
      else if (this.quirks.timeoutPolicy === 0) this.activate();
      else this.hold();
    });
  }

  private handleUpgradeEnd(
    message: Extract<OtaMessage, { kind: 'upgrade-end-response' }>,
    sequence: number,
    sourceEndpoint: number,
  ): void {
    const refused = { sequence, command: OTA_COMMAND.upgradeEndResponse };
    if (!isReported(this.state) || !this.names(message)) {
      this.answer(refused, STATUS.failure, sourceEndpoint);
      return;
    }
    if (message.upgradeTime === UPGRADE_TIME_HOLD || this.quirks.activationPolicy === 1) {
      this.hold();
      return;
    }
    const seconds = message.upgradeTime - message.currentTime;
    const delayMs = seconds < 0 ? PAST_UPGRADE_MS : seconds * 1000;
    this.countDown(Math.min(delayMs, this.options.config.waitMaxMs));
  }

  private hold(): void {
    const record = this.record!;
    if (!record.held) {
      record.held = true;
      this.options.device.recordChanged();
      this.options.device.emit({ kind: 'image-held' });
    }
    this.state = 'held';
    this.arm(HELD_QUESTION_MS, () => this.report());
  }

  private countDown(delayMs: number): void {
    this.state = 'counting-down';
    this.options.device.emit({ kind: 'count-down', delayMs });
    this.arm(delayMs, () => this.activate());
  }

  private activate(): void {
    this.disarm();
    this.state = 'counting-down';
    if (this.options.faults.neverActivates)
      this.options.device.emit({ kind: 'activation-ignored' });
    else this.options.device.activate(this.record!);
  }

  /** Gives the download up, and forgets it. */
  private abandon(status: number, reason: string): void {
    this.emitEnd('download-aborted', status, reason);
    this.dropDownload();
    this.becomeIdle(this.options.config.queryPeriodMs);
  }

  private becomeIdle(queryInMs: number): void {
    this.disarm();
    this.state = 'idle';
    this.fetch = undefined;
    const { queryPeriodMs } = this.options.config;
    if (queryPeriodMs > 0) this.arm(Math.min(queryInMs, queryPeriodMs), () => this.query());
  }

  private blockPeriodMs(): number {
    const unitMs = this.options.config.blockPeriodUnit === 's' ? 1000 : 1;
    return this.minimumBlockPeriod * unitMs;
  }

  private expectAnswer(again: () => void): void {
    this.arm(this.options.config.answerTimeoutMs, () => {
      this.counters.timeouts++;
      this.attemptFailed(again);
    });
  }

  private attemptFailed(again: () => void): void {
    const { config } = this.options;
    this.failures++;
    if (this.failures < config.failuresMax) {
      this.arm(config.retryPauseMs, again);
    } else if (this.state === 'fetching') {
      this.sendEnd(STATUS.abort);
      this.abandon(STATUS.abort, 'too many failures in a row');
    } else {
      this.becomeIdle(config.queryPeriodMs);
    }
  }

  private sendEnd(status: number): void {
    const { manufacturerCode, imageType, fileVersion } = this.record!;
    this.counters.endRequests++;
    const short = status !== STATUS.success && this.quirks.shortEndRequest;
    const triple = short ? {} : { manufacturerCode, imageType, fileVersion };
    this.transmit({ kind: 'upgrade-end-request', status, ...triple });
  }

  private transmit(message: OtaMessage): void {
    for (let copy = 0; copy < this.options.faults.duplicateRequests; copy++) {
      this.counters.requestsSent++;
      this.sequence = (this.sequence + 1) & 0xff;
      this.options.device.send(this.serverEndpoint!, encodeOtaFrame(message, this.sequence));
    }
  }

  private answer(
    to: { sequence: number; command: number },
    status: number,
    serverEndpoint: number,
  ): void {
    const message: OtaMessage = { kind: 'default-response', command: to.command, status };
    const frame = encodeOtaFrame(message, to.sequence, { defaultResponseToServer: true });
    this.options.device.send(serverEndpoint, frame);
  }

  /** The message is about the image in the slot; an end response may use wildcards. */
  private names(message: ImageTriple): boolean {
    const { record } = this;
    return (
      record !== undefined &&
      matches(message.manufacturerCode, record.manufacturerCode, ANY_U16) &&
      matches(message.imageType, record.imageType, ANY_U16) &&
      matches(message.fileVersion, record.fileVersion, ANY_U32)
    );
  }

  private emitEnd(
    kind: 'download-aborted' | 'image-refused',
    status: number,
    reason: string,
  ): void {
    this.options.device.emit({ kind, status, reason });
  }

  private arm(delayMs: number, task: () => void): void {
    this.timer?.cancel();
    this.timer = this.options.scheduler.after(delayMs, task);
  }

  private disarm(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }
}

function isReported(state: State): boolean {
  return state === 'reporting' || state === 'held';
}

function matches(value: number | undefined, own: number, any: number): boolean {
  return value === undefined || value === own || value === any;
}
