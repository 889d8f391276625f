/** A line over time as SVG, with its numbers in words beside it for whoever does not see it. */
import { timeText } from '../format.ts';

export interface PlotProps {
  title: string;
  points: readonly { atMs: number; value: number }[];
  /** Of a value, with its unit. */
  text(value: number): string;
}

const WIDTH = 640;
const HEIGHT = 140;

export function Plot({ title, points, text }: PlotProps) {
  const [first] = points;
  const last = points.at(-1);
  if (!first || !last || points.length < 2) {
    return (
      <figure class="plot">
        <figcaption>{title}: nothing to draw yet</figcaption>
      </figure>
    );
  }
  const values = points.map(({ value }) => value);
  const top = Math.max(...values, 1e-9);
  const spanMs = Math.max(1, last.atMs - first.atMs);
  const path = points
    .map(({ atMs, value }, at) => {
      const x = ((atMs - first.atMs) / spanMs) * WIDTH;
      const y = HEIGHT - (value / top) * HEIGHT;
      return `${at === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join('');
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const spoken =
    `${title}, from ${timeText(first.atMs)} to ${timeText(last.atMs)}: at most ${text(top)}, ` +
    `${text(mean)} on average, ${text(last.value)} at the end`;
  return (
    <figure class="plot">
      <figcaption>
        {title} <span class="quiet">at most {text(top)}</span>
      </figcaption>
      <svg
        viewBox={`0 -4 ${WIDTH} ${HEIGHT + 8}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={spoken}
      >
        <path class="plot-base" d={`M0 ${HEIGHT}H${WIDTH}`} />
        <path class="plot-line" d={path} vector-effect="non-scaling-stroke" />
      </svg>
      <p class="plot-ends quiet">
        <span>{timeText(first.atMs)}</span>
        <span>{timeText(last.atMs)}</span>
      </p>
    </figure>
  );
}
