/**
 * Between a hawkBit server and the follower of campaigns: pumps the machine over HTTP, keeps what it wants
 * kept, and downloads what it wants downloaded.
 */
import type { Log, Random, Timers } from '../../ports.ts';
import type { CampaignFollower } from '../agent/carrier.ts';
import type { BookEvent } from './action-book.ts';
import { DdiHttp, type HawkbitServer } from './ddi-http.ts';
import { DdiMachine, type DdiOptions, type DdiRequest } from './ddi-machine.ts';
import { Downloads, type FetchArtifact } from './downloads.ts';
import type { HawkbitStore } from './hawkbit-folder.ts';

/** By which name the follower knows it. */
export const HAWKBIT_CARRIER = 'hawkbit';

export interface HawkbitCarrierOptions
  extends Pick<DdiOptions, 'judge' | 'hasImage' | 'pollMs' | 'downloadMs' | 'followMs'> {
  server: HawkbitServer;
  follower: CampaignFollower;
  fetch: FetchArtifact;
  store: HawkbitStore;
  /** Of this gateway, as people look for it there. */
  attributes(): Readonly<Record<string, string>>;
  timers: Timers;
  random: Random;
  log: Log;
}

/** How often the follower is asked how far it is, where nobody says that something changed. */
const WATCH_MS = 5_000;

export class HawkbitCarrier {
  private readonly options: HawkbitCarrierOptions;
  private readonly http: DdiHttp;
  private readonly machine: DdiMachine;
  private readonly downloads: Downloads;
  private timer: { cancel(): void } | undefined;
  private isStopped = false;
  private isPumping = false;

  /** @throws where files of keys and certificates cannot be read */
  constructor(options: HawkbitCarrierOptions) {
    const { server, store, fetch, timers, random, log, ...rest } = options;
    const { judge, hasImage, pollMs, downloadMs, followMs } = rest;
    this.options = options;
    this.http = new DdiHttp(server);
    const limits = {
      ...(pollMs === undefined ? {} : { pollMs }),
      ...(downloadMs === undefined ? {} : { downloadMs }),
      ...(followMs === undefined ? {} : { followMs }),
    };
    this.machine = new DdiMachine({ judge, hasImage, random, ...limits }, store.load());
    this.downloads = new Downloads({
      ...{ fetch, timers, random, log },
      placesOf: (artifact) => this.http.placesOf(artifact),
      stored: () => {
        options.follower.imageStored();
        this.machine.handleDownloaded();
        this.nudge();
      },
    });
  }

  start(): void {
    this.nudge();
  }

  /** Something may have changed: devices, campaigns, the store. */
  nudge(): void {
    if (this.isStopped || this.isPumping) return;
    this.isPumping = true;
    try {
      this.pump();
    } finally {
      this.isPumping = false;
    }
  }

  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
    this.downloads.want([]);
    this.http.close();
  }

  private pump(): void {
    const { follower, timers, attributes } = this.options;
    const nowMs = timers.nowMs();
    this.machine.setAttributes(attributes());
    this.handleEvents();
    this.machine.handleFollowed(follower.campaigns(), nowMs);
    this.machine.handleTimeout(nowMs);
    this.handleEvents();
    const request = this.machine.pollRequest(nowMs);
    if (request) void this.ask(request);
    this.timer?.cancel();
    const inMs = Math.min(WATCH_MS, Math.max(0, this.machine.pollTimeout() - nowMs));
    this.timer = timers.after(inMs, () => this.nudge());
  }

  private async ask(request: DdiRequest): Promise<void> {
    const answer = await this.http.ask(request);
    if (this.isStopped) return;
    this.machine.handleAnswer(answer, this.options.timers.nowMs());
    this.nudge();
  }

  private handleEvents(): void {
    for (let event = this.machine.pollEvent(); event; event = this.machine.pollEvent()) {
      this.handle(event);
    }
  }

  private handle(event: BookEvent): void {
    const { follower, server, log } = this.options;
    if (event.kind === 'keep') {
      this.keep(event);
    } else if (event.kind === 'desire') {
      const by = `${HAWKBIT_CARRIER}:${server.tenant}`;
      follower.desire(HAWKBIT_CARRIER, event.campaigns, by);
    } else if (event.kind === 'download') this.downloads.want(event.artifacts);
    else {
      const { level, message, code, action } = event;
      const fields = { ...(code === undefined ? {} : { code }), ...(action ? { action } : {}) };
      log.write(level, `hawkBit: ${message}`, fields);
    }
  }

  /** A full disk ends nothing: what was not kept is told and done again after a restart. */
  private keep({ state, document }: Extract<BookEvent, { kind: 'keep' }>): void {
    try {
      this.options.store.keep({ state, ...(document ? { document } : {}) });
    } catch (error) {
      const { message } = error as Error;
      this.options.log.write('error', `hawkBit: its actions cannot be kept: ${message}`);
    }
  }
}
