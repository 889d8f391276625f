/**
 * What a Service Request that was taken asks for, begun: jobs, an activation, a reading. What was taken and
 * not begun before a crash is found in the book and begun then; what was begun is not begun twice, by the
 * request ids of jobs and by the command that an upgrade has.
 */
import type { RequestFacts } from '../admission/context.ts';
import { listedHash } from '../admission/facts.ts';
import { type Asked, answerDated, answerVersion } from '../duis/answers.ts';
import { requestIdOf } from '../duis/identifiers.ts';
import type { Notice } from '../duis/progress.ts';
import { MILESTONES } from '../duis/progress-rows.ts';
import type { AcceptedRequest, RequestBook } from '../duis/request-book.ts';
import { EXIT, UpliftError } from '../errors.ts';
import type { Job, Upgrade } from '../jobs/book.ts';
import type { JobRequest } from '../jobs/records.ts';
import { isOver } from '../jobs/states.ts';
import type { World } from './world.ts';

const PRIORITY = 4;
/** A SMETS1 device error has a number; for one that says nothing there is none (assumed). */
const NO_ANSWER = 1;
const ERROR_CHARACTERS_MAX = 250;

export interface OrdersTelling {
  answered(notice: Notice): void;
  /** A device of the request comes to nothing, by a code of sessions or of the gateway. */
  failed(request: AcceptedRequest, deviceId: string, code: string): void;
  /** It is about to be carried out. */
  begun(request: AcceptedRequest): void;
}

export class Orders {
  private readonly world: World;
  private readonly book: RequestBook;
  private readonly telling: OrdersTelling;
  private readonly facts = new Map<string, RequestFacts>();
  private readonly reading = new Set<string>();
  /** What could not be begun since the start. */
  private readonly unbegun = new Set<string>();

  constructor(world: World, book: RequestBook, telling: OrdersTelling) {
    this.world = world;
    this.book = book;
    this.telling = telling;
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
    for (const request of book.accepted()) this.tryToBegin(request);
  }

  get nextDueMs(): number {
    return this.book.nextDueMs() ?? Number.POSITIVE_INFINITY;
  }

  /** One that cannot be begun hinders no other: its user is told, and a start tries again. */
  private tryToBegin(request: AcceptedRequest): void {
    if (this.unbegun.has(request.id)) return;
    try {
      this.begin(request);
    } catch (error) {
      const isStoreWell = this.world.gateway.condition.state === 'ready';
      if (!(error instanceof UpliftError) || !isStoreWell) throw error;
      this.unbegun.add(request.id);
      for (const deviceId of request.devices.deviceIds()) {
        this.telling.failed(request, deviceId, error.code);
      }
    }
  }

  private begin(request: AcceptedRequest): void {
    if (request.jobs.length > 0 || request.devices.size === 0) return;
    const isCancelled = request.execution === 'cancel';
    if (isCancelled || this.book.isWaiting(request.id)) {
      this.answerDated(request);
      return;
    }
    // Superseded by a later time, or called off, before its own time came.
    if (request.execution !== undefined && !request.isExecuted) return;
    switch (request.body) {
      case 'UpdateFirmware':
      case 'UpdatePPMIDFirmware':
        this.createJobs(request);
        return;
      case 'ActivateFirmware':
        this.activate(request);
        return;
      case 'ReadFirmwareVersion':
        void this.read(request);
        return;
    }
  }

  /** The device keeps it for its time, or let go what it kept. A reading is kept here, and answered then. */
  private answerDated(request: AcceptedRequest): void {
    const [eui] = request.devices.deviceIds();
    const isTold = (request.devices.marksOf(eui!) & MILESTONES.requested) !== 0;
    if (isTold || request.body === 'ReadFirmwareVersion') return;
    this.answer(request, eui!, answerDated(askedOf(request), this.world.nowMs));
  }

  // ---- 11.1 and 11.4 ----------------------------------------------------------------------------------

  private createJobs(request: AcceptedRequest): void {
    const { world } = this;
    const { gateway } = world;
    const wanted =
      request.body === 'UpdateFirmware'
        ? world.activation.updateFirmware
        : world.activation.updatePpmidFirmware;
    const groups: Record<'held' | 'now', string[]> = { held: [], now: [] };
    for (const eui of request.devices.deviceIds()) {
      const id = world.devicesByEui.get(eui);
      const device = id === undefined ? undefined : gateway.devices.get(id);
      // What keeps no second image cannot hold one, whatever was wanted.
      if (device) groups[device.canHold ? wanted : 'now'].push(device.id);
    }
    const jobs = (['held', 'now'] as const).flatMap((when) => {
      const devices = groups[when];
      return devices.length === 0 ? [] : this.createJob(request, devices, when).id;
    });
    // Before it is on record that they are made: after a crash here it is told again, and not twice.
    this.telling.begun(request);
    world.write({ kind: 'duis-request', step: 'jobs', requestId: request.id, jobs });
  }

  private createJob(
    { id, hash, originator, atMs }: AcceptedRequest,
    devices: readonly string[],
    when: 'held' | 'now',
  ): Job {
    const { gateway, deadlineMs, nowMs } = this.world;
    const facts = this.facts.get(id);
    const asked: JobRequest = {
      image: hash!,
      devices,
      activation: { when },
      priority: PRIORITY,
      deadlineMs: Math.max(atMs + deadlineMs, nowMs + 1),
      // Made before, and cut off before it was on record that it was.
      requestId: `duis-${id}.${when}`,
      ...(facts ? { serviceRequest: facts } : {}),
    };
    return (
      gateway.book.jobOfRequest(asked.requestId!) ??
      gateway.jobs.create(asked, `duis:${originator}`)
    );
  }

  // ---- 11.3 -------------------------------------------------------------------------------------------

  private activate(request: AcceptedRequest): void {
    const { world } = this;
    const { gateway } = world;
    const [eui] = request.devices.deviceIds();
    const device = world.devicesByEui.get(eui!);
    const upgrades = device === undefined ? [] : [...this.upgradesOf(device)];
    const named = upgrades.find((upgrade) => this.hashOf(upgrade) === request.hash);
    // Commanded by this request, before a crash.
    const isCommanded = named !== undefined && named.commandedBy > request.sequence;
    if (named && !isCommanded && named.state === 'awaiting-activation') {
      gateway.jobs.activate(
        named.job.id,
        [named.device],
        { when: 'now' },
        `duis:${request.originator}`,
      );
    } else if (!isCommanded) {
      const holdsOther = upgrades.some(({ state }) => state === 'awaiting-activation');
      this.telling.failed(request, eui!, holdsOther ? 'holds-unknown-image' : 'hold-expired');
      return;
    }
    world.write({
      kind: 'duis-request',
      step: 'jobs',
      requestId: request.id,
      jobs: [named!.job.id],
    });
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
    const { gateway, devicesByEui } = this.world;
    const [eui] = request.devices.deviceIds();
    const isAnswered = (request.devices.marksOf(eui!) & MILESTONES.requested) !== 0;
    if (isAnswered || this.reading.has(request.id)) return;
    this.reading.add(request.id);
    const asked = askedOf(request);
    try {
      const device = devicesByEui.get(eui!);
      if (device === undefined) throw gone();
      const { version } = await gateway.read(device, `duis:${request.originator}`);
      const read = { firmwareVersion: version };
      this.answer(request, eui!, answerVersion(asked, this.world.nowMs, read));
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
      if (gateway.condition.state !== 'ready') return;
      const text = [error.message, error.actual].filter(Boolean).join(': ');
      const failed = {
        error: { responseCode: NO_ANSWER, text: text.slice(0, ERROR_CHARACTERS_MAX) },
      };
      this.answer(request, eui!, answerVersion(asked, this.world.nowMs, failed));
    } finally {
      this.reading.delete(request.id);
    }
  }

  private answer(
    { id, originator }: AcceptedRequest,
    device: string,
    response: Notice['response'],
  ): void {
    const about = { requestId: id, mark: MILESTONES.requested, devices: [device] };
    this.telling.answered({ user: originator, about, response });
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
