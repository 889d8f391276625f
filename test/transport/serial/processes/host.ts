/**
 * A host whose device vanishes again and again: opens the port, says so, and says how it closed and what
 * the processor did for a while after. Its arguments: path, traffic, `stock` for the binding as it comes.
 */
import { SerialPort } from 'serialport';
import type { LinkClosed } from '../../../../src/ports.ts';
import { SerialLink } from '../../../../src/transport/serial/serial-link.ts';

/** What the device is told to do before it goes. */
export type Traffic = 'idle' | 'request-answer' | 'streaming';

export type Said = { kind: 'open' } | { kind: 'closed'; how: LinkClosed; busy: number };

/** Long enough to tell a spinning loop from the work of closing. */
const WATCH_MS = 80;

const [path = '', traffic = 'idle', kind = 'cured'] = process.argv.slice(2);

/** Any message is the word to open. */
process.on('message', () => void round());
process.on('disconnect', () => process.exit());

async function round(): Promise<void> {
  const { write, closed } = await (kind === 'stock' ? openStock() : openCured());
  if (traffic === 'request-answer') write();
  say({ kind: 'open' });
  const how = await closed;
  const before = process.cpuUsage();
  await new Promise((done) => setTimeout(done, WATCH_MS));
  const { user, system } = process.cpuUsage(before);
  say({ kind: 'closed', how, busy: (user + system) / 1000 / WATCH_MS });
}

interface Opened {
  write(): void;
  closed: Promise<LinkClosed>;
}

async function openCured(): Promise<Opened> {
  const link = new SerialLink({ port: path, baudRate: 115_200, rtscts: false });
  const request = new Uint8Array(32).fill(0x55);
  let sending = false;
  const write = () => {
    if (sending) return;
    sending = true;
    link.send(request, () => {
      sending = false;
    });
  };
  return new Promise((done) => {
    const closed = new Promise<LinkClosed>((tell) => {
      const received = () => traffic === 'request-answer' && write();
      void link.open({ received, closed: tell }).then(() => done({ write, closed }));
    });
  });
}

async function openStock(): Promise<Opened> {
  const port = new SerialPort({ path, baudRate: 115_200, autoOpen: false });
  const request = Buffer.alloc(32, 0x55);
  const write = () => void port.write(request);
  port.on('data', () => traffic === 'request-answer' && write());
  port.on('error', () => {});
  const closed = new Promise<LinkClosed>((done) =>
    port.on('close', () => done({ reason: 'vanished', detail: '' })),
  );
  await new Promise<void>((done, fail) => port.open((error) => (error ? fail(error) : done())));
  return { write, closed };
}

function say(said: Said): void {
  process.send!(said);
}
