/**
 * Facts that write down what is read of them: `device.eui64`, `list.byHash.*.status`, `nowMs`.
 *
 * They are looked into as deep as `leaves` go. A leaf is noted and handed out as it is, and so is what
 * stands neither above a leaf nor is one: a fact that nobody has named.
 */
import type { AdmissionFacts } from '../../src/admission/facts.ts';

export interface Recording {
  facts: AdmissionFacts;
  nowMs: number;
  read: Set<string>;
}

export function recording(
  facts: AdmissionFacts,
  nowMs: number,
  leaves: ReadonlySet<string>,
): Recording {
  const read = new Set<string>();
  const above = new Set([...leaves].flatMap(pathsAbove));
  const handOut = (path: string, value: unknown): unknown => {
    if (above.has(path)) return watched(path, value);
    read.add(path);
    return value;
  };
  const watched = (path: string, value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    return new Proxy(value, {
      get: (target, key) => {
        if (target instanceof Map) {
          if (key !== 'get') throw new Error(`${path}.${String(key)} is not written down`);
          return (asked: unknown) => handOut(`${path}.*`, target.get(asked));
        }
        const found: unknown = Reflect.get(target, key);
        if (Array.isArray(target)) {
          if (key === 'length') read.add(`${path}.length`);
          return isIndex(key) ? handOut(path, found) : found;
        }
        return typeof key === 'symbol' ? found : handOut(`${path}${path && '.'}${key}`, found);
      },
    });
  };
  const clock = {
    [Symbol.toPrimitive]: () => {
      read.add('nowMs');
      return nowMs;
    },
  };
  return { facts: watched('', facts) as AdmissionFacts, nowMs: clock as unknown as number, read };
}

function isIndex(key: string | symbol): boolean {
  return typeof key === 'string' && /^\d+$/.test(key);
}

/** Without the last part, and again, up to the first. */
function pathsAbove(path: string): string[] {
  const parts = path.split('.');
  return parts.slice(1).map((_part, at) => parts.slice(0, at + 1).join('.'));
}
