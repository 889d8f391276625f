/** How much of something is there, as a bar and in words. */

export function Meter({ label, percent }: { label: string; percent: number }) {
  return (
    <span class="meter">
      <progress aria-label={label} max={100} value={percent} />
      <span>{percent} %</span>
    </span>
  );
}
