/** A short pulse on a modem line of a real adapter, or a break: what a bad connector does. */
import type { Link, Timers } from '../../ports.ts';
import { SYSTEM_TIMERS } from '../../transport/serial/driver.ts';

export interface LineGlitch {
  line: 'rts' | 'dtr' | 'break';
  durationMs: number;
}

/** False where the link has no such line, as a pseudo-terminal and TCP have none. */
export async function glitchLine(
  link: Link,
  { line, durationMs }: LineGlitch,
  timers: Timers = SYSTEM_TIMERS,
): Promise<boolean> {
  if (line === 'break') return link.sendBreak(durationMs);
  if (!(await link.setSignals({ [line]: true }))) return false;
  await new Promise<void>((done) => timers.after(durationMs, done));
  return link.setSignals({ [line]: false });
}
