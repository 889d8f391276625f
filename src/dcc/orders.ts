/**
 * What a Service Request that was taken asks for, begun: jobs, an activation, a reading. What was taken and
 * not begun before a crash is found in the book and begun then; what was begun is not begun twice, by the
 * request ids of jobs and by the command that an upgrade has.
 */
import type { RequestFacts } from '../admission/context.ts';
import { listedHash } from '../admission/facts.ts';
import { inPieces } from '../bytes/in-pieces.ts';
import { type Asked, answerDated, answerVersion } from '../duis/answers.ts';
import { notReached } from '../duis/failure-collector.ts';
import { requestIdOf } from '../duis/identifiers.ts';
import type { Notice } from '../duis/progress.ts';
import { MILESTONES } from '../duis/progress-rows.ts';
import type { AcceptedRequest, RequestBook } from '../duis/request-book.ts';
import { EXIT, UpliftError } from '../errors.ts';
import type { Job, Upgrade } from '../jobs/book.ts';
import { DEVICES_A_RECORD, type JobRequest } from '../jobs/records.ts';
import { isOver } from '../jobs/states.ts';
import type { DccRecord, World } from './world.ts';

const PRIORITY = 4;
/** A SMETS1 device error has a number; for one that says nothing there is none (assumed). */
const NO_ANSWER = 1;
const ERROR_CHARACTERS_MAX = 250;

export interface OrdersTelling {
  /** On record when it returns, with what else is handed over; or nothing of it is. */
  tell(notices: readonly Notice[], ...more: DccRecord[]): void;
  tellOthers(request: AcceptedRequest): void;
  /** The same of a device that comes to nothing, though no upgrade of it says so. */
  tellFailed(
    request: AcceptedRequest,
    failure: { deviceId: string; code: string },
    ...more: DccRecord[]
  ): void;
}

export class Orders {
  private readonly world: World;
  private readonly book: RequestBook;
  private readonly tell: OrdersTelling['tell'];
  private readonly tellOthers: OrdersTelling['tellOthers'];
  private readonly tellFailed: OrdersTelling['tellFailed'];
  private readonly facts = new Map<string, RequestFacts>();
  private readonly reading = new Set<string>();

  constructor(world: World, book: RequestBook, { tell, tellOthers, tellFailed }: OrdersTelling) {
    this.world = world;
    this.book = book;
    this.tell = tell;
    this.tellOthers = tellOthers;
    this.tellFailed = tellFailed;
  }

  /** What it was decided on: of the record of the request. */
  remember(requestId: string, facts: RequestFacts): void {
    this.facts.set(requestId, facts);
  }

  /** Whatever is taken and not begun, and what was dated for now. */
  beginAll(): void {
    const { world, book } = this;
    for (const { requestId } of book.due(world.nowMs)) {
      world.write({ kind: 'duis-request', step: 'executed', requestId });
    }
    for (const request of [...book.unbegun()]) this.begin(request);
  }

  /** Of requests that are forgotten nothing is kept. */
  retire(): void {
    for (const id of this.facts.keys()) if (!this.book.request(id)) this.facts.delete(id);
  }

  get nextDueMs(): number {
    return this.book.nextDueMs() ?? Number.POSITIVE_INFINITY;
  }

  private begin(request: AcceptedRequest): void {
    const { body, execution, isExecuted } = request;
    const isDue = execution === undefined || isExecuted;
    switch (body) {
      case 'UpdateFirmware':
      case 'UpdatePPMIDFirmware':
        this.createJobs(request);
        return;
      case 'ActivateFirmware':
        if (execution !== undefined) this.answerDated(request);
        if (isDue) this.activate(request);
        else if (!this.book.isWaiting(request.id)) this.world.write(settled(request));
        return;
      case 'ReadFirmwareVersion':
        if (isDue) void this.read(request);
        return;
    }
  }

  /**
   * The device keeps it for its time, or let go what it kept: said of each, also of one whose place
   * another took before anything was begun.
   */
  private answerDated(request: AcceptedRequest): void {
    const [eui] = request.devices.deviceIds();
    const isTold = (request.devices.marksOf(eui!) & MILESTONES.requested) !== 0;
    if (!isTold) this.answer(request, eui!, answerDated(askedOf(request), this.world.nowMs));
  }

  // ---- 11.1 and 11.4 ----------------------------------------------------------------------------------

  private createJobs(request: AcceptedRequest): void {
    const { world } = this;
    const groups = this.groupsOf(request);
    const jobs: string[] = [];
    for (const when of ['held', 'now'] as const) {
      const job = this.jobFor(request, groups[when], when, groups.lost);
      if (job) jobs.push(job.id);
    }
    // Before it is on record that they are made: after a crash here it is told again, and not twice.
    this.tellOthers(request);
    this.tellLost(request, groups.lost);
    const { id: requestId } = request;
    if (jobs.length === 0) world.write(settled(request));
    else world.write({ kind: 'duis-request', step: 'jobs', requestId, jobs });
  }

  /** The ids of devices; of those that are lost their EUI-64: no rig has them any more. */
  private groupsOf({ body, devices }: AcceptedRequest): Record<'held' | 'now' | 'lost', string[]> {
    const { activation, devicesByEui, gateway } = this.world;
    const wanted =
      body === 'UpdateFirmware' ? activation.updateFirmware : activation.updatePpmidFirmware;
    const groups: Record<'held' | 'now' | 'lost', string[]> = { held: [], now: [], lost: [] };
    for (const eui of devices.deviceIds()) {
      const id = devicesByEui.get(eui);
      const device = id === undefined ? undefined : gateway.devices.get(id);
      // What keeps no second image cannot hold one, whatever was wanted.
      if (device) groups[device.canHold ? wanted : 'now'].push(device.id);
      else groups.lost.push(eui);
    }
    return groups;
  }

  /** @param lost takes the EUI-64 of what others took meanwhile, and of all where it is refused */
  private jobFor(
    request: AcceptedRequest,
    devices: readonly string[],
    when: 'held' | 'now',
    lost: string[],
  ): Job | undefined {
    const { gateway } = this.world;
    const known = gateway.book.jobOfRequest(jobRequestId(request, when));
    // Made before, and cut off before it was on record that it was.
    if (known) return known;
    const eui = (device: string) => gateway.devices.get(device)!.eui64!;
    const isFree = (device: string) => gateway.book.openFor(device).length === 0;
    const free = devices.filter(isFree);
    for (const device of devices) if (!isFree(device)) lost.push(eui(device));
    if (free.length === 0) return undefined;
    try {
      return this.createJob(request, free, when);
    } catch (error) {
      if (!(error instanceof UpliftError) || gateway.condition.state !== 'ready') throw error;
      for (const device of free) lost.push(eui(device));
      return undefined;
    }
  }

  /** Nothing comes of it for them, and no job would say so after a crash: told at once. */
  private tellLost(request: AcceptedRequest, lost: readonly string[]): void {
    const mark = MILESTONES.undelivered;
    const untold = lost.filter((eui) => (request.devices.marksOf(eui) & mark) === 0);
    const pieces = inPieces(untold, DEVICES_A_RECORD);
    if (pieces.length === 0) return;
    const { nowMs } = this.world;
    this.tell(pieces.map((deviceIds) => notReached(request, { mark, deviceIds }, nowMs)));
  }

  private createJob(
    request: AcceptedRequest,
    devices: readonly string[],
    when: 'held' | 'now',
  ): Job {
    const { gateway, deadlineMs, nowMs } = this.world;
    const { id, hash, originator, atMs } = request;
    const facts = this.facts.get(id);
    const asked: JobRequest = {
      image: hash!,
      devices,
      activation: { when },
      priority: PRIORITY,
      deadlineMs: Math.max(atMs + deadlineMs, nowMs + 1),
      requestId: jobRequestId(request, when),
      ...(facts ? { serviceRequest: facts } : {}),
    };
    return gateway.jobs.create(asked, `duis:${originator}`);
  }

  // ---- 11.3 -------------------------------------------------------------------------------------------

  private activate(request: AcceptedRequest): void {
    const { world } = this;
    const [eui] = request.devices.deviceIds();
    const device = world.devicesByEui.get(eui!);
    const upgrades = device === undefined ? [] : [...this.upgradesOf(device)];
    const named = upgrades.find((upgrade) => this.hashOf(upgrade) === request.hash);
    // Commanded since it was to be done: by this request before a crash, or by somebody else.
    const isCommanded = named !== undefined && named.commandedBy > request.sequence;
    if (named && (isCommanded || this.command(request, named))) {
      const jobs = [named.job.id];
      world.write({ kind: 'duis-request', step: 'jobs', requestId: request.id, jobs });
      return;
    }
    const holdsOther = upgrades.some(({ state }) => state === 'awaiting-activation');
    const code = holdsOther ? 'holds-unknown-image' : 'hold-expired';
    // What failed is not done later, whatever the device holds then.
    this.tellFailed(request, { deviceId: eui!, code }, settled(request));
  }

  /** False where there is nothing to activate, or the gateway does not. */
  private command({ originator }: AcceptedRequest, { job, device, state }: Upgrade): boolean {
    const { gateway } = this.world;
    if (state !== 'awaiting-activation') return false;
    try {
      gateway.jobs.activate(job.id, [device], { when: 'now' }, `duis:${originator}`);
      return true;
    } catch (error) {
      if (!(error instanceof UpliftError) || gateway.condition.state !== 'ready') throw error;
      return false;
    }
  }

  /** The newest first. */
  private *upgradesOf(device: string): IterableIterator<Upgrade> {
    const jobs = [...this.world.gateway.book.jobs].reverse();
    for (const { id } of jobs) {
      const upgrade = this.world.gateway.book.upgrade(id, device);
      if (upgrade) yield upgrade;
    }
  }

  /** By which lists and requests know the image. */
  hashOf({ job, device }: Upgrade): string | undefined {
    try {
      const { image, serviceRequest = {} } = job.request;
      const { facts } = this.world.briefFor(image, device, serviceRequest).brief.image;
      return facts.ok ? listedHash(facts) : undefined;
    } catch (error) {
      if (error instanceof UpliftError) return undefined;
      throw error;
    }
  }

  // ---- 11.2 -------------------------------------------------------------------------------------------

  private async read(request: AcceptedRequest): Promise<void> {
    if (this.reading.has(request.id)) return;
    this.reading.add(request.id);
    const [eui] = request.devices.deviceIds();
    try {
      const read = await this.versionOf(request, eui!);
      const response = answerVersion(askedOf(request), this.world.nowMs, read);
      this.answer(request, eui!, response, settled(request));
    } catch (error) {
      // The store takes no more: it is read again after a start.
      if (!(error instanceof UpliftError)) throw error;
    } finally {
      this.reading.delete(request.id);
    }
  }

  /** @throws UpliftError where that cannot be put on record */
  private async versionOf(
    { originator }: AcceptedRequest,
    eui: string,
  ): Promise<Parameters<typeof answerVersion>[2]> {
    const { gateway, devicesByEui } = this.world;
    try {
      const device = devicesByEui.get(eui);
      if (device === undefined) throw gone();
      const { version } = await gateway.read(device, `duis:${originator}`);
      return { firmwareVersion: version };
    } catch (error) {
      if (!(error instanceof UpliftError) || gateway.condition.state !== 'ready') throw error;
      const text = [error.message, error.actual].filter(Boolean).join(': ');
      return { error: { responseCode: NO_ANSWER, text: text.slice(0, ERROR_CHARACTERS_MAX) } };
    }
  }

  private answer(
    { id, originator }: AcceptedRequest,
    device: string,
    response: Notice['response'],
    ...more: DccRecord[]
  ): void {
    const about = { requestId: id, mark: MILESTONES.requested, devices: [device] };
    this.tell([{ user: originator, about, response }], ...more);
  }

  /** Requests whose devices are not all where they end: their records stay. */
  neededSinceMs(): number | undefined {
    let sinceMs: number | undefined;
    const { book } = this.world.gateway;
    for (const { jobs, atMs } of this.book.accepted()) {
      const isOpen = jobs.some((id) => book.job(id)?.upgrades.some(({ state }) => !isOver(state)));
      if (isOpen && (sinceMs === undefined || atMs < sinceMs)) sinceMs = atMs;
    }
    return sinceMs;
  }
}

function jobRequestId({ id }: AcceptedRequest, when: 'held' | 'now'): string {
  return `duis-${id}.${when}`;
}

function settled({ id: requestId }: AcceptedRequest): DccRecord {
  return { kind: 'duis-request', step: 'settled', requestId };
}

function askedOf({ id, serviceReference, duisVersion }: AcceptedRequest): Asked {
  const requestId = requestIdOf(id);
  const header = { requestId, serviceReference, serviceReferenceVariant: serviceReference };
  return { schemaVersion: duisVersion, header };
}

function gone(): UpliftError {
  return new UpliftError('device-unknown', 'no rig of this gateway has the device any more', {
    exit: EXIT.notReachable,
  });
}
