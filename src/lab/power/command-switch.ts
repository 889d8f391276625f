/** A supply that a program of the rig's owner switches. */
import type { PowerConfigOf } from '../../config/power-schema.ts';
import { powerFailure } from './codes.ts';
import { runTool } from './run-tool.ts';
import type { Switch, SwitchState } from './switch.ts';

export class CommandSwitch implements Switch {
  readonly kind = 'command';
  readonly name: string;
  private readonly config: PowerConfigOf<'command'>;

  constructor(config: PowerConfigOf<'command'>) {
    this.config = config;
    this.name = `command ${config.on[0]}`;
  }

  async set(isOn: boolean): Promise<void> {
    const { on, off, timeoutMs } = this.config;
    await runTool(this.name, isOn ? on : off, timeoutMs);
  }

  async read(): Promise<SwitchState> {
    const { state, timeoutMs } = this.config;
    if (state === undefined) return 'unknown';
    const said = (await runTool(this.name, state, timeoutMs)).trim();
    const word = said.split(/\s+/)[0]!.toLowerCase();
    if (word === 'on' || word === 'off') return word;
    throw powerFailure('power-answer-wrong', this.name, `"${said.slice(0, 80)}" for on or off`);
  }

  async close(): Promise<void> {}
}
