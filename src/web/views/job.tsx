/** One job: each of its devices while it goes, what can be done about it, and its story. */
import { useState } from 'preact/hooks';
import { countText, durationText, momentText, rateText } from '../format.ts';
import { useAction, useAnswer, usePage } from '../page.ts';
import { MarkIcon, StateMark } from '../parts/mark.tsx';
import { Plot } from '../parts/plot.tsx';
import { Story } from '../parts/story.tsx';
import { Transfer } from '../parts/transfer.tsx';
import { Fact, Trouble, TroubleText } from '../parts/trouble.tsx';
import { UpgradeList } from '../parts/upgrades.tsx';
import { hrefOf } from '../route.ts';
import { isOver, type Job, type Upgrade } from '../state.ts';
import { STATE_WORDS } from '../words.ts';

/** Ended, and worth another try; which of them may have one the gateway says. */
const RESUMABLE = ['failed', 'expired', 'unknown-outcome', 'refused'];

export function JobView({ job: id, device }: { job: string; device: string | undefined }) {
  const { state } = usePage();
  const live = [...state.upgrades.values()].filter(({ job }) => job === id);
  const key = `${id} ${live.map((one) => `${one.state}${one.attempt}${one.waitsFor}`).join()}`;
  const { answer: job, trouble, ask } = useAnswer('showJob', { path: { job: id } }, key);
  if (!job) {
    return (
      <>
        <h1>Job {id}</h1>
        <Trouble error={trouble} />
      </>
    );
  }
  const upgrades = upgradesOf(job, live);
  const shown =
    upgrades.length === 1 ? upgrades[0]! : upgrades.find((one) => one.device === device);
  return (
    <>
      <h1>
        Job {id}
        {shown ? `, ${shown.device}` : ''}
      </h1>
      <Trouble error={trouble} />
      <Commands job={job} upgrades={shown ? [shown] : upgrades} onDone={ask} />
      {shown ? (
        <DeviceUpgrade upgrade={shown} />
      ) : (
        <UpgradeList
          {...{ label: 'Devices of the job', upgrades, empty: 'The job is for no device.' }}
        />
      )}
      <Asked job={job} />
      <Story job={id} device={shown?.device} version={key} />
    </>
  );
}

/** What is live is newer than the answer; what is not in there ended before the page was opened. */
function upgradesOf(job: Job, live: readonly Upgrade[]): Upgrade[] {
  const byDevice = new Map(live.map((upgrade) => [upgrade.device, upgrade]));
  return job.upgrades.map((told) => {
    const known = byDevice.get(told.device);
    const { id, request } = job;
    const plain = { job: id, image: request.image, ...told };
    if (!known) return plain as Upgrade;
    const { waitsFor, owner, untilMs } = told;
    return {
      ...plain,
      ...known,
      ...(known.state === told.state ? { waitsFor, owner, untilMs } : {}),
    } as Upgrade;
  });
}

function Asked({ job: { by, createdMs, approvedBy, request } }: { job: Job }) {
  const { state } = usePage();
  const { image, reason, deadlineMs, window } = request;
  const name = state.images.find(({ sha256 }) => sha256 === image)?.name;
  return (
    <dl class="facts">
      <Fact name="Asked for by" value={`${by}, ${momentText(createdMs)}`} />
      <Fact
        name="Approved by"
        value={approvedBy ?? (request.needsApproval ? 'nobody yet' : 'not needed')}
      />
      <Fact
        name="Image"
        value={
          <>
            {name} <code class="hash">{image}</code>
          </>
        }
      />
      <Fact name="Begins by" value={momentText(deadlineMs)} />
      {window !== undefined && <Fact name="Window" value={window} />}
      {reason !== undefined && <Fact name="Reason" value={reason} />}
    </dl>
  );
}

function DeviceUpgrade({ upgrade }: { upgrade: Upgrade }) {
  const { job, device, state: where } = upgrade;
  const points = upgrade.rate?.points ?? [];
  return (
    <section class="card" aria-labelledby="state-head">
      <h2 id="state-head">
        <StateMark words={STATE_WORDS[where]} />
      </h2>
      <Where upgrade={upgrade} />
      {upgrade.rate && <Transfer upgrade={upgrade} />}
      {points.length > 1 && (
        <div class="plots">
          <Plot
            title="Rate"
            points={points.map(({ atMs, bytesPerSecond: value }) => ({ atMs, value }))}
            text={rateText}
          />
          <Plot
            title="Blocks sent again"
            points={points.map(({ atMs, repeats: value }) => ({ atMs, value }))}
            text={countText}
          />
        </div>
      )}
      {where === 'done' && (
        <a class="button primary" href={hrefOf('certificate', [job, device])}>
          Certificate
        </a>
      )}
    </section>
  );
}

function Where({ upgrade }: { upgrade: Upgrade }) {
  const { state, nowMs } = usePage();
  const { code, detail, next, owner, waitsFor, untilMs, device } = upgrade;
  const isUnplugged = state.devices.get(device)?.linkUp === false && !isOver(upgrade);
  if (isUnplugged) {
    return (
      <div class="notice" role="status">
        <p>
          <MarkIcon mark="bad" /> <strong>The link to {device} is gone.</strong> Plug it in again:
          the upgrade goes on by itself, with what the device has kept.
        </p>
      </div>
    );
  }
  if (isOver(upgrade)) {
    if (upgrade.state === 'done') {
      return (
        <p>
          The device was asked, and says that it runs{' '}
          <code>{upgrade.runs ?? 'the new version'}</code>.
        </p>
      );
    }
    const cause = detail ?? STATE_WORDS[upgrade.state].word;
    return <TroubleText told={{ code: code ?? ruleOf(upgrade), cause, next }} />;
  }
  return (
    <p>
      {owner === 'person' ? 'A person has to act: ' : `Waits for the ${owner}: `}
      {waitsFor || STATE_WORDS[upgrade.state].word}
      {untilMs !== undefined && `, for ${durationText(Math.max(0, untilMs - nowMs))} at the most`}.
      {code !== undefined && ` (${code}: ${detail ?? ''})`}
    </p>
  );
}

/** A refusal names its rule where others name a failure. */
function ruleOf({ state, detail }: Upgrade): string | undefined {
  return state === 'refused' && /^[a-z0-9]+\.[a-z0-9-]+$/.test(detail ?? '') ? detail : undefined;
}

interface CommandsProps {
  job: Job;
  upgrades: readonly Upgrade[];
  onDone(): void;
}

function Commands({ job: { id, by }, upgrades, onDone }: CommandsProps) {
  const { client, state, may } = usePage();
  const { isBusy, trouble, run } = useAction();
  const [reason, setReason] = useState('');
  const path = { job: id };
  const devices = upgrades.map(({ device }) => device);
  const are = (...states: string[]) => upgrades.some((one) => states.includes(one.state));
  const isOwn = by === state.identity?.by;
  const act = (work: () => Promise<unknown>) => run(() => work().then(onDone));
  const mayApprove = are('awaiting-approval') && may('approveJob');
  return (
    <div class="commands">
      {are('awaiting-approval') && isOwn && (
        <p class="notice">
          <MarkIcon mark="person" /> Somebody other than {by} has to approve this job, with a token
          of their own.
        </p>
      )}
      {mayApprove && (
        <>
          <label class="field">
            Reason, where you reject it
            <input value={reason} onInput={({ currentTarget }) => setReason(currentTarget.value)} />
          </label>
          <div class="actions">
            <button
              type="button"
              class="primary"
              disabled={isBusy || isOwn}
              onClick={() => act(() => client.ask('approveJob', { path, body: {} }))}
            >
              Approve
            </button>
            <button
              type="button"
              disabled={isBusy || reason.trim() === ''}
              onClick={() => act(() => client.ask('rejectJob', { path, body: { reason } }))}
            >
              Reject
            </button>
          </div>
        </>
      )}
      <div class="actions">
        {are('awaiting-activation') && may('activateJob') && (
          <button
            type="button"
            class="primary"
            disabled={isBusy}
            onClick={() =>
              act(() =>
                client.ask('activateJob', {
                  path,
                  body: { devices, activation: { when: 'now' } },
                }),
              )
            }
          >
            Activate now
          </button>
        )}
        {are(...RESUMABLE) && may('retryJob') && (
          <button
            type="button"
            disabled={isBusy}
            onClick={() => act(() => client.ask('retryJob', { path, body: {} }))}
          >
            Resume
          </button>
        )}
        {upgrades.some((one) => !isOver(one)) && may('cancelJob') && (
          <button
            type="button"
            disabled={isBusy}
            onClick={() => act(() => client.ask('cancelJob', { path, body: {} }))}
          >
            Cancel
          </button>
        )}
      </div>
      <Trouble error={trouble} />
    </div>
  );
}
