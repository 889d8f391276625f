/** The journal of the gateway, record by record: each names the hash of the one before. */
import { useState } from 'preact/hooks';
import { momentText } from '../format.ts';
import { useAnswer, usePage } from '../page.ts';
import { RecordText } from '../parts/story.tsx';
import { Trouble } from '../parts/trouble.tsx';
import { VirtualList } from '../parts/virtual-list.tsx';
import { hrefOf } from '../route.ts';
import type { GatewayRecord } from '../state.ts';

const PAGE = 100;
const COLUMNS = ['Record', 'When', 'What', 'Job', 'Hash'] as const;

export function Audit() {
  const { state } = usePage();
  const [from, setFrom] = useState<number | undefined>();
  const newest = Math.max(1, state.sequence - PAGE + 1);
  const first = from ?? newest;
  const { answer, trouble } = useAnswer(
    'listRecords',
    { query: { from: `${first}`, limit: `${PAGE}` } },
    `${first}`,
  );
  const records = [...((answer?.records ?? []) as GatewayRecord[])].reverse();
  return (
    <>
      <h1>Audit</h1>
      <p>
        The newest record is number {state.sequence}. <code>uplift audit export</code> takes the log
        along, and <code>uplift audit check</code> finds what was edited, removed or reordered in
        it.
      </p>
      <Trouble error={trouble} />
      <div class="actions">
        <button
          type="button"
          disabled={first <= 1}
          onClick={() => setFrom(Math.max(1, first - PAGE))}
        >
          Older records
        </button>
        <button
          type="button"
          disabled={from === undefined}
          onClick={() => setFrom(first + PAGE >= newest ? undefined : first + PAGE)}
        >
          Newer records
        </button>
      </div>
      <VirtualList
        label="Records"
        columns={COLUMNS}
        items={records}
        keyOf={({ sequence }) => `${sequence}`}
        cells={(record) => [
          record.sequence,
          momentText(record.atMs),
          <RecordText key="what" record={record} />,
          typeof record['job'] === 'string' ? (
            <a href={hrefOf('jobs', [record['job']])}>{record['job']}</a>
          ) : (
            'none'
          ),
          <code key="hash">{String(record['hash'] ?? '').slice(0, 12)}…</code>,
        ]}
        empty={
          <p>{answer ? 'There is no record here any more: it is in an archive.' : 'Asking.'}</p>
        }
      />
    </>
  );
}
