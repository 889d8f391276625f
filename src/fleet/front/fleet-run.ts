/** One device's upgrade at a front: asked for here, carried out by the gateway that has the device. */

import type { DeviceState } from '../../campaign/device-progress.ts';
import type { CampaignImage } from '../../campaign/manifest.ts';
import type { FieldOwner, FieldRun, FieldTask } from '../../gateway/field.ts';
import { cancelled, type Standing, type Steps, standingOf } from './steps.ts';
import type { Teller } from './teller.ts';

/** Shared by all runs of an image. */
export interface RunImage {
  sha256: string;
  file: Uint8Array;
  /** Absent: no campaign can be made of it. */
  words: CampaignImage | undefined;
}

export class FleetRun implements FieldRun {
  readonly device: string;
  readonly image: RunImage;
  readonly activation: 'now' | 'held';
  readonly commandedBy: number;
  readonly askedMs: number;
  /** What the coordinator said last of it. */
  seen: DeviceState | undefined;
  /** It is part of a campaign: too late to call it off. */
  isPlaced = false;
  standing: Standing;
  /** Since when, and how often, its gateway was asked in vain what it runs. */
  unread: { sinceMs: number; times: number } | undefined;
  private readonly owner: FieldOwner;
  private readonly teller: Teller;
  private readonly onOver: (run: FleetRun) => void;
  /** Its end is on its way to its owner. */
  private isEnding = false;
  private isOver = false;

  constructor(
    task: FieldTask,
    image: RunImage,
    owner: FieldOwner,
    { teller, onOver }: { teller: Teller; onOver: (run: FleetRun) => void },
  ) {
    const { device, activation, announced, commandedBy, askedMs } = task;
    this.device = device;
    this.image = image;
    this.activation = activation.when;
    this.commandedBy = commandedBy;
    this.askedMs = askedMs;
    this.standing = standingOf(activation.when, announced.includes('activate'));
    this.owner = owner;
    this.teller = teller;
    this.onOver = onOver;
  }

  get isOpen(): boolean {
    return !this.isEnding && !this.isOver;
  }

  tell({ events, end, reach }: Steps): void {
    if (!this.isOpen || (events.length === 0 && !end)) return;
    const isAnnounced = this.standing.isAnnounced || events.some(({ kind }) => kind === 'intent');
    this.standing = { ...this.standing, reach, isAnnounced };
    this.isEnding = end !== undefined;
    this.teller.add(() => {
      if (this.isOver) return;
      // What is not on record is not followed by anything: its gateway leaves it.
      if (!events.every((event) => this.owner.event(event))) return;
      if (!end) return;
      this.over();
      this.owner.ended(end);
    });
  }

  /** What it waits for, as long as nothing of it has begun. `untilMs` differs where the words do. */
  wait(detail: string, untilMs: number): void {
    const { reach } = this.standing;
    if (reach !== 'begun' && reach !== 'staged') return;
    const staged = { kind: 'state', state: 'staged', untilMs, detail } as const;
    this.tell({ events: [staged], reach: 'staged' });
  }

  cancel(): boolean {
    if (this.isPlaced || !this.isOpen) return false;
    this.tell(cancelled(this.standing));
    return true;
  }

  stop(): void {
    if (this.isOver) return;
    this.over();
    this.owner.ended({ kind: 'stopped', detail: 'the front stops; its campaign goes on' });
  }

  private over(): void {
    this.isOver = true;
    this.onOver(this);
  }
}
