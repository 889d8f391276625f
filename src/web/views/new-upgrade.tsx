/**
 * A new upgrade: which devices, which image, and then, before the first byte, what would become of it. The
 * gateway says all of that; here it is only shown and asked for.
 */
import { useState } from 'preact/hooks';
import { bytesText, momentText, rangeText, shortHash } from '../format.ts';
import { useAction, useAnswer, usePage } from '../page.ts';
import { MarkIcon, StateMark } from '../parts/mark.tsx';
import { Review, type ReviewOfDevice } from '../parts/review.tsx';
import { Trouble } from '../parts/trouble.tsx';
import { VirtualList } from '../parts/virtual-list.tsx';
import { hrefOf } from '../route.ts';
import type { Device } from '../state.ts';
import { deviceWords } from '../words.ts';
import { isMeant } from './devices.tsx';
import { Upload } from './images.tsx';

/** As many are judged at a time; the gateway says so as well. */
const REVIEWED_MAX = 100;
const HOUR_MS = 3_600_000;
const PRIORITY = 4;

export function NewUpgrade({ query }: { query: Readonly<Record<string, string>> }) {
  const [devices, setDevices] = useState<readonly string[]>(
    query['device'] ? [query['device']] : [],
  );
  const [image, setImage] = useState(query['image'] ?? '');
  return (
    <>
      <h1>New upgrade</h1>
      <PickDevices picked={devices} onPick={setDevices} />
      <PickImage picked={image} onPick={setImage} />
      {devices.length > 0 && image !== '' && (
        <BeforeTheFirstByte devices={devices} image={image} onDevices={setDevices} />
      )}
    </>
  );
}

interface PickProps<T> {
  picked: T;
  onPick(picked: T): void;
}

function PickDevices({ picked, onPick }: PickProps<readonly string[]>) {
  const { state } = usePage();
  const [wanted, setWanted] = useState('');
  const shown = [...state.devices.values()].filter((device) => isMeant(device, wanted));
  const chosen = new Set(picked);
  const toggle = (id: string) =>
    onPick(chosen.has(id) ? picked.filter((one) => one !== id) : [...picked, id]);
  return (
    <section class="card choose" aria-labelledby="devices-head">
      <h2 id="devices-head">1. Devices</h2>
      <label class="field">
        Find a device
        <input
          type="search"
          value={wanted}
          onInput={({ currentTarget }) => setWanted(currentTarget.value)}
        />
      </label>
      <div class="actions">
        <button type="button" onClick={() => onPick(shown.map(({ id }) => id))}>
          Pick all {shown.length} shown
        </button>
        <button type="button" disabled={picked.length === 0} onClick={() => onPick([])}>
          Pick none
        </button>
      </div>
      <p role="status">{picked.length} picked</p>
      <VirtualList
        label="Devices to pick from"
        columns={['Device', 'Runs', 'State']}
        items={shown}
        keyOf={({ id }) => id}
        cells={(device) => [
          <label key="pick" class="pick">
            <input
              type="checkbox"
              checked={chosen.has(device.id)}
              onChange={() => toggle(device.id)}
            />
            {device.id}
          </label>,
          device.runs ?? 'not read yet',
          <Standing key="standing" device={device} />,
        ]}
        empty={<p>No device of this gateway is called so.</p>}
      />
    </section>
  );
}

function Standing({ device }: { device: Device }) {
  const { linkUp, upgrade } = device;
  if (upgrade !== undefined)
    return <StateMark words={{ word: `Busy: ${upgrade}`, mark: 'works' }} />;
  return (
    <span>
      <StateMark words={deviceWords(device)} />
      {!linkUp && <span class="quiet block">the job waits for it</span>}
    </span>
  );
}

function PickImage({ picked, onPick }: PickProps<string>) {
  const { state, may } = usePage();
  return (
    <section class="card" aria-labelledby="image-head">
      <h2 id="image-head">2. Image</h2>
      <fieldset class="choices">
        <legend class="unseen">Image</legend>
        {state.images.map(({ sha256, name, bytes, format }) => (
          <label key={sha256} class="pick">
            <input
              type="radio"
              name="image"
              checked={picked === sha256}
              onChange={() => onPick(sha256)}
            />
            <span>
              <strong>{name || 'without a name'}</strong>
              <span class="quiet block">
                {format ?? 'kind not told'}, {bytesText(bytes)}, {shortHash(sha256)}…
              </span>
            </span>
          </label>
        ))}
        {state.images.length === 0 && <p>The store has no image yet.</p>}
      </fieldset>
      {may('beginUpload') && <Upload onDone={({ sha256 }) => onPick(sha256)} />}
    </section>
  );
}

interface ReviewProps {
  devices: readonly string[];
  image: string;
  onDevices(devices: readonly string[]): void;
}

function BeforeTheFirstByte({ devices, image, onDevices }: ReviewProps) {
  const { state } = usePage();
  const [when, setWhen] = useState<'now' | 'held'>('now');
  const reviewed = devices.slice(0, REVIEWED_MAX);
  const body = { image, devices: reviewed, activation: { when } };
  const said = reviewed.map((id) => state.devices.get(id)?.runs);
  const { answer, trouble } = useAnswer('reviewUpgrade', { body }, JSON.stringify([body, said]));
  const reviews = answer?.reviews ?? [];
  const refused = reviews
    .filter(({ verdict }) => verdict === 'refused')
    .map(({ device }) => device);
  const isOf = answer?.image.sha256 === image && reviews.length === reviewed.length;
  return (
    <section class="card" aria-labelledby="review-head">
      <h2 id="review-head">3. Before the first byte</h2>
      <fieldset class="choices">
        <legend>When it is there</legend>
        <label class="pick">
          <input
            type="radio"
            name="when"
            checked={when === 'now'}
            onChange={() => setWhen('now')}
          />
          Activate it at once
        </label>
        <label class="pick">
          <input
            type="radio"
            name="when"
            checked={when === 'held'}
            onChange={() => setWhen('held')}
          />
          Only send it: it is activated later, on command
        </label>
      </fieldset>
      <Trouble error={trouble} />
      {!isOf && !trouble && <p role="status">The gateway asks its rules.</p>}
      {isOf && answer && (
        <>
          <Summary reviews={reviews} image={answer.image} of={devices.length} />
          {reviews.map((review) => (
            <Review key={review.device} review={review} isAlone={reviews.length === 1} />
          ))}
          {refused.length > 0 && refused.length < devices.length && (
            <button
              type="button"
              onClick={() => onDevices(devices.filter((id) => !refused.includes(id)))}
            >
              Leave out the {refused.length} that are refused
            </button>
          )}
          {refused.length === 0 && (
            <Start devices={devices} image={image} when={when} reviews={reviews} />
          )}
        </>
      )}
    </section>
  );
}

interface SummaryProps {
  reviews: readonly ReviewOfDevice[];
  image: { name: string; bytes: number; sha256: string };
  of: number;
}

function Summary({ reviews, image: { name, bytes, sha256 }, of }: SummaryProps) {
  const admitted = reviews.filter(({ verdict }) => verdict === 'admitted');
  const plans = admitted.flatMap(({ plan }) => plan ?? []);
  const least = Math.min(...plans.map(({ leastMs }) => leastMs));
  const most = Math.max(...plans.map(({ mostMs }) => mostMs));
  return (
    <>
      <p>
        <strong>{name || 'The image'}</strong>, {bytesText(bytes)}, SHA-256{' '}
        <code class="hash">{sha256}</code>
      </p>
      <p role="status">
        <MarkIcon mark={admitted.length === reviews.length ? 'good' : 'bad'} /> {admitted.length} of{' '}
        {reviews.length} devices may have it
        {plans.length > 0 && (
          <>
            ; {reviews.length === 1 ? 'it takes' : 'each takes'} {rangeText(least, most)}
          </>
        )}
        .
        {of > reviews.length && (
          <> The other {of - reviews.length} are asked about in the same way when they begin.</>
        )}
      </p>
    </>
  );
}

interface StartProps {
  devices: readonly string[];
  image: string;
  when: 'now' | 'held';
  reviews: readonly ReviewOfDevice[];
}

function Start({ devices, image, when, reviews }: StartProps) {
  const { client, nowMs, may } = usePage();
  const { isBusy, trouble, run } = useAction();
  const [hours, setHours] = useState(24);
  const [reason, setReason] = useState('');
  const [wantsApproval, setWantsApproval] = useState(false);
  // Pressed twice it is one job.
  const [requestId] = useState(() => crypto.randomUUID());
  const demanded = reviews.find(({ secondPerson }) => secondPerson !== undefined)?.secondPerson;
  if (!may('createJob')) return <p class="notice">Your role may look, and may not start it.</p>;
  const start = () =>
    run(async () => {
      const body = {
        image,
        devices: [...devices],
        activation: { when },
        priority: PRIORITY,
        deadlineMs: Math.round(nowMs + hours * HOUR_MS),
        requestId,
        ...(wantsApproval || demanded ? { needsApproval: true } : {}),
        ...(reason.trim() === '' ? {} : { reason: reason.trim() }),
      };
      const { id } = await client.ask('createJob', { body });
      location.hash = hrefOf('jobs', [id]);
    });
  return (
    <div class="start">
      {demanded !== undefined && (
        <p class="notice">
          <MarkIcon mark="person" /> <strong>A second person has to approve it</strong>, since{' '}
          {demanded}.
        </p>
      )}
      <label class="pick">
        <input
          type="checkbox"
          checked={wantsApproval || demanded !== undefined}
          disabled={demanded !== undefined}
          onChange={({ currentTarget }) => setWantsApproval(currentTarget.checked)}
        />
        Somebody else approves it first
      </label>
      <label class="field">
        Give up what has not begun after, in hours
        <input
          type="number"
          min={1}
          max={720}
          value={hours}
          onInput={({ currentTarget }) => setHours(Number(currentTarget.value) || 1)}
        />
        <span class="quiet">that is {momentText(nowMs + hours * HOUR_MS)}</span>
      </label>
      <label class="field">
        Reason, for the record
        <input
          value={reason}
          maxLength={500}
          onInput={({ currentTarget }) => setReason(currentTarget.value)}
        />
      </label>
      <button type="button" class="primary" disabled={isBusy} onClick={start}>
        {devices.length === 1 ? `Upgrade ${devices[0]}` : `Upgrade ${devices.length} devices`}
      </button>
      <Trouble error={trouble} />
    </div>
  );
}
