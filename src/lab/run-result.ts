/** What is known of a run when it has ended, as the run log keeps it and reports tell it. */
import type { Failure } from './failure.ts';

export interface Sample {
  /** Since the run began. */
  atMs: number;
  sentBytes: number;
}

export interface TimelineEntry {
  /** Since the run began. */
  atMs: number;
  device: string;
  /** A state of its upgrade, or what was done to it. */
  what: string;
  kind: 'state' | 'deed';
  detail?: string | undefined;
}

export interface StepRecord {
  /** Such as `steps[2].group.steps[0]`. */
  step: string;
  /** What it does, or its own name. */
  title: string;
  /** Since the run began. */
  startedMs: number;
  wallMs: number;
  outcome: 'passed' | 'failed' | 'interrupted';
}

export interface UpgradeRecord {
  device: string;
  image: string;
  state: string;
  code?: string | undefined;
  rule?: string | undefined;
  detail?: string | undefined;
  startedMs: number;
  wallMs: number;
  totalBytes: number;
  sentBytes: number;
  blocks: number;
  repeats: number;
  bytesAgain: number;
  samples: readonly Sample[];
}

export interface RunRecording {
  /** Below the folder of the lab. */
  path: string;
  /** Of the machines in it, which a replay does the same with again. */
  machines: number;
}

export interface RunResult {
  run: string;
  scenario: string;
  /** Models by the parts they play, and the devices that played them in this attempt. */
  models: Readonly<Record<string, string>>;
  devices: Readonly<Record<string, string>>;
  cell: Readonly<Record<string, unknown>>;
  seed: number;
  /** From 1. */
  attempt: number;
  /** Since 1970. */
  startedAtMs: number;
  wallMs: number;
  outcome: 'passed' | 'failed' | 'interrupted';
  /** Present exactly where it failed. */
  failure?: Failure | undefined;
  /** What a clean-up step found wrong beside it. */
  cleanUpFailures: readonly Failure[];
  steps: readonly StepRecord[];
  timeline: readonly TimelineEntry[];
  upgrades: readonly UpgradeRecord[];
  faults: Readonly<Record<string, number>>;
  /** What passed on its links, where that was kept. */
  recording?: RunRecording | undefined;
}
