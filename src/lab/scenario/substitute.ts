/**
 * Variables and random choices put in their places: `${name}` alone is the value itself, within text it is
 * its text. Where a repetition is unrolled, each turn has its own `${iteration}` and choices of its own.
 */
import type { KeyPath } from '../../config/yaml-source.ts';
import type { RandomChoice, Scalar } from './schema.ts';
import { randomChoice } from './schema.ts';

const WHOLE = /^\$\{([^${}]*)\}$/;
const WITHIN = /\$\{([^${}]*)\}/g;

export interface Scope {
  /** By name; a mapping's parts by `name.part`. */
  variables: ReadonlyMap<string, unknown>;
  choose(choice: RandomChoice, what: string): Scalar;
  /** A name that nothing has; what stands in its place then. */
  unknown(name: string, path: KeyPath): unknown;
  /** `random` without a choice that is known. */
  wrongChoice(path: KeyPath): unknown;
  /** Each turn of a repetition as steps of its own; else one turn stands for all. */
  unrolls: boolean;
  /** Which turn of which repetition this is. */
  turn: string;
}

export function substitute(value: unknown, path: KeyPath, scope: Scope): unknown {
  if (typeof value === 'string') return substituteText(value, path, scope);
  if (Array.isArray(value)) {
    return value.map((entry, index) => substitute(entry, [...path, index], scope));
  }
  if (typeof value !== 'object' || value === null) return value;
  const keys = Object.keys(value);
  if (keys.length === 1 && keys[0] === 'random') {
    return chosen((value as { random: unknown }).random, path, scope);
  }
  const entries = Object.entries(value).map(([key, part]) => {
    const at = [...path, key];
    if (key !== 'repeat' || !isRepetition(part)) return [key, substitute(part, at, scope)];
    const times = substitute(part.times, [...at, 'times'], scope);
    if (!scope.unrolls || typeof times !== 'number') {
      const steps = substitute(part.steps, [...at, 'steps'], iterationOf(scope, 1));
      return [key, { ...part, times, steps }];
    }
    return ['group', { steps: turns(part.steps, times, [...at, 'steps'], scope) }];
  });
  return Object.fromEntries(entries);
}

/** By name, and the parts of a mapping beside it. */
export function flatVariables(variables: Readonly<Record<string, unknown>>): Map<string, unknown> {
  const flat = new Map<string, unknown>();
  for (const [name, value] of Object.entries(variables)) {
    flat.set(name, value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) continue;
    for (const [part, inner] of Object.entries(value)) flat.set(`${name}.${part}`, inner);
  }
  return flat;
}

interface Repetition {
  times: unknown;
  steps: unknown;
}

function isRepetition(value: unknown): value is Repetition {
  return typeof value === 'object' && value !== null && 'times' in value && 'steps' in value;
}

function turns(steps: unknown, times: number, path: KeyPath, scope: Scope): unknown[] {
  return Array.from({ length: times }, (_, index) => ({
    name: `turn ${index + 1} of ${times}`,
    group: { steps: substitute(steps, path, iterationOf(scope, index + 1)) },
  }));
}

function iterationOf(scope: Scope, iteration: number): Scope {
  const variables = new Map(scope.variables).set('iteration', iteration);
  return { ...scope, variables, turn: `${scope.turn}#${iteration}` };
}

function chosen(written: unknown, path: KeyPath, scope: Scope): unknown {
  const parsed = randomChoice.safeParse(substitute(written, [...path, 'random'], scope));
  if (!parsed.success) return scope.wrongChoice([...path, 'random']);
  return scope.choose(parsed.data, `${path.join('.')}${scope.turn}`);
}

function substituteText(text: string, path: KeyPath, scope: Scope): unknown {
  const name = WHOLE.exec(text)?.[1];
  if (name !== undefined) return variable(name, path, scope);
  return text.replaceAll(WITHIN, (_, inner: string) => String(variable(inner, path, scope)));
}

function variable(name: string, path: KeyPath, scope: Scope): unknown {
  return scope.variables.has(name) ? scope.variables.get(name) : scope.unknown(name, path);
}
