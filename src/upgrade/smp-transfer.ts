/**
 * The upload of an image to a hub that speaks SMP: how far it is, what the hub took, and how often it may
 * break off. The session asks the hub what it has before each upload, so that a transfer outlives uploads:
 * it counts through all of them.
 *
 * It ends the course where no further upload may help; else it says what is next.
 */
import { decodeHex } from '../bytes/hex.ts';
import type { SmpClient } from '../protocol/smp/client.ts';
import type { SmpFailure } from '../protocol/smp/codes.ts';
import type { ImageEntry, SmpEvent } from '../protocol/smp/messages.ts';
import type { HubCourse } from './hub-course.ts';
import type { SmpSessionRequest, UploadSample } from './hub-session-messages.ts';
import { sameBytes } from './smp-plan.ts';

/** An upload that moves may take its time; one that never ends is ended. */
const TRANSFER_MS_MAX = 24 * 3_600_000;

/** `on-hub`: the hub lists the image. `broken-off`: it is to be asked again what it has, or all is over. */
export type TransferOutcome = 'under-way' | 'on-hub' | 'broken-off';

/** What is under way. `check`: the list after the upload. */
type Step = 'none' | 'upload' | 'check';

export class SmpTransfer {
  private readonly request: SmpSessionRequest;
  private readonly course: HubCourse;
  private readonly client: SmpClient;
  private readonly hash: Uint8Array;
  private readonly sample: UploadSample;
  private step: Step = 'none';
  /** Of the request or upload that the step waits for. */
  private awaitedId = 0;
  private inRecovery = false;
  private endMs = Number.POSITIVE_INFINITY;
  /** Breaks since the upload last came further than before. */
  private breaks = 0;
  private furthestBytes = 0;
  /** Of uploads before this one. */
  private blocksBefore = 0;
  private repeatsBefore = 0;

  constructor(request: SmpSessionRequest, course: HubCourse, client: SmpClient, hash: Uint8Array) {
    this.request = request;
    this.course = course;
    this.client = client;
    this.hash = hash;
    this.sample = {
      sentBytes: 0,
      totalBytes: request.hubImage.sendBytes.length,
      blocks: 0,
      repeats: 0,
      lastRequestMs: Number.NEGATIVE_INFINITY,
    };
  }

  /** Uploads, or goes on where the hub has it. `inRecovery`: it is its serial recovery that takes it. */
  begin(inRecovery: boolean, nowMs: number): void {
    const { hubImage, image, limits, smp } = this.request;
    this.inRecovery = inRecovery;
    if (this.course.state !== 'distributing') {
      this.endMs = nowMs + TRANSFER_MS_MAX;
      this.course.enter('distributing', nowMs + limits.progressMs);
    }
    this.step = 'upload';
    this.awaitedId = this.client.startUpload(
      {
        image: hubImage.sendBytes,
        sha256: decodeHex(image.sendSha256)!,
        imageHash: this.hash,
        // To serial recovery a number names a slot, and none the primary.
        ...(smp.imageNumber === 0 || inRecovery ? {} : { imageNumber: smp.imageNumber }),
      },
      nowMs,
    );
  }

  handle(event: SmpEvent, nowMs: number): TransferOutcome {
    if (event.id !== this.awaitedId) return 'under-way';
    switch (event.kind) {
      case 'upload-started':
        if (event.resumed) this.course.note(`goes on at byte ${event.offset}`);
        this.progress(event.offset, nowMs);
        return 'under-way';
      case 'upload-progress':
        this.count(event.requests, event.lost);
        this.progress(event.offset, nowMs);
        return 'under-way';
      case 'upload-restarted':
        // Whoever answers now is asked who it is before it gets the next byte.
        return this.breakOff('the hub restarted in the upload, or lost it');
      case 'uploaded':
        this.count(event.statistics.requests, event.statistics.lost);
        this.handleUploaded(nowMs);
        return 'under-way';
      case 'answered':
        return this.handleList('images' in event.answer ? event.answer.images : []);
      case 'failed':
        return this.handleFailed(event.failure);
    }
  }

  /** Gives up what is under way; what the hub has it keeps. */
  rest(): void {
    const id = this.awaitedId;
    this.awaitedId = 0;
    if (this.step === 'upload') {
      this.client.cancel(id);
      this.keepCounts();
    }
    this.step = 'none';
  }

  private handleUploaded(nowMs: number): void {
    const { sample } = this;
    this.keepCounts();
    sample.sentBytes = sample.totalBytes;
    sample.lastRequestMs = nowMs;
    this.course.sample(sample, true);
    this.step = 'check';
    this.awaitedId = this.client.request({ kind: 'image-list' });
  }

  private handleList(images: readonly ImageEntry[]): TransferOutcome {
    const listed = images.some(
      ({ hash, active, slot }) =>
        sameBytes(hash, this.hash) && (this.inRecovery ? slot === 0 : !active),
    );
    if (!listed) return this.breakOff('the hub does not list the image it was sent');
    this.rest();
    return 'on-hub';
  }

  private handleFailed({ device, message }: SmpFailure): TransferOutcome {
    const refused = this.step === 'upload' && device !== undefined;
    if (!refused) return this.breakOff(message);
    this.course.fail('upload-refused', message);
    return 'broken-off';
  }

  /** The upload came to a stop: as often as may be, the hub is asked what it has, and it goes on. */
  private breakOff(reason: string): TransferOutcome {
    const { sentBytes } = this.sample;
    this.rest();
    if (sentBytes > this.furthestBytes) this.breaks = 0;
    this.furthestBytes = Math.max(this.furthestBytes, sentBytes);
    this.breaks++;
    if (this.breaks >= this.request.limits.attemptsMax) {
      this.course.fail(this.inRecovery ? 'left-in-bootloader' : 'transfer-broken', reason);
    } else {
      this.course.note(`${reason.replace(/\.$/, '')}; asked again what it has`);
    }
    return 'broken-off';
  }

  private progress(sentBytes: number, nowMs: number): void {
    const { sample } = this;
    if (sentBytes > sample.sentBytes)
      this.course.prolong(Math.min(this.endMs, nowMs + this.request.limits.progressMs));
    sample.sentBytes = sentBytes;
    sample.lastRequestMs = nowMs;
    this.course.sample(sample);
  }

  /** `requests` and `lost` are of this upload alone. */
  private count(requests: number, lost: number): void {
    this.sample.blocks = this.blocksBefore + requests;
    this.sample.repeats = this.repeatsBefore + lost;
  }

  private keepCounts(): void {
    this.blocksBefore = this.sample.blocks;
    this.repeatsBefore = this.sample.repeats;
  }
}
