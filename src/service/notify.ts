/**
 * What the service manager is told (sd_notify): ready, alive, stopping, and a line of status.
 *
 * Node has no datagrams on Unix sockets, so the `systemd-notify` program says it, which is why the unit has
 * `NotifyAccess=all`. It stays until the manager has taken the message, so the sender is still known then.
 * Messages go out in their order. Where `NOTIFY_SOCKET` is absent nobody listens, and nothing is done.
 */
import { execFile } from 'node:child_process';
import { escapeText } from '../bytes/escape-text.ts';

const PROGRAM = 'systemd-notify';
const PROGRAM_TIMEOUT_MS = 5_000;
/** Of a line of status; the manager shows one line. */
const STATUS_CHARACTERS_MAX = 200;

export interface Notifier {
  /** Whether anybody listens. */
  readonly isListenedTo: boolean;
  /** The service does its work from now on. */
  ready(status: string): Promise<void>;
  /** One line for whoever asks how the service is. */
  status(text: string): Promise<void>;
  /** Alive. Left out while one before it is still on its way. */
  watchdog(): Promise<void>;
  stopping(status: string): Promise<void>;
}

export interface NotifierOptions {
  environment?: NodeJS.ProcessEnv;
  /** A message that did not get through; the service goes on. */
  onFailure?: (reason: string) => void;
  /** Sends the assignments of one message. */
  send?: (assignments: string[], environment: NodeJS.ProcessEnv) => Promise<void>;
}

export function openNotifier(options: NotifierOptions = {}): Notifier {
  const { environment = process.env, onFailure = () => {}, send = sendByProgram } = options;
  const isListenedTo = (environment['NOTIFY_SOCKET'] ?? '') !== '';
  let last: Promise<void> = Promise.resolve();
  let feeding = false;
  const say = (...assignments: string[]): Promise<void> => {
    if (!isListenedTo) return Promise.resolve();
    last = last
      .then(() => send(assignments, environment))
      .catch((error: unknown) => onFailure((error as Error).message));
    return last;
  };
  return {
    isListenedTo,
    ready: (status) => say('READY=1', statusLine(status)),
    status: (text) => say(statusLine(text)),
    async watchdog() {
      if (feeding) return;
      feeding = true;
      await say('WATCHDOG=1');
      feeding = false;
    },
    stopping: (status) => say('STOPPING=1', statusLine(status)),
  };
}

/** One line, whatever a device's name or words in it are. */
function statusLine(text: string): string {
  return `STATUS=${escapeText(text.slice(0, STATUS_CHARACTERS_MAX))}`;
}

function sendByProgram(assignments: string[], environment: NodeJS.ProcessEnv): Promise<void> {
  // No more than it needs: what else is in the environment is not its business.
  const { PATH, NOTIFY_SOCKET } = environment;
  const options = { env: { PATH, NOTIFY_SOCKET }, timeout: PROGRAM_TIMEOUT_MS };
  return new Promise((resolve, reject) => {
    execFile(PROGRAM, assignments, options, (error, _stdout, stderr) => {
      if (error) reject(new Error(stderr.trim() || error.message));
      else resolve();
    });
  });
}
