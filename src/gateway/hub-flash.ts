/** One hub of a flash: its port opened, its session run, its outcome told. */

import { UpliftError } from '../errors.ts';
import { COMMAND_TIMERS } from '../transport/serial/driver.ts';
import { describePort } from '../transport/serial/ports.ts';
import { SerialLink } from '../transport/serial/serial-link.ts';
import { linkTo } from './device-ports.ts';
import {
  aborted,
  type FlashRequest,
  fail,
  type HubRun,
  interrupt,
  type OnFlashEvent,
  report,
  reportProgress,
} from './flash-run.ts';
import { newHubRun } from './hub-run.ts';

/** Why its port did not open, or undefined where it did. */
export async function flashHub(
  run: HubRun,
  request: FlashRequest,
  onEvent: OnFlashEvent,
  signal: AbortSignal,
): Promise<UpliftError | undefined> {
  const { device, image, context } = run;
  const { port, baudRate } = device;
  const { list, policy, activation, limits, ports } = request;
  const link = linkTo(device, ports);
  let leftAs = 'stopped before the hub was turned to';
  const { session, runner } = newHubRun({
    device,
    brief: { image, list, policy, context },
    activation,
    limits: limits.hub,
    link,
    timers: COMMAND_TIMERS,
    watch: ports?.watch && ((made) => ports.watch!(device, made)),
    onEvent: (event) => {
      if (event.kind !== 'progress' && event.kind !== 'stopped') return report(run, event, onEvent);
      if (event.kind === 'progress') reportProgress(run, event.sample, onEvent);
      else leftAs = event.detail;
      return !run.halted;
    },
  });
  run.holds = () => session.holds();
  try {
    await runner.open();
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    fail(run, error, onEvent);
    return error;
  }
  const reading = link instanceof SerialLink ? await link.reading() : undefined;
  const adapter = reading?.info ? { adapter: describePort(reading.info) } : {};
  const opened = { kind: 'hub-opened', device: device.id, port, baudRate, ...adapter } as const;
  onEvent({ kind: 'site', event: opened });
  const ended = await Promise.race([runner.run(), aborted(signal)]);
  if (ended === 'aborted') await runner.stop();
  await runner.close();
  if (ended === 'aborted') interrupt(run, leftAs);
  return undefined;
}
