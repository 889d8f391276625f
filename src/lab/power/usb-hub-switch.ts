/**
 * A supply that is a port of a USB hub, by `uhubctl`, which prints of each hub a line
 * `Current status for hub LOCATION [...]` and below it of each port `Port N: FLAGS power ...` or `off`.
 * Without the right to switch it says so and ends with a failure.
 */
import type { PowerConfigOf } from '../../config/power-schema.ts';
import { powerFailure } from './codes.ts';
import { runTool } from './run-tool.ts';
import type { Switch, SwitchState } from './switch.ts';

export class UsbHubSwitch implements Switch {
  readonly kind = 'usb-hub';
  readonly name: string;
  private readonly config: PowerConfigOf<'usb-hub'>;
  private readonly uhubctl: string;

  constructor(config: PowerConfigOf<'usb-hub'>, uhubctl = 'uhubctl') {
    this.config = config;
    this.uhubctl = uhubctl;
    this.name = `usb hub ${config.location} port ${config.port}`;
  }

  async set(isOn: boolean): Promise<void> {
    await this.run(['--action', isOn ? 'on' : 'off']);
  }

  async read(): Promise<SwitchState> {
    return this.stateIn(await this.run([]));
  }

  async close(): Promise<void> {}

  private run(words: string[]): Promise<string> {
    const { location, port, timeoutMs } = this.config;
    const where = ['--location', location, '--ports', String(port)];
    return runTool(this.name, [this.uhubctl, ...where, ...words], timeoutMs);
  }

  /** The other half of a USB 3 hub may be printed as well. */
  private stateIn(printed: string): SwitchState {
    const { location, port } = this.config;
    let isOurs = false;
    for (const line of printed.split('\n')) {
      const hub = /^Current status for hub (\S+)/.exec(line);
      if (hub) isOurs = hub[1] === location;
      const found = /^\s+Port (\d+): [0-9a-fA-F]{4}\b(.*)/.exec(line);
      if (!isOurs || !found || Number(found[1]) !== port) continue;
      // "power" is one of the words behind the flags; without it the port is off.
      return /\bpower\b/.test(found[2]!.replace(/\[.*/, '')) ? 'on' : 'off';
    }
    const said = printed.trim().slice(0, 120);
    throw powerFailure('power-answer-wrong', this.name, `no line of the port in "${said}"`);
  }
}
