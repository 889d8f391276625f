/** A short pulse on the modem lines of a real adapter, or a break: what a bad connector does. */
import type { Link, Timers } from '../../ports.ts';
import { SYSTEM_TIMERS } from '../../transport/serial/driver.ts';

/** Lines that are driven for so long, and then the other way; or a break in their place. */
export interface LineGlitch {
  rts?: boolean | undefined;
  dtr?: boolean | undefined;
  break?: boolean | undefined;
  ms: number;
}

/** False where the link has no such line now, as a pseudo-terminal and TCP have none ever. */
export async function glitchLine(
  link: Link,
  { rts, dtr, break: isBreak, ms }: LineGlitch,
  timers: Timers = SYSTEM_TIMERS,
): Promise<boolean> {
  if (isBreak) return link.sendBreak(ms);
  const driven = (isBack: boolean) => ({
    ...(rts !== undefined && { rts: rts !== isBack }),
    ...(dtr !== undefined && { dtr: dtr !== isBack }),
  });
  if (!(await link.setSignals(driven(false)))) return false;
  await new Promise<void>((done) => timers.after(ms, done));
  return link.setSignals(driven(true));
}
