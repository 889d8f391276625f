/** A text as a QR code. The only import of lean-qr. */
import { correction, generate } from 'lean-qr';

/** Modules of quiet zone on each side (ISO/IEC 18004). */
const QUIET = 4;

export function QrCode({ text, label }: { text: string; label: string }) {
  // A print that was folded or stained still reads.
  const code = generate(text, { minCorrectionLevel: correction.M });
  const { size } = code;
  const path: string[] = [];
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) if (code.get(x, y)) path.push(`M${x} ${y}h1v1h-1z`);
  }
  const span = size + 2 * QUIET;
  return (
    <svg class="qr" viewBox={`${-QUIET} ${-QUIET} ${span} ${span}`} role="img" aria-label={label}>
      <path class="qr-paper" d={`M${-QUIET} ${-QUIET}h${span}v${span}h${-span}z`} />
      <path class="qr-ink" shape-rendering="crispEdges" d={path.join('')} />
    </svg>
  );
}
