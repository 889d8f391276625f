/**
 * The shape every protocol and session machine has. A machine owns no port, no timer and no clock: it is
 * handed bytes and the time, and is then drained of what it wants sent, what it has to say and when it
 * wants to be woken. After any `handle*` call drain all three; every call is synchronous.
 */
export interface Machine<Transmit, Event> {
  /** The time has come, or passed, that `pollTimeout` named. Calling it early is harmless. */
  handleTimeout(nowMs: number): void;
  /** The next thing to send, or `undefined`. What it returns is valid until the next call. */
  pollTransmit(nowMs: number): Transmit | undefined;
  pollEvent(): Event | undefined;
  /** When `handleTimeout` wants to be called next, ms since the epoch; Infinity for never. */
  pollTimeout(): number;
}

/** A machine at one end of a stream of bytes. */
export interface ByteMachine<Event> extends Machine<Uint8Array, Event> {
  /** Takes all of them, wherever they are cut. They are the caller's again when this returns. */
  handleBytes(bytes: Uint8Array, nowMs: number): void;
  /**
   * Of a machine that has ended within the bytes it was handed: those after its end, for the machine
   * that follows on the stream. Once; valid until the next call.
   */
  pollUnread?(): Uint8Array | undefined;
}

/** The calls of a machine that matter, by their names. */
export interface MachineCalls {
  /** Those that change it. */
  readonly inputs: readonly string[];
  /** Those that say what it wants, beside `pollTimeout`. */
  readonly outputs: readonly string[];
}
