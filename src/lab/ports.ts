/** What the parts of a lab hand to each other: power, buttons, faults, recordings and leases. */

/** What switches a device's (or the gateway's) supply. */
export interface Power {
  readonly kind: string;
  on(): Promise<void>;
  off(): Promise<void>;
  state(): Promise<'on' | 'off' | 'unknown'>;
  selfTest(): Promise<void>;
  close(): Promise<void>;
}

/** A push button of a device. */
export interface Button {
  readonly kind: string;
  press(ms: number): Promise<void>;
  close(): Promise<void>;
}

/** Faults of one link, switched while it runs; every random choice from `seed`. */
export interface LinkFaults {
  set(faults: LinkFaultSettings): void;
  clear(): void;
  readonly counts: Readonly<Record<string, number>>;
}

/** Rates are per byte on a serial line, per frame on ZigBee, 0..1. */
export interface LinkFaultSettings {
  direction?: 'up' | 'down' | 'both';
  drop?: number;
  duplicate?: number;
  corrupt?: number;
  delayMs?: number;
  burst?: { bytes: number; count: number };
  disconnected?: boolean;
}

/** Takes every byte of a link, with time and direction. */
export interface LinkRecorder {
  record(link: string, direction: 'up' | 'down', bytes: Uint8Array, atMs: number): void;
  note(link: string, text: string, atMs: number): void;
  close(): Promise<void>;
}

/** The lease of a device: two runs never share one. */
export interface Lease {
  readonly devices: readonly string[];
  renew(): Promise<void>;
  release(): Promise<void>;
}
