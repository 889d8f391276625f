/**
 * What the journal comes to for campaigns, record by record: how each device stands, which lines were
 * accepted, and the events that a coordinator is told. The same code reads it at a start and while it is
 * written, so that what is known after a crash is what was known before.
 */
import { inPieces } from '../../bytes/in-pieces.ts';
import { type CampaignState, type LineState, NO_CAMPAIGNS } from '../../campaign/acceptance.ts';
import {
  type DeviceProgress,
  deviceProgress,
  type UpgradeStanding,
} from '../../campaign/device-progress.ts';
import { LIFE_MS_MAX, type Manifest } from '../../campaign/manifest.ts';
import type { GatewayRecord } from '../../gateway/control.ts';
import { isJobRecord, type JobRecord } from '../../jobs/records.ts';
import type { UpgradeState } from '../../jobs/states.ts';
import type { CampaignRefusedEvent, FleetEvent } from '../wire.ts';
import {
  CAMPAIGN_ACTOR,
  type CampaignPlace,
  type CampaignRecord,
  type CampaignRecordBody,
  isCampaignRecord,
  placeOfRequest,
} from './campaign-records.ts';
import { COORDINATOR } from './carrier.ts';

export type LedgerEvent = FleetEvent | CampaignRefusedEvent;

/** Of one device in one campaign. */
export type DeviceStanding = DeviceProgress & {
  attempt: number;
  phase: UpgradeState;
  code: string | undefined;
  runs: string | undefined;
  /** How often this attempt was called off before it began. */
  withdrawals: number;
  job: string | undefined;
};

export interface CampaignStory {
  acceptedMs: number;
  expiresMs: number;
  when: Manifest['activation']['when'];
  /** Where the coordinator wants it, whoever brought it first. */
  coordinator: CoordinatorShare | undefined;
  /** When something last happened to a device of it. */
  movedMs: number;
  devices: Map<string, DeviceStanding>;
  end?: { how: 'finished' | 'aborted' | 'expired'; code?: string; detail?: string };
}

/** What of a campaign is the coordinator's: it refuses events of what it never named. */
export interface CoordinatorShare {
  /** Sequence of the record from which on. */
  since: number;
  /** Devices that were begun before; from which record on of each, Infinity until it names it. */
  begunBefore: Map<string, number>;
}

const DETAIL_CHARACTERS_MAX = 500;
/** A record has its bound. */
const LINES_A_RECORD = 500;
/** Twice the longest life of a campaign. */
const LINE_MS = 2 * LIFE_MS_MAX;

/** Jobs belong to one campaign, or to a later one from some record on. */
interface Link extends CampaignPlace {
  fromSequence: number;
}

export class CampaignLedger {
  readonly stories = new Map<string, CampaignStory>();
  /** What a stick brought and is followed: documents by campaign. */
  readonly carried = new Map<string, { document: string; atMs: number }>();
  /** By campaign and carrier. */
  private readonly refusals = new Map<string, Map<string, string>>();
  private readonly links = new Map<string, Link[]>();
  private newestSeenMs = NO_CAMPAIGNS.newestSeenMs;
  private readonly lines = new Map<string, LineState & { atMs: number }>();

  /** What acceptance is held against. */
  get state(): CampaignState {
    return { newestSeenMs: this.newestSeenMs, lines: this.lines };
  }

  /** Whether it is on record already that this carrier's campaign is refused so. */
  isRefused(campaign: string, carrier: string, code: string): boolean {
    return this.refusals.get(campaign)?.get(carrier) === code;
  }

  keep(record: GatewayRecord): void {
    if (isJobRecord(record)) this.link(record);
    else if (isCampaignRecord(record)) this.apply(record);
    const event = this.eventOf(record);
    if (!event || !('device' in event)) return;
    if (record['again'] === true) this.name(event);
    else this.move(event, jobOf(record));
  }

  /**
   * What the coordinator is told of a record: of campaigns that it wants, and wanted by then; of devices
   * that were begun before, from when it named them. Of a record it is the same at any time.
   */
  coordinatorEventOf(record: GatewayRecord): LedgerEvent | undefined {
    const event = this.eventOf(record);
    if (!event) return undefined;
    if ('refused' in event) return record['carrier'] === COORDINATOR ? event : undefined;
    const share = this.stories.get(event.campaign)?.coordinator;
    const since = share?.begunBefore.get(event.device) ?? share?.since;
    return since !== undefined && record.sequence >= since ? event : undefined;
  }

  /** What a record says of campaigns, whoever carries them. Of records that were kept, in any order. */
  eventOf(record: GatewayRecord): LedgerEvent | undefined {
    const { sequence, atMs } = record;
    if (isCampaignRecord(record)) {
      switch (record.kind) {
        case 'campaign': {
          if (record.step !== 'refused') return undefined;
          const { campaign, code, detail } = record;
          return { sequence, atMs, campaign, refused: code, ...detailed(detail) };
        }
        case 'campaign-device': {
          const { detail, ...event } = eventFields(record);
          return { ...event, ...detailed(detail) };
        }
        case 'campaign-adopted': {
          const { campaign, device, attempt, phase } = record;
          return { sequence, atMs, campaign, device, attempt, phase };
        }
      }
    }
    if (!isJobRecord(record) || record.kind !== 'state') return undefined;
    const link = this.linkAt(record.job, sequence);
    if (!link) return undefined;
    const { campaign, device, attempt } = link;
    const { state: phase, code, detail, runs } = record;
    const isWithdrawn = phase === 'cancelled' && detail?.startsWith(`by ${CAMPAIGN_ACTOR}`);
    return {
      ...{ sequence, atMs, campaign, device, attempt, phase },
      ...(code === undefined ? {} : { code }),
      ...detailed(detail),
      ...(isWithdrawn ? { withdrawn: true as const } : {}),
      ...(runs === undefined ? {} : { runs: runs.slice(0, 64) }),
    };
  }

  /**
   * Since when records are needed: of campaigns that are not over, and of those that the coordinator has yet
   * to be told of.
   * @param untoldSinceMs of its oldest event that it does not have
   */
  neededSinceMs(nowMs: number, untoldSinceMs = Number.POSITIVE_INFINITY): number {
    let sinceMs = untoldSinceMs;
    for (const { acceptedMs, expiresMs, movedMs, end } of this.stories.values()) {
      const isNeeded = (!end && expiresMs > nowMs) || movedMs >= untoldSinceMs;
      if (isNeeded) sinceMs = Math.min(sinceMs, acceptedMs);
    }
    for (const { atMs } of this.carried.values()) sinceMs = Math.min(sinceMs, atMs);
    return sinceMs;
  }

  /**
   * What has to be said again before older records are retired. A line is forgotten when nothing of it that
   * was signed before can be alive: so much later than any campaign may last.
   */
  restated(nowMs: number): CampaignRecordBody[] {
    for (const [line, { atMs }] of this.lines) if (atMs + LINE_MS < nowMs) this.lines.delete(line);
    if (this.lines.size === 0 && this.newestSeenMs === 0) return [];
    const lines = [...this.lines].map(([line, state]) => ({ line, ...state }));
    const { newestSeenMs } = this;
    const pieces = lines.length === 0 ? [[]] : inPieces(lines, LINES_A_RECORD);
    return pieces.map((piece) => ({
      kind: 'campaign',
      step: 'standing',
      newestSeenMs,
      lines: piece,
    }));
  }

  /** Records older than that go; what they say of jobs and of campaigns that are over goes with them. */
  retire(beforeMs: number, hasJob: (job: string) => boolean): void {
    for (const job of this.links.keys()) if (!hasJob(job)) this.links.delete(job);
    for (const [campaign, { acceptedMs }] of this.stories)
      if (acceptedMs < beforeMs) this.stories.delete(campaign);
  }

  private link(record: JobRecord): void {
    if (record.kind !== 'job') return;
    const place = placeOfRequest(record.request.requestId);
    if (!place) return;
    this.links.set(record.job, [{ ...place, fromSequence: record.sequence }]);
  }

  private linkAt(job: string, sequence: number): Link | undefined {
    return this.links.get(job)?.findLast(({ fromSequence }) => fromSequence <= sequence);
  }

  private apply(record: CampaignRecord): void {
    if (record.kind === 'campaign-adopted') {
      const { sequence: fromSequence, job, campaign, device, attempt } = record;
      const links = this.links.get(job) ?? [];
      this.links.set(job, [...links, { fromSequence, campaign, device, attempt }]);
      return;
    }
    if (record.kind !== 'campaign') return;
    switch (record.step) {
      case 'accepted': {
        const { campaign, line, generation, anchors, atMs, expiresMs, when, carrier } = record;
        this.newestSeenMs = Math.max(this.newestSeenMs, record.newestSeenMs);
        this.lines.set(line, { generation, digest: campaign, ended: false, anchors, atMs });
        this.refusals.delete(campaign);
        const known = this.stories.get(campaign);
        this.stories.set(campaign, {
          ...{ acceptedMs: atMs, expiresMs, when },
          coordinator: known?.coordinator,
          movedMs: known?.movedMs ?? atMs,
          devices: known?.devices ?? new Map(),
        });
        if (carrier === COORDINATOR) this.share(record);
        return;
      }
      case 'wanted':
        this.share(record);
        return;
      case 'refused': {
        const { campaign, carrier, code } = record;
        const refusals = this.refusals.get(campaign) ?? new Map();
        this.refusals.set(campaign, refusals.set(carrier, code));
        return;
      }
      case 'ended': {
        const { how, code, detail } = record;
        const story = this.stories.get(record.campaign);
        const why = { ...(code === undefined ? {} : { code }), ...(detail ? { detail } : {}) };
        if (story) story.end = { how, ...why };
        this.carried.delete(record.campaign);
        for (const [line, state] of this.lines)
          if (state.digest === record.campaign) this.lines.set(line, { ...state, ended: true });
        return;
      }
      case 'carried':
        this.carried.set(record.campaign, { document: record.document, atMs: record.atMs });
        return;
      case 'dropped':
        this.carried.delete(record.campaign);
        return;
      case 'standing':
        this.newestSeenMs = Math.max(this.newestSeenMs, record.newestSeenMs);
        for (const { line, ...state } of record.lines) this.lines.set(line, state);
        return;
    }
  }

  private share({ campaign, sequence: since }: { campaign: string; sequence: number }): void {
    const story = this.stories.get(campaign);
    if (!story || story.coordinator) return;
    const names = [...story.devices.keys()];
    const begunBefore = new Map(names.map((name) => [name, Number.POSITIVE_INFINITY]));
    story.coordinator = { since, begunBefore };
  }

  private name({ campaign, device, sequence, atMs }: FleetEvent): void {
    const story = this.stories.get(campaign);
    if (!story) return;
    story.coordinator?.begunBefore.set(device, sequence);
    story.movedMs = atMs;
  }

  private move(event: FleetEvent, job: string | undefined): void {
    const story = this.stories.get(event.campaign);
    if (!story) return;
    const { device, attempt, phase, code, runs } = event;
    story.movedMs = event.atMs;
    const known = story.devices.get(device);
    const isSame = known?.attempt === attempt;
    const standing: UpgradeStanding = {
      phase,
      ...(code === undefined ? {} : { code }),
      ...(event.withdrawn ? { withdrawn: true } : {}),
    };
    const before = isSame ? known.state : 'pending';
    const withdrawals = (isSame ? known.withdrawals : 0) + (event.withdrawn ? 1 : 0);
    const progress = deviceProgress(standing, { when: story.when }, before);
    story.devices.set(device, { ...progress, attempt, phase, code, runs, withdrawals, job });
  }
}

function jobOf(record: GatewayRecord): string | undefined {
  const { job } = record as { job?: unknown };
  return typeof job === 'string' ? job : undefined;
}

function detailed(detail: string | undefined): { detail?: string } {
  return detail ? { detail: detail.slice(0, DETAIL_CHARACTERS_MAX) } : {};
}

/** As it was written, without its place in the chain. */
function eventFields(record: CampaignRecord & { kind: 'campaign-device' }) {
  const { sequence, atMs, campaign, device, attempt, phase, code, detail, runs, withdrawn } =
    record;
  return {
    ...{ sequence, atMs, campaign, device, attempt, phase, detail },
    ...(code === undefined ? {} : { code }),
    ...(runs === undefined ? {} : { runs }),
    ...(withdrawn ? { withdrawn } : {}),
  };
}
