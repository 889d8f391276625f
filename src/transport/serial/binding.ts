/**
 * The `serialport` package, cured of what made it unfit for a night on a rig. Its only import, when the
 * first port is opened: what opens none does without its native code.
 *
 * - A device that vanishes while it is being read makes the stock reader try again at once and for ever:
 *   no event, and half a core is gone (node-serialport issues 2043, 2323). On a terminal with VMIN 1 a
 *   read of 0 bytes means that the line was hung up, so it ends the port here.
 * - The stock port may be closed while a read of it waits for a thread, which then reads whatever got its
 *   descriptor since. Here closing waits for that read.
 * - Modem lines that a port does not have are an error there and an answer here.
 * - Each setting of a line resets all the others, low latency among them. Here they are kept.
 */
import { read } from 'node:fs';
import { promisify } from 'node:util';
import type { SerialPort } from 'serialport';

export interface SerialOptions {
  path: string;
  baudRate: number;
  rtscts: boolean;
}

/** What the operating system lists of a port. */
export interface ListedPort {
  path: string;
  manufacturer: string | undefined;
  serialNumber: string | undefined;
  vendorId: string | undefined;
  productId: string | undefined;
}

/** An open port as the stock binding has it on Linux and macOS; on Windows there is no poller. */
interface UnixPort {
  readonly isOpen: boolean;
  fd: number | null;
  readonly poller: {
    once(event: 'readable', callback: (error: Error | null) => void): unknown;
  };
  read(buffer: Buffer, offset: number, length: number): Promise<ReadResult>;
  close(): Promise<void>;
}

interface ReadResult {
  bytesRead: number;
  buffer: Buffer;
}

/** Low latency is of Linux alone, and the types are of all systems. */
interface Lines {
  dtr: boolean;
  rts: boolean;
  brk: boolean;
  lowLatency: boolean;
}

/** `false` is an answer: the port has none. */
const WITHOUT_LINES = /inappropriate ioctl|invalid argument|not supported/i;

/** Nothing to read yet. */
const NOT_YET = new Set(['EAGAIN', 'EWOULDBLOCK', 'EINTR']);

const readAsync = promisify(read);

/** An open port with its control lines. */
export class OpenPort {
  readonly stream: SerialPort;
  private readonly lines: Lines = { dtr: true, rts: true, brk: false, lowLatency: false };

  private constructor(stream: SerialPort) {
    this.stream = stream;
  }

  /** Rejects with what the operating system said. The port is locked for this process. */
  static async open(options: SerialOptions): Promise<OpenPort> {
    const { SerialPort } = await import('serialport');
    const binding = cured(SerialPort.binding);
    const all = { ...options, lock: true, autoOpen: false, binding };
    const stream = new SerialPort(all);
    return new Promise((done, fail) => {
      stream.open((error) => (error ? fail(error) : done(new OpenPort(stream))));
    });
  }

  /** False where the port has no such lines. */
  async set(changes: Partial<Lines>): Promise<boolean> {
    Object.assign(this.lines, changes);
    try {
      await call((done) => this.stream.set(this.lines, done));
      return true;
    } catch (error) {
      if (WITHOUT_LINES.test((error as Error).message)) return false;
      throw error;
    }
  }

  /** Whether the driver hands short input on at once; a wish that it ignores is no error of `set`. */
  async lowLatency(): Promise<boolean> {
    try {
      const status = await new Promise<object>((done, fail) => {
        this.stream.get((error, got) => (error || !got ? fail(error) : done(got)));
      });
      return (status as { lowLatency?: boolean }).lowLatency === true;
    } catch {
      return false;
    }
  }

  setBaudRate(baudRate: number): Promise<void> {
    return call((done) => this.stream.update({ baudRate }, done));
  }

  drain(): Promise<void> {
    return call((done) => this.stream.drain(done));
  }

  flush(): Promise<void> {
    return call((done) => this.stream.flush(done));
  }

  close(): Promise<void> {
    return call((done) => this.stream.close(done));
  }
}

/** As the operating system's own tools tell: on Linux that takes udevadm, so ports.ts asks there itself. */
export async function stockList(): Promise<ListedPort[]> {
  const { SerialPort } = await import('serialport');
  return SerialPort.list();
}

function cured(stock: typeof SerialPort.binding): typeof SerialPort.binding {
  const open = async (options: never) => {
    const port = await stock.open(options);
    if ('poller' in port) cure(port as unknown as UnixPort);
    return port as never;
  };
  return { ...stock, open };
}

function cure(port: UnixPort): void {
  const stockClose = port.close.bind(port);
  let reading: Promise<unknown> = Promise.resolve();
  port.read = async (buffer, offset, length) => {
    for (;;) {
      if (!port.isOpen || port.fd === null) throw canceled();
      try {
        const attempt = readAsync(port.fd, buffer, offset, length, null);
        reading = attempt;
        const { bytesRead } = await attempt;
        if (bytesRead > 0) return { bytesRead, buffer };
      } catch (error) {
        if (!NOT_YET.has((error as NodeJS.ErrnoException).code ?? '')) {
          throw Object.assign(error as Error, { disconnect: true });
        }
        if (!port.isOpen) throw canceled();
        await readable(port);
        continue;
      }
      throw Object.assign(new Error('the line was hung up'), { disconnect: true });
    }
  };
  port.close = async () => {
    await Promise.allSettled([reading]);
    await stockClose();
  };
}

function readable(port: UnixPort): Promise<void> {
  return new Promise((done, fail) => {
    port.poller.once('readable', (error) => (error ? fail(error) : done()));
  });
}

function canceled(): Error {
  return Object.assign(new Error('Port is not open'), { canceled: true });
}

function call(start: (done: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((done, fail) => start((error) => (error ? fail(error) : done())));
}
