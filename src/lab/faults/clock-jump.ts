/**
 * The wall clock of this process, set on or back as an operator or a time server does; time itself goes on as
 * before. It concerns everything in the process that asks for the time of day.
 */

/** Another jump adds to the one before. Undone newest first. */
export function jumpClock(byMs: number): () => void {
  const before = Date.now;
  Date.now = () => before() + byMs;
  return () => {
    Date.now = before;
  };
}
