/** Campaigns that this gateway follows, and how far its devices are in each. */
import { Refusal } from '../client.ts';
import { countText, percentOf, shortHash } from '../format.ts';
import { useAnswer, usePage } from '../page.ts';
import { StateMark } from '../parts/mark.tsx';
import { Meter } from '../parts/meter.tsx';
import { Fact, Trouble, TroubleText } from '../parts/trouble.tsx';
import { ringsOf } from '../state.ts';
import { CAMPAIGN_WORDS } from '../words.ts';

export function Campaigns() {
  const { state } = usePage();
  const { answer, trouble } = useAnswer('listCampaigns', {}, `${Math.floor(state.sequence / 10)}`);
  const isAlone = trouble instanceof Refusal && trouble.problem.code === 'not-found';
  return (
    <>
      <h1>Campaigns</h1>
      {isAlone ? (
        <p>
          This gateway belongs to no fleet: its configuration has no section <code>campaigns</code>.
        </p>
      ) : (
        <Trouble error={trouble} />
      )}
      {answer?.campaigns.length === 0 && <p>No campaign was brought to this gateway.</p>}
      <ul class="plain cards">
        {answer?.campaigns.map((campaign) => (
          <li key={campaign.digest} class="card">
            <h2>{campaign.id}</h2>
            <p>
              <StateMark words={CAMPAIGN_WORDS[campaign.state]} />
            </p>
            {campaign.code !== undefined && (
              <TroubleText
                told={{ code: campaign.code, cause: campaign.detail ?? campaign.code }}
              />
            )}
            <Progress devices={campaign.devices} />
            <Rings campaign={campaign.id} />
            <dl class="facts">
              <Fact name="Brought by" value={campaign.carrier} />
              <Fact name="Digest" value={<code>{shortHash(campaign.digest)}…</code>} />
              {campaign.missing.length > 0 && (
                <Fact name="Images that are missing" value={countText(campaign.missing.length)} />
              )}
            </dl>
          </li>
        ))}
      </ul>
    </>
  );
}

/** Devices of this gateway by ring; a ring of which it has none is not here. */
function Rings({ campaign }: { campaign: string }) {
  const { state } = usePage();
  const rings = ringsOf(state.devices.values(), campaign);
  return (
    <ul class="plain rings">
      {[...rings].map(([ring, states]) => {
        const { succeeded = 0, failed = 0 } = states;
        const all = Object.values(states).reduce((sum, count) => sum + count, 0);
        return (
          <li key={ring}>
            <h3>Ring {ring}</h3>
            <p>
              {countText(succeeded)} of {countText(all)} succeeded, {countText(failed)} failed
            </p>
            <Meter label={`Ring ${ring}: succeeded`} percent={percentOf(succeeded, all)} />
          </li>
        );
      })}
    </ul>
  );
}

function Progress({ devices }: { devices: Readonly<Record<string, number>> }) {
  const all = Object.values(devices).reduce((sum, count) => sum + count, 0);
  if (all === 0) return <p>No device of this gateway is meant.</p>;
  return (
    <ul class="plain rings">
      {Object.entries(devices).map(([name, count]) => (
        <li key={name}>
          <span>
            {name.replaceAll('-', ' ')}: {countText(count)} of {countText(all)}
          </span>
          <Meter label={`${name} of ${all} devices`} percent={percentOf(count, all)} />
        </li>
      ))}
    </ul>
  );
}
