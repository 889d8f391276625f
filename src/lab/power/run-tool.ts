/** Runs a program to its end: no shell, a deadline, and no more output than is looked at. */
import { execFile } from 'node:child_process';
import { powerFailure } from './codes.ts';

const OUTPUT_BYTES_MAX = 65_536;
const SAID_CHARACTERS_MAX = 300;

/** What it printed. @throws UpliftError */
export function runTool(
  what: string,
  words: readonly string[],
  timeoutMs: number,
): Promise<string> {
  const [program, ...parameters] = words;
  return new Promise((done, fail) => {
    const options = {
      timeout: timeoutMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: OUTPUT_BYTES_MAX,
      windowsHide: true,
    };
    execFile(program!, parameters, options, (error, stdout, stderr) => {
      if (!error) done(stdout);
      else fail(failureOf(what, program!, error, stderr, timeoutMs));
    });
  });
}

/** The error of a program that ran, or did not. */
export function failureOf(
  what: string,
  program: string,
  error: Error & { code?: unknown; killed?: boolean | undefined },
  stderr: string,
  timeoutMs: number,
): Error {
  const said = stderr.trim().slice(-SAID_CHARACTERS_MAX);
  if (error.killed === true && error.code !== 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER')
    return powerFailure('power-timeout', what, `${program} did not end within ${timeoutMs} ms`);
  if (['ENOENT', 'EACCES', 'ENOTDIR'].includes(String(error.code)))
    return powerFailure('power-tool-missing', what, `${program}: ${error.code}`, error);
  const how = typeof error.code === 'number' ? `ended with ${error.code}` : error.message;
  const actual = `${program} ${how}${said === '' ? '' : `: ${said}`}`;
  return powerFailure('power-tool-failed', what, actual, error);
}
