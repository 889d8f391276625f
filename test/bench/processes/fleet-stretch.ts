/** What a simulated gateway tells of devices that came to a good end. */
import type { EventBatch, JournalMark } from '../../../src/fleet/wire.ts';
import { sha256Hex } from '../../../src/trust/digest.ts';
import { IMAGE } from '../../campaign/campaigns.ts';

/** Digest of a campaign, and a device that the gateway may upgrade. */
export type InHand = readonly [campaign: string, device: string];

const PHASES = ['scheduled', 'staged', 'distributing', 'done'] as const;

export function stretchOf(
  gateway: string,
  mark: JournalMark | undefined,
  devices: readonly InHand[],
  atMs: number,
): EventBatch {
  let sequence = mark?.sequence ?? 0;
  const events = devices.flatMap(([campaign, device]) =>
    PHASES.map((phase) => ({
      ...{ sequence: ++sequence, atMs, campaign, device, attempt: 1, phase },
      ...(phase === 'done' ? { runs: IMAGE.firmwareVersion } : {}),
    })),
  );
  const hash = sha256Hex(new TextEncoder().encode(`${gateway} ${sequence}`));
  return { ...(mark ? { after: mark } : {}), through: { sequence, hash }, events };
}
