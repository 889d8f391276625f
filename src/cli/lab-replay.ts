/** `uplift lab replay FILE`: the machines of a recording once more, and where they do otherwise. */
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import { contentsBeside } from '../lab/recording/contents.ts';
import { readRecordingFile } from '../lab/recording/reader.ts';
import {
  REPLAY_REFUSALS,
  type ReplayDifference,
  type ReplayOutcome,
  replayRecording,
} from '../lab/recording/replay.ts';
import { realFiles } from '../store/files.ts';
import { type Output, paint, table } from './output.ts';
import { damageLine, timeText } from './trace.ts';

export function replay(path: string, output: Output): ExitCode {
  const recording = readRecordingFile(path);
  const outcome = replayRecording(recording, { contents: contentsBeside(path, realFiles) });
  if (outcome.kind === 'refused') throw notReplayed(path, outcome);
  const { header, damage } = recording;
  const { machines, calls, sentBytes } = outcome;
  const done = `${machines} ${machines === 1 ? 'machine' : 'machines'}, ${calls} calls, ${sentBytes} bytes`;
  const damaged = damage ? [damageLine(damage)] : [];
  const lines =
    outcome.kind === 'same'
      ? [`${paint('green', '✓')} the same to the last byte: ${done}`]
      : differenceLines(outcome.difference, done);
  output.result(
    { file: path, header, ...outcome, ...(damage && { damage }) },
    [...lines, ...damaged],
    outcome.kind === 'same' ? damaged : lines,
  );
  return outcome.kind === 'same' ? EXIT.done : EXIT.deviceFailed;
}

const WHAT: Readonly<Record<ReplayDifference['what'], string>> = {
  sent: 'sends something else',
  said: 'says something else',
  failed: 'fails',
};

function differenceLines(difference: ReplayDifference, done: string): string[] {
  const { what, link, machine, call, atUs, offset, expected, actual } = difference;
  return [
    `${paint('red', '✗')} ${machine} on ${link} ${WHAT[what]}, after ${done}`,
    ...table(
      [
        ['at', `${timeText(atUs)}, call ${call}, byte ${offset} of what it sent`],
        ['recorded', expected],
        ['now', actual],
      ],
      '    ',
    ),
  ];
}

function notReplayed(
  path: string,
  { code, detail }: Extract<ReplayOutcome, { kind: 'refused' }>,
): UpliftError {
  return new UpliftError(code, `${path}: ${REPLAY_REFUSALS[code]}`, {
    expected: 'a recording with its machines, by this version of the program',
    ...(detail === '' ? {} : { actual: detail }),
    next: '`uplift trace show` shows what passed on its links all the same',
    exit: EXIT.usage,
  });
}
