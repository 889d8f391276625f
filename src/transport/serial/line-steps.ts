/**
 * What is done to a line to reset a hub or to bring it into its bootloader, step by step, as its model file
 * says. A step that the port has no lines for is passed over and told: whether the hub is where it was
 * to be brought, its answer shows.
 */
import type { Link, Timers } from '../../ports.ts';

/** Signals, a break, or text to send; then the wait. */
export interface LineStep {
  rts?: boolean | undefined;
  dtr?: boolean | undefined;
  breakMs?: number | undefined;
  /** Each character is one byte. */
  send?: string | undefined;
  waitMs: number;
}

export interface LineStepPassedOver {
  kind: 'line-step-passed-over';
  /** From 0. */
  step: number;
  lacks: 'modem-lines' | 'break';
}

export type LineStepsOutcome = 'done' | 'link-closed';

export async function runLineSteps(
  link: Link,
  steps: readonly LineStep[],
  timers: Timers,
  passedOver: (event: LineStepPassedOver) => void,
): Promise<LineStepsOutcome> {
  for (const [step, { rts, dtr, breakMs, send, waitMs }] of steps.entries()) {
    if (!link.isOpen) return 'link-closed';
    const signals = {
      ...(rts === undefined ? {} : { rts }),
      ...(dtr === undefined ? {} : { dtr }),
    };
    let lacks: LineStepPassedOver['lacks'] | undefined;
    if (Object.keys(signals).length > 0 && !(await link.setSignals(signals))) lacks = 'modem-lines';
    if (breakMs !== undefined && !(await link.sendBreak(breakMs))) lacks = 'break';
    if (send !== undefined)
      await sent(
        link,
        Uint8Array.from(send, (char) => char.charCodeAt(0)),
      );
    if (!link.isOpen) return 'link-closed';
    if (lacks) passedOver({ kind: 'line-step-passed-over', step, lacks });
    if (waitMs > 0) await new Promise<void>((done) => timers.after(waitMs, done));
  }
  return link.isOpen ? 'done' : 'link-closed';
}

/** On the wire, not only taken: the wait after it counts from there. */
async function sent(link: Link, bytes: Uint8Array): Promise<void> {
  await new Promise<boolean>((taken) => link.send(bytes, taken));
  await link.drained();
}
