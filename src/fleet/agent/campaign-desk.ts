/** Campaigns as a gateway's doors see them, and those that people bring by hand: they are followed till they end. */
import { decodeCampaign } from '../../campaign/signed-campaign.ts';
import { UpliftError } from '../../errors.ts';
import {
  CAMPAIGN_CONTROL_CODES,
  type CampaignControl,
  type CampaignControlCode,
  type CampaignView,
  type CoordinatorLinkView,
  type DeviceCampaignView,
  type SealedEventsView,
} from '../../gateway/control.ts';
import type { Gateway } from '../../gateway/gateway.ts';
import type { Actor } from '../../jobs/records.ts';
import { sha256Hex } from '../../trust/digest.ts';
import type { EventBatch, JournalMark } from '../wire.ts';
import type { CampaignRecordBody } from './campaign-records.ts';
import type { Follower } from './follower.ts';

export interface CampaignDeskOptions {
  gateway: Pick<Gateway, 'record' | 'assertAccepting'>;
  follower: Follower;
  /** On disk when it returns: its SHA-256. */
  documents: { put(bytes: Uint8Array): string; get(sha256: string): Uint8Array | undefined };
  /** Where there is a coordinator. */
  coordinator(): CoordinatorLinkView | undefined;
  /** Up to where the coordinator is known to have the journal. */
  told(): JournalMark | undefined;
  seal(batch: EventBatch): Uint8Array;
  gatewayId: string;
  headOf(): JournalMark;
}

export const STICK = 'stick';
const CARRIED_MAX = 64;
/** Of one sealed stretch; the next goes on after it. */
const SEALED_EVENTS_MAX = 1_000;
const OVER: readonly CampaignView['state'][] = ['finished', 'aborted', 'expired'];

export class CampaignDesk implements CampaignControl {
  private readonly options: CampaignDeskOptions;

  constructor(options: CampaignDeskOptions) {
    this.options = options;
  }

  /** What was brought before the last stop goes on. */
  start(): void {
    if (this.options.follower.ledger.carried.size > 0) this.follow('gateway');
  }

  /** Documents that are still needed. */
  get needed(): string[] {
    return [...this.options.follower.ledger.carried.values()].map(({ document }) => document);
  }

  campaigns(): readonly CampaignView[] {
    return this.options.follower.campaigns();
  }

  campaignOf(device: string): DeviceCampaignView | undefined {
    return this.options.follower.campaignOf(device);
  }

  coordinator(): CoordinatorLinkView | undefined {
    return this.options.coordinator();
  }

  carry(document: Uint8Array, by: Actor): CampaignView {
    const { gateway, follower, documents } = this.options;
    gateway.assertAccepting();
    const decoded = decodeCampaign(document);
    if (!decoded.ok) throw refused('campaign-refused', `${decoded.code}: ${decoded.message}`);
    const campaign = sha256Hex(decoded.payload);
    const { carried } = follower.ledger;
    if (!carried.has(campaign)) {
      if (carried.size >= CARRIED_MAX) throw refused('campaigns-many', `${carried.size}`);
      const stored = documents.put(document);
      this.write({ kind: 'campaign', step: 'carried', campaign, document: stored, by });
    }
    this.follow(by);
    const view = this.viewOf(campaign);
    // What is refused is not kept for another try: it is brought again.
    if (view.state === 'refused') this.drop(campaign, by, view.code ?? 'refused');
    return view;
  }

  cancel(digest: string, by: Actor, reason: string): CampaignView {
    const { gateway, follower } = this.options;
    gateway.assertAccepting();
    const view = this.viewOf(digest);
    if (OVER.includes(view.state)) throw refused('campaign-over', view.state);
    if (!follower.ledger.carried.has(digest)) throw refused('campaign-of-other', view.carrier);
    const detail = `by ${by}: ${reason}`;
    const how = 'aborted' as const;
    this.write({
      kind: 'campaign',
      step: 'ended',
      campaign: digest,
      how,
      code: 'called-off',
      detail,
    });
    this.follow(by);
    return this.viewOf(digest);
  }

  sealedEvents(after: number | undefined): SealedEventsView {
    const { seal, follower, told, gatewayId, headOf } = this.options;
    const { events: source } = follower;
    const mark = after === undefined ? told() : source.markAt(after);
    const head = headOf();
    const batch = source.stretch(mark, SEALED_EVENTS_MAX) ?? {
      ...(mark ? { after: mark } : {}),
      through: head,
      events: [],
    };
    const { sequence: through } = batch.through;
    const more = source.waiting(batch.through) > 0;
    return { gateway: gatewayId, through, more, sealed: seal(batch) };
  }

  private drop(campaign: string, by: Actor, reason: string): void {
    this.write({ kind: 'campaign', step: 'dropped', campaign, by, reason });
  }

  private follow(by: Actor): void {
    const { follower, documents } = this.options;
    const carried = [...follower.ledger.carried.values()].flatMap(({ document }) => {
      const bytes = documents.get(document);
      return bytes ? [{ document: bytes, course: 'run' as const, devices: 'own' as const }] : [];
    });
    follower.desire(STICK, carried, by);
  }

  private viewOf(digest: string): CampaignView {
    const found = this.campaigns().find((one) => one.digest === digest);
    if (found) return found;
    throw refused('campaign-unknown', digest);
  }

  private write(record: CampaignRecordBody): void {
    this.options.gateway.record(record);
  }
}

function refused(code: CampaignControlCode, actual: string): UpliftError {
  return new UpliftError(code, CAMPAIGN_CONTROL_CODES[code], { actual });
}
