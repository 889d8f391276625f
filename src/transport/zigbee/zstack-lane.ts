/**
 * A short way through zigbee-herdsman's Z-Stack driver for the frames of one cluster.
 *
 * The driver spends most of its time on a block in objects that nobody reads: every field of every frame
 * decoded by table, a waiter with a stack trace for each of the two answers, a matcher run over all of
 * them. The lane sits in the driver's own frame handler and send queues and handles three frame kinds
 * itself: the OTA cluster's incoming messages, and the status and confirm of what it sent. Everything
 * else, and everything with a bad checksum, goes on to the driver untouched, and whatever the lane sends
 * waits its turn in the driver's queues: one request open at a time, one frame a device, so many in all.
 *
 * It attaches only to a driver that has the shape it knows, and then is what `test/bench/zigbee-ota` measures;
 * with any other the driver's public way serves. Frame layout: TI Z-Stack Monitor and Test API, AF interface.
 */
import { OTA_CLUSTER } from '../../protocol/zcl-ota/codec.ts';

const SOF = 0xfe;
/** SREQ AF dataRequest, its SRSP, AREQ AF dataConfirm and incomingMsg: cmd0, cmd1. */
const SREQ_AF = 0x24;
const SRSP_AF = 0x64;
const AREQ_AF = 0x44;
const DATA_REQUEST = 0x01;
const DATA_CONFIRM = 0x80;
const INCOMING_MESSAGE = 0x81;
/** Frame head: SOF, length, cmd0, cmd1. */
const HEAD_BYTES = 4;
/** Fields of incomingMsg before its data, and where they stand in the frame. */
const INCOMING_HEAD_BYTES = 17;
const DATA_REQUEST_HEAD_BYTES = 10;
const RADIUS = 30;
const SRSP_TIMEOUT_MS = 6_000;
const SWEEP_PERIOD_MS = 1_000;

export interface LaneFrame {
  networkAddress: number;
  endpoint: number;
  destinationEndpoint: number;
  /** A view of the driver's buffer, good during the call. */
  bytes: Uint8Array;
}

/** What the lane uses of the driver; checked before use, since none of it is public. */
interface Driver {
  queue: { execute<T>(body: () => Promise<T>, key: number): Promise<T> };
  nextTransactionID(): number;
  znp: {
    onFrame(buffer: Buffer, dataLength: number, checksumAt: number): void;
    queue: { run<T>(body: () => Promise<T>): Promise<T> };
    transport: { write(bytes: Buffer): boolean };
  };
}

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
  deadlineMs: number;
}

export class ZstackLane {
  private readonly driver: Driver;
  /** True where the frame was taken. */
  private readonly onFrame: (frame: LaneFrame) => boolean;
  private readonly driverOnFrame: Driver['znp']['onFrame'];
  private readonly confirms: (Waiting | undefined)[] = new Array(256).fill(undefined);
  /** In the order sent: the driver's mutex may let a second request through before the first's answer. */
  private readonly statuses: Waiting[] = [];
  private detached = false;
  private readonly sweep: NodeJS.Timeout;

  private constructor(driver: Driver, onFrame: (frame: LaneFrame) => boolean) {
    this.driver = driver;
    this.onFrame = onFrame;
    this.driverOnFrame = driver.znp.onFrame.bind(driver.znp);
    driver.znp.onFrame = (buffer, dataLength, checksumAt) => {
      if (!this.take(buffer, checksumAt)) this.driverOnFrame(buffer, dataLength, checksumAt);
    };
    this.sweep = setInterval(() => this.expire(Date.now()), SWEEP_PERIOD_MS);
    this.sweep.unref();
  }

  /** `onFrame` is given what comes of the OTA cluster. */
  static attach(adapter: unknown, onFrame: (frame: LaneFrame) => boolean): ZstackLane | undefined {
    return isDriver(adapter) ? new ZstackLane(adapter, onFrame) : undefined;
  }

  /** Gives the driver its handler back; what is under way fails. */
  detach(): void {
    this.detached = true;
    clearInterval(this.sweep);
    this.driver.znp.onFrame = this.driverOnFrame;
    this.expire(Number.POSITIVE_INFINITY);
  }

  /** Resolves when the coordinator confirms the frame. The bytes are copied during the driver's queue. */
  send(
    networkAddress: number,
    endpoint: number,
    sourceEndpoint: number,
    bytes: Uint8Array,
    confirmTimeoutMs: number,
  ): Promise<void> {
    return this.driver.queue.execute(() => {
      const transaction = this.driver.nextTransactionID();
      const frame = encodeDataRequest(networkAddress, endpoint, sourceEndpoint, transaction, bytes);
      return new Promise<void>((resolve, reject) => {
        this.confirms[transaction] = { resolve, reject, deadlineMs: Date.now() + confirmTimeoutMs };
        this.driver.znp.queue
          .run(() => this.request(frame))
          .catch((error: Error) => {
            this.confirms[transaction] = undefined;
            reject(error);
          });
      });
    }, networkAddress);
  }

  private request(frame: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      // Its answer would go to the driver, and the driver's mutex would wait for it for ever.
      if (this.detached) throw new Error('the link is being closed');
      this.driver.znp.transport.write(frame);
      this.statuses.push({ resolve, reject, deadlineMs: Date.now() + SRSP_TIMEOUT_MS });
    });
  }

  /** True where the frame was the lane's. */
  private take(buffer: Buffer, checksumAt: number): boolean {
    const command = buffer[3]!;
    switch (buffer[2]) {
      case AREQ_AF:
        if (command === INCOMING_MESSAGE) return this.takeIncoming(buffer, checksumAt);
        return command === DATA_CONFIRM && this.takeConfirm(buffer, checksumAt);
      case SRSP_AF:
        return command === DATA_REQUEST && this.takeStatus(buffer, checksumAt);
      default:
        return false;
    }
  }

  private takeIncoming(buffer: Buffer, checksumAt: number): boolean {
    const start = HEAD_BYTES + INCOMING_HEAD_BYTES;
    const end = start + buffer[start - 1]!;
    if (buffer[6]! !== (OTA_CLUSTER & 0xff) || buffer[7]! !== OTA_CLUSTER >> 8) return false;
    if (start > checksumAt || end > checksumAt || end - start < 3 || !isIntact(buffer, checksumAt))
      return false;
    return this.onFrame({
      networkAddress: buffer[8]! | (buffer[9]! << 8),
      endpoint: buffer[10]!,
      destinationEndpoint: buffer[11]!,
      bytes: buffer.subarray(start, end),
    });
  }

  private takeConfirm(buffer: Buffer, checksumAt: number): boolean {
    const transaction = buffer[6]!;
    const waiting = this.confirms[transaction];
    if (checksumAt < 7 || waiting === undefined || !isIntact(buffer, checksumAt)) return false;
    this.confirms[transaction] = undefined;
    const status = buffer[4]!;
    if (status === 0) waiting.resolve();
    else
      waiting.reject(
        new Error(`the frame was not delivered: confirm status 0x${status.toString(16)}`),
      );
    return true;
  }

  private takeStatus(buffer: Buffer, checksumAt: number): boolean {
    if (this.statuses.length === 0 || !isIntact(buffer, checksumAt)) return false;
    const waiting = this.statuses.shift()!;
    const status = buffer[4]!;
    if (status === 0) waiting.resolve();
    else
      waiting.reject(
        new Error(`the coordinator refused the frame: status 0x${status.toString(16)}`),
      );
    return true;
  }

  private expire(nowMs: number): void {
    for (let transaction = 0; transaction < this.confirms.length; transaction++) {
      const waiting = this.confirms[transaction];
      if (waiting === undefined || waiting.deadlineMs > nowMs) continue;
      this.confirms[transaction] = undefined;
      waiting.reject(new Error('no confirm from the coordinator'));
    }
    while (this.statuses.length > 0 && this.statuses[0]!.deadlineMs <= nowMs) {
      this.statuses.shift()!.reject(new Error('no answer from the coordinator'));
    }
  }
}

function encodeDataRequest(
  networkAddress: number,
  endpoint: number,
  sourceEndpoint: number,
  transaction: number,
  bytes: Uint8Array,
): Buffer {
  const dataBytes = DATA_REQUEST_HEAD_BYTES + bytes.length;
  const frame = Buffer.allocUnsafe(HEAD_BYTES + dataBytes + 1);
  frame[0] = SOF;
  frame[1] = dataBytes;
  frame[2] = SREQ_AF;
  frame[3] = DATA_REQUEST;
  frame[4] = networkAddress;
  frame[5] = networkAddress >> 8;
  frame[6] = endpoint;
  frame[7] = sourceEndpoint;
  frame[8] = OTA_CLUSTER & 0xff;
  frame[9] = OTA_CLUSTER >> 8;
  frame[10] = transaction;
  frame[11] = 0;
  frame[12] = RADIUS;
  frame[13] = bytes.length;
  frame.set(bytes, HEAD_BYTES + DATA_REQUEST_HEAD_BYTES);
  frame[HEAD_BYTES + dataBytes] = checksum(frame, HEAD_BYTES + dataBytes);
  return frame;
}

/** XOR of length, command and data. */
function checksum(frame: Uint8Array, end: number): number {
  let sum = 0;
  for (let i = 1; i < end; i++) sum ^= frame[i]!;
  return sum;
}

function isIntact(frame: Uint8Array, checksumAt: number): boolean {
  return checksum(frame, checksumAt) === frame[checksumAt];
}

function isDriver(adapter: unknown): adapter is Driver {
  const driver = adapter as Partial<Driver> & object;
  return (
    driver.constructor.name === 'ZStackAdapter' &&
    typeof driver.queue?.execute === 'function' &&
    typeof driver.nextTransactionID === 'function' &&
    typeof driver.znp?.onFrame === 'function' &&
    typeof driver.znp.queue?.run === 'function' &&
    typeof driver.znp.transport?.write === 'function'
  );
}
