/** What the upgrade session of a hub is given, told and says, whichever protocol its line carries. */
import type { AdmissionContext } from '../admission/context.ts';
import type { AdmissionPolicy, DeviceFacts, HubImageFacts } from '../admission/facts.ts';
import type { HubImage } from '../image/hub-image.ts';
import type { CentralProductsList } from '../products/central-products-list.ts';
import type { ByteMachine } from '../protocol/machine.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import type { KeptRecord, SessionEvent, SessionLimits } from './session-messages.ts';
import { SESSION_LIMITS } from './session-messages.ts';
import type { FailureCode, SessionState } from './states.ts';

/** A hub on a line answers at once or not at all, and a block on its way is there within seconds. */
export const HUB_SESSION_LIMITS: SessionLimits = {
  ...SESSION_LIMITS,
  contactMs: 30_000,
  progressMs: 600_000,
  confirmMs: 60_000,
};

/** Of the line, from the hub's model. */
export interface HubLine {
  /** Undefined where it means nothing, as over TCP. */
  baudRate: number | undefined;
  bootMs: number;
  answerTimeoutMs: number;
  attemptsMax: number;
  /** Whether there are line steps of that kind. */
  canEnterBootloader: boolean;
  canReset: boolean;
}

/** How an application of a bootloader hub is asked which version it is, from its model. */
export interface ApplicationVersionTraits {
  /** What it is sent, a byte a character; nothing where it speaks of itself. */
  send?: string | undefined;
  /** A line pattern; its group is the version. */
  pattern: string;
  withinMs: number;
}

/** Of a hub that speaks SMP, from its model. */
export interface SmpTraits {
  imageNumber: number;
  chunkAlignmentBytes: number;
  windowMax: number;
  receivePoolLines: number;
  assumedBufferBytes: number;
  firstAnswerMs: number;
  confirm: 'after-test' | 'permanent';
  recovery: 'none' | 'reset-command' | 'line-steps';
}

export interface HubSessionRequest {
  /** What is known of the hub before it is asked: its model file. */
  device: DeviceFacts;
  image: HubImageFacts;
  /** Of the very buffer that was checked: its `sendBytes` are what is sent. */
  hubImage: HubImage;
  list: CentralProductsList | undefined;
  policy: AdmissionPolicy;
  /** Undefined: a bench. */
  context: AdmissionContext | undefined;
  activation: Activation;
  limits: SessionLimits;
  line: HubLine;
  kept?: KeptRecord | undefined;
}

export interface BootloaderSessionRequest extends HubSessionRequest {
  applicationVersion?: ApplicationVersionTraits | undefined;
}

export interface SmpSessionRequest extends HubSessionRequest {
  smp: SmpTraits;
}

/** How far an upload is; the same words as for a device that asks for its blocks. */
export interface UploadSample {
  sentBytes: number;
  totalBytes: number;
  /** Requests or blocks that were sent, and those of them that were sent again. */
  blocks: number;
  repeats: number;
  /** When the hub last took something. */
  lastRequestMs: number;
}

export type HubSessionEvent =
  | SessionEvent
  | { kind: 'progress'; sample: UploadSample }
  /** The session was stopped and is at rest; what the hub is left as. */
  | { kind: 'stopped'; detail: string };

/** What is no bytes. Each follows an event, so that whoever drains events finds it. */
export type HubCommand =
  /** Run the steps of that name from the model on the line; then say `steps-done`. */
  { kind: 'line-steps'; steps: 'enterBootloader' | 'reset' };

export type HubInput =
  | { kind: 'steps-done' }
  | { kind: 'link-down'; reason: string }
  | { kind: 'link-up' }
  /** The record of the intent is durable. */
  | { kind: 'granted' };

export interface HubSession extends ByteMachine<HubSessionEvent> {
  readonly state: SessionState;
  readonly code: FailureCode | undefined;
  /** Decides on what the model file says, and if that may be, turns to the hub. */
  start(nowMs: number): void;
  handle(input: HubInput, nowMs: number): void;
  pollCommand(): HubCommand | undefined;
  /** The image is on the hub and waits for a command, as was asked. */
  holds(): boolean;
  /** Calls it off. False where it is too late: the hub has no application, or acts on the command. */
  cancel(nowMs: number): boolean;
  /** Gives up as soon as the hub can be left; ends with `stopped`, or with a final state. */
  stop(nowMs: number): void;
}
