/** The part of `uplift rig check` that looks at supplies and buttons: whether they answer, or also switch. */
import type { CoordinatorConfig, DeviceWiring, PowerConfig, RigDevice } from '../config/schema.ts';
import { UpliftError } from '../errors.ts';
import { openPower } from '../lab/power/open-power.ts';
import { paint, table } from './output.ts';

export interface PowerCheck {
  device: string;
  /** `power`, or the name of a button. */
  what: string;
  driver: PowerConfig['driver'];
  works: boolean;
  state?: 'on' | 'off' | 'unknown';
  isTested: boolean;
  code?: string;
  problem?: string;
  next?: string;
}

type Wired = RigDevice | CoordinatorConfig;

/**
 * With `switches` every supply is switched off and on again; buttons are never pressed. Those of virtual
 * devices are their own and always work.
 */
export async function checkPower(
  wired: readonly Wired[],
  switches: boolean,
): Promise<PowerCheck[]> {
  const checks: PowerCheck[] = [];
  // One after another: a supply that several devices share is not switched by two at once.
  for (const { id, power, buttons = {} } of wired as readonly (DeviceWiring & { id: string })[]) {
    if (power) checks.push(await checkOne(id, 'power', power, switches));
    for (const [name, config] of Object.entries(buttons))
      checks.push(await checkOne(id, name, config, false));
  }
  return checks;
}

async function checkOne(
  device: string,
  what: string,
  config: PowerConfig,
  switches: boolean,
): Promise<PowerCheck> {
  const { driver } = config;
  const check = { device, what, driver, isTested: switches };
  if (driver === 'virtual') return { ...check, works: true, isTested: false };
  const supply = openPower(config, { device });
  try {
    if (switches) await supply.selfTest();
    return { ...check, works: true, state: await supply.state() };
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    const { code, message, actual, next } = error;
    const problem = actual ? `${message}; ${actual}` : message;
    return { ...check, works: false, code, problem, ...(next ? { next } : {}) };
  } finally {
    await supply.close();
  }
}

export function powerLines(checks: readonly PowerCheck[]): string[] {
  return checks.flatMap(({ device, what, driver, works, state, isTested, problem, next }) => {
    const name = `${what} of ${device} (${driver})`;
    if (!works) {
      const rows = [['found', problem ?? 'nothing'], ...(next ? [['next', next]] : [])];
      return [`${paint('red', '✗')} ${name} does not work`, ...table(rows, '    ')];
    }
    const how = isTested ? 'switches' : state === undefined ? 'is its own' : 'answers';
    const reads = state === undefined || state === 'unknown' ? '' : `, and is ${state}`;
    return [`${paint('green', '✓')} ${name} ${how}${reads}`];
  });
}
