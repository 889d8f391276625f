/**
 * A machine that says what is done to it. A machine is handed its input and the time, and knows nothing
 * else: so the calls into it, in their order, are all that it takes to have it do the same again.
 */
import type { MachineCalls } from './machine.ts';

export interface MachineCall {
  method: string;
  parameters: readonly unknown[];
  /** Of an output: what it gave; absent where that was nothing. */
  result?: unknown;
}

/**
 * The machine itself, but that each such call is told: an input before it is made, an output after it. What a
 * call refers to is the machine's and its caller's, and good until `onCall` returns.
 *
 * Outputs that gave nothing are left out, but for the first `pollTransmit` at each time: with the time
 * something may have moved on even where nothing is to be sent.
 */
export function tapped<M extends object>(
  machine: M,
  { inputs, outputs }: MachineCalls,
  onCall: (call: MachineCall) => void,
): M {
  const made = new Map<string, unknown>();
  let idlePollMs: unknown;
  const tell = (call: MachineCall): void => {
    idlePollMs = undefined;
    onCall(call);
  };
  const output = (method: string, body: (...parameters: unknown[]) => unknown) => {
    return (...parameters: unknown[]) => {
      const result = body(...parameters);
      if (result !== undefined) {
        tell({ method, parameters, result });
      } else if (method === 'pollTransmit' && parameters[0] !== idlePollMs) {
        tell({ method, parameters });
        idlePollMs = parameters[0];
      }
      return result;
    };
  };
  return new Proxy(machine, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function' || typeof name !== 'string') return value;
      const known = made.get(name);
      if (known !== undefined) return known;
      const body = value.bind(target) as (...parameters: unknown[]) => unknown;
      let call = body;
      if (outputs.includes(name)) call = output(name, body);
      else if (inputs.includes(name)) {
        call = (...parameters) => {
          tell({ method: name, parameters });
          return body(...parameters);
        };
      }
      made.set(name, call);
      return call;
    },
  });
}
