/**
 * Runs the session of one hub over its link: pumps it, works the line where it asks for that, opens a port
 * that vanished again as long as the session has patience, and leaves the hub as defined on a stop.
 */
import { UpliftError } from '../errors.ts';
import type { Link, LinkClosed, Timers } from '../ports.ts';
import { LinkDriver, SYSTEM_TIMERS } from '../transport/serial/driver.ts';
import { type LineStep, runLineSteps } from '../transport/serial/line-steps.ts';
import type { HubCommand, HubSession, HubSessionEvent } from '../upgrade/hub-session-messages.ts';
import { isFinal } from '../upgrade/states.ts';

/** Between two attempts to open a port that vanished. */
const REOPEN_MS = 500;
/** How long a stopped session may take to leave its hub. */
const STOP_MS = 10_000;

export interface HubRunnerOptions {
  session: HubSession;
  link: Link;
  lineSteps: Record<HubCommand['steps'], readonly LineStep[]>;
  /** False where nothing may be done on it or after it: the session is stopped then. */
  onEvent(event: HubSessionEvent): boolean;
  timers?: Timers;
}

export class HubRunner {
  private readonly options: HubRunnerOptions;
  private readonly timers: Timers;
  private readonly driver: LinkDriver;
  private readonly settled: Promise<void>;
  private settle!: () => void;
  /** What a stop left the hub as. */
  leftAs: string | undefined;
  private isOver = false;
  /** The message of the last failure to open the port again. */
  private told = '';

  constructor(options: HubRunnerOptions) {
    this.options = options;
    this.timers = options.timers ?? SYSTEM_TIMERS;
    this.driver = new LinkDriver(options.link, this.timers);
    this.settled = new Promise((resolve) => {
      this.settle = resolve;
    });
  }

  /** @throws UpliftError */
  async open(): Promise<void> {
    await this.driver.open();
    // What an earlier owner left unread answers nothing of ours.
    await this.driver.discard();
  }

  /** Starts the session; resolves when it is final, or when its image is held as was asked. */
  run(): Promise<void> {
    this.options.session.start(this.timers.nowMs());
    this.takeOver();
    return this.settled;
  }

  /** False where it is too late. */
  cancel(): boolean {
    const isCancelled = this.options.session.cancel(this.timers.nowMs());
    this.driver.wake();
    return isCancelled;
  }

  /** Resolves when the hub can be left. */
  async stop(): Promise<void> {
    this.options.session.stop(this.timers.nowMs());
    this.driver.wake();
    await Promise.race([this.settled, this.wait(STOP_MS)]);
  }

  async close(): Promise<void> {
    this.isOver = true;
    this.driver.release();
    await this.options.link.drained();
    await this.driver.close();
  }

  private takeOver(): void {
    this.driver.run(this.options.session, {
      event: (event) => this.handle(event),
      closed: (how) => this.handleClosed(how),
    });
    this.settleWhereOver();
  }

  private handle(event: HubSessionEvent): void {
    const { session, onEvent } = this.options;
    const isHeeded = onEvent(event);
    if (event.kind === 'stopped') {
      this.isOver = true;
      this.leftAs = event.detail;
    }
    if (!isHeeded) {
      session.stop(this.timers.nowMs());
      this.settleWhereOver();
      return;
    }
    if (event.kind === 'intent') session.handle({ kind: 'granted' }, this.timers.nowMs());
    for (let command = session.pollCommand(); command; command = session.pollCommand()) {
      void this.workLine(command);
    }
    this.settleWhereOver();
  }

  /** What waits for it goes on in a later turn, when every event has been told. */
  private settleWhereOver(): void {
    const { session } = this.options;
    if (isFinal(session.state) || session.holds()) this.isOver = true;
    if (this.isOver) this.settle();
  }

  private async workLine({ steps }: HubCommand): Promise<void> {
    const { session, link, lineSteps, onEvent } = this.options;
    this.driver.release();
    await link.drained();
    await runLineSteps(link, lineSteps[steps], this.timers, ({ step, lacks }) => {
      const what = lacks === 'break' ? 'break state' : 'RTS and DTR';
      const text = `step ${step + 1} of ${steps} passed over: the port has no ${what}`;
      onEvent({ kind: 'note', text });
    });
    if (this.isOver) return;
    session.handle({ kind: 'steps-done' }, this.timers.nowMs());
    this.takeOver();
    // Whoever listens is told of a closing once, and nobody listened.
    if (!link.isOpen)
      this.handleClosed({ reason: 'vanished', detail: 'while its line was worked' });
  }

  private handleClosed({ reason, detail }: LinkClosed): void {
    if (this.isOver || reason === 'closed') return;
    const text = detail === '' ? reason : `${reason}, ${detail}`;
    this.options.session.handle({ kind: 'link-down', reason: text }, this.timers.nowMs());
    this.driver.wake();
    void this.reopen();
  }

  /** As long as the session has patience; the driver lets no time pass while the link is closed. */
  private async reopen(): Promise<void> {
    const { session } = this.options;
    while (!this.isOver) {
      await this.wait(REOPEN_MS);
      if (this.isOver) return;
      try {
        await this.driver.open();
        session.handle({ kind: 'link-up' }, this.timers.nowMs());
        this.driver.wake();
        return;
      } catch (error) {
        if (!(error instanceof UpliftError)) throw error;
        this.tell(error);
        session.handleTimeout(this.timers.nowMs());
        this.driver.wake();
      }
    }
  }

  private tell({ message, actual }: UpliftError): void {
    const text = `does not open again yet: ${message}${actual ? `; ${actual}` : ''}`;
    if (text !== this.told) this.options.onEvent({ kind: 'note', text });
    this.told = text;
  }

  private wait(delayMs: number): Promise<void> {
    return new Promise((done) => this.timers.after(delayMs, done));
  }
}
