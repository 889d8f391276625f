/**
 * The actions of a hawkBit server as this gateway stands to them: the one it is at, how others ended, which
 * were denied. Every change is handed out as an event: to be kept, to be wanted of the follower of
 * campaigns, to be downloaded.
 */
import { assert } from '../../errors.ts';
import type { LogLevel } from '../../ports.ts';
import { sha256Hex } from '../../trust/digest.ts';
import type { CarriedCampaign } from '../agent/carrier.ts';
import { type ActionState, type HawkbitState, REMEMBERED_MAX } from './action-state.ts';
import type { Outcome } from './codes.ts';
import type { Artifact, Distribution } from './distribution.ts';

export type BookEvent =
  /** To be on disk before the next request. */
  | { kind: 'keep'; state: HawkbitState; document: Uint8Array | undefined }
  /** All that is wanted of the follower now. */
  | { kind: 'desire'; campaigns: readonly CarriedCampaign[] }
  /** All that is to be downloaded now; what is not in it any more is given up. */
  | { kind: 'download'; artifacts: readonly Artifact[] }
  | { kind: 'said'; level: LogLevel; message: string; code?: string; action?: string };

/** What was read of an action that is offered. */
export interface Offer {
  id: string;
  /** It changes when the action does. */
  query: string;
  distribution: Distribution;
  mayDownload: boolean;
  mayUpdate: boolean;
}

export class ActionBook {
  readonly events: BookEvent[] = [];
  /** Of the action; absent after a restart, until the server offers it again. */
  offer: Offer | undefined;
  private state: HawkbitState;
  private document: Uint8Array | undefined;
  private readonly hasImage: (sha256: string) => boolean;

  constructor(
    kept: { state: HawkbitState; document?: Uint8Array },
    hasImage: (sha256: string) => boolean,
  ) {
    this.hasImage = hasImage;
    const { action } = kept.state;
    // Without its document nothing is known of it: the server offers it once more.
    const isWhole = action && kept.document && sha256Hex(kept.document) === action.document;
    this.document = isWhole ? kept.document : undefined;
    this.state = isWhole || !action ? kept.state : withoutAction(kept.state);
    this.desire();
  }

  get action(): ActionState | undefined {
    return this.state.action;
  }

  endOf(id: string): Outcome | undefined {
    return this.state.ended.find((one) => one.id === id)?.outcome;
  }

  /** The code with which it was denied. */
  deniedFor(id: string): string | undefined {
    return this.state.denied.find((one) => one.id === id)?.code;
  }

  /** In place of the one before, of which nothing more is begun. */
  take(offer: Offer, document: Uint8Array, digest: string, nowMs: number): void {
    const before = this.state.action;
    if (before?.outcome && before.id !== offer.id) this.remember(before.id, before.outcome);
    const { id, distribution, mayUpdate } = offer;
    this.document = document;
    this.offer = offer;
    this.replaceAction({
      ...{ id, document: distribution.campaign.sha256, digest, takenMs: nowMs },
      ...{ course: mayUpdate ? 'run' : 'pause', reports: 0, isDownloadTold: false },
    });
    this.desire();
    this.download();
  }

  /** The same once more: its window may have opened, or closed. */
  adopt(offer: Offer): void {
    const action = this.at();
    const course = offer.mayUpdate ? 'run' : 'pause';
    this.offer = offer;
    if (course !== action.course) {
      this.replaceAction({ ...action, course });
      this.desire();
    }
    this.download();
  }

  abort(): void {
    this.replaceAction({ ...this.at(), course: 'abort' });
    this.desire();
    this.download();
  }

  reported(isDownload: boolean): void {
    const action = this.at();
    const isDownloadTold = action.isDownloadTold || isDownload;
    this.replaceAction({ ...action, reports: action.reports + 1, isDownloadTold });
  }

  /** What is to be reported from now on, until the server has it. */
  conclude(outcome: Outcome): void {
    const action = this.at();
    assert(!action.outcome, 'an action ends once');
    const level = outcome.finished === 'success' ? 'info' : 'warning';
    this.say(level, outcome.details.join(' '), action.id, outcome.code);
    this.replaceAction({ ...action, outcome: { ...outcome, details: [...outcome.details] } });
    this.download();
  }

  /** The server knows its end, or will never take it. */
  end(outcome: Outcome): void {
    this.remember(this.at().id, outcome);
    this.leave();
  }

  /** The server has it no more. */
  forget(): void {
    this.say('info', 'the server has the action no more', this.at().id);
    this.leave();
  }

  /** Of one that was not begun. */
  refuse(id: string, outcome: Outcome): void {
    this.say('warning', outcome.details.join(' '), id, outcome.code);
    this.remember(id, outcome);
  }

  deny(id: string, code: string): void {
    const others = this.state.denied.filter((one) => one.id !== id);
    const denied = [...others, { id, code }].slice(-REMEMBERED_MAX);
    this.replace({ ...this.state, denied });
  }

  /** Images of the action that are not in the store, whether they may be fetched now or not. */
  lacking(): readonly Artifact[] {
    const others = this.offer?.distribution.others ?? [];
    return others.filter(({ sha256 }) => !this.hasImage(sha256));
  }

  download(): void {
    const { action } = this.state;
    const isWanted = action && action.course !== 'abort' && !action.outcome;
    const artifacts = isWanted && this.offer?.mayDownload ? this.lacking() : [];
    this.events.push({ kind: 'download', artifacts });
  }

  say(level: LogLevel, message: string, action?: string, code?: string): void {
    this.events.push({
      ...{ kind: 'said', level, message },
      ...(action === undefined ? {} : { action }),
      ...(code === undefined ? {} : { code }),
    });
  }

  private at(): ActionState {
    assert(this.state.action !== undefined, 'the gateway is at an action');
    return this.state.action;
  }

  private leave(): void {
    this.document = undefined;
    this.offer = undefined;
    this.replace(withoutAction(this.state));
    this.desire();
    this.download();
  }

  private remember(id: string, { finished, code, details }: Outcome): void {
    const outcome = { finished, ...(code === undefined ? {} : { code }), details: [...details] };
    const others = this.state.ended.filter((one) => one.id !== id);
    this.replace({ ...this.state, ended: [...others, { id, outcome }].slice(-REMEMBERED_MAX) });
  }

  private replaceAction(action: ActionState): void {
    this.replace({ ...this.state, action });
  }

  private replace(state: HawkbitState): void {
    this.state = state;
    this.events.push({ kind: 'keep', state, document: this.document });
  }

  private desire(): void {
    const { document, state } = this;
    const { action } = state;
    const campaigns =
      action && document ? [{ document, course: action.course, devices: 'own' as const }] : [];
    this.events.push({ kind: 'desire', campaigns });
  }
}

function withoutAction({ version, ended, denied }: HawkbitState): HawkbitState {
  return { version, ended, denied };
}
