/** The scenarios that a command names: files, or names of those that come with Uplift. */
import { existsSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { nearest } from '../config/nearest.ts';
import { UpliftError } from '../errors.ts';
import { loadScenario, type VariableValues } from '../lab/scenario/load.ts';
import type { Scenario } from '../lab/scenario/scenario.ts';
import type { Scalar } from '../lab/scenario/schema.ts';
import { usage } from './inputs.ts';
import { shippedPath } from './shipped.ts';

/** By name: the path of each. */
export function shippedScenarios(): Map<string, string> {
  const folder = shippedPath('hw-config', 'scenarios');
  if (!existsSync(folder)) return new Map();
  const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
  return new Map(names.sort().map((name) => [basename(name, '.yaml'), join(folder, name)]));
}

/** `NAME=VALUE`, as numbers, `true` and `false` where they look like it. */
export function valuesOf(written: readonly string[] = []): VariableValues {
  const entries = written.map((text): [string, Scalar] => {
    const [, name, value] = /^([a-zA-Z][a-zA-Z0-9-]*)=(.*)$/s.exec(text) ?? [];
    if (name === undefined) throw usage('--set', 'NAME=VALUE, such as pairs=10', text);
    if (value === 'true' || value === 'false') return [name, value === 'true'];
    return [name, /^-?\d+(\.\d+)?$/.test(value!) ? Number(value) : value!];
  });
  return Object.fromEntries(entries);
}

export function loadScenarios(named: readonly string[], values: VariableValues = {}): Scenario[] {
  const shipped = shippedScenarios();
  const scenarios = named.map((name) => {
    const path = existsSync(name) ? name : shipped.get(name);
    return loadScenario(path ?? refuseUnknown(name, [...shipped.keys()]), values);
  });
  const names = scenarios.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice === undefined) return scenarios;
  throw new UpliftError('scenario-twice', `two scenarios are called ${twice}`, {
    expected: 'scenarios of different names: reports tell them by these',
    actual: twice,
    next: 'name each once, or change `scenario` in one of the files',
  });
}

/** Something that looks like a file is told of as one. */
function refuseUnknown(name: string, known: readonly string[]): string {
  if (/[/\\]|\.ya?ml$/.test(name)) return name;
  const meant = nearest(name, known);
  throw new UpliftError('scenario-unknown', `there is no scenario ${name}`, {
    expected: `a scenario file, or one of ${known.join(', ')}`,
    actual: name,
    next: meant === undefined ? 'see `uplift lab list`' : `did you mean ${meant}?`,
  });
}
