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
  acceptDevice,
  type CampaignDevice,
  checkImageBytes,
  checkTime,
} from '../../campaign/acceptance.ts';
import type { Manifest } from '../../campaign/manifest.ts';
import { UpliftError } from '../../errors.ts';
import type { DeviceCampaignView, GatewayRecord } from '../../gateway/control.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import type { Upgrade } from '../../jobs/book.ts';
import type { Actor } from '../../jobs/records.ts';
import { isOver } from '../../jobs/states.ts';
import { type DeviceHardware, sameHardware } from '../../products/device-model.ts';
import { EXPIRIES } from '../../schedule/codes.ts';
import type { VersionFloors } from '../../trust/rollback.ts';
import { type AcceptanceOptions, Acceptances, type Followed, type Judged } from './acceptances.ts';
import { CampaignLedger, type DeviceStanding } from './campaign-ledger.ts';
import { CAMPAIGN_ACTOR, type CampaignRecordBody, requestIdOf } from './campaign-records.ts';
import type { CampaignFollower, CarriedCampaign, FollowedCampaign } from './carrier.ts';
import { DeviceReadings, type FollowedDevice } from './device-readings.ts';
import { JournalEvents, type ToldJournal } from './event-source.ts';
import { isMeant, isTarget, isThere, ownStarts } from './own-rings.ts';
import { campaignOfDevice, followedView, refusedView } from './views.ts';

type FollowedGateway = Pick<
  Gateway,
  'jobs' | 'book' | 'record' | 'listen' | 'read' | 'condition' | 'device' | 'linkStates'
>;

export interface FollowerOptions extends Omit<AcceptanceOptions, 'ledger' | 'gateway'> {
  gateway: FollowedGateway;
  journal: ToldJournal;
  floors(): VersionFloors;
  devices: readonly FollowedDevice[];
  /** Of an image that is in the store. */
  imageBytes(sha256: string): number | undefined;
  /** Somebody wants to know of each device, a day old at most, what it runs. */
  readsDaily?: boolean;
}

/** Somewhat before the DCC's requests, which are 4: a campaign has its own pace. */
const PRIORITY = 3;
const HOUSE_MS = 60_000;
const FOLLOWED_MAX = 32;
/** Of many devices something happens all the time. */
const MANY_DEVICES = 500;
const MANY_TURN_MS = 250;

export class Follower implements CampaignFollower {
  readonly ledger = new CampaignLedger();
  readonly readings: DeviceReadings;
  /** Of every campaign, as a stick takes it home. */
  readonly events: JournalEvents;
  /** Of what the coordinator named: anything else it would refuse, and with it all that follows. */
  readonly coordinatorEvents: JournalEvents;
  private readonly options: FollowerOptions;
  private readonly byId: ReadonlyMap<string, FollowedDevice>;
  private readonly acceptances: Acceptances;
  private readonly stopListening: () => void;
  private timer: { cancel(): void } | undefined;
  private isTurnDue = false;
  private isStopped = false;

  constructor(options: FollowerOptions) {
    this.options = options;
    const { gateway, timers } = options;
    this.byId = new Map(options.devices.map((device) => [device.id, device]));
    this.readings = new DeviceReadings({
      devices: options.devices,
      timers,
      read: (device) => gateway.read(device, 'gateway'),
      isUp: (device) => this.isUp(device),
      changed: () => this.turnSoon(),
    });
    const { ledger } = this;
    this.events = new JournalEvents(options.journal, (record) => ledger.eventOf(record));
    this.coordinatorEvents = new JournalEvents(options.journal, (record) =>
      ledger.coordinatorEventOf(record),
    );
    this.acceptances = new Acceptances({ ...options, ledger: this.ledger });
    this.stopListening = gateway.listen({
      record: (record) => {
        this.keep(record);
        this.turnSoon();
      },
      progress() {},
      link: (link, up) => {
        if (!up) return;
        this.readings.linkUp(({ id }) => gateway.device(id)?.link === link);
        this.turnSoon();
      },
    });
  }

  /** What is on record already, in its order; before anything is desired. */
  replay(records: Iterable<GatewayRecord>): void {
    for (const record of records) this.keep(record);
  }

  stop(): void {
    this.isStopped = true;
    this.stopListening();
    this.timer?.cancel();
    this.readings.stop();
  }

  desire(carrier: string, campaigns: readonly CarriedCampaign[], by: Actor): void {
    this.acceptances.desire(carrier, campaigns, by);
    this.turn();
    this.forgetOld();
  }

  /** Records older than that go. */
  retire(beforeMs: number): void {
    const { book } = this.options.gateway;
    const [oldest] = this.options.journal.records(1, 1);
    this.ledger.retire(beforeMs, (job) => book.job(job) !== undefined);
    if (oldest) {
      this.events.retire(oldest.sequence);
      this.coordinatorEvents.retire(oldest.sequence);
    }
    for (const digest of this.followed.keys())
      if (!this.ledger.stories.has(digest)) this.acceptances.followed.delete(digest);
  }

  /** Whether the campaign would be followed now. */
  judge(document: Uint8Array): Judged {
    return this.acceptances.judge(document);
  }

  imageStored(): void {
    this.turn();
  }

  campaigns(): readonly FollowedCampaign[] {
    const { stories } = this.ledger;
    const views = [...this.followed.values()].map((one) =>
      followedView(one, stories.get(one.digest)!, this.missingOf(one)),
    );
    return [...views, ...[...this.acceptances.refused.values()].map(refusedView)];
  }

  /** In which a device is, as its rig calls it. */
  campaignOf(id: string): DeviceCampaignView | undefined {
    const device = this.byId.get(id);
    if (!device) return undefined;
    const { identity } = this.options;
    return campaignOfDevice(device, this.followed.values(), this.ledger.stories, identity.id);
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
      this.acceptances.retry();
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
      if (wanted !== 'own' && wanted.size === 0 && !isOpen)
        this.acceptances.followed.delete(digest);
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

  private keep(record: GatewayRecord): void {
    this.ledger.keep(record);
    this.events.keep(record);
    this.coordinatorEvents.keep(record);
    this.readings.keep(record);
  }

  // ---- one campaign -----------------------------------------------------------------------------------

  private turnOne(one: Followed): void {
    const { manifest, digest, course } = one;
    const story = this.ledger.stories.get(digest)!;
    if (story.end === undefined) {
      const late = checkTime(manifest, { state: this.ledger.state, nowMs: this.nowMs });
      if (late) this.expire(one, late);
      else if (course === 'abort') this.end(one, 'aborted', 'called-off');
    }
    const wanted = story.end ? new Map<string, number>() : this.wantedOf(one);
    this.withdraw(one, wanted);
    if (this.missingOf(one).length > 0) return;
    for (const [name, attempt] of wanted) this.advance(one, name, attempt);
  }

  private expire(one: Followed, { code, message }: { code: string; message: string }): void {
    const wanted = this.wantedOf(one);
    if (this.ledger.stories.get(one.digest)!.end) return;
    // Those that waited for their link are not the silent ones: it never let them be asked.
    for (const [name, attempt] of wanted) {
      if (!this.isToBegin(one, name, attempt) || !this.readings.isAway(name)) continue;
      const { sentence } = EXPIRIES['link-not-back'];
      this.tell(one, name, attempt, { phase: 'expired', code: 'link-not-back', detail: sentence });
    }
    this.end(one, 'expired', code, message);
  }

  /** Device by attempt. */
  private wantedOf(one: Followed): ReadonlyMap<string, number> {
    one.isHeld = false;
    if (one.wanted !== 'own') return one.wanted;
    const own = this.ownStarts(one);
    if (!own) return this.startedOf(one);
    const { course, abort } = own.evaluation;
    one.isHeld = course === 'held';
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
      const isGivenUp = this.readings.isSilent(name) || this.readings.isOutOfReach(name);
      const isKnown = devices.has(name) || isGivenUp;
      const isOne = words?.some((version) => isMeant(manifest, { ...device, version }));
      if (isKnown || isOne) names.push(name);
      if (isKnown || words) continue;
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

  /** It was not begun in this attempt, or was called off before it was. */
  private isToBegin({ digest }: Followed, name: string, attempt: number): boolean {
    const standing = this.ledger.stories.get(digest)!.devices.get(name);
    if (!standing || standing.attempt < attempt) return true;
    return standing.attempt === attempt && standing.state === 'pending';
  }

  private advance(one: Followed, name: string, attempt: number): void {
    const { devices } = this.options;
    if (!this.isToBegin(one, name, attempt)) return;
    const standing = this.ledger.stories.get(one.digest)!.devices.get(name);
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
    const [runs] = words;
    if (words.some((version) => isThere(manifest, { hardware, version }))) {
      const detail = 'it runs it already';
      this.tell(one, name, attempt, { phase: 'done', detail, ...(runs ? { runs } : {}) });
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
    else {
      // Turns are counted in each attempt: the same again would be the job that was called off.
      const turn = standing?.attempt === attempt ? standing.withdrawals : 0;
      this.createJob(one, device, attempt, sha256, turn);
    }
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

  private get followed(): ReadonlyMap<string, Followed> {
    return this.acceptances.followed;
  }

  /** A link is up until it is said to be down. */
  private isUp(device: string): boolean {
    const { gateway } = this.options;
    const link = gateway.device(device)?.link;
    return link === undefined || gateway.linkStates.get(link)?.up !== false;
  }

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
}

function actorOf({ id }: Manifest): Actor {
  return `${CAMPAIGN_ACTOR}${id}`;
}

function activationOf({ when, atMs }: Manifest['activation']) {
  return when === 'at' ? { when, atMs: atMs! } : { when };
}

/**
 * What failed and waits to be tried again was begun, and goes on to its end.
 *
 * @param isEnded what waits for a time to be activated is called off then, too
 */
function isWithdrawable(upgrade: Upgrade, isEnded: boolean): boolean {
  const { state, job, holds, intents, attempt } = upgrade;
  if (isOver(state) || intents.has('activate')) return false;
  if (state === 'awaiting-activation') return isEnded && job.request.activation.when === 'at';
  return !holds && attempt === 0 && ['planned', 'awaiting-approval', 'scheduled'].includes(state);
}
