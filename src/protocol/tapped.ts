/**
 * A machine that says what is done to it. A machine is handed its input and the time, and knows nothing
 * else: so the calls into it, in their order, are all that it takes to have it do the same again.
 */

export interface MachineTap {
  /** Before the call. What the arguments refer to is the caller's, and good until this returns. */
  called(method: string, parameters: readonly unknown[]): void;
  /** After it, with what it gave. */
  gave(method: string, parameters: readonly unknown[], result: unknown): void;
}

/** The machine itself, but that every call of one of `methods` is told. */
export function tapped<M extends object>(
  machine: M,
  methods: ReadonlySet<string>,
  tap: MachineTap,
): M {
  const made = new Map<string, unknown>();
  return new Proxy(machine, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function' || typeof name !== 'string') return value;
      const known = made.get(name);
      if (known !== undefined) return known;
      const call = methods.has(name)
        ? (...parameters: unknown[]) => {
            tap.called(name, parameters);
            const result: unknown = Reflect.apply(value, target, parameters);
            tap.gave(name, parameters, result);
            return result;
          }
        : value.bind(target);
      made.set(name, call);
      return call;
    },
  });
}
