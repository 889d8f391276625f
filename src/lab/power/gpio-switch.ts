/**
 * A supply behind a GPIO line, by the tools of libgpiod. A line keeps its level only as long as the process
 * that asked for it runs (gpioset(1) of both versions), so `gpioset` stays running while the level is to be
 * held, and is replaced by another to change it.
 *
 *     version 1   gpioset --mode=signal [--active-low] CHIP LINE=VALUE
 *     version 2   gpioset --chip CHIP [--active-low] LINE=VALUE            stays by itself
 *                 gpioget --chip CHIP --as-is --numeric [--active-low] LINE
 *
 * A line that is held reads as what it is held at. One that is not can be asked of by version 2 alone: version
 * 1 makes an input of whatever it reads (gpioget(1) of 1.4 and 1.6 has no option against it).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { PowerConfigOf } from '../../config/power-schema.ts';
import { powerFailure } from './codes.ts';
import { failureOf, runTool } from './run-tool.ts';
import type { Switch, SwitchState } from './switch.ts';

/** What does not hold the line ends at once; so long it is waited for that. */
const FAILS_WITHIN_MS = 150;

export interface GpioTools {
  gpioset: string;
  gpioget: string;
}

export class GpioSwitch implements Switch {
  readonly kind = 'gpio';
  readonly name: string;
  private readonly config: PowerConfigOf<'gpio'>;
  private readonly tools: GpioTools;
  private holder: { child: ChildProcess; isOn: boolean } | undefined;

  constructor(
    config: PowerConfigOf<'gpio'>,
    tools: GpioTools = { gpioset: 'gpioset', gpioget: 'gpioget' },
  ) {
    this.config = config;
    this.tools = tools;
    this.name = `gpio ${config.chip} line ${config.line}`;
  }

  async set(isOn: boolean): Promise<void> {
    if (this.holder?.isOn === isOn) return;
    await this.letGo();
    const { chip, line, activeLow, libgpiod } = this.config;
    const low = activeLow ? ['--active-low'] : [];
    const value = `${line}=${isOn ? 1 : 0}`;
    const words =
      libgpiod === 1 ? ['--mode=signal', ...low, chip, value] : ['--chip', chip, ...low, value];
    await this.hold(words, isOn);
  }

  async read(): Promise<SwitchState> {
    if (this.holder) return this.holder.isOn ? 'on' : 'off';
    const { chip, line, activeLow, libgpiod, timeoutMs } = this.config;
    if (libgpiod === 1) return 'unknown';
    const low = activeLow ? ['--active-low'] : [];
    const words = ['--chip', chip, '--as-is', '--numeric', ...low, String(line)];
    const said = (await runTool(this.name, [this.tools.gpioget, ...words], timeoutMs)).trim();
    if (said === '1' || said === '0') return said === '1' ? 'on' : 'off';
    throw powerFailure('power-answer-wrong', this.name, `"${said.slice(0, 80)}" for 0 or 1`);
  }

  /** The line is nobody's then, and what becomes of its level is the hardware's to say. */
  close(): Promise<void> {
    return this.letGo();
  }

  private hold(words: string[], isOn: boolean): Promise<void> {
    const { gpioset } = this.tools;
    const child = spawn(gpioset, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    return new Promise((done, fail) => {
      const holds = setTimeout(() => {
        this.holder = { child, isOn };
        done();
      }, FAILS_WITHIN_MS);
      const ended = (error: Error & { code?: unknown }) => {
        clearTimeout(holds);
        if (this.holder?.child === child) this.holder = undefined;
        fail(failureOf(this.name, gpioset, error, said, this.config.timeoutMs));
      };
      child.on('error', ended);
      child.on('close', (code) =>
        ended(Object.assign(new Error('it did not stay'), { code: code ?? undefined })),
      );
    });
  }

  private async letGo(): Promise<void> {
    const { holder } = this;
    this.holder = undefined;
    if (holder === undefined || holder.child.exitCode !== null) return;
    const gone = new Promise<void>((done) => holder.child.once('close', () => done()));
    holder.child.kill('SIGTERM');
    const kill = setTimeout(() => holder.child.kill('SIGKILL'), this.config.timeoutMs);
    await gone;
    clearTimeout(kill);
  }
}
