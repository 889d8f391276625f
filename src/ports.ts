/** What the inner layers ask of the world: interfaces only, no implementation. */

/** Milliseconds since 1970-01-01T00:00:00Z; a machine never reads one, it is handed the time. */
export interface Clock {
  nowMs(): number;
}

export type LogLevel = 'debug' | 'info' | 'warning' | 'error';

export interface Log {
  write(level: LogLevel, message: string): void;
}

/** A source of numbers in [0, 1); seeded in the virtual devices and in tests. */
export interface Random {
  next(): number;
}
