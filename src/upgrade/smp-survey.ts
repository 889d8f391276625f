/**
 * Asks a hub over SMP who answers and what it has: sizes, list, and, of an application, its slots. It asks
 * one thing after another, since each answer says what to ask next, and it changes nothing.
 */
import type { SmpClient } from '../protocol/smp/client.ts';
import type { SmpFailure } from '../protocol/smp/codes.ts';
import { deviceModeOf } from '../protocol/smp/image-state.ts';
import type { SmpAnswer, SmpEvent, SmpRequest } from '../protocol/smp/messages.ts';
import type { HubSurvey } from './smp-plan.ts';

export type SurveyOutcome =
  | { kind: 'asking' }
  | { kind: 'answered'; survey: HubSurvey }
  /** Nobody answers. */
  | { kind: 'silent' }
  /** Somebody answers, and does not say what it has. */
  | { kind: 'unread'; reason: string };

export class SmpSurvey {
  outcome: SurveyOutcome = { kind: 'asking' };
  private readonly client: SmpClient;
  private readonly imageNumber: number;
  private asked: SmpRequest['kind'] = 'params';
  private id: number;
  private readonly found: HubSurvey = {
    mode: 'unknown',
    images: [],
    imageBytesMax: undefined,
    bufferBytes: undefined,
  };

  /** Asks at once. */
  constructor(client: SmpClient, imageNumber: number) {
    this.client = client;
    this.imageNumber = imageNumber;
    this.id = client.request({ kind: 'params' });
  }

  /** False where the event is not its own. */
  handle(event: SmpEvent): boolean {
    if (event.id !== this.id) return false;
    if (event.kind === 'answered') this.handleAnswer(event.answer);
    if (event.kind === 'failed') this.handleFailure(event.failure);
    return true;
  }

  private handleAnswer(answer: SmpAnswer): void {
    const { found } = this;
    switch (answer.kind) {
      case 'params':
        found.bufferBytes = answer.bufferBytes;
        this.ask({ kind: 'image-list' });
        return;
      case 'image-list':
        found.images = answer.images;
        found.mode = deviceModeOf({ images: answer.images });
        if (found.mode === 'unknown') this.ask({ kind: 'echo', text: 'uplift' });
        else this.askSlots();
        return;
      case 'echo':
        found.mode = deviceModeOf({ echo: 'answered' });
        this.askSlots();
        return;
      case 'slot-info': {
        const { slots, imageBytesMax } = answer;
        const own = slots.filter(({ image }) => image === this.imageNumber);
        const sizes = own.flatMap(({ slotBytes }) => slotBytes ?? []);
        const stated = imageBytesMax.find(({ image }) => image === this.imageNumber)?.bytes;
        found.imageBytesMax = stated ?? (sizes.length > 0 ? Math.min(...sizes) : undefined);
        this.end();
        return;
      }
    }
  }

  /** A refusal is an answer: builds leave commands out. */
  private handleFailure({ code, message }: SmpFailure): void {
    // What the slots are like is not needed where an application lists its images.
    if (this.asked === 'slot-info') this.end();
    else if (code === 'no-answer') this.outcome = { kind: 'silent' };
    else if (this.asked === 'params') this.ask({ kind: 'image-list' });
    else if (this.asked === 'image-list') this.outcome = { kind: 'unread', reason: message };
    else this.takeEcho(code, message);
  }

  private takeEcho(code: string, message: string): void {
    this.found.mode = deviceModeOf({ echo: code });
    if (this.found.mode === 'unknown') this.outcome = { kind: 'unread', reason: message };
    else this.end();
  }

  private askSlots(): void {
    if (this.found.mode === 'application') this.ask({ kind: 'slot-info' });
    else this.end();
  }

  private ask(request: SmpRequest): void {
    this.asked = request.kind;
    this.id = this.client.request(request);
  }

  private end(): void {
    this.outcome = { kind: 'answered', survey: this.found };
  }
}
