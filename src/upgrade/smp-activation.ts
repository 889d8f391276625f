/**
 * The activation of an image that is on a hub that speaks SMP: pending, reset, read back, confirmed, read
 * back. From its beginning on the session does nothing else, and only the hub's list of images, asked
 * again and again, says how far it is.
 *
 * Invariants
 * - A reset is repeated only while the hub is read to have the image pending still, which it has not after
 *   any boot.
 * - Success is the image's hash read back as running and confirmed. An answer from before the reset shows
 *   the image pending, and counts for nothing.
 */
import type { SmpClient } from '../protocol/smp/client.ts';
import type { SmpFailure } from '../protocol/smp/codes.ts';
import { imageStateOf } from '../protocol/smp/image-state.ts';
import type { ImageEntry, SmpEvent, SmpRequest } from '../protocol/smp/messages.ts';
import { NEVER_MS } from './course.ts';
import type { HubCourse } from './hub-course.ts';
import type { SmpSessionRequest } from './hub-session-messages.ts';
import { sameBytes } from './smp-plan.ts';

/** Between two looks at a hub that does not answer, or not yet what is waited for. */
const PAUSE_MS = 500;
/** A look that falls into the boot is lost: it is given up after so long, each time twice as long. */
const FIRST_LOOK_MS = 400;
/** A hub acts on a reset a quarter of a second after it answered it. */
export const RESET_ACTS_MS = 500;
/** An image that is pending still so long after the reset was not booted: the reset was lost. */
const RESET_LOST_MS = 5_000;
/** Each on evidence that the one before it did nothing. */
const REPEATS_MAX = 3;
/** An older reading says nothing of the hub at the deadline. */
const FRESH_MS = 20_000;

/**
 * What is under way. `mark`: test or permanent is out. `check-mark`: is it pending? `steps`: the runner
 * resets it over its line. `boot`: until `wakeMs`, then the list again: `look` where the hub was reset.
 */
type Step = 'none' | 'check-mark' | 'mark' | 'reset' | 'steps' | 'boot' | 'look' | 'confirm';

export class SmpActivation {
  /** When `wake` wants to be called. */
  wakeMs = NEVER_MS;
  private readonly request: SmpSessionRequest;
  private readonly course: HubCourse;
  private readonly client: SmpClient;
  private readonly hash: Uint8Array;
  /** It was uploaded to serial recovery: it lies in the primary slot, and there is nothing to mark. */
  private readonly inRecovery: boolean;
  private step: Step = 'none';
  /** Of the request that the step waits for. */
  private awaitedId = 0;
  private marks = 0;
  private resets = 0;
  private resetMs = 0;
  private forceReset = false;
  private confirms = 0;
  private cutOff = false;
  private lookMs = FIRST_LOOK_MS;
  private lastSeen: { text: string; atMs: number; state: 'pending' | 'trial' } | undefined;

  constructor(
    request: SmpSessionRequest,
    course: HubCourse,
    client: SmpClient,
    hash: Uint8Array,
    inRecovery: boolean,
  ) {
    this.request = request;
    this.course = course;
    this.client = client;
    this.hash = hash;
    this.inRecovery = inRecovery;
  }

  get worksLine(): boolean {
    return this.step === 'steps';
  }

  /** Of an image that waits in its slot. */
  begin(nowMs: number): void {
    this.enterActivating(nowMs);
    if (this.inRecovery) this.reset(nowMs);
    else this.ask('check-mark', { kind: 'image-list' });
  }

  /**
   * Of a session that announced it and was cut off: pending, the image was not booted yet; neither
   * pending nor running, it was tried and given up. It is not marked again.
   */
  resume(nowMs: number): void {
    this.cutOff = true;
    this.course.note('its activation was announced before; what became of it is read from the hub');
    this.enterActivating(nowMs);
    this.lookAtList(nowMs);
  }

  /** Of an image that runs on trial. */
  confirm(nowMs: number): void {
    this.course.commit('activate', (atMs) => this.keep(atMs), nowMs);
  }

  private keep(nowMs: number): void {
    if (this.confirms >= REPEATS_MAX) {
      this.course.fail('not-confirmed', 'it takes the command, and the image stays on trial');
      return;
    }
    this.confirms++;
    if (this.course.state !== 'confirming') {
      this.course.enter('confirming', nowMs + this.request.limits.confirmMs);
    }
    // What runs is confirmed without a hash, but only of a single image.
    const named = this.request.smp.imageNumber === 0 ? {} : { hash: this.hash };
    this.ask('confirm', { kind: 'image-confirm', ...named });
  }

  handle(event: SmpEvent, nowMs: number): void {
    if (event.id !== this.awaitedId) return;
    if (event.kind === 'failed') this.handleFailed(event.failure, nowMs);
    if (event.kind !== 'answered') return;
    this.handleAnswered('images' in event.answer ? event.answer.images : [], nowMs);
  }

  handleStepsDone(nowMs: number): void {
    if (this.worksLine) this.awaitBoot(nowMs);
  }

  handleLinkUp(nowMs: number): void {
    this.lookLater(nowMs);
  }

  wake(nowMs: number): void {
    this.wakeMs = NEVER_MS;
    if (this.step === 'boot') this.lookAtList(nowMs);
    else if (this.step === 'look') this.giveUpLook(nowMs);
  }

  /** Nothing is awaited any more. */
  rest(): void {
    this.awaitedId = 0;
    this.wakeMs = NEVER_MS;
    if (!this.worksLine) this.step = 'none';
  }

  expire(nowMs: number): void {
    const { lastSeen } = this;
    if (!this.course.hasAnnounced('activate')) {
      this.course.fail('deadline-passed', this.course.state);
    } else if (lastSeen === undefined || nowMs - lastSeen.atMs > FRESH_MS) {
      const last = lastSeen ? `, it last said that it ${lastSeen.text}` : '';
      const detail = `nothing has answered since the reset${last}`;
      this.course.finish('unknown-outcome', 'version-not-readable', detail);
    } else {
      const code = lastSeen.state === 'trial' ? 'not-confirmed' : 'not-activated';
      this.course.fail(code, lastSeen.text);
    }
  }

  /** What a hub does that was told to activate, nobody sees now. */
  loseLink(): void {
    this.course.finish('unknown-outcome', 'link-lost', this.lastSeen?.text);
  }

  // ---- what the hub says --------------------------------------------------------------------------------

  private handleAnswered(images: readonly ImageEntry[], nowMs: number): void {
    switch (this.step) {
      case 'mark':
        if (this.isPending(images)) this.reset(nowMs);
        else this.ask('check-mark', { kind: 'image-list' });
        return;
      case 'check-mark':
        if (this.isPending(images)) this.reset(nowMs);
        else if (this.runsTarget(images)) this.judge(images, nowMs);
        else this.mark(nowMs);
        return;
      case 'reset':
        this.awaitBoot(nowMs);
        return;
      case 'look':
        this.judge(images, nowMs);
        return;
      case 'confirm':
        // Its answer lists what it says it did; what it did is read by itself.
        this.ask('look', { kind: 'image-list' });
        return;
      default:
        return;
    }
  }

  private handleFailed(failure: SmpFailure, nowMs: number): void {
    const refused = failure.device !== undefined;
    switch (this.step) {
      case 'mark':
        if (refused) this.course.fail('activation-refused', failure.message);
        else this.ask('check-mark', { kind: 'image-list' });
        return;
      case 'check-mark':
      case 'look':
        this.lookLater(nowMs);
        return;
      case 'reset':
        this.handleResetFailed(failure, nowMs);
        return;
      case 'confirm':
        if (refused) this.course.fail('not-confirmed', failure.message);
        else this.lookLater(nowMs);
        return;
      default:
        return;
    }
  }

  private handleResetFailed(failure: SmpFailure, nowMs: number): void {
    if (failure.device === undefined) {
      // It may have been heard: what the hub lists then says so.
      this.awaitBoot(nowMs);
    } else if (failure.code === 'smp-busy' && !this.forceReset) {
      this.forceReset = true;
      this.course.note('is busy: reset all the same');
      this.ask('reset', { kind: 'reset', force: true });
    } else if (this.request.line.canReset) {
      this.rest();
      this.step = 'steps';
      const text = 'does not take the command to reset: reset over its line';
      this.course.order({ kind: 'line-steps', steps: 'reset' }, text);
    } else {
      this.course.fail('not-activated', failure.message);
    }
  }

  // ---- what its list means ------------------------------------------------------------------------------

  private judge(images: readonly ImageEntry[], nowMs: number): void {
    if (images.length > 0 && !images.some(({ flagged }) => flagged)) {
      this.judgeRecovery(nowMs);
      return;
    }
    const { running, other } = imageStateOf(images, this.request.smp.imageNumber);
    if (running === undefined) {
      this.lookLater(nowMs);
    } else if (sameBytes(running.hash, this.hash)) {
      this.judgeTarget(running, nowMs);
    } else if (this.isPending(images)) {
      this.judgePending(running, nowMs);
    } else {
      const holds = other !== undefined && sameBytes(other.hash, this.hash);
      const code = holds || this.inRecovery ? 'device-reverted' : 'image-dropped-at-boot';
      this.course.fail(code, `runs ${running.version}`);
    }
  }

  private judgeTarget({ version, confirmed }: ImageEntry, nowMs: number): void {
    if (confirmed) {
      this.course.done(version, `runs ${version}, confirmed, read back`);
      return;
    }
    this.lastSeen = { text: `runs ${version}`, atMs: nowMs, state: 'trial' };
    this.confirm(nowMs);
  }

  /** Still the answer of the image before: the reset has not happened. */
  private judgePending({ version }: ImageEntry, nowMs: number): void {
    this.lastSeen = { text: `runs ${version}`, atMs: nowMs, state: 'pending' };
    const lost = nowMs - this.resetMs >= RESET_LOST_MS;
    if (!lost || this.resets >= REPEATS_MAX) {
      this.lookLater(nowMs);
      return;
    }
    this.course.note('the image is pending still: the reset was lost, and is repeated');
    this.reset(nowMs);
  }

  /** Its bootloader answers: from the application's side that is no boot; from its own, none yet. */
  private judgeRecovery(nowMs: number): void {
    const early = this.inRecovery && nowMs - this.resetMs < this.request.line.bootMs;
    // What was uploaded to it is started by a reset, which may not have left before.
    if (this.cutOff && this.resets === 0) this.reset(nowMs);
    else if (early) this.lookLater(nowMs);
    else this.course.fail('boots-into-recovery');
  }

  private runsTarget(images: readonly ImageEntry[]): boolean {
    return images.some(({ hash, active }) => active && sameBytes(hash, this.hash));
  }

  private isPending(images: readonly ImageEntry[]): boolean {
    return images.some(({ hash, pending }) => pending && sameBytes(hash, this.hash));
  }

  // ---- leaves -------------------------------------------------------------------------------------------

  private enterActivating(nowMs: number): void {
    const { limits, line } = this.request;
    this.course.enter('activating', nowMs + line.bootMs + limits.confirmMs);
  }

  /** A hub that restarts by itself would start what is marked: it is the command, as the reset is. */
  private mark(nowMs: number): void {
    if (this.marks >= REPEATS_MAX) {
      this.course.fail('activation-refused', 'it takes the command, and the image is not pending');
      return;
    }
    this.marks++;
    const kind = this.request.smp.confirm === 'permanent' ? 'image-confirm' : 'image-test';
    const act = () => this.ask('mark', { kind, hash: this.hash });
    this.course.commit('activate', act, nowMs);
  }

  private reset(nowMs: number): void {
    this.resets++;
    const act = () =>
      this.ask('reset', { kind: 'reset', ...(this.forceReset ? { force: true } : {}) });
    this.course.commit('activate', act, nowMs);
  }

  private awaitBoot(nowMs: number): void {
    this.resetMs = nowMs;
    this.lookMs = FIRST_LOOK_MS;
    this.step = 'boot';
    this.wakeMs = nowMs + RESET_ACTS_MS;
  }

  /** Until then the list says nothing yet, or nothing is heard. */
  private lookLater(nowMs: number): void {
    this.step = 'boot';
    this.wakeMs = nowMs + PAUSE_MS;
  }

  /** Before a reset an image that is not pending waits for the command; after it, it was given up. */
  private lookAtList(nowMs: number): void {
    const activated = this.cutOff || this.resets > 0 || this.confirms > 0;
    this.ask(activated ? 'look' : 'check-mark', { kind: 'image-list' });
    if (activated && this.lookMs < this.request.line.answerTimeoutMs) {
      this.wakeMs = nowMs + this.lookMs;
    }
  }

  private giveUpLook(nowMs: number): void {
    const id = this.awaitedId;
    this.awaitedId = 0;
    this.client.cancel(id);
    this.lookMs *= 2;
    this.lookAtList(nowMs);
  }

  private ask(step: Step, request: SmpRequest): void {
    this.step = step;
    this.wakeMs = NEVER_MS;
    this.awaitedId = this.client.request(request);
  }
}
