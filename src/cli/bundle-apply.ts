/** `uplift bundle apply`: gives what is on a medium to the gateway of this machine. */
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, type ExitCode } from '../errors.ts';
import { type Applied, type ApplyEvent, applyBundle } from '../fleet/bundle/apply-bundle.ts';
import { Bundle } from '../fleet/bundle/bundle.ts';
import type { CampaignView } from '../gateway/control.ts';
import { printable } from '../products/codes.ts';
import { type AskOptions, clientOf } from './job.ts';
import type { Output } from './output.ts';
import { barText } from './work-bar.ts';

export interface BundleApplyOptions extends AskOptions {
  wait?: boolean;
}

const PAUSE_MS = 2_000;

export async function apply(
  folder: string,
  options: BundleApplyOptions,
  output: Output,
): Promise<ExitCode> {
  const isShown = !output.quiet && !output.json && process.stderr.isTTY === true;
  const applied = await applyBundle(Bundle.open(folder), clientOf(options), {
    wait: options.wait === true,
    pause: () => sleep(PAUSE_MS),
    told: (event) => tell(event, isShown, output),
  });
  output.result(applied, [
    ...applied.campaigns.map(({ id, view, code, message }) =>
      view ? standingText(view) : `${id}  refused: ${message} (${code})`,
    ),
    `${applied.imagesSent} images were sent`,
    `to be carried home: ${applied.events.join(', ')}`,
  ]);
  return exitOf(applied);
}

function tell(event: ApplyEvent, isShown: boolean, output: Output): void {
  if (event.kind === 'campaign') output.event(event, standingText(event.view));
  else if (isShown) {
    const { sha256, sent, bytes } = event;
    process.stderr.write(`\r${barText(sha256.slice(0, 12), sent, bytes)}`);
    if (sent === bytes) process.stderr.write('\r\u001b[2K');
  }
}

export function standingText({ id, state, code, detail, devices }: CampaignView): string {
  const counts = Object.entries(devices).filter(([, count]) => count > 0);
  const of = counts.map(([name, count]) => `${count} ${name}`).join(', ');
  const why = code === undefined ? '' : `: ${printable(detail ?? '')} (${code})`;
  return `${id}  ${state}${why}${of === '' ? '' : `  ${of}`}`;
}

/** As far as it is known: without --wait most has not begun. */
function exitOf({ campaigns }: Applied): ExitCode {
  const states = campaigns.map(({ view }) => view?.state);
  if (states.some((state) => state === undefined || state === 'refused' || state === 'expired')) {
    return EXIT.refused;
  }
  const isBad = campaigns.some(({ view }) => {
    const { state, devices } = view!;
    const isStuck = state === 'held' || state === 'aborted' || state === 'lacks-images';
    return isStuck || (state === 'finished' && (devices['failed'] ?? 0) > 0);
  });
  return isBad ? EXIT.deviceFailed : EXIT.done;
}
