/** `uplift duis requests` and `outbox`: what a running gateway took, and what waits for its Service Users. */
import { EXIT, type ExitCode } from '../errors.ts';
import type { OutboxView, ServiceRequestView } from '../gateway/control.ts';
import { printable } from '../products/codes.ts';
import { writeDocument } from './duis-documents.ts';
import { usage } from './inputs.ts';
import { type AskOptions, clientOf } from './job.ts';
import { durationText, type Output, table } from './output.ts';

const OUTBOX = '/duis/outbox';

export async function listRequests(options: AskOptions, output: Output): Promise<ExitCode> {
  const document = await clientOf(options).get<{ requests: ServiceRequestView[] }>(
    '/duis/requests',
  );
  const rows = document.requests.map(
    ({ requestId, serviceReference, duisVersion, takenMs, deviceCount, jobs, execution }) => [
      new Date(takenMs).toISOString(),
      serviceReference,
      `DUIS ${duisVersion}`,
      requestId,
      deviceCount === 1 ? '1 device' : `${deviceCount} devices`,
      executionText(execution),
      jobs.length === 0 ? 'no job' : jobs.join(', '),
    ],
  );
  output.result(document, rows.length === 0 ? ['no Service Request was taken'] : table(rows));
  return EXIT.done;
}

export async function showOutbox(options: AskOptions, output: Output): Promise<ExitCode> {
  const document = await clientOf(options).get<{ users: OutboxView[] }>(OUTBOX);
  const nowMs = Date.now();
  const lines = document.users.flatMap((lane) => laneLines(lane, nowMs));
  output.result(document, lines.length === 0 ? ['nothing waits'] : lines);
  return EXIT.done;
}

/** As it is delivered, byte for byte. */
export async function showMessage(
  text: string,
  options: AskOptions,
  output: Output,
): Promise<ExitCode> {
  const message = messageOf(text);
  const document = await clientOf(options).get<string>(`${OUTBOX}/${message}`);
  if (output.json) output.result({ message, document }, []);
  else writeDocument(Buffer.from(document), undefined);
  return EXIT.done;
}

export async function releaseMessage(
  text: string,
  options: AskOptions,
  output: Output,
): Promise<ExitCode> {
  const message = messageOf(text);
  await clientOf(options).post(`${OUTBOX}/${message}/release`);
  output.result({ released: message }, [`message ${message} is tried again`]);
  return EXIT.done;
}

export async function discardMessage(
  text: string,
  options: AskOptions & { reason: string },
  output: Output,
): Promise<ExitCode> {
  const message = messageOf(text);
  const { reason } = options;
  await clientOf(options).post(`${OUTBOX}/${message}/discard`, { reason });
  output.result({ discarded: message, reason }, [`message ${message} is given up`]);
  return EXIT.done;
}

function laneLines(lane: OutboxView, nowMs: number): string[] {
  const { user, waiting, waitingSinceMs, failures, lastFailure, nextTryMs, parked } = lane;
  const since =
    waitingSinceMs === undefined ? '' : `, the oldest for ${durationText(nowMs - waitingSinceMs)}`;
  const failed =
    lastFailure === undefined || failures === 0
      ? []
      : [
          [
            '',
            `failed ${failures} times in a row`,
            `${lastFailure.outcome}: ${printable(lastFailure.detail)}`,
            nextTryMs === undefined ? '' : `tried again at ${new Date(nextTryMs).toISOString()}`,
          ],
        ];
  const aside = parked.map(({ message, queuedMs, parkedMs, detail }) => [
    '',
    `message ${message} of ${new Date(queuedMs).toISOString()}`,
    `put aside at ${new Date(parkedMs).toISOString()}: ${printable(detail)}`,
    `\`uplift duis outbox release ${message}\``,
  ]);
  return [`${user}: ${waiting} waiting${since}`, ...table([...failed, ...aside])];
}

function executionText(execution: number | 'cancel' | undefined): string {
  if (execution === undefined) return 'at once';
  return execution === 'cancel' ? 'calls off' : `for ${new Date(execution).toISOString()}`;
}

function messageOf(text: string): number {
  if (/^[1-9][0-9]{0,14}$/.test(text)) return Number(text);
  throw usage('<message>', 'the number of a message, as `uplift duis outbox` shows it', text);
}
