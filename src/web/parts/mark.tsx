/** A state as icon, word and shape: whoever sees no colour, or no shape, is told the same. */
import type { Mark, Words } from '../words.ts';

/** One shape a mark, in a square of 16. */
const SHAPES: Readonly<Record<Mark, string>> = {
  // A ring.
  waits: 'M8 1.5a6.5 6.5 0 1 0 0 13a6.5 6.5 0 1 0 0-13zm0 2.5a4 4 0 1 1 0 8a4 4 0 1 1 0-8z',
  // An arrow to the right.
  works: 'M2 5.5h6V1.5l7 6.5l-7 6.5v-4H2z',
  // A diamond with a dot.
  person: 'M8 .5L15.5 8L8 15.5L.5 8zM8 6a2 2 0 1 0 0 4a2 2 0 1 0 0-4z',
  // A tick.
  good: 'M6.2 13.8L.9 8.5l2.2-2.2l3.1 3.1l6.7-6.9l2.2 2.2z',
  // A cross.
  bad: 'M2.3 .8L8 6.5L13.7 .8l1.5 1.5L9.5 8l5.7 5.7l-1.5 1.5L8 9.5l-5.7 5.7l-1.5-1.5L6.5 8L.8 2.3z',
  // A bar.
  ended: 'M1 6.5h14v3H1z',
  // A triangle with an exclamation mark.
  unknown: 'M8 .8L15.8 15H.2zM7 6v4h2V6zm0 5.3v2h2v-2z',
};

export function MarkIcon({ mark }: { mark: Mark }) {
  return (
    <svg class="mark" viewBox="0 0 16 16" aria-hidden="true">
      <path fill-rule="evenodd" d={SHAPES[mark]} />
    </svg>
  );
}

export function StateMark({ words: { word, mark } }: { words: Words }) {
  return (
    <span class={`state state-${mark}`}>
      <MarkIcon mark={mark} />
      <span>{word}</span>
    </span>
  );
}
