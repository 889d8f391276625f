/**
 * Supplies behind relays with a door of HTTP: Shelly's, and whatever else is switched by requests.
 *
 *     Shelly, first generation   GET /relay/N?turn=on|off   -> { "ison": true }     GET /relay/N
 *     later ones                 GET /rpc/Switch.Set?id=N&on=true|false
 *                                GET /rpc/Switch.GetStatus?id=N -> { "output": true }
 *
 * What a relay answers is read to a cap; where it sends one elsewhere is an answer that makes no sense.
 */
import type { HttpRequestConfig, PowerConfigOf } from '../../config/power-schema.ts';
import { powerFailure } from './codes.ts';
import type { Switch, SwitchState } from './switch.ts';

const ANSWER_BYTES_MAX = 65_536;
const SHOWN_CHARACTERS = 120;

export class RestSwitch implements Switch {
  readonly kind = 'rest';
  readonly name: string;
  private readonly config: PowerConfigOf<'rest'>;

  constructor(config: PowerConfigOf<'rest'>) {
    this.config = config;
    this.name = `rest ${new URL(config.on.url).host}`;
  }

  async set(isOn: boolean): Promise<void> {
    const { on, off, headers, timeoutMs } = this.config;
    await ask(this.name, isOn ? on : off, { headers, timeoutMs });
  }

  async read(): Promise<SwitchState> {
    const { state, headers, timeoutMs } = this.config;
    if (state === undefined) return 'unknown';
    const said = await ask(this.name, state, { headers, timeoutMs });
    if (said.includes(state.on)) return 'on';
    if (said.includes(state.off)) return 'off';
    throw powerFailure('power-answer-wrong', this.name, `"${said.slice(0, SHOWN_CHARACTERS)}"`);
  }

  async close(): Promise<void> {}
}

export class ShellySwitch implements Switch {
  readonly kind = 'shelly';
  readonly name: string;
  private readonly config: PowerConfigOf<'shelly'>;

  constructor(config: PowerConfigOf<'shelly'>) {
    this.config = config;
    this.name = `shelly ${new URL(config.url).host} channel ${config.channel}`;
  }

  async set(isOn: boolean): Promise<void> {
    const { generation, channel } = this.config;
    await this.get(
      generation === 1
        ? `/relay/${channel}?turn=${isOn ? 'on' : 'off'}`
        : `/rpc/Switch.Set?id=${channel}&on=${isOn}`,
    );
  }

  async read(): Promise<SwitchState> {
    const { generation, channel } = this.config;
    const path = generation === 1 ? `/relay/${channel}` : `/rpc/Switch.GetStatus?id=${channel}`;
    const said = await this.get(path);
    const isOn = objectOf(said)[generation === 1 ? 'ison' : 'output'];
    if (typeof isOn === 'boolean') return isOn ? 'on' : 'off';
    throw powerFailure('power-answer-wrong', this.name, `"${said.slice(0, SHOWN_CHARACTERS)}"`);
  }

  async close(): Promise<void> {}

  private get(path: string): Promise<string> {
    const { url, timeoutMs } = this.config;
    return ask(
      this.name,
      { method: 'GET', url: `${url.replace(/\/$/, '')}${path}` },
      { timeoutMs },
    );
  }
}

interface AskOptions {
  headers?: Readonly<Record<string, string>>;
  timeoutMs: number;
}

/** What it answers. @throws UpliftError */
async function ask(
  name: string,
  { method, url, body }: HttpRequestConfig,
  { headers = {}, timeoutMs }: AskOptions,
): Promise<string> {
  try {
    const answer = await fetch(url, {
      method,
      headers,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
      ...(body === undefined ? {} : { body }),
    });
    const said = await textOf(answer);
    if (answer.ok) return said;
    const actual = `${answer.status} ${said.slice(0, SHOWN_CHARACTERS)}`.trim();
    const isElsewhere = answer.status >= 300 && answer.status < 400;
    throw powerFailure(isElsewhere ? 'power-answer-wrong' : 'power-refused', name, actual);
  } catch (error) {
    const { name: kind, message, cause } = error as Error & { cause?: Error };
    if (kind === 'UpliftError') throw error;
    if (kind === 'TimeoutError')
      throw powerFailure('power-timeout', name, `no answer within ${timeoutMs} ms`, error);
    throw powerFailure('power-unreachable', name, cause?.message ?? message, error);
  }
}

async function textOf(answer: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of answer.body ?? []) {
    pieces.push(piece);
    bytes += piece.length;
    if (bytes > ANSWER_BYTES_MAX) break;
  }
  return Buffer.concat(pieces).subarray(0, ANSWER_BYTES_MAX).toString('utf8');
}

function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
