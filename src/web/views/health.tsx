/** How the gateway is: what is wrong with it, its links, its store, and who looks at it. */
import { ageText, countText, momentText } from '../format.ts';
import { useAnswer, usePage } from '../page.ts';
import { StateMark } from '../parts/mark.tsx';
import { Fact, Trouble, TroubleText } from '../parts/trouble.tsx';
import { VirtualList } from '../parts/virtual-list.tsx';
import type { Health } from '../state.ts';
import { HEALTH_WORDS } from '../words.ts';

const LINK = {
  true: { word: 'Up', mark: 'good' },
  false: { word: 'Down', mark: 'bad' },
} as const;

type CoordinatorLink = NonNullable<Health['coordinator']>;

function Coordinator({ link }: { link: CoordinatorLink }) {
  const { nowMs } = usePage();
  const { connected, enrolled, lastContactMs, eventsWaiting, trouble } = link;
  return (
    <>
      <h2>Coordinator</h2>
      <p>
        <StateMark words={LINK[`${connected}`]} />
      </p>
      {trouble && <TroubleText told={{ code: trouble.code, cause: 'It is not well connected.' }} />}
      <dl class="facts">
        <Fact name="Enrolled" value={enrolled ? 'yes' : 'not yet'} />
        <Fact
          name="Heard of"
          value={lastContactMs === undefined ? 'never' : ageText(lastContactMs, nowMs)}
        />
        <Fact name="Events that wait" value={countText(eventsWaiting)} />
      </dl>
    </>
  );
}

export function HealthView() {
  const { state, nowMs } = usePage();
  const { health, identity } = state;
  const { answer, trouble } = useAnswer('listLists', {}, '');
  if (!health) return <h1>Health</h1>;
  return (
    <>
      <h1>Health</h1>
      <p>
        <StateMark words={HEALTH_WORDS[health.state]} />
      </p>
      {health.reasons.map(({ code, message }) => (
        <TroubleText key={code} told={{ code, cause: message }} />
      ))}
      <dl class="facts">
        <Fact name="Gateway" value={`${health.gateway}, Uplift ${health.version}`} />
        <Fact name="Runs since" value={momentText(health.startedMs)} />
        <Fact name="Newest record" value={countText(state.sequence)} />
        <Fact name="You are" value={`${identity?.by}, ${identity?.role}`} />
      </dl>
      {health.coordinator && <Coordinator link={health.coordinator} />}
      <h2>Links</h2>
      <VirtualList
        label="Links"
        columns={['Link', 'State', 'Since', 'Why']}
        items={health.links}
        keyOf={({ link }) => link}
        cells={({ link, up, since, detail }) => [
          link.replace(':', ' '),
          <StateMark key="state" words={LINK[`${up}`]} />,
          ageText(since, nowMs),
          detail ?? '',
        ]}
        empty={<p>No rig of this gateway has a link.</p>}
      />
      <h2>Lists in force</h2>
      <Trouble error={trouble} />
      <VirtualList
        label="Lists in force"
        columns={['List', 'Entries', 'Fetched', 'Source']}
        items={answer?.lists ?? []}
        keyOf={({ kind }) => kind}
        cells={({ kind, entries, fetchedAtMs, source }) => [
          kind.replaceAll('-', ' '),
          countText(entries),
          momentText(fetchedAtMs),
          source,
        ]}
        empty={<p>None was handed in: those that the configuration names are in force.</p>}
      />
    </>
  );
}
