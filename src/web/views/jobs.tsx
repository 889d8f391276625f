/** What is under way, and every job that was. */
import { useState } from 'preact/hooks';
import { momentText, shortHash } from '../format.ts';
import { useAnswer, usePage } from '../page.ts';
import { StateMark } from '../parts/mark.tsx';
import { Trouble } from '../parts/trouble.tsx';
import { UpgradeList } from '../parts/upgrades.tsx';
import { VirtualList } from '../parts/virtual-list.tsx';
import { hrefOf } from '../route.ts';
import type { UpgradeState } from '../state.ts';
import { STATE_WORDS } from '../words.ts';

const ALL = ['Job', 'Asked for', 'Image', 'Devices'] as const;

export function Jobs() {
  const { state } = usePage();
  const upgrades = [...state.upgrades.values()].reverse();
  return (
    <>
      <h1>Jobs</h1>
      <h2>Under way</h2>
      <UpgradeList label="Upgrades under way" upgrades={upgrades} empty="Nothing is under way." />
      <History />
    </>
  );
}

function History() {
  const { state } = usePage();
  const [pages, setPages] = useState<(string | undefined)[]>([undefined]);
  const before = pages.at(-1);
  const query = { limit: '50', ...(before === undefined ? {} : { before }) };
  const key = `${before ?? ''} ${[...state.upgrades.values()].length}`;
  const { answer, trouble } = useAnswer('listJobs', { query }, key);
  return (
    <>
      <h2>All jobs</h2>
      <Trouble error={trouble} />
      <VirtualList
        label="All jobs"
        columns={ALL}
        widths="0.5fr 1fr 1.4fr 1.4fr"
        items={answer?.jobs ?? []}
        keyOf={({ id }) => id}
        cells={(job) => [
          <a key="job" href={hrefOf('jobs', [job.id])}>
            <strong>{job.id}</strong>
          </a>,
          <>
            {momentText(job.createdMs)}
            <span class="quiet block">by {job.by}</span>
          </>,
          state.images.find(({ sha256 }) => sha256 === job.image)?.name ?? (
            <code key="image">{shortHash(job.image)}…</code>
          ),
          <ul key="states" class="plain">
            {Object.entries(job.states).map(([name, count]) => (
              <li key={name}>
                {count} × <StateMark words={STATE_WORDS[name as UpgradeState]} />
              </li>
            ))}
          </ul>,
        ]}
        empty={<p>{answer ? 'No job was asked for yet.' : 'Asking for them.'}</p>}
      />
      <p class="actions">
        {pages.length > 1 && (
          <button type="button" onClick={() => setPages(pages.slice(0, -1))}>
            Newer jobs
          </button>
        )}
        {answer?.next !== undefined && (
          <button type="button" onClick={() => setPages([...pages, answer.next])}>
            Older jobs
          </button>
        )}
      </p>
    </>
  );
}
