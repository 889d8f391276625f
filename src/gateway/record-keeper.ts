/**
 * The gateway's records: on disk first, then in the book, then told to whoever listens. When the journal
 * takes no more, that is the gateway's trouble from then on, and whoever wanted to write is told.
 */
import { assert, UpliftError } from '../errors.ts';
import { JobBook, type Upgrade } from '../jobs/book.ts';
import { isJobRecord, type JobRecordBody } from '../jobs/records.ts';
import { isOver, STATE_RULES, type UpgradeState } from '../jobs/states.ts';
import type { UploadSample } from '../upgrade/hub-session-messages.ts';
import type { DeviceReadingView, GatewayListener, GatewayRecord } from './control.ts';

/** Of the store's journal, as much as is used here. */
export interface GatewayJournal {
  readonly head: { sequence: number; hash: string };
  append(entries: readonly JournalBody[], nowMs: number): readonly GatewayRecord[];
  note(entry: JournalBody, nowMs: number, key?: string): void;
  records(fromSequence?: number, limit?: number): Iterable<GatewayRecord>;
  pollTimeout(): number;
  handleTimeout(nowMs: number): void;
}

export type JournalBody = Readonly<Record<string, unknown>> & { kind: string };

/** A progress record is worth its place: a hundredth more. */
const PROGRESS_SHARE = 0.01;

export interface StateMore {
  detail?: string;
  code?: string;
  next?: string;
  runs?: string;
}

/** A version in the device's own words; of one behind a coordinator also as its OTA client has it. */
export interface SaidVersion {
  version: string;
  fileVersion?: string;
  atMs: number;
}

export class RecordKeeper {
  readonly book = new JobBook();
  /** What each device said last that it runs. */
  readonly said = new Map<string, SaidVersion>();
  /** How each was found when it was asked last, outside of an upgrade. */
  readonly readings = new Map<string, DeviceReadingView>();
  /** Why nothing is written any more. */
  trouble: UpliftError | undefined;
  private readonly journal: GatewayJournal;
  private readonly nowMs: () => number;
  private readonly onTrouble: () => void;
  private readonly listeners = new Set<GatewayListener>();
  /** Of each job, where its records are. */
  private readonly places = new Map<string, number[]>();
  private readonly noted = new Map<string, number>();
  /** In one write, later: the book has what they say of states already. */
  private gathered: JournalBody[] | undefined;

  constructor(journal: GatewayJournal, nowMs: () => number, onTrouble: () => void) {
    this.journal = journal;
    this.nowMs = nowMs;
    this.onTrouble = onTrouble;
  }

  get head(): { sequence: number; hash: string } {
    return this.journal.head;
  }

  /** What is on record already; listeners are told of nothing here. */
  replay(): void {
    for (const record of this.journal.records(1)) this.keep(record);
  }

  listen(listener: GatewayListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** @throws UpliftError where they are not durable */
  write(...entries: (JobRecordBody | JournalBody)[]): void {
    if (this.gathered) {
      this.gather(entries as JobRecordBody[]);
      return;
    }
    for (const entry of entries as JobRecordBody[])
      if (entry.kind === 'state') this.book.assertFits(entry);
    this.append(entries as JournalBody[], false);
  }

  /**
   * All that is written in it is one write. The book is ahead of the journal until then; where the journal
   * takes no more it stays so, and a start finds what was.
   * @throws UpliftError where it is not durable
   */
  together(work: () => void): void {
    assert(this.gathered === undefined, 'what is written together is one write');
    this.gathered = [];
    try {
      work();
    } finally {
      const entries = this.gathered;
      this.gathered = undefined;
      if (entries.length > 0 && !this.trouble) this.append(entries, true);
    }
  }

  private gather(entries: readonly JobRecordBody[]): void {
    const atMs = this.nowMs();
    for (const entry of entries) {
      const isStep = entry.kind === 'state' || entry.kind === 'intent';
      assert(isStep || !isJobRecord(entry), 'a command is a write of its own');
      if (isStep) this.book.apply({ ...entry, sequence: this.head.sequence + 1, atMs });
    }
    for (const entry of entries) this.gathered!.push(entry);
  }

  private append(entries: readonly JournalBody[], isApplied: boolean): void {
    const { journal } = this;
    const firstNew = journal.head.sequence + 1;
    try {
      journal.append(entries, this.nowMs());
    } catch (error) {
      // Also where somebody asked, who is told as well: nobody else may go on as if nothing was.
      if (error instanceof UpliftError) this.faulted(error);
      throw error;
    }
    // Notes that waited are written with them, and come first.
    for (const record of journal.records(firstNew)) {
      this.keep(record, isApplied);
      for (const listener of this.listeners) listener.record(record);
    }
  }

  note(entry: JournalBody, key: string): void {
    this.journal.note(entry, this.nowMs(), `${entry['job']}/${entry['device']} ${key}`);
  }

  /** Told to whoever listens, and noted where it is worth it: whether it was. */
  progress({ id, job, device }: Upgrade, sample: UploadSample): boolean {
    const { sentBytes, totalBytes } = sample;
    const told = { job: job.id, device, atMs: this.nowMs(), ...sample };
    for (const listener of this.listeners) listener.progress(told);
    const before = this.noted.get(id) ?? 0;
    if (Math.abs(sentBytes - before) < totalBytes * PROGRESS_SHARE) return false;
    this.noted.set(id, sentBytes);
    this.note({ kind: 'progress', job: job.id, device, sentBytes, totalBytes }, 'progress');
    return true;
  }

  retire(beforeMs: number): void {
    this.book.retire(beforeMs);
    for (const job of this.places.keys()) if (!this.book.job(job)) this.places.delete(job);
  }

  tellLink(link: string, up: boolean): void {
    for (const listener of this.listeners) listener.link?.(link, up);
  }

  /** The next attempt of it begins at nothing. */
  forgetProgress({ id }: Upgrade): void {
    this.noted.delete(id);
  }

  /** The record of a state; where it is not final, it ends by `untilMs`. */
  stateOf(
    { job, device, attempt }: { job: { id: string }; device: string; attempt: number },
    state: UpgradeState,
    untilMs: number,
    more: StateMore = {},
  ): JobRecordBody {
    const { owner } = STATE_RULES[state];
    const until = isOver(state) ? {} : { untilMs };
    return { kind: 'state', job: job.id, device, state, attempt, owner, ...more, ...until };
  }

  story(job: string): GatewayRecord[] {
    return (this.places.get(job) ?? []).flatMap((sequence) => [
      ...this.journal.records(sequence, 1),
    ]);
  }

  /** Where the store fails in it, nothing more is written. */
  guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
      this.faulted(error);
    }
  }

  faulted(error: UpliftError): void {
    if (this.trouble) return;
    this.trouble = error;
    this.onTrouble();
  }

  private keep(record: GatewayRecord, isApplied = false): void {
    const job = record['job'];
    if (typeof job === 'string') {
      const places = this.places.get(job);
      if (places) places.push(record.sequence);
      else this.places.set(job, [record.sequence]);
    }
    // Notes that were written with them are not.
    const isKnown = isApplied && (record.kind === 'state' || record.kind === 'intent');
    if (isJobRecord(record) && !isKnown) this.book.apply(record);
    if (record.kind === 'state') this.keepSaid(record, record['runs']);
    if (record.kind !== 'device-read') return;
    this.keepSaid(record, record['version']);
    const { atMs, device, version: _, fileVersion: _file, ...found } = record;
    const { answers, code, detail, next } = found as Partial<DeviceReadingView>;
    this.readings.set(device as string, {
      atMs,
      ...(answers === undefined ? {} : { answers }),
      ...(code === undefined ? {} : { code }),
      ...(detail === undefined ? {} : { detail }),
      ...(next === undefined ? {} : { next }),
    });
  }

  private keepSaid({ device, atMs, fileVersion }: GatewayRecord, version: unknown): void {
    if (typeof version !== 'string') return;
    this.said.set(device as string, {
      version,
      ...(typeof fileVersion === 'string' ? { fileVersion } : {}),
      atMs,
    });
  }
}
