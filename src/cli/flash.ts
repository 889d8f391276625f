/** `uplift flash`: upgrade now, with progress. Ctrl-C stops cleanly; the next flash goes on. */
import { EXIT, type ExitCode } from '../errors.ts';
import { type DeviceOutcome, type FlashEvent, flash as flashDevices } from '../gateway/flash.ts';
import { SESSION_LIMITS } from '../upgrade/session.ts';
import { activationOf, loadTargets, type RigOptions, usage } from './inputs.ts';
import { bytesText, durationText, type Output, paint, table } from './output.ts';
import { ProgressBoard } from './progress.ts';
import { decisionLines } from './verify.ts';

export interface FlashOptions extends RigOptions {
  activate: string;
  wait?: string;
}

export async function flash(options: FlashOptions, output: Output): Promise<ExitCode> {
  const targets = loadTargets(options);
  const activation = activationOf(options.activate, Date.now());
  const limits = {
    ...SESSION_LIMITS,
    ...(options.wait ? { contactMs: seconds(options.wait) } : {}),
  };
  const stop = new AbortController();
  const onInterrupt = () => {
    if (stop.signal.aborted) process.exit(EXIT.interrupted);
    output.event(
      { kind: 'stopping' },
      'stopping: telling the devices to wait (Ctrl-C again to leave at once)',
    );
    stop.abort();
  };
  process.on('SIGINT', onInterrupt);
  process.on('SIGTERM', onInterrupt);
  const board = new ProgressBoard(!output.json && !output.quiet && process.stderr.isTTY === true);
  try {
    const outcomes = await flashDevices(
      { ...targets, activation, limits },
      (event) => show(event, board, output),
      stop.signal,
    );
    board.done();
    output.result(
      { kind: 'result', outcomes },
      outcomes.flatMap((outcome) => outcomeLines(outcome, output)),
    );
    return worst(outcomes);
  } finally {
    board.done();
    process.off('SIGINT', onInterrupt);
    process.off('SIGTERM', onInterrupt);
  }
}

function show(event: FlashEvent, board: ProgressBoard, output: Output): void {
  const nowMs = Date.now();
  if (event.kind === 'progress') {
    const { sentBytes, totalBytes, repeats, lastRequestMs } = event.sample;
    board.update(event.device.id, { sentBytes, totalBytes, repeats, lastRequestMs }, nowMs);
    if (output.json) output.event({ kind: 'progress', device: event.device.id, ...event.sample });
    return;
  }
  if (event.kind === 'session' && event.event.kind === 'state') {
    board.update(event.device.id, { state: event.event.state }, nowMs);
  }
  if (output.json) {
    output.event(plain(event));
    return;
  }
  const text = lineOf(event, output.verbose);
  if (text !== undefined && !output.quiet) board.line(text);
}

function lineOf(event: FlashEvent, verbose: boolean): string | undefined {
  if (event.kind === 'session') {
    const { id } = event.device;
    if (event.event.kind === 'note') return `${id}: ${event.event.text}`;
    if (event.event.kind === 'state')
      return `${id}: ${stateText(event.event.state, event.event.detail)}`;
    return verbose ? decisionLines(id, event.event.decision, false).join('\n') : undefined;
  }
  if (event.kind !== 'site') return undefined;
  const { event: site } = event;
  switch (site.kind) {
    case 'opened':
      return `${site.coordinator}: ${site.port} is open (${site.result.start}), coordinator ${site.result.coordinatorEui64}, channel ${site.result.channel}`;
    case 'joining':
      return `${site.coordinator}: open for joining for ${durationText(site.timeoutMs)}, waiting for ${site.devices.join(', ')}`;
    case 'ended':
      return `${site.coordinator}: ${site.reason}`;
    case 'link':
      if (site.event.kind === 'log' && (verbose || site.event.level === 'error')) {
        return verbose ? `${site.coordinator}: ${site.event.message}` : undefined;
      }
      return undefined;
  }
}

function plain(event: FlashEvent): unknown {
  if (event.kind === 'session') return { device: event.device.id, ...event.event };
  return event.kind === 'site' ? { ...event.event } : event;
}

function stateText(state: string, detail: string | undefined): string {
  const colours: Record<string, 'green' | 'red' | 'yellow'> = {
    done: 'green',
    failed: 'red',
    refused: 'red',
    'unknown-outcome': 'yellow',
  };
  const colour = colours[state];
  return `${colour ? paint(colour, state) : state}${detail ? `, ${detail}` : ''}`;
}

function outcomeLines(outcome: DeviceOutcome, output: Output): string[] {
  const { device, eui64, state, detail, next, sentBytes, blocks, repeats, wallMs, decision } =
    outcome;
  if (state === 'refused' && decision) return decisionLines(device, decision, output.verbose);
  const rows = [
    ['device', `${device} (${eui64})`],
    ['outcome', stateText(state, detail)],
    ...(blocks > 0
      ? [['sent', `${bytesText(sentBytes)} bytes in ${blocks} blocks, ${repeats} repeated`]]
      : []),
    ['took', durationText(wallMs)],
    ...(next ? [['next', next]] : []),
    ...(state === 'awaiting-activation' ? [['next', HELD_ADVICE]] : []),
  ];
  return table(rows);
}

/** Silence activates: most devices take ten unanswered questions for a yes (OTA client behaviour). */
const HELD_ADVICE =
  'activate with `uplift flash --activate now` and the same image; a held device asks hourly and may activate by itself if nobody answers';

/** The exit code of many: the same where all agree, else the first that is not done. */
function worst(outcomes: DeviceOutcome[]): ExitCode {
  return outcomes.find(({ exit }) => exit !== EXIT.done)?.exit ?? EXIT.done;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw usage('--wait', 'seconds, more than 0', text);
  return value * 1000;
}
