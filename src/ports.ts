/** What the inner layers ask of the world: interfaces only, no implementation. */

/** Milliseconds since 1970-01-01T00:00:00Z; a machine never reads one, it is handed the time. */
export interface Clock {
  nowMs(): number;
}

/** A clock that also wakes. */
export interface Timers extends Clock {
  after(delayMs: number, task: () => void): { cancel(): void };
}

export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

/** What a line is about, beside its words: for whoever searches a thousand of them. */
export interface LogFields {
  /** A device, by its id. */
  dev?: string;
  job?: string;
  campaign?: string;
  /** Of the journal's record that the line goes with. */
  seq?: number;
  /** Of a table of codes. */
  code?: string;
  [name: string]: unknown;
}

export interface Log {
  write(level: LogLevel, message: string, fields?: LogFields): void;
}

/** A source of numbers in [0, 1); seeded in the virtual devices and in tests. */
export interface Random {
  next(): number;
}

/** Why a link is open no more. */
export interface LinkClosed {
  /** `closed` by its owner; `vanished`: unplugged, hung up, or the peer went; `failed`: an I/O error. */
  reason: 'closed' | 'vanished' | 'failed';
  /** What the operating system said; empty where it said nothing. */
  detail: string;
}

/** Who hears of a link. Neither call may throw. */
export interface LinkListener {
  /** In the order of the line. The bytes are the listener's for the time of the call. */
  received(bytes: Uint8Array): void;
  /** Once for every `open` that succeeded. */
  closed(how: LinkClosed): void;
}

/** Lines that a host drives; one that is left out stays as it is. */
export interface LinkSignals {
  dtr?: boolean;
  rts?: boolean;
}

/**
 * A stream of bytes to one device: a serial port, or a serial server in the network. One owner.
 *
 * What a kind of link does not have (modem lines of a pseudo-terminal, the speed of a TCP stream) is
 * answered with `false`, never with an error: whether it matters is the caller's to know.
 */
export interface Link {
  /** As messages name it. */
  readonly name: string;
  readonly isOpen: boolean;
  /**
   * Opens it for this process alone. A link that was closed may be opened again, and finds its device
   * where it is then.
   * @throws UpliftError
   */
  open(listener: LinkListener): Promise<void>;
  /**
   * Hands bytes to the operating system, one piece at a time: the next is sent after `taken`. Until then
   * the bytes are the link's. `taken` is called once, later than `send` returns: with true when the
   * system has them all, with false where the link closed before. A closed link takes nothing.
   */
  send(bytes: Uint8Array, taken: (whole: boolean) => void): void;
  /** When all that was taken is on the wire, or the link is closed. */
  drained(): Promise<void>;
  /** Throws away what came in and what is not on the wire yet. */
  discard(): Promise<void>;
  setBaudRate(baudRate: number): Promise<boolean>;
  setSignals(signals: LinkSignals): Promise<boolean>;
  /** Holds the line in its break state for so long. */
  sendBreak(durationMs: number): Promise<boolean>;
  /** Harmless where it is closed. */
  close(): Promise<void>;
}
