/**
 * `uplift watch`: follows a running gateway until Ctrl-C. At a terminal it is a picture that is kept up to date;
 * elsewhere, and with --json, a line an event. When the gateway goes away it says so, asks again until it answers, says
 * that too, and goes on with the very next record.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient, ApiEvent } from '../api/client.ts';
import type { JobSummary, JobView } from '../api/views.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import type { DeviceView, HealthView } from '../gateway/control.ts';
import { type AskOptions, clientOf } from './job.ts';
import { followLine } from './job-lines.ts';
import { canMove, MovingLines } from './moving-lines.ts';
import { durationText, type Output, paint, writeLine } from './output.ts';
import { type GatewayPicture, headLines, WatchBoard } from './watch-board.ts';

export interface WatchOptions extends AskOptions {
  once?: boolean;
}

/** Open jobs that are shown device by device, and for how many devices one may be; of others only how many. */
const JOBS_SHOWN = 50;
const DEVICES_SHOWN = 200;
const JOBS_ASKED = 1_000;
/** How often it is asked how it is: a link that goes down is in no record. */
const REFRESH_PERIOD_MS = 2_000;
const RETRY_PAUSE_MS = 1_000;
/** Shown from the past when it begins. */
const RECORDS_BEFORE = 6;
const LINES_WITHOUT_TERMINAL = { columns: 1_000, rows: 1_000 };

export async function watch(options: WatchOptions, output: Output): Promise<ExitCode> {
  // Every loss is told, none is passed over in silence.
  const client = clientOf(options, { attemptsMax: 0, pauseMs: RETRY_PAUSE_MS });
  const picture = await pictureOf(client);
  if (options.once) {
    const board = new WatchBoard();
    const nowMs = Date.now();
    board.show(picture, nowMs);
    const troubles = headLines(picture, undefined, nowMs).slice(1);
    output.result(
      picture,
      board.lines(LINES_WITHOUT_TERMINAL, nowMs),
      troubles.map(([text]) => text),
    );
    return EXIT.done;
  }
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  // Not `once`: what gives the cursor back would find nobody left who hears it, and end the process by the signal.
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  const watcher = new Watcher(client, output, stop.signal);
  try {
    await watcher.run(picture);
    return EXIT.interrupted;
  } finally {
    watcher.done();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

class Watcher {
  private readonly client: ApiClient;
  private readonly output: Output;
  private readonly signal: AbortSignal;
  private readonly board = new WatchBoard();
  private readonly moving: MovingLines | undefined;
  private readonly timer: NodeJS.Timeout;
  /** Sequence of the last record that was told. */
  private told = 0;
  private startedMs = 0;
  private isRefreshing = false;
  private lostMs: number | undefined;

  constructor(client: ApiClient, output: Output, signal: AbortSignal) {
    this.client = client;
    this.output = output;
    this.signal = signal;
    if (!output.json && !output.quiet && canMove()) {
      this.moving = new MovingLines((size) => this.board.lines(size, Date.now()));
    }
    this.timer = setInterval(() => void this.refresh(), REFRESH_PERIOD_MS);
    this.timer.unref();
  }

  /** Until it is aborted. @throws UpliftError for what asking again does not help */
  async run(picture: GatewayPicture): Promise<void> {
    const head = picture.health.journal.sequence;
    this.told = this.moving ? Math.max(0, head - RECORDS_BEFORE) : head;
    this.show(picture);
    while (!this.signal.aborted) {
      try {
        if (this.lostMs !== undefined) this.show(await pictureOf(this.client));
        const wish = { from: this.told + 1 };
        for await (const event of this.client.events(wish, this.signal)) this.hear(event);
      } catch (error) {
        if (!(error instanceof UpliftError) || error.exit !== EXIT.notReachable) throw error;
        this.lose(error);
        await sleep(RETRY_PAUSE_MS, undefined, { signal: this.signal }).catch(() => {});
      }
    }
  }

  done(): void {
    clearInterval(this.timer);
    this.moving?.done();
  }

  private async refresh(): Promise<void> {
    if (this.isRefreshing || this.lostMs !== undefined) return;
    this.isRefreshing = true;
    try {
      const picture = await pictureOf(this.client);
      if (this.lostMs === undefined) this.show(picture);
    } catch {
      // The stream is lost too, and that is told.
    } finally {
      this.isRefreshing = false;
    }
  }

  /** The first time, after a loss, and now and then; only what is new of it is told. */
  private show(picture: GatewayPicture): void {
    const nowMs = Date.now();
    const { startedMs } = picture.health;
    const isFirst = this.startedMs === 0;
    const isRestarted = !isFirst && startedMs !== this.startedMs;
    this.startedMs = startedMs;
    this.board.show(picture, nowMs);
    const lostMs = this.lostMs;
    this.lostMs = undefined;
    if (lostMs !== undefined || isRestarted) {
      const afterMs = lostMs === undefined ? 0 : nowMs - lostMs;
      const after = lostMs === undefined ? '' : ` after ${durationText(afterMs)}`;
      const what = isRestarted ? ', it was started anew' : '';
      const text = `the gateway answers again${after}${what}`;
      this.tell({ event: 'back', afterMs, isRestarted }, paint('green', text));
    }
    if (isFirst || lostMs !== undefined || isRestarted) this.tellPicture(picture, nowMs);
  }

  private tellPicture(picture: GatewayPicture, nowMs: number): void {
    if (this.output.json) this.output.event({ event: 'picture', ...picture });
    else if (!this.moving) {
      for (const [text] of headLines(picture, undefined, nowMs)) this.output.event({}, text);
    }
  }

  private lose(error: UpliftError): void {
    const nowMs = Date.now();
    if (this.lostMs !== undefined) return;
    this.lostMs = nowMs;
    this.board.lost(nowMs);
    const { code, actual } = error;
    const text = `the gateway does not answer (${actual ?? code}); it is asked until it does`;
    this.tell({ event: 'lost', atMs: nowMs, code, actual }, paint('red', text));
  }

  private hear(event: ApiEvent): void {
    if (event.event === 'record') {
      if (event.record.sequence <= this.told) return;
      this.told = event.record.sequence;
    }
    this.board.hear(event, Date.now());
    if (this.moving) return;
    this.output.event(event, followLine(event));
  }

  private tell(document: object, text: string): void {
    if (this.moving) this.board.say(text);
    else if (this.output.json) this.output.event(document);
    else if (!this.output.quiet) writeLine(process.stderr, text);
  }
}

async function pictureOf(client: ApiClient): Promise<GatewayPicture> {
  const health = await client.get<HealthView>('/health');
  const { devices } = await client.get<{ devices: DeviceView[] }>('/devices');
  const asked = new URLSearchParams({ open: 'true', limit: `${JOBS_ASKED}` });
  const { jobs: open } = await client.get<{ jobs: JobSummary[] }>(`/jobs?${asked}`);
  const shown = open.filter(({ devices: count }) => count <= DEVICES_SHOWN).slice(0, JOBS_SHOWN);
  const jobs: JobView[] = [];
  for (const { id } of shown) jobs.push(await client.get<JobView>(`/jobs/${id}`));
  return { health, devices, jobs, otherJobs: open.filter((job) => !shown.includes(job)) };
}
