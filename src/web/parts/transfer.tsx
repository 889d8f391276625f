/** A transfer while it goes: how much, how fast, how long yet, and whether anything still moves. */
import { countText, durationText, percentOf, rangeText, rateText } from '../format.ts';
import { usePage } from '../page.ts';
import { hrefOf } from '../route.ts';
import { keyOf, type Upgrade } from '../state.ts';
import { Meter } from './meter.tsx';
import { Fact } from './trouble.tsx';

const MOVING = ['distributing'];

export function isMoving({ state }: Upgrade): boolean {
  return MOVING.includes(state);
}

/** One line of it. */
export function TransferLine({ upgrade }: { upgrade: Upgrade }) {
  const { device, sentBytes, totalBytes } = upgrade;
  if (totalBytes === 0) return <>nothing sent yet</>;
  const left = isMoving(upgrade) ? upgrade.rate.left(totalBytes) : undefined;
  return (
    <>
      <Meter label={`Sent to ${device}`} percent={percentOf(sentBytes, totalBytes)} />
      {left && <span class="quiet block">{rangeText(left.leastMs, left.mostMs)} to go</span>}
    </>
  );
}

export function Transfer({ upgrade }: { upgrade: Upgrade }) {
  const { sentBytes, totalBytes, rate, device } = upgrade;
  if (totalBytes === 0) return <p>Nothing was sent yet.</p>;
  const { bytesPerSecond } = rate;
  const left = rate.left(totalBytes);
  const { state } = usePage();
  // Where the link is gone nothing moves, and what it said last is of then.
  const moving = isMoving(upgrade) && state.devices.get(device)?.linkUp !== false;
  return (
    <>
      <Meter label={`Sent to ${device}`} percent={percentOf(sentBytes, totalBytes)} />
      <dl class="facts">
        <Fact name="Sent" value={`${countText(sentBytes)} of ${countText(totalBytes)} bytes`} />
        {moving && (
          <>
            <Fact
              name="Rate"
              value={bytesPerSecond === undefined ? 'not known yet' : rateText(bytesPerSecond)}
            />
            <Fact
              name="Time left"
              value={left ? rangeText(left.leastMs, left.mostMs) : 'not known yet'}
            />
            <Fact name="Last block" value={<LastBlock upgrade={upgrade} />} />
          </>
        )}
        <Fact name="Blocks sent again" value={repeatsText(upgrade)} />
        <Fact name="Attempt" value={upgrade.attempt} />
      </dl>
    </>
  );
}

/** Its age, and from which age on the gateway looks into it. */
function LastBlock({ upgrade: { progress, device } }: { upgrade: Upgrade }) {
  const { state, nowMs } = usePage();
  if (!progress) return <>not known yet</>;
  const stallMs = state.devices.get(device)?.stallMs;
  const ageMs = Math.max(0, nowMs - progress.lastRequestMs);
  const limit = stallMs === undefined ? '' : `, at most ${durationText(stallMs)}`;
  const isLate = stallMs !== undefined && ageMs > stallMs;
  return (
    <>
      {durationText(ageMs)} ago{limit}
      {isLate && <strong> (later than that: the gateway wakes the device)</strong>}
    </>
  );
}

function repeatsText({ progress }: Upgrade): string {
  if (!progress) return 'not known yet';
  const { blocks, repeats } = progress;
  return `${countText(repeats)} of ${countText(blocks)}`;
}

export function UpgradeLink({ upgrade }: { upgrade: Upgrade }) {
  const { job, device } = upgrade;
  return (
    <a href={hrefOf('jobs', [job, device])}>
      <strong>{device}</strong>
      <span class="quiet block">{keyOf(upgrade).split('/')[0]}</span>
    </a>
  );
}
