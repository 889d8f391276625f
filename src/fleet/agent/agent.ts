/**
 * The gateway's side of a fleet: it learns what the gateway should be doing, brings what is needed for it,
 * and tells what became of it. When it asks is decided by beat.ts; what it says goes by wire.ts.
 *
 * What the coordinator wants is on disk before it is followed, with its signed campaigns beside it: a
 * gateway that is started without a WAN goes on with them. An answer that does not come changes nothing.
 *
 * A coordinator is a carrier and no more: a campaign is what its signatures say, which the follower
 * checks, and an image is its digest.
 */
import type { Log, Random, Timers } from '../../ports.ts';
import { sha256Hex } from '../../trust/digest.ts';
import type { Inventory, JournalMark } from '../wire.ts';
import { AgentRecords } from './agent-records.ts';
import { Beat } from './beat.ts';
import type { Answer, Ask, BeatCondition, BeatEvent } from './beat-messages.ts';
import { BEAT, type BeatSettings } from './beat-settings.ts';
import { type BlobCondition, type BlobKind, BlobQueue, type WantedBlob } from './blob-queue.ts';
import {
  type CampaignFollower,
  type CarriedCampaign,
  COORDINATOR,
  type FollowedCampaign,
} from './carrier.ts';
import { sentenceOf } from './codes.ts';
import { download, MemorySink } from './download.ts';
import { boundedStretch, type EventSource } from './event-source.ts';
import type { FleetLink } from './fleet-link.ts';
import { ImageSink, tendUploads, type UploadStore } from './image-sink.ts';

/** Signed campaigns by their SHA-256, on disk when `put` returns. */
export interface DocumentStore {
  get(sha256: string): Uint8Array | undefined;
  put(bytes: Uint8Array): string;
}

export interface FleetAgentOptions {
  gateway: string;
  /** Of Uplift. */
  version: string;
  /** SHA-256 of the gateway's certificate: by which it is known when it has enrolled. */
  fingerprint: string;
  /** To enrol with, once. */
  token?: string | undefined;
  /** The agent's own: what it keeps is in there. */
  folder: string;
  link: FleetLink;
  follower: CampaignFollower;
  events: EventSource;
  inventory: () => Inventory;
  images: UploadStore;
  documents: DocumentStore;
  timers: Timers;
  random: Random;
  log: Log;
  settings?: BeatSettings;
}

export interface FleetStatus {
  connected: boolean;
  enrolled: boolean;
  /** When the coordinator last answered. */
  lastContactMs: number | undefined;
  /** The gravest first. */
  conditions: readonly BeatCondition[];
  blobs: { waiting: number; conditions: readonly BlobCondition[] };
  eventsWaiting: number;
  /** Of what the coordinator wants. */
  desiredVersion: number | undefined;
  /** Of blobs, since the start: bytes that came, and those among them that were stored. */
  fetchedBytes: number;
  storedBytes: number;
}

const BY = 'fleet:coordinator';
/** More often than the store forgets an upload. */
const TEND_MS = 60 * 60 * 1000;
const FAULT_PAUSE_MS = 60_000;
/** Nothing of these is to be started. */
const OVER: readonly FollowedCampaign['state'][] = ['refused', 'finished', 'aborted', 'expired'];

export class FleetAgent {
  private readonly options: FleetAgentOptions;
  private readonly records: AgentRecords;
  private readonly beat: Beat;
  private readonly blobs: BlobQueue;
  private readonly inventoryAgeMs: number;
  /** How far the coordinator has the journal. */
  private mark: JournalMark | undefined;
  private inventoryDigest = '';
  private inventoryReadMs = Number.NEGATIVE_INFINITY;
  private tendedMs = Number.NEGATIVE_INFINITY;
  /** Of each campaign the document that was followed last: a newer one may be on its way. */
  private readonly followed = new Map<string, string>();
  /** Documents of what is wanted. */
  private lacking: WantedBlob[] = [];
  private readonly underWay = new Set<Promise<void>>();
  private timer: { cancel(): void } | undefined;
  private isStopped = false;
  /** The coordinator answered this very process: it knows the gateway, however that came about. */
  private isKnown = false;
  /** Not where the gateway failed at it: then it is tried again. */
  private isFollowed = false;
  /** Ends the long poll. */
  private poll: AbortController | undefined;
  private fetchedBytes = 0;
  private storedBytes = 0;

  constructor(options: FleetAgentOptions) {
    const { timers, random, settings = BEAT } = options;
    this.options = options;
    this.inventoryAgeMs = settings.inventoryAgeMs;
    this.records = new AgentRecords(options.folder);
    const nowMs = timers.nowMs();
    const told = this.records.inventoryTold.value;
    this.beat = new Beat(
      {
        hasToken: options.token !== undefined,
        isEnrolled: this.isEnrolled,
        ...(told ? { inventory: told } : {}),
      },
      random,
      nowMs,
      settings,
    );
    this.blobs = new BlobQueue(random);
    this.mark = this.records.told.value;
  }

  /** Follows what was wanted last, and begins to ask. */
  start(): void {
    this.follow();
    this.step();
  }

  /** Something happened that is to be told, or a campaign is followed otherwise than before. */
  wake(): void {
    if (!this.isStopped) this.step();
  }

  /** A device came, went, or runs another version. */
  inventoryChanged(): void {
    this.inventoryReadMs = Number.NEGATIVE_INFINITY;
    this.wake();
  }

  /** When it returns nothing is under way. */
  async stop(): Promise<void> {
    this.isStopped = true;
    this.timer?.cancel();
    this.options.link.close();
    await Promise.all(this.underWay);
  }

  /** How far the coordinator is known to have the journal. */
  get told(): JournalMark | undefined {
    return this.mark;
  }

  /** Signed campaigns that are to be kept, by their SHA-256. */
  get documentsNeeded(): string[] {
    const wanted = this.records.desired.value?.campaigns.map(({ document }) => document.sha256);
    return [...(wanted ?? []), ...this.followed.values()];
  }

  status(): FleetStatus {
    const { beat, blobs, records } = this;
    return {
      connected: beat.isConnected,
      enrolled: this.isKnown || this.isEnrolled,
      lastContactMs: beat.lastContactMs,
      conditions: beat.standing,
      blobs: { waiting: blobs.waiting, conditions: blobs.conditions },
      eventsWaiting: this.options.events.waiting(this.mark),
      desiredVersion: records.desired.value?.version,
      fetchedBytes: this.fetchedBytes,
      storedBytes: this.storedBytes,
    };
  }

  private get isEnrolled(): boolean {
    return this.records.enrolled.value?.certificate === this.options.fingerprint;
  }

  private get nowMs(): number {
    return this.options.timers.nowMs();
  }

  /** Goes on; where the gateway itself fails at it (its journal, its disk), a little later. */
  private step(): void {
    if (this.isStopped) return;
    this.timer?.cancel();
    try {
      this.advance();
    } catch (error) {
      this.options.log.write('error', `fleet: ${(error as Error).message}`, { error });
      this.timer = this.options.timers.after(FAULT_PAUSE_MS, () => this.step());
    }
  }

  /** Runs what is due, and wakes for what will be. */
  private advance(): void {
    const { beat } = this;
    const { nowMs } = this;
    this.checkMark(nowMs);
    this.levels(nowMs);
    for (let ask = beat.pollTransmit(nowMs); ask; ask = beat.pollTransmit(nowMs)) this.begin(ask);
    for (let event = beat.pollEvent(); event; event = beat.pollEvent()) this.say(event);
    const dueMs = Math.min(beat.pollTimeout(), this.inventoryReadMs + this.inventoryAgeMs);
    const tendMs = this.records.uploads.value ? this.tendedMs + TEND_MS : Number.POSITIVE_INFINITY;
    const wakeMs = Math.max(0, Math.min(dueMs, tendMs) - nowMs);
    this.timer = this.options.timers.after(wakeMs, () => this.step());
  }

  private levels(nowMs: number): void {
    const { events, images } = this.options;
    this.wantBlobs(nowMs);
    if (nowMs - this.tendedMs >= TEND_MS || nowMs < this.tendedMs) {
      tendUploads(images, this.records.uploads, this.wantedImages(), nowMs);
      this.tendedMs = nowMs;
    }
    const age = nowMs - this.inventoryReadMs;
    if (age >= this.inventoryAgeMs || age < 0) {
      this.inventoryDigest = digestOf(this.options.inventory());
      this.inventoryReadMs = nowMs;
    }
    this.beat.handleWork(
      {
        events: this.beat.isMarked ? events.waiting(this.mark) > 0 : true,
        inventory: this.inventoryDigest,
        documentMs: this.blobs.nextMs('document'),
        imageMs: this.blobs.nextMs('image'),
      },
      nowMs,
    );
  }

  private begin(ask: Ask): void {
    const run = this.run(ask)
      .catch((error: unknown): Answer => {
        // A fault of this gateway, not of the coordinator: the next try may find it mended.
        const detail = (error as Error).message;
        this.options.log.write('error', `fleet: ${ask.errand}: ${detail}`, { error });
        return { kind: 'later', code: 'fleet-gateway', detail };
      })
      .then((answer) => {
        this.underWay.delete(run);
        if (this.isStopped) return;
        this.beat.handleAnswer(ask.errand, answer, this.nowMs);
        this.step();
      });
    this.underWay.add(run);
  }

  private run(ask: Ask): Promise<Answer> {
    switch (ask.errand) {
      case 'enrol':
        return this.enrol();
      case 'desired':
        return this.askDesired(ask);
      case 'events':
        return this.tellEvents();
      case 'inventory':
        return this.tellInventory();
      case 'document':
      case 'image':
        return this.fetchBlob(ask.errand);
    }
  }

  private async enrol(): Promise<Answer> {
    const { link, gateway, version, token = '', fingerprint } = this.options;
    const answer = await link.enrol({ token, gateway, version });
    if (answer.kind !== 'answered') return answer;
    const { value } = answer;
    if (value.gateway !== gateway || value.certificate !== fingerprint) {
      const detail = `${value.gateway}, ${value.certificate}`;
      return { kind: 'refused', code: 'fleet-other-identity', detail };
    }
    // A journal is told from its beginning to whom it is new.
    this.keepMark(undefined);
    this.records.enrolled.set(value);
    return { kind: 'done' };
  }

  private async askDesired({
    conditional,
    waitSeconds,
  }: Extract<Ask, { errand: 'desired' }>): Promise<Answer> {
    const { desired } = this.records;
    const known = desired.value;
    const poll = new AbortController();
    this.poll = poll;
    const version = conditional ? known?.version : undefined;
    const answer = await this.options.link.desired(version, waitSeconds, poll.signal);
    if (answer.kind === 'unchanged') {
      this.isKnown = true;
      if (!this.isFollowed) this.follow();
      return { kind: 'done', pollMs: known!.pollMs };
    }
    if (answer.kind !== 'answered') return poll.signal.aborted ? { kind: 'ended' } : answer;
    this.isKnown = true;
    const { value } = answer;
    if (!conditional) this.keepMark(value.journal);
    const isNew = JSON.stringify(value) !== JSON.stringify(known);
    if (isNew) desired.set(value);
    if (isNew || !this.isFollowed) this.follow();
    return { kind: 'done', pollMs: value.pollMs, more: isNew };
  }

  private async tellEvents(): Promise<Answer> {
    const { link, events } = this.options;
    const batch = boundedStretch(events, this.mark);
    if (!batch) return { kind: 'done' };
    const answer = await link.postEvents(batch);
    if (answer.kind !== 'answered') return answer;
    const { journal, retryAfterMs } = answer.value;
    this.keepMark(journal);
    const more = events.waiting(journal) > 0;
    return { kind: 'done', more, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }

  private async tellInventory(): Promise<Answer> {
    const inventory = this.options.inventory();
    const digest = digestOf(inventory);
    const answer = await this.options.link.postInventory(inventory);
    if (answer.kind !== 'answered') return answer;
    this.records.inventoryTold.set({ digest, atMs: this.nowMs });
    return { kind: 'done' };
  }

  private async fetchBlob(kind: BlobKind): Promise<Answer> {
    const { link, images, timers, documents, follower } = this.options;
    const blob = this.blobs.next(kind, this.nowMs);
    if (!blob) return { kind: 'ended' };
    const { sha256 } = blob;
    const memory = kind === 'document' ? new MemorySink(blob) : undefined;
    const sink = memory ?? new ImageSink(images, this.records.uploads, timers, blob);
    const { end, fetchedBytes } = await download(link, blob, sink, () => this.blobs.has(sha256));
    this.fetchedBytes += fetchedBytes;
    if (this.isStopped) return { kind: 'ended' };
    if (!this.blobs.has(sha256)) return { kind: 'ended' };
    this.blobs.handleEnd(sha256, end, this.nowMs);
    if (end.kind !== 'stored') {
      const { code, detail } = end;
      const fields = { code, sha256, detail };
      this.options.log.write('warning', `fleet: a ${kind} is not here yet`, fields);
      return { kind: 'ended' };
    }
    this.storedBytes += blob.bytes;
    if (memory) {
      documents.put(memory.content);
      this.follow();
    } else {
      follower.imageStored();
    }
    return { kind: 'done' };
  }

  /** Hands on all that is wanted and whose document is here. */
  private follow(): void {
    const { documents, follower } = this.options;
    const desired = this.records.desired.value;
    this.lacking = [];
    if (!desired) return;
    this.isFollowed = false;
    const campaigns = desired.campaigns.flatMap((campaign): CarriedCampaign[] => {
      const { digest, course, devices } = campaign;
      const wanted = documents.get(campaign.document.sha256);
      if (!wanted) this.lacking.push({ kind: 'document', ...campaign.document });
      const before = this.followed.get(digest);
      // Signed anew, and not here yet: what it wants is the same.
      const document = wanted ?? (before === undefined ? undefined : documents.get(before));
      if (!document) return [];
      if (wanted) this.followed.set(digest, campaign.document.sha256);
      return [{ document, course, devices }];
    });
    const digests = new Set(desired.campaigns.map(({ digest }) => digest));
    for (const digest of this.followed.keys()) {
      if (!digests.has(digest)) this.followed.delete(digest);
    }
    follower.desire(COORDINATOR, campaigns, BY);
    this.isFollowed = true;
  }

  private wantBlobs(nowMs: number): void {
    const { follower, images } = this.options;
    const wanted = [...this.lacking];
    for (const { carrier, state, missing } of follower.campaigns()) {
      if (carrier !== COORDINATOR || OVER.includes(state)) continue;
      for (const { sha256, bytes } of missing) {
        if (!images.has(sha256)) wanted.push({ kind: 'image', sha256, bytes });
      }
    }
    this.blobs.want(wanted, `${this.records.desired.value?.version ?? ''}`, nowMs);
  }

  private wantedImages(): Set<string> {
    const all = this.options.follower.campaigns().flatMap(({ missing }) => missing);
    return new Set(all.map(({ sha256 }) => sha256));
  }

  private keepMark(mark: JournalMark | undefined): void {
    this.mark = mark;
    const { told } = this.records;
    const isSame = told.value?.sequence === mark?.sequence && told.value?.hash === mark?.hash;
    if (!isSame) told.set(mark);
  }

  /** Whether the coordinator's end of the journal is this journal's too. */
  private checkMark(nowMs: number): void {
    const { beat, mark } = this;
    if (!beat.isMarked || mark === undefined) return;
    if (this.options.events.holds(mark)) return;
    const detail = `record ${mark.sequence} is not the one that was told of`;
    beat.handleUntellable('events-forked', detail, nowMs);
  }

  private say(event: BeatEvent): void {
    const { log } = this.options;
    if (event.kind === 'interrupt') this.poll?.abort();
    else if (event.kind === 'connected') log.write('info', 'fleet: the coordinator answers');
    else if (event.kind === 'condition') {
      const { about, code, detail } = event.condition;
      log.write('warning', `fleet: ${about}: ${sentenceOf(code)}`, { code, detail });
    } else log.write('info', `fleet: ${event.about}: in order again`, { code: event.code });
  }
}

function digestOf(inventory: Inventory): string {
  return sha256Hex(Buffer.from(JSON.stringify(inventory)));
}
