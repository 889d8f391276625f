/**
 * What a gateway does with the campaigns that are carried to it: it verifies each itself, has its devices
 * say what they run, makes a job for each that may be started, and calls off what has not begun and is not
 * wanted any more. It looks at what is wanted and at how things stand, not at how they came there: turning
 * it once more changes nothing, after a start or a day without a carrier as at any other time.
 *
 * Everything it decides is on record before it is acted on. One job is one device, and its request id says of
 * which campaign and attempt, so that nothing is begun twice.
 */
import {
  acceptCampaign,
  acceptDevice,
  type CampaignDevice,
  checkImageBytes,
  checkTime,
  type GatewayIdentity,
} from '../../campaign/acceptance.ts';
import type { CampaignTarget, Manifest } from '../../campaign/manifest.ts';
import { type CampaignTrust, decodeCampaign } from '../../campaign/signed-campaign.ts';
import { UpliftError } from '../../errors.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import type { Upgrade } from '../../jobs/book.ts';
import type { Actor } from '../../jobs/records.ts';
import { isOver } from '../../jobs/states.ts';
import type { Log, Timers } from '../../ports.ts';
import { type DeviceHardware, sameHardware, sameText } from '../../products/device-model.ts';
import { sha256Hex } from '../../trust/digest.ts';
import type { VersionFloors } from '../../trust/rollback.ts';
import { CampaignLedger, type DeviceStanding } from './campaign-ledger.ts';
import { CAMPAIGN_ACTOR, type CampaignRecordBody, requestIdOf } from './campaign-records.ts';
import type { CampaignFollower, CarriedCampaign, FollowedCampaign } from './carrier.ts';
import { DeviceReadings, type FollowedDevice } from './device-readings.ts';
import { isFrom, isTarget, ownStarts } from './own-rings.ts';

export interface FollowerOptions {
  gateway: Pick<Gateway, 'jobs' | 'book' | 'record' | 'listen' | 'read' | 'condition'>;
  timers: Timers;
  identity: GatewayIdentity;
  trust: Omit<CampaignTrust, 'atMs'>;
  /** Which trust anchors are in force, as one digest. */
  anchorsDigest: string;
  floors(): VersionFloors;
  /** They are in force from when it returns; durable. */
  raiseFloors(targets: readonly CampaignTarget[]): void;
  devices: readonly FollowedDevice[];
  /** Of an image that is in the store. */
  imageBytes(sha256: string): number | undefined;
  /** Somebody wants to know of each device, a day old at most, what it runs. */
  readsDaily?: boolean;
  log: Log;
}

/** Somewhat before the DCC's requests, which are 4: a campaign has its own pace. */
const PRIORITY = 3;
/** A refusal may pass: a clock was wrong, a window was added. */
const REFUSED_AGAIN_MS = 10 * 60_000;
const HOUSE_MS = 60_000;
const FOLLOWED_MAX = 32;
/** Of many devices something happens all the time. */
const MANY_DEVICES = 500;
const MANY_TURN_MS = 250;

/** A campaign that was verified, and what is wanted of it. */
interface Followed {
  manifest: Manifest;
  digest: string;
  carrier: string;
  course: CarriedCampaign['course'];
  wanted: 'own' | ReadonlyMap<string, number>;
}

interface Refused {
  id: string;
  digest: string;
  carrier: string;
  carried: CarriedCampaign;
  code: string;
  detail: string;
  againMs: number;
}

export class Follower implements CampaignFollower {
  readonly ledger = new CampaignLedger();
  readonly readings: DeviceReadings;
  private readonly options: FollowerOptions;
  private readonly followed = new Map<string, Followed>();
  /** By the digest of the document as it came. */
  private readonly refused = new Map<string, Refused>();
  private readonly accepted = new Map<string, string>();
  private readonly stopListening: () => void;
  private timer: { cancel(): void } | undefined;
  private isTurnDue = false;
  private isStopped = false;

  constructor(options: FollowerOptions) {
    this.options = options;
    const { gateway, timers } = options;
    this.readings = new DeviceReadings({
      devices: options.devices,
      timers,
      read: (device) => gateway.read(device, 'gateway'),
      changed: () => this.turnSoon(),
    });
    this.stopListening = gateway.listen({
      record: (record) => {
        this.ledger.keep(record);
        this.readings.keep(record);
        this.turnSoon();
      },
      progress() {},
    });
  }

  /** What is on record already, in its order; before anything is desired. */
  replay(records: Iterable<Parameters<CampaignLedger['keep']>[0]>): void {
    for (const record of records) {
      this.ledger.keep(record);
      this.readings.keep(record);
    }
  }

  stop(): void {
    this.isStopped = true;
    this.stopListening();
    this.timer?.cancel();
    this.readings.stop();
  }

  desire(carrier: string, campaigns: readonly CarriedCampaign[], by: Actor): void {
    const named = new Set(campaigns.map(({ document }) => sha256Hex(document)));
    for (const one of this.followed.values()) if (one.carrier === carrier) one.wanted = new Map();
    for (const [key, { carrier: whose }] of this.refused)
      if (whose === carrier && !named.has(key)) this.refused.delete(key);
    for (const carried of campaigns) this.take(carrier, carried, by);
    this.turn();
    this.forgetOld();
  }

  /** Records older than that go. */
  retire(beforeMs: number): void {
    const { book } = this.options.gateway;
    this.ledger.retire(beforeMs, (job) => book.job(job) !== undefined);
    for (const digest of this.followed.keys())
      if (!this.ledger.stories.has(digest)) this.followed.delete(digest);
  }

  imageStored(): void {
    this.turn();
  }

  campaigns(): readonly FollowedCampaign[] {
    const refused = [...this.refused.values()].map(({ id, digest, carrier, code, detail }) => ({
      ...{ id, digest, carrier, state: 'refused' as const, code, detail },
      missing: [],
      devices: countsOf([]),
    }));
    return [...[...this.followed.values()].map((one) => this.viewOf(one)), ...refused];
  }

  /** Whatever is due; once more changes nothing. */
  turn(): void {
    this.isTurnDue = false;
    this.timer?.cancel();
    if (this.isStopped) return;
    this.timer = this.options.timers.after(HOUSE_MS, () => this.turn());
    // What cannot be written down is not decided either.
    if (this.options.gateway.condition.state !== 'ready') return;
    try {
      this.retryRefused();
      for (const one of this.followed.values()) this.turnOne(one);
      this.readStale();
    } catch (error) {
      if (!(error instanceof UpliftError)) throw error;
      this.options.log.write('warning', `campaigns wait: ${error.message}`, { code: error.code });
    }
  }

  /** What nobody wants any more and nothing is left of stays to be looked at, for a while. */
  private forgetOld(): void {
    const { book } = this.options.gateway;
    for (const [digest, { wanted }] of this.followed) {
      if (this.followed.size <= FOLLOWED_MAX) return;
      const jobs = [...this.ledger.stories.get(digest)!.devices.values()].map(({ job }) => job);
      const isOpen = jobs.some((job) => {
        const [upgrade] = job === undefined ? [] : (book.job(job)?.upgrades ?? []);
        return upgrade !== undefined && !isOver(upgrade.state);
      });
      if (wanted !== 'own' && wanted.size === 0 && !isOpen) this.followed.delete(digest);
    }
  }

  /** One a turn. */
  private readStale(): void {
    const { readsDaily, gateway } = this.options;
    if (!readsDaily) return;
    const name = this.readings.stale(({ id }) => gateway.book.openFor(id).length === 0);
    if (name === undefined) return;
    if (this.readings.isSilent(name)) this.readings.forget(name);
    this.readings.ask(name);
  }

  // ---- acceptance -------------------------------------------------------------------------------------

  private take(carrier: string, carried: CarriedCampaign, by: Actor): void {
    const key = sha256Hex(carried.document);
    const digest = this.accepted.get(key);
    const known = digest === undefined ? undefined : this.followed.get(digest);
    if (known) {
      this.want(known, carrier, carried);
      return;
    }
    const before = this.refused.get(key);
    if (before && before.againMs > this.nowMs) {
      this.refused.set(key, { ...before, carried });
      return;
    }
    this.accept(key, carrier, carried, by);
  }

  private accept(key: string, carrier: string, carried: CarriedCampaign, by: Actor): void {
    const { identity, trust, anchorsDigest, raiseFloors } = this.options;
    const { nowMs } = this;
    const accepted = acceptCampaign(carried.document, trust, {
      ...{ gateway: identity, state: this.ledger.state, anchorsDigest, nowMs },
    });
    if (!accepted.ok) {
      this.refuse(key, carrier, carried, accepted);
      return;
    }
    this.refused.delete(key);
    const { campaign, repeated, state } = accepted;
    const { manifest, digest } = campaign;
    if (!repeated || !this.ledger.stories.has(digest)) {
      const { id, line, generation, expiresMs } = manifest;
      raiseFloors(manifest.targets);
      this.write({
        ...{ kind: 'campaign', step: 'accepted', campaign: digest, id, line, generation },
        ...{ anchors: anchorsDigest, newestSeenMs: state.newestSeenMs },
        ...{ when: manifest.activation.when, expiresMs, carrier, by },
      });
    }
    this.accepted.set(key, digest);
    const one: Followed = { manifest, digest, carrier, course: 'run', wanted: new Map() };
    this.followed.set(digest, one);
    this.want(one, carrier, carried);
    // Of one line the last that was accepted counts.
    for (const other of this.followed.values()) {
      const isOlder = other.manifest.line === manifest.line && other.digest !== digest;
      if (isOlder) other.wanted = new Map();
    }
  }

  private want(one: Followed, carrier: string, { course, devices }: CarriedCampaign): void {
    const isNewest = this.ledger.state.lines.get(one.manifest.line)?.digest === one.digest;
    one.carrier = carrier;
    one.course = course;
    if (!isNewest || course !== 'run') one.wanted = new Map();
    else if (devices === 'own') one.wanted = 'own';
    else one.wanted = new Map(devices.map(({ device, attempt }) => [device, attempt]));
  }

  private refuse(
    key: string,
    carrier: string,
    carried: CarriedCampaign,
    { code, message }: { code: string; message: string },
  ): void {
    const decoded = decodeCampaign(carried.document);
    const digest = decoded.ok ? sha256Hex(decoded.payload) : key;
    const againMs = this.nowMs + REFUSED_AGAIN_MS;
    const detail = message.slice(0, 500);
    this.refused.set(key, {
      id: digest.slice(0, 12),
      digest,
      carrier,
      carried,
      code,
      detail,
      againMs,
    });
    if (this.ledger.isRefused(digest, code)) return;
    this.write({ kind: 'campaign', step: 'refused', campaign: digest, carrier, code, detail });
    this.options.log.write('warning', `a campaign is refused: ${message}`, {
      code,
      campaign: digest,
    });
  }

  private retryRefused(): void {
    for (const [key, { carrier, carried, againMs }] of [...this.refused])
      if (againMs <= this.nowMs) this.accept(key, carrier, carried, 'gateway');
  }

  // ---- one campaign -----------------------------------------------------------------------------------

  private turnOne(one: Followed): void {
    const { manifest, digest, course } = one;
    const story = this.ledger.stories.get(digest)!;
    if (story.end === undefined) {
      const late = checkTime(manifest, { state: this.ledger.state, nowMs: this.nowMs });
      if (late) this.end(one, 'expired', late.code, late.message);
      else if (course === 'abort') this.end(one, 'aborted', 'called-off');
    }
    const wanted = story.end ? new Map<string, number>() : this.wantedOf(one);
    this.withdraw(one, wanted);
    if (this.missingOf(one).length > 0) return;
    for (const [name, attempt] of wanted) this.advance(one, name, attempt);
  }

  /** Device by attempt. */
  private wantedOf(one: Followed): ReadonlyMap<string, number> {
    if (one.wanted !== 'own') return one.wanted;
    const own = this.ownStarts(one);
    if (!own) return this.startedOf(one);
    const { course, abort } = own.evaluation;
    if (abort) {
      const { rule, failed, attempted } = abort;
      const detail = `rule ${rule + 1}: ${failed} of ${attempted} attempted failed`;
      this.end(one, 'aborted', 'abort-rule', detail);
      return new Map();
    }
    if (course === 'finished' && own.wanted.size > 0) this.end(one, 'finished');
    return own.wanted;
  }

  private startedOf({ digest }: Followed): ReadonlyMap<string, number> {
    const { devices } = this.ledger.stories.get(digest)!;
    return new Map([...devices].map(([name, { attempt }]) => [name, attempt]));
  }

  /** Undefined until every device that may be meant was heard, or asked often enough: rings are shares. */
  private ownStarts({ manifest, digest }: Followed) {
    const { devices } = this.ledger.stories.get(digest)!;
    const names: string[] = [];
    let areHeard = true;
    for (const device of this.options.devices) {
      const { name } = device;
      if (!isTarget(manifest, device)) continue;
      const words = this.readings.fresh(name);
      const isMeant = words?.some((version) => isFrom(manifest, { ...device, version }));
      if (devices.has(name) || isMeant || this.readings.isSilent(name)) names.push(name);
      if (words || devices.has(name) || this.readings.isSilent(name)) continue;
      this.readings.ask(name);
      areHeard = false;
    }
    return areHeard ? ownStarts(manifest, this.options.identity.id, names, devices) : undefined;
  }

  private end(
    one: Followed,
    how: 'finished' | 'aborted' | 'expired',
    code?: string,
    detail?: string,
  ): void {
    this.write({
      ...{ kind: 'campaign', step: 'ended', campaign: one.digest, how },
      ...(code === undefined ? {} : { code }),
      ...(detail === undefined ? {} : { detail }),
    });
  }

  /** What has begun goes on to its end; what waits for its time or its turn has not. */
  private withdraw({ digest, manifest }: Followed, wanted: ReadonlyMap<string, number>): void {
    const { gateway } = this.options;
    const story = this.ledger.stories.get(digest)!;
    for (const [name, standing] of story.devices) {
      if (wanted.has(name) || standing.job === undefined) continue;
      const [upgrade] = gateway.book.job(standing.job)?.upgrades ?? [];
      if (!upgrade || !isWithdrawable(upgrade, story.end !== undefined)) continue;
      const reason = 'the campaign does not want it now';
      gateway.jobs.cancel(standing.job, undefined, actorOf(manifest), reason);
    }
  }

  private advance(one: Followed, name: string, attempt: number): void {
    const { devices } = this.options;
    const story = this.ledger.stories.get(one.digest)!;
    const standing = story.devices.get(name);
    const isOpen = standing?.state === 'pending' && standing.attempt === attempt;
    if (standing && standing.attempt >= attempt && !isOpen) return;
    const device = devices.find((known) => known.name === name);
    if (!device) {
      this.tell(one, name, attempt, { phase: 'refused', code: 'device-unknown' });
      return;
    }
    const words = this.readings.fresh(name);
    if (words) this.begin(one, device, attempt, words, standing);
    else if (this.readings.isSilent(name)) {
      this.tell(one, name, attempt, { phase: 'failed', code: 'device-silent' });
      this.readings.forget(name);
    } else this.readings.ask(name);
  }

  private begin(
    one: Followed,
    device: FollowedDevice,
    attempt: number,
    words: readonly string[],
    standing: DeviceStanding | undefined,
  ): void {
    const { manifest } = one;
    const { name, hardware } = device;
    const running = manifest.targets.find((target) => {
      const image = manifest.images.find(({ sha256 }) => sha256 === target.image)!;
      const isThere = words.some((version) => sameText(version, image.firmwareVersion));
      return isThere && sameHardware(target, hardware);
    });
    if (running) {
      const runs = words.find((version) => version !== '');
      this.tell(one, name, attempt, {
        phase: 'done',
        detail: 'it runs it already',
        ...(runs === undefined ? {} : { runs }),
      });
      return;
    }
    const accepted = this.acceptedAs(manifest, { name, hardware }, words);
    if (!accepted.ok) {
      const { code, message } = accepted;
      this.tell(one, name, attempt, { phase: 'refused', code, detail: message });
      return;
    }
    const { sha256 } = accepted.image;
    const bytes = this.options.imageBytes(sha256)!;
    const other = checkImageBytes(manifest, accepted, { sha256, bytes });
    if (other) {
      const { code, message } = other;
      this.tell(one, name, attempt, { phase: 'refused', code, detail: message });
      return;
    }
    const [open] = this.options.gateway.book.openFor(device.id).slice(-1);
    if (open) this.goOnWith(one, name, attempt, open, sha256);
    else this.createJob(one, device, attempt, sha256, standing?.withdrawals ?? 0);
  }

  /** By any of the ways in which it says its version. */
  private acceptedAs(
    manifest: Manifest,
    { name, hardware }: { name: string; hardware: DeviceHardware },
    words: readonly string[],
  ) {
    const results = words.map((firmwareVersion) => {
      const device: CampaignDevice = { name, deviceModel: { ...hardware, firmwareVersion } };
      return acceptDevice(manifest, device, this.options.floors());
    });
    return results.find(({ ok }) => ok) ?? results[0]!;
  }

  /**
   * A device that holds this very image for an earlier campaign is not given it again: what is left is the
   * activation. For any other job that is open it waits.
   */
  private goOnWith(
    one: Followed,
    device: string,
    attempt: number,
    open: Upgrade,
    image: string,
  ): void {
    const { gateway } = this.options;
    const isHeld = open.state === 'awaiting-activation' && open.job.request.image === image;
    if (!isHeld) return;
    const { activation } = one.manifest;
    const { id: job } = open.job;
    const phase = open.state;
    const campaign = one.digest;
    this.write({ kind: 'campaign-adopted', campaign, device, attempt, job, phase });
    if (activation.when === 'held') return;
    gateway.jobs.activate(job, undefined, activationOf(activation), actorOf(one.manifest));
  }

  private createJob(
    one: Followed,
    { id, name }: FollowedDevice,
    attempt: number,
    image: string,
    turn: number,
  ): void {
    const { manifest, digest } = one;
    const { expiresMs: deadlineMs, window, reason } = manifest;
    try {
      this.options.gateway.jobs.create(
        {
          ...{ image, devices: [id], activation: activationOf(manifest.activation) },
          ...{ priority: PRIORITY, deadlineMs, reason },
          ...(window === undefined ? {} : { window }),
          requestId: requestIdOf(digest, name, attempt, turn),
        },
        actorOf(manifest),
      );
    } catch (error) {
      if (!(error instanceof UpliftError) || error.code === 'not-accepting') throw error;
      const { code, message, actual } = error;
      const detail = actual === undefined ? message : `${message} (${actual})`;
      this.tell(one, name, attempt, { phase: 'refused', code, detail });
    }
  }

  // ---- leaves -----------------------------------------------------------------------------------------

  private get nowMs(): number {
    return this.options.timers.nowMs();
  }

  private write(record: CampaignRecordBody): void {
    this.options.gateway.record(record);
  }

  private tell(
    { digest: campaign }: Followed,
    device: string,
    attempt: number,
    what: Pick<
      CampaignRecordBody & { kind: 'campaign-device' },
      'phase' | 'code' | 'detail' | 'runs'
    >,
  ): void {
    this.write({ kind: 'campaign-device', campaign, device, attempt, ...what });
  }

  /** What listens to records neither throws nor waits. */
  private turnSoon(): void {
    if (this.isTurnDue || this.isStopped) return;
    this.isTurnDue = true;
    const delayMs = this.options.devices.length > MANY_DEVICES ? MANY_TURN_MS : 0;
    this.options.timers.after(delayMs, () => {
      if (this.isTurnDue) this.turn();
    });
  }

  private missingOf({ manifest }: Followed) {
    const wanted = manifest.images.filter(({ sha256: image }) =>
      this.options.devices.some(({ hardware }) =>
        manifest.targets.some((target) => target.image === image && sameHardware(target, hardware)),
      ),
    );
    return wanted.flatMap(({ sha256, bytes }) =>
      this.options.imageBytes(sha256) === undefined ? [{ sha256, bytes }] : [],
    );
  }

  private viewOf(one: Followed): FollowedCampaign {
    const { manifest, digest, carrier, course } = one;
    const { end, devices } = this.ledger.stories.get(digest)!;
    const missing = end ? [] : this.missingOf(one);
    const { code, detail } = end ?? {};
    const standings = [...devices.values()];
    const isOwnHeld = one.wanted === 'own' && this.ownStarts(one)?.evaluation.course === 'held';
    const going = missing.length > 0 ? 'lacks-images' : course === 'pause' ? 'paused' : 'running';
    return {
      ...{ id: manifest.id, digest, carrier, missing },
      state: end?.how ?? (isOwnHeld ? 'held' : going),
      ...(code === undefined ? {} : { code }),
      ...(detail === undefined ? {} : { detail }),
      devices: countsOf(standings),
    };
  }
}

function actorOf({ id }: Manifest): Actor {
  return `${CAMPAIGN_ACTOR}${id}`;
}

function activationOf({ when, atMs }: Manifest['activation']) {
  return when === 'at' ? { when, atMs: atMs! } : { when };
}

/** @param isEnded what waits for a time to be activated is called off then, too */
function isWithdrawable({ state, job, holds }: Upgrade, isEnded: boolean): boolean {
  if (isOver(state)) return false;
  if (state === 'awaiting-activation') return isEnded && job.request.activation.when === 'at';
  return !holds && ['planned', 'awaiting-approval', 'scheduled'].includes(state);
}

function countsOf(standings: readonly DeviceStanding[]): FollowedCampaign['devices'] {
  const counts = { pending: 0, granted: 0, taken: 0, 'under-way': 0, succeeded: 0, failed: 0 };
  for (const { state } of standings) counts[state]++;
  return counts;
}
