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
