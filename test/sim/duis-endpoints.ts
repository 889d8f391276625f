/**
 * The endpoints of Service Users over a month: up, down for days, refusing, slow, or hearing everything
 * and unable to say so. What each heard is kept in order.
 */
import type { DeliveryResult } from '../../src/duis/outbox.ts';
import type { Timers } from '../../src/ports.ts';
import type { SeededRandom } from '../../src/virtual/random.ts';
import type { Sent } from '../dcc/dcc-desk.ts';

const SLOW_MS_MAX = 90_000;
const MODES = ['up', 'down', 'busy', 'full', 'moved', 'slow', 'unheard', 'picky'] as const;
type Mode = (typeof MODES)[number];

export class DuisEndpoints {
  /** Whatever arrived and was taken, whether its sender learnt of it or not. */
  readonly heard: Sent[] = [];
  private readonly modes = new Map<string, Mode>();
  private readonly random: SeededRandom;
  private readonly timers: Timers;

  constructor(random: SeededRandom, timers: Timers) {
    this.random = random;
    this.timers = timers;
  }

  change(user: string): Mode {
    const mode = MODES[Math.floor(this.random.next() * MODES.length)]!;
    this.modes.set(user, mode);
    return mode;
  }

  heal(): void {
    this.modes.clear();
  }

  answers(sent: Sent): DeliveryResult | Promise<DeliveryResult> {
    switch (this.modes.get(sent.user) ?? 'up') {
      case 'up':
        return this.take(sent);
      case 'down':
        return { kind: 'failed', detail: 'ECONNREFUSED' };
      case 'busy':
        return { kind: 'answered', status: 503 };
      case 'full':
        return { kind: 'answered', status: 429, retryAfterMs: this.under(600_000) };
      case 'moved':
        return { kind: 'answered', status: 404 };
      case 'picky':
        return sent.message % 3 === 0 ? { kind: 'answered', status: 400 } : this.take(sent);
      case 'slow': {
        const result = this.take(sent);
        return new Promise((done) => {
          this.timers.after(this.under(SLOW_MS_MAX), () => done(result));
        });
      }
      case 'unheard':
        this.take(sent);
        if (this.random.chance(0.5)) return { kind: 'failed', detail: 'ECONNRESET' };
        return new Promise(() => {});
    }
  }

  private under(bound: number): number {
    return Math.floor(this.random.next() * bound);
  }

  private take(sent: Sent): DeliveryResult {
    this.heard.push(sent);
    return { kind: 'answered', status: 200 };
  }
}
