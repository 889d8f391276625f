/**
 * zigbee-herdsman's Controller, and the only import of it: any adapter it knows, serial or tcp://.
 *
 * Its defects are survived here: it does not reconnect (a lost link is closed and a new Controller built
 * in its place), a lost pseudo-terminal raises no event (a watchdog keeps asking the coordinator), a
 * coordinator that restarts by itself is not noticed (its own word of it is listened for). Its own OTA engine
 * only runs when called, which never happens; frames of the OTA cluster are taken off the adapter before
 * the Controller decodes them, which also lets image types pass that its parser refuses. A failed answer
 * is not recovered by the driver: the device asks again, and waiting would hold its slot for ten seconds.
 */
import type { EventEmitter } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import herdsman from 'zigbee-herdsman';
import type { Adapter } from 'zigbee-herdsman/dist/adapter/adapter.js';
import type { Log } from '../../ports.ts';
import { OTA_CLUSTER } from '../../protocol/zcl-ota/codec.ts';
import type { DeviceReading } from '../../protocol/zcl-ota/device-reading.ts';
import type { CoordinatorOptions, KnownDevice, OpenResult } from './messages.ts';
import { type LaneFrame, ZstackLane } from './zstack-lane.ts';

type Controller = InstanceType<typeof herdsman.Controller>;
type Device = ReturnType<Controller['getDeviceByIeeeAddr']> & object;
type ZclFrame = Parameters<Adapter['sendZclFrameToEndpoint']>[3];

/** ZCL's profile-wide default response, and the bits of the frame control that tell it apart. */
const DEFAULT_RESPONSE = 0x0b;
const FRAME_TYPE_MASK = 0x03;
const CLUSTER_FRAME = 0x01;
/** How long the driver may wait for the confirm of one frame. */
const CONFIRM_TIMEOUT_MS = 5_000;
const WATCHDOG_PERIOD_MS = 4_000;
/** An answer from the coordinator itself, however busy the radio is. */
const WATCHDOG_ANSWER_MS = 8_000;
const READ_TIMEOUT_MIN_MS = 1_000;

export interface OtaFrame {
  eui64: string;
  endpoint: number;
  /** The coordinator's endpoint it was sent to: the answer leaves from there. */
  destinationEndpoint: number;
  bytes: Uint8Array;
}

export interface ControllerEvents {
  /** The bytes are the driver's: read them during the call. */
  otaFrame(frame: OtaFrame): void;
  announced(eui64: string): void;
  joined(eui64: string): void;
  lost(reason: string): void;
}

export class ZigbeeController {
  private readonly controller: Controller;
  private readonly events: ControllerEvents;
  private readonly adapter: Adapter;
  private readonly template: ZclFrame;
  private readonly lane: ZstackLane | undefined;
  private watchdog: NodeJS.Timeout | undefined;
  private closed = false;
  readonly opened: OpenResult;

  private constructor(
    controller: Controller,
    opened: OpenResult,
    events: ControllerEvents,
    useLane: boolean,
  ) {
    this.controller = controller;
    this.opened = opened;
    this.events = events;
    this.adapter = controller['adapter'];
    this.template = answerTemplate();
    this.takeOtaFrames();
    this.lane = useLane
      ? ZstackLane.attach(this.adapter, (frame) => this.takeLaneFrame(frame))
      : undefined;
    this.watchForRestart();
    controller.on('adapterDisconnected', () => this.lose('the coordinator closed the link'));
    controller.on('deviceAnnounce', ({ device }) => events.announced(eui64Of(device)));
    controller.on('deviceInterview', ({ device, status }) => {
      if (status === 'successful') events.joined(eui64Of(device));
    });
    this.scheduleWatchdog();
  }

  static async open(
    options: CoordinatorOptions,
    events: ControllerEvents,
    log: Log,
  ): Promise<ZigbeeController> {
    herdsman.setLogger(driverLog(log));
    mkdirSync(options.stateFolder, { recursive: true });
    const controller = new herdsman.Controller({
      network: {
        panID: options.panId,
        extendedPanID: octets(options.extendedPanId),
        channelList: [options.channel],
        networkKey: octets(options.networkKey),
      },
      databasePath: join(options.stateFolder, 'database.db'),
      databaseBackupPath: join(options.stateFolder, 'database.db.backup'),
      backupPath: join(options.stateFolder, 'coordinator-backup.json'),
      transport: {
        path: options.port,
        adapter: options.adapter,
        baudRate: options.baudRate,
        rtscts: options.rtscts,
      },
      adapter: { concurrent: options.inFlightMax, disableLED: false },
      acceptJoiningDeviceHandler: async () => true,
    });
    try {
      const start = await controller.start();
      const parameters = await controller.getNetworkParameters();
      const coordinator = controller.getDevicesByType('Coordinator')[0]!;
      const opened = {
        start,
        coordinatorEui64: eui64Of(coordinator),
        channel: parameters.channel,
        panId: parameters.panID,
      };
      return new ZigbeeController(controller, opened, events, options.lane !== false);
    } catch (error) {
      await stopQuietly(controller);
      throw error;
    }
  }

  devices(): KnownDevice[] {
    return [...this.controller.getDevicesIterator((device) => device.type !== 'Coordinator')].map(
      (device) => ({
        eui64: eui64Of(device),
        networkAddress: device.networkAddress,
        interviewed: device.interviewState === 'SUCCESSFUL',
      }),
    );
  }

  async openJoining(seconds: number, installCodes: string[]): Promise<void> {
    for (const code of installCodes) await this.controller.addInstallCode(code);
    await this.controller.permitJoin(seconds);
  }

  async closeJoining(): Promise<void> {
    await this.controller.permitJoin(0);
  }

  /**
   * Sends a frame of the OTA cluster. Resolves when the coordinator confirms it left, rejects where it
   * did not. The bytes must stay unchanged until then.
   */
  async send(
    eui64: string,
    endpoint: number,
    sourceEndpoint: number | undefined,
    bytes: Uint8Array,
  ): Promise<void> {
    const device = this.device(eui64);
    const { networkAddress } = device;
    const source = sourceEndpoint ?? 1;
    if (this.lane) {
      return this.lane.send(networkAddress, endpoint, source, bytes, CONFIRM_TIMEOUT_MS);
    }
    const frame = Object.create(this.template) as ZclFrame;
    frame.toBuffer = () => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    await this.adapter.sendZclFrameToEndpoint(
      device.ieeeAddr,
      networkAddress,
      endpoint,
      frame,
      CONFIRM_TIMEOUT_MS,
      true,
      true,
      source,
    );
  }

  /** Asks a device what it is and runs. What it does not answer is undefined; silence to all rejects. */
  async read(eui64: string, endpointId: number, timeoutMs: number): Promise<DeviceReading> {
    const endpoint = this.device(eui64).getEndpoint(endpointId);
    if (!endpoint) throw new Error(`the device has no endpoint ${endpointId}`);
    const timeout = Math.max(READ_TIMEOUT_MIN_MS, timeoutMs / 3);
    const options = { timeout, disableRecovery: true, sendPolicy: 'immediate' as const };
    const ota = await endpoint
      .read(
        'genOta',
        [
          'fileOffset',
          'currentFileVersion',
          'downloadedFileVersion',
          'imageUpgradeStatus',
          UPGRADE_TIMEOUT_POLICY,
        ],
        { ...options, direction: CLIENT_ATTRIBUTES },
      )
      .catch(nothing);
    const basic = await endpoint
      .read('genBasic', ['manufacturerName', 'modelId', 'swBuildId'], options)
      .catch(nothing);
    if (ota === undefined && basic === undefined) {
      throw new Error(`no answer to attribute reads within ${Math.round(timeoutMs)} ms`);
    }
    const values: Record<string, unknown> = { ...ota, ...basic };
    return {
      manufacturerName: text(values['manufacturerName']),
      modelIdentifier: text(values['modelId']),
      softwareBuild: text(values['swBuildId']),
      currentFileVersion: integer(values['currentFileVersion']),
      downloadedFileVersion: integer(values['downloadedFileVersion']),
      imageUpgradeStatus: integer(values['imageUpgradeStatus']),
      fileOffset: integer(values['fileOffset']),
      upgradeTimeoutPolicy: integer(
        values['upgradeTimeoutPolicy'] ?? values[UPGRADE_TIMEOUT_POLICY],
      ),
    };
  }

  /** Resolves when the device has answered a small question, whatever it says. */
  async ask(eui64: string, timeoutMs: number): Promise<void> {
    const { endpoints } = this.device(eui64);
    const endpoint = endpoints.find((one) => one.supportsInputCluster('genBasic')) ?? endpoints[0];
    if (!endpoint) throw new Error('the device has no endpoint');
    const options = { timeout: timeoutMs, disableRecovery: true, sendPolicy: 'immediate' as const };
    await endpoint.read('genBasic', ['zclVersion'], options).catch((error: unknown) => {
      if (!(error instanceof herdsman.Zcl.StatusError)) throw error;
    });
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.watchdog);
    this.lane?.detach();
    await stopQuietly(this.controller);
  }

  /** Closes without a word to the coordinator, which does not answer any more. */
  async abandon(): Promise<void> {
    await this.adapter['transport'].close().catch(nothing);
    this.controller['adapterDisconnected'] = true;
    await this.close();
  }

  /** Puts a listener before the Controller's own: OTA commands go to us, everything else goes on. */
  private takeOtaFrames(): void {
    const others = this.adapter.listeners('zclPayload');
    this.adapter.removeAllListeners('zclPayload');
    this.adapter.on('zclPayload', (payload) => {
      const { data } = payload;
      if (payload.clusterID === OTA_CLUSTER && isOtaCommand(data)) {
        const device =
          typeof payload.address === 'number'
            ? this.controller.getDeviceByNetworkAddress(payload.address)
            : this.controller.getDeviceByIeeeAddr(payload.address);
        if (device) {
          this.events.otaFrame({
            eui64: eui64Of(device),
            endpoint: payload.endpoint,
            destinationEndpoint: payload.destinationEndpoint,
            bytes: data,
          });
          return;
        }
      }
      // An unknown address too: the Controller finds out whose it is, and the device asks again.
      for (const listener of others) (listener as (payload: unknown) => void)(payload);
    });
  }

  /** A Z-Stack coordinator says that it has restarted, its endpoints gone; the driver does not mind it. */
  private watchForRestart(): void {
    const { znp } = this.adapter as { znp?: EventEmitter };
    znp?.on('received', ({ command }: { command?: { name?: string } }) => {
      if (command?.name === 'resetInd') this.lose('the coordinator restarted by itself');
    });
  }

  private takeLaneFrame(frame: LaneFrame): boolean {
    if (!isOtaCommand(frame.bytes)) return false;
    const device = this.controller.getDeviceByNetworkAddress(frame.networkAddress);
    if (!device) return false;
    const { endpoint, destinationEndpoint, bytes } = frame;
    this.events.otaFrame({ eui64: eui64Of(device), endpoint, destinationEndpoint, bytes });
    return true;
  }

  private scheduleWatchdog(): void {
    this.watchdog = setTimeout(async () => {
      const reason = await coordinatorFault(this.adapter);
      if (this.closed) return;
      if (reason) this.lose(reason);
      else this.scheduleWatchdog();
    }, WATCHDOG_PERIOD_MS);
  }

  private lose(reason: string): void {
    if (this.closed) return;
    this.events.lost(reason);
  }

  private device(eui64: string): Device {
    const device = this.controller.getDeviceByIeeeAddr(`0x${eui64}`);
    if (!device) throw new Error(`${eui64} never joined this coordinator's network`);
    return device;
  }
}

/** OTA attribute 0x000C, which the driver's table may not name. */
const UPGRADE_TIMEOUT_POLICY = 0x000c;
/** Direction bit of a read of client-side attributes. */
const CLIENT_ATTRIBUTES = 1;

function isOtaCommand(bytes: Uint8Array): boolean {
  const type = bytes[0]! & FRAME_TYPE_MASK;
  return type === CLUSTER_FRAME || (type === 0 && bytes[2] === DEFAULT_RESPONSE);
}

/** A frame object for the driver to take its addresses and logs from; its bytes are replaced each time. */
function answerTemplate(): ZclFrame {
  const { Zcl } = herdsman;
  return Zcl.Frame.create(
    Zcl.FrameType.SPECIFIC,
    Zcl.Direction.SERVER_TO_CLIENT,
    true,
    undefined,
    0,
    'upgradeEndResponse',
    'genOta',
    { manufacturerCode: 0, imageType: 0, fileVersion: 0, currentTime: 0, upgradeTime: 0 },
    {},
  );
}

/** Why the coordinator cannot be worked with any more, or undefined. */
async function coordinatorFault(adapter: Adapter): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    const reason = `the coordinator did not answer within ${WATCHDOG_ANSWER_MS / 1000} s`;
    timer = setTimeout(() => resolve(reason), WATCHDOG_ANSWER_MS);
  });
  const asked = adapter.getCoordinatorIEEE().then(
    () => undefined,
    (error: unknown) => `the coordinator failed: ${(error as Error).message}`,
  );
  const fault = await Promise.race([asked, late]);
  clearTimeout(timer);
  return fault;
}

async function stopQuietly(controller: Controller): Promise<void> {
  try {
    await controller.stop();
  } catch {
    // Not started, or its link is gone: there is nothing left to stop.
  }
}

function driverLog(log: Log): Parameters<typeof herdsman.setLogger>[0] {
  const at = (level: 'info' | 'warning' | 'error') => (message: string | (() => string)) =>
    log.write(
      level === 'info' ? 'debug' : level,
      typeof message === 'function' ? message() : message,
    );
  return { debug: () => {}, info: at('info'), warning: at('warning'), error: at('error') };
}

function eui64Of(device: { ieeeAddr: string }): string {
  return device.ieeeAddr.slice(2);
}

function octets(hexText: string): number[] {
  return [...Buffer.from(hexText, 'hex')];
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function integer(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) ? value : undefined;
}

function nothing(): undefined {
  return undefined;
}
