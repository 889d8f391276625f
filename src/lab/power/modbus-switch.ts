/**
 * A supply behind a coil of a relay that speaks Modbus over TCP. A connection a request: relays take few at a
 * time, and one that was cut is no trouble.
 */
import { connect } from 'node:net';
import type { PowerConfigOf } from '../../config/power-schema.ts';
import { powerFailure } from './codes.ts';
import {
  type CoilRequest,
  decodeAnswer,
  encodeReadCoil,
  encodeWriteCoil,
  MODBUS_EXCEPTIONS,
  type ModbusAnswer,
} from './modbus.ts';
import type { Switch, SwitchState } from './switch.ts';

/** Of what a relay sends before its answer. */
const ANSWER_BYTES_MAX = 4096;

export class ModbusSwitch implements Switch {
  readonly kind = 'modbus';
  readonly name: string;
  private readonly config: PowerConfigOf<'modbus'>;
  private transaction = 0;

  constructor(config: PowerConfigOf<'modbus'>) {
    this.config = config;
    const { host, port, unit, coil } = config;
    this.name = `modbus ${host}:${port} unit ${unit} coil ${coil}`;
  }

  async set(isOn: boolean): Promise<void> {
    await this.ask(encodeWriteCoil(this.next(), isOn));
  }

  async read(): Promise<SwitchState> {
    const answer = await this.ask(encodeReadCoil(this.next()));
    return answer.kind === 'coil' && answer.isOn ? 'on' : 'off';
  }

  async close(): Promise<void> {}

  private next(): CoilRequest {
    const { unit, coil } = this.config;
    this.transaction = (this.transaction + 1) & 0xffff;
    return { transaction: this.transaction, unit, coil };
  }

  private ask(request: Uint8Array): Promise<ModbusAnswer> {
    const { host, port, timeoutMs } = this.config;
    return new Promise((done, fail) => {
      const socket = connect({ host, port, noDelay: true });
      const end = (error: Error | undefined, answer?: ModbusAnswer) => {
        clearTimeout(patience);
        socket.destroy();
        if (error) fail(error);
        else done(answer!);
      };
      const patience = setTimeout(() => {
        end(powerFailure('power-timeout', this.name, `no answer within ${timeoutMs} ms`));
      }, timeoutMs);
      let heard: Uint8Array = new Uint8Array(0);
      socket.on('connect', () => socket.write(request));
      socket.on('error', (error) => {
        end(powerFailure('power-unreachable', this.name, error.message, error));
      });
      socket.on('end', () => {
        end(powerFailure('power-unreachable', this.name, 'it hung up before it answered'));
      });
      socket.on('data', (chunk) => {
        heard = Buffer.concat([heard, chunk]);
        let answer = decodeAnswer(heard, request);
        while (answer.kind === 'foreign') {
          heard = heard.subarray(answer.frameBytes);
          answer = decodeAnswer(heard, request);
        }
        if (answer.kind !== 'incomplete') end(this.refusal(answer), answer);
        else if (heard.length > ANSWER_BYTES_MAX)
          end(powerFailure('power-answer-wrong', this.name, 'more than any answer has'));
      });
    });
  }

  private refusal(answer: ModbusAnswer): Error | undefined {
    if (answer.kind === 'malformed')
      return powerFailure('power-answer-wrong', this.name, answer.what);
    if (answer.kind !== 'exception') return undefined;
    const words = MODBUS_EXCEPTIONS[answer.code] ?? 'a reason that no table lists';
    return powerFailure('power-refused', this.name, `exception ${answer.code}: ${words}`);
  }
}
