/**
 * What a journal's records of jobs have to fulfil by themselves, read without the book that the gateway
 * keeps: moves that are allowed, deadlines that are kept, one activation a command.
 */
import type { GatewayRecord } from '../../src/gateway/control.ts';
import { STATE_RULES, type UpgradeState } from '../../src/jobs/states.ts';
import { SESSION_LIMITS } from '../../src/upgrade/session-messages.ts';

/** From a deadline to the record of what follows: a turn of the event loop, a call on its way. */
const GRACE_MS = 5_000;
/** So much of a link's absence is forgiven in one state. */
const FORGIVEN_MS = SESSION_LIMITS.linkDownMs;

interface Course {
  state: UpgradeState;
  untilMs: number;
  isAnnounced: boolean;
}

export function checkRecords(records: readonly GatewayRecord[], jumpsMs = 0): string[] {
  return new RecordsCheck(jumpsMs).check(records);
}

class RecordsCheck {
  private readonly findings: string[] = [];
  private readonly courses = new Map<string, Course>();
  private readonly jumpsMs: number;
  private startedMs = 0;

  constructor(jumpsMs: number) {
    this.jumpsMs = jumpsMs;
  }

  check(records: readonly GatewayRecord[]): string[] {
    for (const record of records) {
      const { kind, job, device, atMs } = record as GatewayRecord & { device: string };
      const id = `${job}/${device}`;
      if (kind === 'gateway-started') this.startedMs = atMs;
      if (kind === 'job') this.addJob(record);
      if (kind === 'command') this.command(record);
      if (kind === 'state') this.move(id, record);
      if (kind === 'intent' && record['intent'] === 'activate') this.announce(id, record);
      if (kind === 'progress') this.progress(id, atMs);
    }
    for (const [id, { state }] of this.courses)
      if (STATE_RULES[state].owner !== 'nobody') this.findings.push(`${id} is left ${state}`);
    return this.findings;
  }

  private addJob({ job, request, atMs }: GatewayRecord): void {
    const { devices, deadlineMs } = request as { devices: string[]; deadlineMs: number };
    for (const device of devices)
      this.courses.set(`${job}/${device}`, {
        state: 'planned',
        untilMs: Math.min(atMs, deadlineMs),
        isAnnounced: false,
      });
  }

  private command({ job, command, devices }: GatewayRecord): void {
    if (command !== 'activate' && command !== 'retry') return;
    for (const [id, course] of this.courses) {
      const isMeant = (devices as string[]).some((device) => id === `${job}/${device}`);
      if (isMeant) course.isAnnounced = false;
    }
  }

  private move(id: string, record: GatewayRecord): void {
    const course = this.courses.get(id)!;
    const { sequence, atMs } = record;
    const state = record['state'] as UpgradeState;
    const before = STATE_RULES[course.state];
    if (state !== course.state && !before.next.includes(state))
      this.findings.push(`${sequence}: ${id} goes from ${course.state} to ${state}`);
    if (record['owner'] !== STATE_RULES[state].owner)
      this.findings.push(`${sequence}: ${id} has another owner`);
    const isFinal = STATE_RULES[state].owner === 'nobody';
    if (!isFinal && typeof record['untilMs'] !== 'number')
      this.findings.push(`${sequence}: ${id} is ${state} without end`);
    const mostMs = Math.max(course.untilMs + FORGIVEN_MS + this.jumpsMs, this.startedMs) + GRACE_MS;
    if (before.owner !== 'nobody' && atMs > mostMs)
      this.findings.push(
        `${sequence}: ${id} was ${course.state} ${atMs - course.untilMs} ms longer`,
      );
    course.state = state;
    course.untilMs = (record['untilMs'] as number | undefined) ?? Number.POSITIVE_INFINITY;
  }

  private announce(id: string, { sequence }: GatewayRecord): void {
    const course = this.courses.get(id)!;
    if (course.isAnnounced) this.findings.push(`${sequence}: ${id} is activated a second time`);
    course.isAnnounced = true;
  }

  /** A transfer may last as long as it moves. */
  private progress(id: string, atMs: number): void {
    const course = this.courses.get(id);
    if (course?.state !== 'distributing') return;
    course.untilMs = Math.max(course.untilMs, atMs + SESSION_LIMITS.progressMs);
  }
}
