/**
 * What a gateway's journal says of campaigns, beside its jobs: which were accepted, what became of them, and
 * of devices for which there was no job. Each is on disk before what it announces.
 */
import type { Manifest } from '../../campaign/manifest.ts';
import type { Actor } from '../../jobs/records.ts';
import type { UpgradeState } from '../../jobs/states.ts';

export type CampaignRecordBody =
  /** As `CampaignState` and `LineState` have them; and what later records of it are read by. */
  | {
      kind: 'campaign';
      step: 'accepted';
      campaign: string;
      id: string;
      line: string;
      generation: number;
      anchors: string;
      newestSeenMs: number;
      when: Manifest['activation']['when'];
      expiresMs: number;
      carrier: string;
      by: Actor;
    }
  | {
      kind: 'campaign';
      step: 'refused';
      campaign: string;
      carrier: string;
      code: string;
      detail: string;
    }
  /** Nothing of it is started any more. */
  | {
      kind: 'campaign';
      step: 'ended';
      campaign: string;
      how: 'finished' | 'aborted' | 'expired';
      code?: string;
      detail?: string;
    }
  /** From now on the coordinator wants what another carrier brought. */
  | { kind: 'campaign'; step: 'wanted'; campaign: string; by: Actor }
  /** What a stick brought is followed until then. */
  | { kind: 'campaign'; step: 'carried'; campaign: string; document: string; by: Actor }
  | { kind: 'campaign'; step: 'dropped'; campaign: string; by: Actor; reason: string }
  /** Said again before older records are retired. */
  | {
      kind: 'campaign';
      step: 'standing';
      newestSeenMs: number;
      lines: readonly {
        line: string;
        generation: number;
        digest: string;
        ended: boolean;
        anchors: string;
        /** When it was accepted. */
        atMs: number;
      }[];
    }
  /** Of a device that there is no job for; or, `again`, how one stands that was begun before. */
  | {
      kind: 'campaign-device';
      campaign: string;
      device: string;
      attempt: number;
      phase: UpgradeState;
      code?: string;
      detail?: string;
      runs?: string;
      withdrawn?: true;
      /** For the coordinator, which named the device after it was begun: nothing happened to it. */
      again?: true;
    }
  /** What a job does from now on is of this campaign: the device holds the image already. */
  | {
      kind: 'campaign-adopted';
      campaign: string;
      device: string;
      attempt: number;
      job: string;
      phase: UpgradeState;
    };

export type CampaignRecord = CampaignRecordBody & { sequence: number; atMs: number };

const KINDS: readonly string[] = ['campaign', 'campaign-device', 'campaign-adopted'];

export function isCampaignRecord(record: { kind: string }): record is CampaignRecord {
  return KINDS.includes(record.kind);
}

/** Who asks for what a campaign wants: `campaign:ID`. */
export const CAMPAIGN_ACTOR = 'campaign:';

/** `campaign:DIGEST/DEVICE/ATTEMPT.TURN`: one job, however often it is asked for. */
export function requestIdOf(campaign: string, device: string, attempt: number, turn: number) {
  return `campaign:${campaign}/${device}/${attempt}.${turn}`;
}

export interface CampaignPlace {
  campaign: string;
  device: string;
  attempt: number;
}

export function placeOfRequest(requestId: string | undefined): CampaignPlace | undefined {
  const [, campaign, device, attempt] =
    /^campaign:([0-9a-f]{64})\/([^/]+)\/([0-9]+)\.[0-9]+$/.exec(requestId ?? '') ?? [];
  if (campaign === undefined || device === undefined) return undefined;
  return { campaign, device, attempt: Number(attempt) };
}
