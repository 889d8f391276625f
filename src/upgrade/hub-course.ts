/** What the sessions of hubs share beside the course: admission on a hub's own words, progress, commands. */
import type { Decision } from '../admission/decide.ts';
import type { AdmissionFacts, DeviceFacts } from '../admission/facts.ts';
import { checkBytes } from '../admission/token.ts';
import { assert } from '../errors.ts';
import { Course } from './course.ts';
import type {
  HubCommand,
  HubSessionEvent,
  HubSessionRequest,
  UploadSample,
} from './hub-session-messages.ts';

/** The shortest time between two samples of one upload. */
const SAMPLE_PERIOD_MS = 250;

/** What a hub says of itself that a decision rests on. */
export type HubWords = Pick<DeviceFacts, 'runningVersion' | 'otherImages'>;

export class HubCourse extends Course<HubSessionEvent> {
  isStopped = false;
  private readonly request: HubSessionRequest;
  private readonly commands: HubCommand[] = [];
  private sampledMs = Number.NEGATIVE_INFINITY;

  constructor(request: HubSessionRequest) {
    super(request.limits.linkDownMs, request.kept);
    this.request = request;
  }

  /** False where the session ended by it: refused on what the model file says. */
  admitModel(nowMs: number): boolean {
    return !this.isRefused(this.request.device, nowMs);
  }

  /**
   * Decides again on what the hub itself says. False where the session ended by it. A hub that runs
   * nothing has no version to be newer than.
   */
  admitHub(said: HubWords, nowMs: number): boolean {
    const { runningVersion, otherImages } = said;
    const device = {
      ...this.request.device,
      ...(runningVersion ? { runningVersion } : {}),
      ...(otherImages ? { otherImages } : {}),
    };
    const { decision } = this.decideOn(device, nowMs);
    if (decision.verdict === 'refused') {
      this.finish('refused', undefined, decision.ruleId);
      return false;
    }
    const open = decision.pending.filter((fact) => fact !== 'runningVersion');
    if (open.length > 0 || (decision.conditional && runningVersion !== undefined)) {
      this.fail('facts-missing', decision.pending.join(', '));
      return false;
    }
    return this.isWhatWasAdmitted(decision);
  }

  /** The buffer that is sent from next, held against the decision; false where the session ended. */
  private isWhatWasAdmitted({ token }: Decision): boolean {
    assert(token !== undefined, 'an admission has a token');
    const check = checkBytes(token, this.request.hubImage.sendBytes);
    if (check.ok) return true;
    this.fail(check.code, `${check.actual}, admitted was ${check.expected}`);
    return false;
  }

  order(command: HubCommand, text: string): void {
    this.note(text);
    this.commands.push(command);
  }

  pollCommand(): HubCommand | undefined {
    return this.commands.shift();
  }

  /** `last`: whatever was said a moment ago. */
  sample(sample: UploadSample, last = false): void {
    if (!last && sample.lastRequestMs - this.sampledMs < SAMPLE_PERIOD_MS) return;
    this.sampledMs = sample.lastRequestMs;
    this.say({ kind: 'progress', sample: { ...sample } });
  }

  stop(detail: string): void {
    this.isStopped = true;
    this.say({ kind: 'stopped', detail });
  }

  override get isOver(): boolean {
    return this.isStopped || super.isOver;
  }

  private isRefused(device: DeviceFacts, nowMs: number): boolean {
    const { decision } = this.decideOn(device, nowMs);
    if (decision.verdict !== 'refused') return false;
    this.finish('refused', undefined, decision.ruleId);
    return true;
  }

  private decideOn(device: DeviceFacts, nowMs: number) {
    const { image, list, policy, context } = this.request;
    const facts: AdmissionFacts = { image, device, list, policy, context };
    return { decision: this.decide(facts, nowMs) };
  }
}
