/**
 * Which campaigns this gateway believes: each document is verified once, whatever carries it and however
 * often, and what it is accepted or refused for is on record. Of one line the last that was accepted counts.
 *
 * One campaign may come by several carriers. What the coordinator wants it conducts, from then on and after
 * a start too: others then bring bytes and take reports home. It is told of a device that another carrier's
 * campaign began when it names that device itself, by how the device stands then; so nothing is told of what
 * it does not know, and nothing twice.
 */
import { acceptCampaign, type GatewayIdentity } from '../../campaign/acceptance.ts';
import type { CampaignTarget, Manifest } from '../../campaign/manifest.ts';
import { type CampaignTrust, decodeCampaign } from '../../campaign/signed-campaign.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import type { Actor } from '../../jobs/records.ts';
import type { Log, Timers } from '../../ports.ts';
import { sha256Hex } from '../../trust/digest.ts';
import type { CampaignLedger, CampaignStory } from './campaign-ledger.ts';
import type { CampaignRecordBody } from './campaign-records.ts';
import { type CarriedCampaign, COORDINATOR } from './carrier.ts';

export interface AcceptanceOptions {
  gateway: Pick<Gateway, 'record' | 'condition'>;
  timers: Timers;
  ledger: CampaignLedger;
  identity: GatewayIdentity;
  trust: Omit<CampaignTrust, 'atMs'>;
  /** Which trust anchors are in force, as one digest. */
  anchorsDigest: string;
  /** They are in force from when it returns; durable. */
  raiseFloors(targets: readonly CampaignTarget[]): void;
  log: Log;
}

/** A campaign that was verified, and what is wanted of it. */
export interface Followed {
  manifest: Manifest;
  digest: string;
  carrier: string;
  course: CarriedCampaign['course'];
  /** Device by attempt, or as this gateway finds by itself. */
  wanted: 'own' | ReadonlyMap<string, number>;
  /** When it was last looked at a ring had ended and too few of it had succeeded. */
  isHeld: boolean;
}

export interface Refused {
  id: string;
  digest: string;
  carrier: string;
  carried: CarriedCampaign;
  code: string;
  detail: string;
  againMs: number;
}

export type Judged =
  | { ok: true; manifest: Manifest; digest: string }
  | { ok: false; code: string; message: string };

/** A refusal may pass: a clock was wrong, a window was added. */
const REFUSED_AGAIN_MS = 10 * 60_000;
const DETAIL_CHARACTERS_MAX = 500;
const ENDED = 'it was ended on this gateway';
const NOTHING: ReadonlyMap<string, number> = new Map();

export class Acceptances {
  /** By the digest of the manifest. */
  readonly followed = new Map<string, Followed>();
  /** By the digest of the document as it came. */
  readonly refused = new Map<string, Refused>();
  private readonly accepted = new Map<string, string>();
  private readonly options: AcceptanceOptions;

  constructor(options: AcceptanceOptions) {
    this.options = options;
  }

  /** All that this carrier wants now. */
  desire(carrier: string, campaigns: readonly CarriedCampaign[], by: Actor): void {
    const named = new Set(campaigns.map(({ document }) => sha256Hex(document)));
    for (const one of this.followed.values()) if (one.carrier === carrier) one.wanted = NOTHING;
    for (const [key, { carrier: whose }] of this.refused)
      if (whose === carrier && !named.has(key)) this.refused.delete(key);
    for (const carried of campaigns) this.take(carrier, carried, by);
  }

  /** What was refused and may not be now. */
  retry(): void {
    for (const [key, { carrier, carried, againMs }] of [...this.refused])
      if (againMs <= this.nowMs) this.accept(key, carrier, carried, 'gateway');
  }

  /** Whether it would be followed now; nothing is kept. */
  judge(document: Uint8Array): Judged {
    const digest = this.accepted.get(sha256Hex(document));
    const known = digest === undefined ? undefined : this.followed.get(digest);
    if (known) return { ok: true, manifest: known.manifest, digest: known.digest };
    const { identity, trust, anchorsDigest, ledger } = this.options;
    const { nowMs } = this;
    const situation = { gateway: identity, state: ledger.state, anchorsDigest, nowMs };
    const accepted = acceptCampaign(document, trust, situation);
    return accepted.ok ? accepted.campaign : accepted;
  }

  private take(carrier: string, carried: CarriedCampaign, by: Actor): void {
    const key = sha256Hex(carried.document);
    const digest = this.accepted.get(key);
    const known = digest === undefined ? undefined : this.followed.get(digest);
    if (known) {
      this.want(known, carrier, carried, by);
      return;
    }
    const before = this.refused.get(key);
    if (before?.carrier === carrier && before.againMs > this.nowMs) {
      this.refused.set(key, { ...before, carried });
      return;
    }
    this.accept(key, carrier, carried, by);
  }

  private accept(key: string, carrier: string, carried: CarriedCampaign, by: Actor): void {
    const { identity, trust, anchorsDigest, raiseFloors, ledger, gateway } = this.options;
    // What cannot be written down is not decided either.
    if (gateway.condition.state !== 'ready') {
      const code = 'not-accepting';
      this.keepRefused(key, carrier, carried, { code, message: 'The gateway takes no work.' }, 0);
      return;
    }
    const accepted = acceptCampaign(carried.document, trust, {
      ...{ gateway: identity, state: ledger.state, anchorsDigest, nowMs: this.nowMs },
    });
    if (!accepted.ok) {
      this.refuse(key, carrier, carried, accepted, by);
      return;
    }
    const { campaign, repeated, state } = accepted;
    const { manifest, digest } = campaign;
    if (!repeated || !ledger.stories.has(digest)) {
      const { id, line, generation, expiresMs } = manifest;
      raiseFloors(manifest.targets);
      gateway.record({
        ...{ kind: 'campaign', step: 'accepted', campaign: digest, id, line, generation },
        ...{ anchors: anchorsDigest, newestSeenMs: state.newestSeenMs },
        ...{ when: manifest.activation.when, expiresMs, carrier, by },
      });
    }
    this.refused.delete(key);
    this.accepted.set(key, digest);
    const one: Followed = {
      manifest,
      digest,
      carrier,
      course: 'run',
      wanted: NOTHING,
      isHeld: false,
    };
    this.followed.set(digest, one);
    this.want(one, carrier, carried, by);
    for (const other of this.followed.values()) {
      const isOlder = other.manifest.line === manifest.line && other.digest !== digest;
      if (isOlder) other.wanted = NOTHING;
    }
  }

  private want(one: Followed, carrier: string, carried: CarriedCampaign, by: Actor): void {
    const { course, devices } = carried;
    const { ledger } = this.options;
    const story = ledger.stories.get(one.digest)!;
    if (carrier === COORDINATOR) {
      const areTold = this.name(one.digest, story, carried, by);
      // Its own end here, of which the coordinator knows nothing.
      const isOver = story.end !== undefined && story.end.how !== 'expired' && course === 'run';
      if (isOver && !areTold) this.tellRefused(one.digest, carrier, 'campaign-replayed', ENDED);
    } else if (story.coordinator) {
      one.carrier = COORDINATOR;
      return;
    }
    const newest = ledger.state.lines.get(one.manifest.line);
    one.carrier = carrier;
    one.course = course;
    if (newest?.digest !== one.digest || course !== 'run') one.wanted = NOTHING;
    else if (devices === 'own') one.wanted = 'own';
    else one.wanted = new Map(devices.map(({ device, attempt }) => [device, attempt]));
  }

  /** @returns whether the coordinator knows how each device stands that it names */
  private name(
    campaign: string,
    story: CampaignStory,
    { devices }: CarriedCampaign,
    by: Actor,
  ): boolean {
    if (!story.coordinator) this.write({ kind: 'campaign', step: 'wanted', campaign, by });
    const { begunBefore } = story.coordinator!;
    let areTold = true;
    for (const { device } of devices === 'own' ? [] : devices) {
      const standing = story.devices.get(device);
      areTold &&= standing !== undefined;
      if (!standing || begunBefore.get(device) !== Number.POSITIVE_INFINITY) continue;
      const { attempt, phase, code, runs, state } = standing;
      this.write({
        ...{ kind: 'campaign-device', campaign, device, attempt, phase, again: true },
        ...(code === undefined ? {} : { code }),
        ...(runs === undefined ? {} : { runs }),
        ...(state === 'pending' ? { withdrawn: true } : {}),
      });
    }
    return areTold;
  }

  private refuse(
    key: string,
    carrier: string,
    carried: CarriedCampaign,
    refusal: { code: string; message: string },
    by: Actor,
  ): void {
    const { code } = refusal;
    const againMs = this.nowMs + REFUSED_AGAIN_MS;
    const { digest: campaign, detail } = this.keepRefused(key, carrier, carried, refusal, againMs);
    const story = this.options.ledger.stories.get(campaign);
    // One that ended here before: what it came to is told instead, where that answers the question.
    const areTold = story && carrier === COORDINATOR && this.name(campaign, story, carried, by);
    if (!areTold) this.tellRefused(campaign, carrier, code, detail);
  }

  private tellRefused(campaign: string, carrier: string, code: string, detail: string): void {
    const { ledger, log } = this.options;
    if (ledger.isRefused(campaign, carrier, code)) return;
    this.write({ kind: 'campaign', step: 'refused', campaign, carrier, code, detail });
    log.write('warning', `a campaign is refused: ${detail}`, { code, campaign });
  }

  private write(record: CampaignRecordBody): void {
    this.options.gateway.record(record);
  }

  private keepRefused(
    key: string,
    carrier: string,
    carried: CarriedCampaign,
    { code, message }: { code: string; message: string },
    againMs: number,
  ): Refused {
    const decoded = decodeCampaign(carried.document);
    const digest = decoded.ok ? sha256Hex(decoded.payload) : key;
    const detail = message.slice(0, DETAIL_CHARACTERS_MAX);
    // Its id is not believed where its signatures are not.
    const id = digest.slice(0, 12);
    const refused = { id, digest, carrier, carried, code, detail, againMs };
    this.refused.set(key, refused);
    return refused;
  }

  private get nowMs(): number {
    return this.options.timers.nowMs();
  }
}
