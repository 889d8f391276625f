/**
 * What the page of a coordinator asks of its API. Made from its OpenAPI document by `scripts/build web-types`;
 * not to be edited.
 */

export const FLEET_OPERATIONS = {
  listCampaigns: ['GET', '/api/v1/campaigns', 'viewer'],
} as const;

export interface FleetOperations {
  listCampaigns: {
    query: { after?: string; limit?: string };
    answer: {
      campaigns: {
        id: string;
        digest: string;
        line: string;
        generation: number;
        state: 'unsigned' | 'ready' | 'running' | 'paused' | 'held' | 'finished' | 'aborted' | 'expired' | 'superseded';
        course?: 'running' | 'waiting' | 'held' | 'finished' | 'aborted';
        detail?: string;
        submittedBy: string;
        submittedMs: number;
        startedBy?: string;
        startedMs?: number;
        endedMs?: number;
        expiresMs: number;
        author: string;
        approvers: string[];
        approvalsMissing: number;
        gateways: number;
        rings: {
          name: string;
          size: number;
          counts: Record<string, number>;
          failed: Record<string, number>;
          isOpen: boolean;
        }[];
        width: number;
        refusals: Record<string, number>;
      }[];
      next?: string;
    };
  };
}
