/** One device of a flash, whatever it hangs on: what was asked for it, and what became of it. */
import { type AdmissionContext, CONTEXT_FACTS, type ContextFact } from '../admission/context.ts';
import { type Decision, decideAdmission } from '../admission/decide.ts';
import type { AdmissionFacts, AdmissionPolicy, DeviceFacts } from '../admission/facts.ts';
import { PENDING_FACTS } from '../admission/pending-facts.ts';
import type { AdmissionToken } from '../admission/token.ts';
import type { HubDevice, PpmidDevice, Rig, RigDevice } from '../config/schema.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import type { CentralProductsList } from '../products/central-products-list.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import type { UploadSample } from '../upgrade/hub-session-messages.ts';
import type { SessionEvent, SessionLimits } from '../upgrade/session.ts';
import { FAILURES, type FailureCode, isFinal, type SessionState } from '../upgrade/states.ts';
import type { AuditRecorder } from './audit-recorder.ts';
import { factsOfDevice } from './device-facts.ts';
import type { DevicePorts } from './device-ports.ts';
import type { LoadedImage } from './image-library.ts';
import type { SiteEvent } from './zigbee-site.ts';

export interface FlashRequest {
  rig: Rig;
  devices: RigDevice[];
  /** The image as each device's profile reads it. */
  imageFor(device: RigDevice): LoadedImage;
  list: CentralProductsList | undefined;
  policy: AdmissionPolicy;
  /** What is around the upgrade of a device: installation, lists, request, waiver. */
  contextFor(device: RigDevice): AdmissionContext;
  activation: Activation;
  limits: { ppmid: SessionLimits; hub: SessionLimits };
  /** Of a lab. */
  ports?: DevicePorts;
}

export type HubSiteEvent =
  /** `adapter`: what the USB adapter says of itself, where it is one. */
  { kind: 'hub-opened'; device: string; port: string; baudRate: number; adapter?: string };

export type FlashEvent =
  | { kind: 'site'; event: SiteEvent | HubSiteEvent }
  | { kind: 'session'; device: RigDevice; event: SessionEvent }
  | { kind: 'progress'; device: RigDevice; sample: UploadSample }
  /** Before or beside its session: it never joined, its coordinator or its port does not open. */
  | { kind: 'failed'; device: RigDevice; error: UpliftError };

export type OnFlashEvent = (event: FlashEvent) => void;

export interface DeviceOutcome {
  device: string;
  /** Of a device behind a coordinator. */
  eui64: string | undefined;
  /** Of a device on a line of its own. */
  port: string | undefined;
  state: SessionState | 'interrupted';
  code: string | undefined;
  detail: string | undefined;
  expected: string | undefined;
  actual: string | undefined;
  next: string | undefined;
  exit: ExitCode;
  decision: Decision | undefined;
  /** What the decision was made on. */
  decidedOn: AdmissionFacts | undefined;
  sentBytes: number;
  totalBytes: number;
  blocks: number;
  repeats: number;
  wallMs: number;
}

export interface Run<Device extends RigDevice = RigDevice> {
  readonly device: Device;
  readonly image: LoadedImage;
  readonly outcome: DeviceOutcome;
  readonly startedMs: number;
  readonly context: AdmissionContext;
  /** Of the decision on the model file's facts; what may be sent. */
  token: AdmissionToken | undefined;
  readonly recorder: AuditRecorder;
  /** Takes the decision down, for the outcome and for the audit log. */
  readonly record: (decision: Decision, device: DeviceFacts) => void;
  /** Keeps which list the admission rests on. @throws UpliftError where that cannot be kept */
  rememberList: () => void;
  /** Its image is on the device and waits, as was asked. */
  holds: () => boolean;
  /** The gateway ended it: what its session says from then on is not heard. */
  halted: boolean;
}

export type PpmidRun = Run<PpmidDevice>;
export type HubRun = Run<HubDevice>;

export function newRun<Device extends RigDevice>(
  device: Device,
  request: FlashRequest,
  recorder: AuditRecorder,
): Run<Device> {
  const image = request.imageFor(device);
  const { list, policy } = request;
  const context = request.contextFor(device);
  const outcome: DeviceOutcome = {
    device: device.id,
    eui64: device.kind === 'ppmid' ? device.eui64 : undefined,
    port: device.kind === 'hub' ? device.port : undefined,
    state: 'planned',
    code: undefined,
    detail: undefined,
    expected: undefined,
    actual: undefined,
    next: undefined,
    exit: EXIT.bug,
    decision: undefined,
    decidedOn: undefined,
    sentBytes: 0,
    totalBytes: image.sendBytes.length,
    blocks: 0,
    repeats: 0,
    wallMs: 0,
  };
  return {
    device,
    image,
    outcome,
    startedMs: Date.now(),
    context,
    token: undefined,
    recorder,
    record: (decision, facts) => {
      const subject = { by: 'flash', device: device.id, image: image.path };
      const decidedOn = { image: image.facts, device: facts, list, policy, context };
      Object.assign(outcome, { decision, decidedOn });
      recorder.add(subject, decidedOn, decision);
    },
    rememberList: () => {},
    holds: () => false,
    halted: false,
  };
}

/** Decides on the model file's facts, and touches no port. To be flushed before it is acted on or told. */
export function decide(run: Run, request: FlashRequest): Decision {
  const { image, context } = run;
  const { list, policy } = request;
  const device = factsOfDevice(run.device);
  const facts = { image: image.facts, device, list, policy, context };
  const decision = decideAdmission(facts, Date.now());
  run.record(decision, device);
  run.token = decision.token;
  return decision;
}

/** What no device can say has to be known by now: an intake demands it of whoever asks. */
export function contextIsThere(run: Run, { pending }: Decision, onEvent: OnFlashEvent): boolean {
  const missing = CONTEXT_FACTS.filter((fact) => pending.includes(fact));
  if (missing.length > 0) fail(run, contextMissing(run.context, missing), onEvent);
  return missing.length === 0;
}

export function tellRefusal(run: Run, decision: Decision, onEvent: OnFlashEvent): void {
  const { device } = run;
  const { ruleId } = decision;
  const said = { kind: 'decision', decision, device: factsOfDevice(device) } as const;
  onEvent({ kind: 'session', device, event: said });
  report(run, { kind: 'state', state: 'refused', ...(ruleId ? { detail: ruleId } : {}) }, onEvent);
}

function contextMissing({ intake }: AdmissionContext, missing: ContextFact[]): UpliftError {
  return new UpliftError('context-missing', `${intake}: not all is known that has to be`, {
    expected: missing.map((fact) => PENDING_FACTS[fact].next).join('; '),
    actual: `nothing of ${missing.join(', ')}`,
    next: 'name it on the command line, or in the admission section of the rig',
    exit: EXIT.refused,
  });
}

/** False where nothing may be done on it or after it: the run has ended. */
export function report(run: Run, event: SessionEvent, onEvent: OnFlashEvent): boolean {
  if (run.halted) return false;
  const { outcome } = run;
  if (event.kind === 'decision' && !recordNow(run, event, onEvent)) return false;
  if (event.kind === 'state') {
    outcome.state = event.state;
    outcome.code = event.code;
    outcome.detail = event.detail;
    outcome.next = event.code ? FAILURES[event.code].next : undefined;
    outcome.exit = exitOf(event.state, event.code);
    outcome.wallMs = Date.now() - run.startedMs;
  }
  onEvent({ kind: 'session', device: run.device, event });
  return true;
}

export function reportProgress(run: Run, sample: UploadSample, onEvent: OnFlashEvent): void {
  const { sentBytes, totalBytes, blocks, repeats } = sample;
  Object.assign(run.outcome, { sentBytes, totalBytes, blocks, repeats });
  onEvent({ kind: 'progress', device: run.device, sample });
}

export function fail(run: Run, error: UpliftError, onEvent: OnFlashEvent): void {
  const { code, message, expected, actual, next, exit } = error;
  const wallMs = Date.now() - run.startedMs;
  const failure = { state: 'failed', code, detail: message, expected, actual, next, exit, wallMs };
  Object.assign(run.outcome, failure);
  onEvent({ kind: 'failed', device: run.device, error });
}

export function interrupt(run: Run, detail: string): void {
  const { outcome } = run;
  if (isSettled(run)) return;
  outcome.state = 'interrupted';
  outcome.detail = detail;
  outcome.next = 'run the same command again to go on';
  outcome.exit = EXIT.interrupted;
  outcome.wallMs = Date.now() - run.startedMs;
}

/** Its outcome stands, whatever becomes of the others. */
export function isSettled({ outcome, holds }: Run): boolean {
  if (outcome.state === 'interrupted') return true;
  return isFinal(outcome.state) || holds();
}

export function aborted(signal: AbortSignal): Promise<'aborted'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('aborted');
    signal.addEventListener('abort', () => resolve('aborted'), { once: true });
  });
}

/** A decision that cannot be recorded, with the list that it rests on, ends its device's run, and no other's. */
function recordNow(
  run: Run,
  { decision, device }: Extract<SessionEvent, { kind: 'decision' }>,
  onEvent: OnFlashEvent,
): boolean {
  run.record(decision, device);
  try {
    run.recorder.flush(Date.now());
    if (decision.verdict === 'admitted') run.rememberList();
    return true;
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    run.halted = true;
    fail(run, unrecorded(error), onEvent);
    return false;
  }
}

function unrecorded({ code, message, expected, actual, next, cause }: UpliftError): UpliftError {
  return new UpliftError(code, `a decision could not be recorded: ${message}`, {
    ...(expected === undefined ? {} : { expected }),
    ...(actual === undefined ? {} : { actual }),
    next: `${next}; then run the same command again: the device keeps what it has`,
    exit: EXIT.transferFailed,
    cause,
  });
}

function exitOf(state: SessionState, code: FailureCode | undefined): ExitCode {
  if (code) return FAILURES[code].exit;
  return state === 'refused' ? EXIT.refused : EXIT.done;
}
