/** The rules of admission: what each asks, where it comes from, how sure that is. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { momentText } from '../format.ts';
import { useAnswer } from '../page.ts';
import { Fact, Trouble } from '../parts/trouble.tsx';

const CONFIDENCE = {
  read: 'read in the source',
  inferred: 'inferred from the source',
  assumed: 'assumed: no source says so',
} as const;

export function Rules({ rule }: { rule: string | undefined }) {
  const { answer, trouble } = useAnswer('listRules', {}, '');
  const [wanted, setWanted] = useState('');
  const named = useRef<HTMLLIElement>(null);
  useEffect(() => named.current?.scrollIntoView(), [answer, rule]);
  const shown = (answer?.rules ?? []).filter(({ id, text }) =>
    `${id} ${text}`.toLowerCase().includes(wanted.trim().toLowerCase()),
  );
  return (
    <>
      <h1>Rules</h1>
      <p>
        Every upgrade is held against all of these before a byte is sent. The first that refuses
        gives the refusal its name.
      </p>
      <Trouble error={trouble} />
      <label class="field">
        Find a rule
        <input
          type="search"
          value={wanted}
          onInput={({ currentTarget }) => setWanted(currentTarget.value)}
        />
      </label>
      <ul class="plain cards">
        {shown.map((one) => (
          <li key={one.id} class="card" ref={one.id === rule ? named : null}>
            <h2>
              <code>{one.id}</code>
            </h2>
            <p>{one.text}</p>
            <dl class="facts">
              <Fact name="Source" value={`${one.source.document} ${one.source.version ?? ''}`} />
              <Fact name="How sure" value={CONFIDENCE[one.confidence]} />
              <Fact name="Looks at" value={one.sees.join(', ') || 'nothing else'} />
              <Fact name="The site may change it" value={one.siteMayChange ? 'yes' : 'no'} />
              {one.effectiveFromMs !== undefined && (
                <Fact name="In force from" value={momentText(one.effectiveFromMs)} />
              )}
              {one.effectiveUntilMs !== undefined && (
                <Fact name="In force until" value={momentText(one.effectiveUntilMs)} />
              )}
            </dl>
          </li>
        ))}
      </ul>
    </>
  );
}
