/** What happens to the coordinators and ports of a rig, as a line for people. */

import { someOf } from '../bytes/some-of.ts';
import type { FlashEvent } from '../gateway/flash.ts';
import type { SiteEvent } from '../gateway/zigbee-site.ts';
import { durationText } from './output.ts';

/** Undefined for what only `--verbose` tells. */
export function siteLine(
  event: Extract<FlashEvent, { kind: 'site' }>['event'],
  verbose: boolean,
): string | undefined {
  if (event.kind === 'hub-opened') {
    const { device, port, baudRate, adapter } = event;
    return `${device}: ${port} is open at ${baudRate} baud${adapter ? `, ${adapter}` : ''}`;
  }
  return coordinatorLine(event, verbose);
}

function coordinatorLine(event: SiteEvent, verbose: boolean): string | undefined {
  const { coordinator } = event;
  switch (event.kind) {
    case 'opened': {
      const { port, result } = event;
      const { start, coordinatorEui64, channel } = result;
      const network = START_TEXTS[start] ?? start;
      return `${coordinator}: ${port} is open, coordinator ${coordinatorEui64}, channel ${channel}, ${network}`;
    }
    case 'joining': {
      const { timeoutMs, devices } = event;
      return `${coordinator}: open for joining for ${durationText(timeoutMs)}, waiting for ${someOf(devices)}`;
    }
    case 'ended':
      return `${coordinator}: ${event.reason}`;
    case 'link':
      return verbose && event.event.kind === 'log'
        ? `${coordinator}: ${event.event.message}`
        : undefined;
  }
}

/** How the network came about (zigbee-herdsman's names). */
const START_TEXTS: Record<string, string> = {
  resumed: 'its network goes on',
  reset: 'a new network was formed',
  restored: 'its network was restored from the backup',
};
