/** `uplift lab run`: scenarios on a rig, with what happens as it does. Ctrl-C cleans up; `--resume` goes on. */
import { randomInt } from 'node:crypto';
import { join, resolve } from 'node:path';
import { escapeText } from '../bytes/escape-text.ts';
import { loadRig } from '../config/load.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import { replayCommand } from '../lab/report/replay.ts';
import { writeReports } from '../lab/report/write-reports.ts';
import type { RunResult } from '../lab/run-result.ts';
import { exitOf, type LabEnd, type LabEvent, type LabOptions, runLab } from '../lab/runner/lab.ts';
import { readRunLog } from '../lab/runner/run-log.ts';
import { loadScenario } from '../lab/scenario/load.ts';
import { momentOf, usage, wholeNumber } from './inputs.ts';
import { loadScenarios, valuesOf } from './lab-scenarios.ts';
import { durationText, type Output, paint, table } from './output.ts';
import { boardKind, ProgressBoard } from './progress.ts';

export interface LabRunCommandOptions {
  rig?: string;
  device?: string[];
  repeat?: string;
  until?: string;
  seed?: string;
  set?: string[];
  parallel: string;
  retryFailed: string;
  setAsideAfter: string;
  run?: string[];
  out?: string;
  resume?: string;
  keepRecordings?: boolean;
}

const SEED_MAX = 0xffff_ffff;
const REPEAT_MAX = 1_000_000;
const PARALLEL_MAX = 256;
const RETRIES_MAX = 100;

export async function runScenarios(
  named: readonly string[],
  options: LabRunCommandOptions,
  version: string,
  output: Output,
): Promise<ExitCode> {
  const lab = options.resume === undefined ? newLab(named, options) : resumedLab(named, options);
  const stop = new AbortController();
  const onInterrupt = () => {
    if (stop.signal.aborted) process.exit(EXIT.interrupted);
    output.event({ kind: 'stopping' }, 'stopping: cleaning up (Ctrl-C again to leave at once)');
    stop.abort();
  };
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onInterrupt);
  const show = new LabScreen(output, resolve(lab.folder));
  try {
    const end = await runLab({
      ...lab,
      version,
      signal: stop.signal,
      onEvent: (event) => show.take(event),
    });
    show.done();
    const reports = writeReports(lab.folder);
    const lines = endLines(end, reports.html);
    output.result(
      { kind: 'result', ...end, reports },
      lines,
      exitOf(end) === EXIT.done ? [] : lines,
    );
    return exitOf(end);
  } finally {
    show.done();
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onInterrupt);
  }
}

function newLab(named: readonly string[], options: LabRunCommandOptions): LabOptions {
  if (named.length === 0) throw usage('SCENARIO', 'a scenario file or name', 'none');
  if (options.rig === undefined) throw usage('--rig', 'a rig file', 'none');
  const { repeat, until, seed, device, run } = options;
  const moment = new Date().toISOString().slice(0, 19).replace(/[T:]/g, '-');
  return {
    rig: loadRig(options.rig),
    scenarios: loadScenarios(named, valuesOf(options.set)),
    folder: options.out ?? join('.uplift', 'lab', moment),
    seed: seed === undefined ? randomInt(SEED_MAX) : wholeNumber(seed, '--seed', SEED_MAX),
    devices: device,
    only: run,
    untilMs: until === undefined ? undefined : momentOf('--until', until),
    ...(repeat === undefined ? {} : { repeat: positive(repeat, '--repeat', REPEAT_MAX) }),
    ...pacing(options),
  };
}

/** Rig, scenarios and seed are those it began with. */
function resumedLab(named: readonly string[], options: LabRunCommandOptions): LabOptions {
  const folder = options.resume!;
  if (named.length > 0 || options.rig !== undefined || options.seed !== undefined) {
    const expected = 'the folder alone: scenarios, rig and seed are those that it began with';
    throw usage('--resume', expected, 'one of them besides');
  }
  const { head } = readRunLog(folder);
  const scenarios = head.scenarios.map(({ name, path, values }) => {
    if (path !== undefined) return loadScenario(path, values);
    throw new UpliftError('scenario-of-program', `${name} was run by a program`, {
      next: 'run that program again',
    });
  });
  const { until } = options;
  const { repeat, devices, only } = head;
  if (repeat === undefined && until === undefined) {
    throw usage('--until', 'the time at which it ends, as it began with one', 'none');
  }
  return {
    rig: loadRig(head.rig.path),
    scenarios,
    folder,
    seed: head.seed,
    resume: true,
    ...{ devices, only },
    ...(repeat === undefined ? {} : { repeat }),
    untilMs: until === undefined ? undefined : momentOf('--until', until),
    ...pacing(options),
  };
}

function pacing({ parallel, retryFailed, setAsideAfter, keepRecordings }: LabRunCommandOptions) {
  return {
    parallel: positive(parallel, '--parallel', PARALLEL_MAX),
    retries: wholeNumber(retryFailed, '--retry-failed', RETRIES_MAX),
    setAsideAfter: positive(setAsideAfter, '--set-aside-after', REPEAT_MAX),
    keepRecordings: keepRecordings === true,
  };
}

function positive(text: string, option: string, most: number): number {
  const value = wholeNumber(text, option, most);
  if (value > 0) return value;
  throw usage(option, 'a number from 1', text);
}

/** What is seen of it: a line for each run that ends, and at a terminal one for each device that moves. */
class LabScreen {
  private readonly output: Output;
  private readonly folder: string;
  private readonly board: ProgressBoard;
  private runs = 0;
  private ended = 0;

  constructor(output: Output, folder: string) {
    this.output = output;
    this.folder = folder;
    // In a log of a night a line a run is enough.
    this.board = new ProgressBoard(boardKind(output) === 'moving' ? 'moving' : 'off');
  }

  take(event: LabEvent): void {
    if (event.kind === 'run') {
      this.takeRunEvent(event);
      return;
    }
    if (event.kind === 'planned') {
      this.runs = event.runs;
      this.ended = event.done;
    }
    if (event.kind === 'ended' && event.isFinal) this.ended++;
    if (this.output.json) this.output.event(plain(event));
    if (this.output.json || this.output.quiet) return;
    this.board.line(this.lineOf(event));
    const replay = event.kind === 'ended' && replayCommand(event.result, this.folder);
    if (replay) this.board.line(`    replay  ${replay}`);
  }

  done(): void {
    this.board.done();
  }

  private takeRunEvent({ event, run }: Extract<LabEvent, { kind: 'run' }>): void {
    if (this.output.json && this.output.verbose && event.kind !== 'flash') {
      this.output.event({ ...event, run });
    }
    if (event.kind !== 'flash') return;
    const { device, event: said } = event;
    const nowMs = Date.now();
    if (said.kind === 'progress') {
      const { sentBytes, totalBytes, repeats, lastRequestMs } = said.sample;
      this.board.update(device, { sentBytes, totalBytes, repeats, lastRequestMs }, nowMs);
    }
    if (said.kind === 'session' && said.event.kind === 'state') {
      this.board.update(device, { state: said.event.state }, nowMs);
    }
  }

  private lineOf(event: Exclude<LabEvent, { kind: 'run' }>): string {
    switch (event.kind) {
      case 'planned': {
        const { runs, seed, done } = event;
        const count = runs === 0 ? 'runs until the time is up' : `${runs} runs`;
        return `${count}${done > 0 ? `, ${done} done before` : ''}; seed ${seed}`;
      }
      case 'begun':
        return `${paint('dim', '·')} ${event.run} on ${event.devices.join(', ')}`;
      case 'set-aside':
        return paint('yellow', `${event.device} is set aside: its rig failed again and again`);
      case 'ended':
        return endedLine(event.result, event.isFinal, `${this.ended}${this.ofRuns()}`);
    }
  }

  private ofRuns(): string {
    return this.runs > 0 ? ` of ${this.runs}` : '';
  }
}

function endedLine(result: RunResult, isFinal: boolean, count: string): string {
  const { run, outcome, failure, wallMs } = result;
  const took = durationText(wallMs);
  if (failure === undefined) {
    const mark = outcome === 'passed' ? paint('green', '✓') : paint('yellow', '…');
    return `${mark} ${run}  ${outcome}, ${took}  (${count})`;
  }
  const { class: failedAs, code, message } = failure;
  const words = `${failedAs}: ${code}, ${escapeText(message)}`;
  const next = isFinal ? `(${count})` : 'tried again';
  return `${paint('red', '✗')} ${run}  ${words}, ${took}  ${next}`;
}

/** Curves and steps are in the log. */
function plain(event: Exclude<LabEvent, { kind: 'run' }>): unknown {
  if (event.kind !== 'ended') return event;
  const { timeline, steps, upgrades, ...result } = event.result;
  return { ...event, result };
}

function endLines(end: LabEnd, html: string): string[] {
  const { passed, failed, left, setAside, seed, folder } = end;
  const counts = Object.entries(failed).filter(([, count]) => count > 0);
  return table([
    ['passed', `${passed}`],
    ...counts.map(([name, count]) => ['failed', `${count} ${name}`]),
    ...(left > 0 ? [['left', `${left}; \`uplift lab run --resume ${folder}\` goes on`]] : []),
    ...(setAside.length > 0 ? [['set aside', setAside.join(', ')]] : []),
    ['seed', `${seed}`],
    ['report', html],
  ]);
}
