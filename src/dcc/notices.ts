/**
 * What Service Users are told of their devices: each step as it happens, put into the outbox once. It looks
 * at where devices are, not at how they came there; so after a start everything is looked at again, and
 * what was not told is told then.
 */
import { inPieces } from '../bytes/in-pieces.ts';
import { FailureCollector } from '../duis/failure-collector.ts';
import { type DeviceStory, type Notice, progressOf, upgradeRequested } from '../duis/progress.ts';
import { MILESTONES } from '../duis/progress-rows.ts';
import type { AcceptedRequest, RequestBook } from '../duis/request-book.ts';
import { encodeResponse } from '../duis/response.ts';
import type { Upgrade } from '../jobs/book.ts';
import { DEVICES_A_RECORD } from '../jobs/records.ts';
import type { DeviceKind } from '../products/combinations.ts';
import type { DccRecord, World } from './world.ts';

/** Upgrades that are looked at, and messages that are made, before others have their turn. */
const LOOKED_AT_A_TURN = 500;
const TOLD_A_TURN = 8;

export interface NoticesOptions {
  world: World;
  book: RequestBook;
  hasRoom(user: string): boolean;
  /** By which requests know the image of an upgrade. */
  hashOf(upgrade: Upgrade): string | undefined;
}

export class Notices {
  private readonly options: NoticesOptions;
  private readonly collector = new FailureCollector();
  /** Requests by the jobs that they made or command. */
  private readonly byJob = new Map<string, Set<string>>();
  /** `JOB/DEVICE`: where something moved. */
  private readonly moved = new Set<string>();
  /** The same, where the outbox had no room. */
  private readonly crowded = new Set<string>();
  private queued = 0;
  private lastAlertMs = 0;

  constructor(options: NoticesOptions) {
    this.options = options;
  }

  link(requestId: string, jobs: readonly string[]): void {
    for (const job of jobs) {
      const requests = this.byJob.get(job) ?? new Set();
      this.byJob.set(job, requests.add(requestId));
      const { gateway } = this.options.world;
      for (const { device } of gateway.book.job(job)?.upgrades ?? []) this.touch(job, device);
    }
  }

  /**
   * What a hub or a PPMID runs is the other supplier's concern too: whoever else supplies the premises
   * hears which of them are to be upgraded.
   */
  tellOthers(request: AcceptedRequest): void {
    const { world } = this.options;
    if (request.firmwareVersion === undefined) return;
    for (const { eui64: user, party } of world.users.values()) {
      if (party === undefined || user === request.originator) continue;
      const byKind = new Map<DeviceKind, string[]>();
      for (const deviceId of request.devices.deviceIds()) {
        if ((request.devices.marksOf(deviceId) & MILESTONES['other-told']) !== 0) continue;
        const id = world.devicesByEui.get(deviceId);
        const device = id === undefined ? undefined : world.gateway.devices.get(id);
        if (!device || !world.suppliersOf(device.id).includes(party)) continue;
        const listed = byKind.get(device.kind);
        if (listed) listed.push(deviceId);
        else byKind.set(device.kind, [deviceId]);
      }
      for (const [kind, devices] of byKind) {
        for (const deviceIds of inPieces(devices, DEVICES_A_RECORD)) {
          this.queue([upgradeRequested(request, { user, kind, deviceIds }, world.nowMs)]);
        }
      }
    }
  }

  /** Something of the upgrade is on record. */
  touch(job: string, device: string): void {
    if (this.byJob.has(job)) this.moved.add(`${job}/${device}`);
  }

  /** Jobs that are forgotten are nobody's. */
  retire(): void {
    const { gateway } = this.options.world;
    for (const job of this.byJob.keys()) if (!gateway.book.job(job)) this.byJob.delete(job);
  }

  /** A message is done with: what found no room is looked at again. */
  makeRoom(): void {
    for (const key of this.crowded) this.moved.add(key);
    this.crowded.clear();
  }

  /** 0 where it has more to do now. */
  get pollTimeout(): number {
    if (this.moved.size > 0) return 0;
    return this.collector.pollTimeout() ?? Number.POSITIVE_INFINITY;
  }

  /** Tells some of what moved, and what was gathered for long enough. */
  settle(): void {
    const { world } = this.options;
    const queuedBefore = this.queued;
    let looked = 0;
    for (const key of this.moved) {
      if (looked++ === LOOKED_AT_A_TURN || this.queued - queuedBefore >= TOLD_A_TURN) break;
      if (!this.tellMoved(key)) this.crowded.add(key);
      this.moved.delete(key);
    }
    for (;;) {
      const notice = this.collector.pollNotice(world.nowMs);
      if (!notice) return;
      this.queue([notice]);
    }
  }

  /** Kept until they are delivered: all, with what else is to be on record then, or none. */
  queue(notices: readonly Notice[], ...more: DccRecord[]): void {
    const { world } = this.options;
    const queued = notices.map(({ user, about, response }) => {
      const text = new TextDecoder().decode(encodeResponse(response, world.signInner));
      const body = world.messages.put(world.sign(text));
      return { kind: 'duis-message', step: 'queued', user, body, about } as const;
    });
    world.write(...queued, ...more);
    this.queued += queued.length;
  }

  tellFailed(
    request: AcceptedRequest,
    { deviceId, code }: { deviceId: string; code: string },
    ...more: DccRecord[]
  ): void {
    const atMs = this.options.world.nowMs;
    const stand = { state: 'failed', code, atMs, firmwareVersion: undefined } as const;
    const { notices } = progressOf(this.story(request, deviceId, stand, () => undefined));
    this.queue(notices, ...more);
  }

  /** False where an outbox has no room. */
  private tellMoved(key: string): boolean {
    const { world, book } = this.options;
    const slash = key.indexOf('/');
    const upgrade = world.gateway.book.upgrade(key.slice(0, slash), key.slice(slash + 1));
    let isTold = true;
    for (const id of this.byJob.get(key.slice(0, slash)) ?? []) {
      const request = book.request(id);
      if (upgrade && request) isTold = this.tellProgress(upgrade, request) && isTold;
    }
    return isTold;
  }

  /** False where the outbox of the user has no room. */
  private tellProgress(upgrade: Upgrade, request: AcceptedRequest): boolean {
    const { world, hasRoom } = this.options;
    const story = this.storyOf(upgrade, request);
    if (!story || !request.devices.has(story.deviceId)) return true;
    if (!hasRoom(request.originator)) return false;
    const { notices, collected } = progressOf(story);
    // One mark is for all that is told at a milestone.
    if (notices.length > 0) this.queue(notices);
    for (const one of collected) this.collector.add(one, world.nowMs);
    return true;
  }

  private storyOf(upgrade: Upgrade, request: AcceptedRequest): DeviceStory | undefined {
    const { world, book, hashOf } = this.options;
    const device = world.gateway.devices.get(upgrade.device);
    if (device?.eui64 === undefined) return undefined;
    const versions = [...(this.byJob.get(upgrade.job.id) ?? [])].flatMap(
      (id) => book.request(id)?.firmwareVersion ?? [],
    );
    const { state, code, sinceMs: atMs } = upgrade;
    const firmwareVersion = request.firmwareVersion ?? versions[0];
    return this.story(request, device.eui64, { state, code, atMs, firmwareVersion }, () =>
      hashOf(upgrade),
    );
  }

  /** Of most devices nothing is told that has a hash or a counter in it: they are asked for on demand. */
  private story(
    request: AcceptedRequest,
    deviceId: string,
    stand: Pick<DeviceStory, 'state' | 'code' | 'atMs' | 'firmwareVersion'>,
    hash: () => string | undefined,
  ): DeviceStory {
    const { world } = this.options;
    const id = world.devicesByEui.get(deviceId);
    const device = id === undefined ? undefined : world.gateway.devices.get(id);
    const nextAlertMs = () => this.nextAlertMs();
    return {
      request,
      deviceId,
      // Of one that no rig has any more nothing is known but that it was asked for.
      kind: device?.kind ?? 'ppmid',
      hubId: (id === undefined ? undefined : world.hubOf(id)) ?? deviceId,
      ...stand,
      get imageHash() {
        return hash();
      },
      ...(typeof request.execution === 'number' ? { executionMs: request.execution } : {}),
      get alertCounter() {
        return BigInt(nextAlertMs());
      },
    };
  }

  /** Rises with every alert, over restarts too as long as the clock does. */
  private nextAlertMs(): number {
    this.lastAlertMs = Math.max(this.lastAlertMs + 1, this.options.world.nowMs);
    return this.lastAlertMs;
  }
}
