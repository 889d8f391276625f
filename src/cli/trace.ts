/** `uplift trace show FILE`: what passed on the links of a recording, in the words of its protocols. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { encodeHex } from '../bytes/hex.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import { RECORDING_REFUSALS, type RecordingDamage } from '../lab/recording/codes.ts';
import type { Recording } from '../lab/recording/format.ts';
import { readRecordingFile } from '../lab/recording/reader.ts';
import { pcapngOf } from '../lab/trace/pcapng.ts';
import { type TraceEntry, traceOf } from '../lab/trace/trace.ts';
import type { Output } from './output.ts';

export interface TraceOptions {
  link?: string[];
  pcapng?: string;
}

/** Written one at a time: a recording of a night is longer than any terminal, and than memory as text. */
export function showTrace(path: string, options: TraceOptions, output: Output): ExitCode {
  const recording = readRecordingFile(path);
  if (options.pcapng !== undefined) return exportTrace(recording, options, options.pcapng, output);
  const { header, damage } = recording;
  const image = header.imageSha256 ? `, image ${header.imageSha256.slice(0, 16)}` : '';
  const title = `${header.rig} ${header.device}, seed ${header.seed}${image}`;
  output.result({ kind: 'recording', header }, [title]);
  for (const entry of entriesOf(recording, options)) {
    if (output.json) output.event(documentOf(entry));
    else output.result(undefined, [lineOf(entry)]);
  }
  if (damage) output.event({ kind: 'damage', ...damage }, damageLine(damage));
  return EXIT.done;
}

export function timeText(atUs: number): string {
  return `${(atUs / 1_000_000).toFixed(6)} s`;
}

export function damageLine({ code, offset }: RecordingDamage): string {
  return `from byte ${offset} on: ${RECORDING_REFUSALS[code]} (${code})`;
}

function* entriesOf(recording: Recording, { link }: TraceOptions): Generator<TraceEntry> {
  for (const entry of traceOf(recording))
    if (link === undefined || link.includes(entry.link)) yield entry;
}

const ARROWS = { up: '<-', down: '->' } as const;

function lineOf(entry: TraceEntry): string {
  const time = timeText(entry.atUs).padStart(14);
  const way = entry.kind === 'frame' ? ARROWS[entry.direction] : '--';
  return `${time}  ${entry.link} ${way} ${entry.text}`;
}

function documentOf(entry: TraceEntry): unknown {
  return entry.kind === 'frame' ? { ...entry, bytes: encodeHex(entry.bytes) } : entry;
}

function exportTrace(
  recording: Recording,
  options: TraceOptions,
  target: string,
  output: Output,
): ExitCode {
  let bytes = 0;
  try {
    const descriptor = openSync(target, 'w');
    try {
      for (const piece of pcapngOf(recording.header, entriesOf(recording, options))) {
        writeSync(descriptor, piece);
        bytes += piece.length;
      }
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw new UpliftError('trace-not-written', `cannot write ${target}`, {
      actual: (error as Error).message,
      next: 'name a file in a folder that can be written to',
      exit: EXIT.usage,
      cause: error,
    });
  }
  const { damage } = recording;
  output.result({ file: target, bytes, ...(damage && { damage }) }, [
    `${target}: ${bytes} bytes, for Wireshark; what each frame means is its comment`,
    ...(damage ? [damageLine(damage)] : []),
  ]);
  return EXIT.done;
}
