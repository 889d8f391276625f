/** What happened, record by record, in words. */
import { bytesText, momentText } from '../format.ts';
import { useAnswer } from '../page.ts';
import type { GatewayRecord, UpgradeState } from '../state.ts';
import { COMMAND_WORDS, STATE_WORDS } from '../words.ts';
import { StateMark } from './mark.tsx';
import { ManualLink, Trouble } from './trouble.tsx';

const SHOWN_MAX = 400;

export interface StoryProps {
  job: string;
  /** Of this one alone. */
  device: string | undefined;
  /** Another one: something happened. */
  version: string;
}

export function Story({ job, device, version }: StoryProps) {
  const { answer, trouble } = useAnswer('jobStory', { path: { job } }, version);
  const records = (answer?.records ?? []).filter((record) => isAbout(record, device));
  const left = records.length - SHOWN_MAX;
  return (
    <section aria-labelledby="story-head">
      <h2 id="story-head">Story</h2>
      <Trouble error={trouble} />
      {left > 0 && <p class="quiet">{left} older records are in the audit view.</p>}
      <ol class="story">
        {records.slice(-SHOWN_MAX).map((record) => (
          <li key={record.sequence}>
            <span class="quiet" title={`record ${record.sequence}`}>
              {momentText(record.atMs)}
            </span>
            <span>
              <RecordText record={record} />
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function isAbout(record: GatewayRecord, device: string | undefined): boolean {
  const { subject } = record as { subject?: { device?: string } };
  const of = record['device'] ?? subject?.device;
  return device === undefined || of === undefined || of === device;
}

export function RecordText({ record }: { record: GatewayRecord }) {
  const text = (field: string) => {
    const value = record[field];
    return value === undefined ? '' : String(value);
  };
  switch (record.kind) {
    case 'job':
      return <>{text('by')} asked for it</>;
    case 'command':
      return (
        <>
          {text('by')} {COMMAND_WORDS[text('command')] ?? text('command')}
          {record['reason'] !== undefined && `: ${text('reason')}`}
        </>
      );
    case 'state':
      return (
        <>
          {text('device')} <StateMark words={STATE_WORDS[record['state'] as UpgradeState]} />
          {record['runs'] !== undefined && `, runs ${text('runs')}`}
          {record['detail'] !== undefined && ` (${text('detail')})`}{' '}
          {record['code'] !== undefined && <ManualLink code={text('code')} />}
        </>
      );
    case 'decision': {
      const { verdict, ruleId, said } = record['decision'] as Decided;
      const rules = ruleId === undefined ? said.join(', ') : `by rule ${ruleId}`;
      return (
        <>
          the rules say: {verdict}
          {rules !== '' && `, ${rules}`}
          {record['runs'] !== undefined && `; it ran ${text('runs')} before`}
        </>
      );
    }
    case 'intent':
      return (
        <>
          {text('device')} is about to {text('intent')}
        </>
      );
    case 'progress':
      return (
        <>
          {text('device')} has {bytesText(Number(record['sentBytes']))} of{' '}
          {bytesText(Number(record['totalBytes']))}
        </>
      );
    case 'note':
      return (
        <>
          {text('device')}: {text('text')}
        </>
      );
    case 'device-read':
      return (
        <>
          {text('device')} was asked by {text('by')}:{' '}
          {record['version'] === undefined ? text('detail') : `runs ${text('version')}`}
        </>
      );
    default:
      return (
        <>
          {record.kind.replaceAll('-', ' ')}
          {record['by'] !== undefined && `, by ${text('by')}`}
        </>
      );
  }
}

interface Decided {
  verdict: string;
  ruleId?: string;
  said: string[];
}
