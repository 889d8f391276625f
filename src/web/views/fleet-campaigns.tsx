/** Campaigns of a fleet as its coordinator tells them: each ring, how full it is, and what failed in it. */
import type { FleetAnswer } from '../client.ts';
import { countText, momentText, percentOf, shortHash } from '../format.ts';
import { StateMark } from '../parts/mark.tsx';
import { Meter } from '../parts/meter.tsx';
import { Fact, ManualLink } from '../parts/trouble.tsx';
import { FLEET_WORDS, type Words } from '../words.ts';

export type FleetCampaign = FleetAnswer<'listCampaigns'>['campaigns'][number];
type Ring = FleetCampaign['rings'][number];

const RING_WORDS = {
  empty: { word: 'Has no device', mark: 'ended' },
  open: { word: 'Open', mark: 'works' },
  full: { word: 'All succeeded', mark: 'good' },
  over: { word: 'Over, not all succeeded', mark: 'bad' },
  closed: { word: 'Not open yet', mark: 'waits' },
} as const satisfies Record<string, Words>;

export function FleetCampaigns({ campaigns }: { campaigns: readonly FleetCampaign[] }) {
  if (campaigns.length === 0) return <p>No campaign was brought to this coordinator yet.</p>;
  return (
    <ul class="plain cards">
      {campaigns.map((campaign) => (
        <li key={campaign.digest} class="card">
          <Campaign campaign={campaign} />
        </li>
      ))}
    </ul>
  );
}

function Campaign({ campaign }: { campaign: FleetCampaign }) {
  const { id, digest, line, generation, state, detail, rings, refusals } = campaign;
  const { approvalsMissing, author, approvers, startedBy, gateways, expiresMs } = campaign;
  return (
    <>
      <h2>{id}</h2>
      <p>
        <StateMark words={FLEET_WORDS[state]} />
        {detail !== undefined && `: ${detail}`}
        {state === 'unsigned' && `: ${countText(approvalsMissing)} more have to sign it`}
      </p>
      <ol class="plain rings">
        {rings.map((ring) => (
          <RingProgress key={ring.name} ring={ring} />
        ))}
      </ol>
      {Object.entries(refusals).map(([code, count]) => (
        <p key={code}>
          {countText(count)} gateways do not carry it out: <ManualLink code={code} />
        </p>
      ))}
      <dl class="facts">
        <Fact name="Author" value={author} />
        <Fact name="Approved by" value={approvers.join(', ') || 'nobody yet'} />
        <Fact name="Started by" value={startedBy ?? 'nobody yet'} />
        <Fact name="Gateways" value={countText(gateways)} />
        <Fact name="Line" value={`${line}, generation ${generation}`} />
        <Fact name="Expires" value={momentText(expiresMs)} />
        <Fact name="Digest" value={<code>{shortHash(digest)}…</code>} />
      </dl>
    </>
  );
}

function RingProgress({ ring }: { ring: Ring }) {
  const { name, size, counts, failed } = ring;
  const { succeeded = 0, failed: failures = 0, pending = 0 } = counts;
  const underWay = size - succeeded - failures - pending;
  const why = Object.entries(failed).map(([kind, count]) => `${countText(count)} ${kind}`);
  return (
    <li>
      <h3>
        Ring {name} <StateMark words={RING_WORDS[standing(ring)]} />
      </h3>
      <Meter label={`Ring ${name}: succeeded`} percent={percentOf(succeeded, size)} />
      <p>
        {countText(succeeded)} of {countText(size)} succeeded, {countText(underWay)} begun,{' '}
        {countText(pending)} to come, {countText(failures)} failed
        {why.length > 0 && ` (${why.join(', ').replaceAll('-', ' ')})`}
      </p>
    </li>
  );
}

function standing({ size, counts, isOpen }: Ring): keyof typeof RING_WORDS {
  const { succeeded = 0, failed = 0 } = counts;
  if (size === 0) return 'empty';
  if (!isOpen) return 'closed';
  if (succeeded === size) return 'full';
  return succeeded + failed === size ? 'over' : 'open';
}
