/** The images of the gateway's store, and how one gets there. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { bytesText, momentText, percentOf, shortHash } from '../format.ts';
import { useAction, usePage } from '../page.ts';
import { Meter } from '../parts/meter.tsx';
import { Trouble } from '../parts/trouble.tsx';
import { VirtualList } from '../parts/virtual-list.tsx';
import { hrefOf } from '../route.ts';
import type { Image } from '../state.ts';
import { type UploadStep, uploadImage } from '../upload.ts';

const COLUMNS = ['Image', 'Kind', 'Size', 'SHA-256', 'Needed by', 'Actions'] as const;

export function Images() {
  const { state, may } = usePage();
  return (
    <>
      <h1>Images</h1>
      {may('beginUpload') && <Upload />}
      <VirtualList
        label="Images"
        columns={COLUMNS}
        widths="2fr 0.8fr 0.6fr 1fr 0.9fr 13rem"
        items={state.images}
        keyOf={({ sha256 }) => sha256}
        cells={(image) => [
          <ImageName key="name" image={image} />,
          image.format ?? 'not told by its first bytes',
          bytesText(image.bytes),
          <code key="hash" title={image.sha256}>
            {shortHash(image.sha256)}…
          </code>,
          image.neededBy.length === 0 ? 'no open job' : image.neededBy.join(', '),
          <ImageActions key="actions" image={image} />,
        ]}
        empty={<p>The store has no image yet.</p>}
      />
    </>
  );
}

function ImageName({ image: { name, storedMs } }: { image: Image }) {
  return (
    <>
      <strong>{name || 'without a name'}</strong>
      {storedMs > 0 && <span class="quiet block">stored {momentText(storedMs)}</span>}
    </>
  );
}

function ImageActions({ image: { sha256, name, neededBy } }: { image: Image }) {
  const { client, may } = usePage();
  const { isBusy, trouble, run } = useAction();
  return (
    <span class="actions">
      {may('createJob') && (
        <a
          class="button"
          href={hrefOf('new', [], { image: sha256 })}
          aria-label={`Install ${name}`}
        >
          Install
        </a>
      )}
      {may('deleteImage') && (
        <button
          type="button"
          aria-label={`Delete ${name}`}
          disabled={isBusy || neededBy.length > 0}
          onClick={() => run(() => client.ask('deleteImage', { path: { sha256 } }))}
        >
          Delete
        </button>
      )}
      <Trouble error={trouble} />
    </span>
  );
}

/** `onDone`: with the image when it is in the store. */
export function Upload({ onDone }: { onDone?: (image: Image) => void }) {
  const { client, state } = usePage();
  const [step, setStep] = useState<UploadStep | undefined>();
  const [done, setDone] = useState<Image | undefined>();
  const { isBusy, trouble, run } = useAction();
  const ending = useRef(new AbortController());
  useEffect(() => () => ending.current.abort(), []);
  const send = (file: File) => {
    const { signal } = ending.current;
    run(async () => {
      try {
        const wait = (ms: number) => new Promise<void>((wake) => setTimeout(wake, ms));
        const image = await uploadImage(file, {
          ...{ client, kept: KEPT, wait, onStep: setStep, signal },
        });
        state.addImage(image);
        setDone(image);
        onDone?.(image);
      } finally {
        setStep(undefined);
      }
    });
  };
  return (
    <section class="card" aria-labelledby="upload-head">
      <h2 id="upload-head">Bring an image</h2>
      <label class="field">
        Image file
        <input
          type="file"
          disabled={isBusy}
          onChange={({ currentTarget }) => {
            const file = currentTarget.files?.[0];
            if (file) send(file);
          }}
        />
      </label>
      <div role="status">
        {step && <Step step={step} />}
        {!step && done && (
          <p>
            {done.name} is in the store, all {bytesText(done.bytes)} of it as its SHA-256 says.
          </p>
        )}
      </div>
      <Trouble error={trouble} />
    </section>
  );
}

function Step({ step }: { step: UploadStep }) {
  if (step.kind === 'hashing') return <p>Computing its SHA-256.</p>;
  if (step.kind === 'checking') return <p>The gateway checks all of it.</p>;
  const { sentBytes, totalBytes } = step;
  const how =
    step.kind === 'waiting' ? 'The gateway is not reachable; goes on by itself from ' : '';
  return (
    <>
      <p>
        {how}
        {bytesText(sentBytes)} of {bytesText(totalBytes)}
      </p>
      <Meter label="Upload" percent={percentOf(sentBytes, totalBytes)} />
    </>
  );
}

/** Of this tab: another one may bring the same image as well. */
const KEPT = {
  get: (sha256: string) => sessionStorage.getItem(`upload ${sha256}`) ?? undefined,
  set(sha256: string, id: string | undefined) {
    if (id === undefined) sessionStorage.removeItem(`upload ${sha256}`);
    else sessionStorage.setItem(`upload ${sha256}`, id);
  },
};
