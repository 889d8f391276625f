/** What the gateway would say to one device: allowed or refused, by which rules, on which facts, how long. */
import type { Answer } from '../client.ts';
import { ageText, rangeText } from '../format.ts';
import { useAction, usePage } from '../page.ts';
import { hrefOf } from '../route.ts';
import { deviceWords, OUTCOME_WORDS } from '../words.ts';
import { StateMark } from './mark.tsx';
import { Fact, Trouble } from './trouble.tsx';

export type ReviewOfDevice = Answer<'reviewUpgrade'>['reviews'][number];
type Finding = ReviewOfDevice['findings'][number];

const VERDICTS = {
  admitted: { word: 'Allowed', mark: 'good' },
  refused: { word: 'Refused', mark: 'bad' },
} as const;
/** Known as far as the device has said; asked again before a byte is sent. */
const CONDITIONAL = { word: 'Allowed, if the device confirms', mark: 'waits' } as const;

export function Review({ review, isAlone }: { review: ReviewOfDevice; isAlone: boolean }) {
  const { device, verdict, conditional, findings, pending } = review;
  const words = verdict === 'admitted' && conditional ? CONDITIONAL : VERDICTS[verdict];
  const said = findings.filter(({ outcome }) => outcome !== 'not-applicable');
  const objections = said.filter(({ outcome }) => outcome !== 'pass');
  const passed = said.filter(({ outcome }) => outcome === 'pass');
  return (
    <details class="review" open={isAlone || verdict === 'refused'}>
      <summary>
        <strong>{device}</strong> <StateMark words={words} />
      </summary>
      <Installed review={review} />
      <ul class="plain findings">
        {objections.map((finding) => (
          <FindingText key={finding.ruleId} finding={finding} />
        ))}
      </ul>
      {pending.length > 0 && (
        <p>
          Not known before the device is asked: {pending.map(({ what }) => what).join(', ')}. The
          rules are asked again when it is, and before a byte is sent.
        </p>
      )}
      {passed.length > 0 && (
        <details>
          <summary>{passed.length} rules let it pass</summary>
          <ul class="plain findings">
            {passed.map((finding) => (
              <FindingText key={finding.ruleId} finding={finding} />
            ))}
          </ul>
        </details>
      )}
      <Plan review={review} />
    </details>
  );
}

function Installed({
  review: { device: id, runs, runsReadMs, installs, entries },
}: {
  review: ReviewOfDevice;
}) {
  const { state, nowMs } = usePage();
  const device = state.devices.get(id);
  const read = runsReadMs === undefined ? '' : `, read ${ageText(runsReadMs, nowMs)}`;
  return (
    <dl class="facts">
      {device && <Fact name="Connected" value={<StateMark words={deviceWords(device)} />} />}
      {device?.deviceModel !== undefined && <Fact name="Device Model" value={device.deviceModel} />}
      <Fact
        name="Runs now"
        value={runs === undefined ? <AskDevice device={id} /> : `${runs}${read}`}
      />
      <Fact name="Will run" value={installs ?? 'the image does not tell'} />
      <Fact
        name="On the Central Products List"
        value={
          entries.length === 0
            ? 'no row for this image and device'
            : entries.map(
                ({ entryId, line, firmwareVersion, standing }) =>
                  `${entryId} (line ${line}): version ${firmwareVersion}, ${standing}`,
              )
        }
      />
    </dl>
  );
}

/** What it says makes the answer a firm one. */
function AskDevice({ device }: { device: string }) {
  const { client, may } = usePage();
  const { isBusy, trouble, run } = useAction();
  return (
    <>
      not read yet{' '}
      {may('readDevice') && (
        <button
          type="button"
          disabled={isBusy}
          onClick={() => run(() => client.ask('readDevice', { path: { device } }))}
        >
          Ask {device}
        </button>
      )}
      <Trouble error={trouble} />
    </>
  );
}

function FindingText({ finding }: { finding: Finding }) {
  const { ruleId, text, outcome, expected, actual, next, source } = finding;
  return (
    <li>
      <p>
        <StateMark words={OUTCOME_WORDS[outcome]} /> {text}
      </p>
      <dl class="facts">
        {expected !== undefined && <Fact name="Expected" value={expected} />}
        {actual !== undefined && <Fact name="Found" value={actual} />}
        {next !== undefined && outcome !== 'pass' && <Fact name="What to do" value={next} />}
        <Fact
          name="Rule"
          value={
            <>
              <a href={hrefOf('rules', [ruleId])}>{ruleId}</a>, {source.document} {source.version}
            </>
          }
        />
      </dl>
    </li>
  );
}

function Plan({ review: { plan } }: { review: ReviewOfDevice }) {
  if (!plan) return null;
  return (
    <details>
      <summary>
        {plan.steps.length} steps, {rangeText(plan.leastMs, plan.mostMs)}
      </summary>
      <ol>
        {plan.steps.map(({ step, text, leastMs, mostMs, irreversible }) => (
          <li key={step + text}>
            {text} <span class="quiet">{rangeText(leastMs, mostMs)}</span>
            {irreversible && <strong> No way back from here on.</strong>}
          </li>
        ))}
      </ol>
    </details>
  );
}
