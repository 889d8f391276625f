/** A coordinator as its HTTP API has it; the one place of a front that knows its paths and documents. */
import { CAMPAIGN_MEDIA_TYPE } from '../../api/campaign-routes.ts';
import type { ApiClient } from '../../api/client.ts';
import { type Manifest, readManifestDocument } from '../../campaign/manifest.ts';
import { UpliftError } from '../../errors.ts';
import type { CampaignDeviceView, GatewayView, Page } from '../coordinator/control.ts';
import type { InventoryDevice } from '../wire.ts';
import type { CampaignSummary, FleetClient } from './client.ts';

/** A page of a list; where `next` is absent it is the last. */
type Listed<Name extends string, T> = { [name in Name]: readonly T[] } & { next?: string };

interface CampaignDetail extends CampaignSummary {
  /** As descriptions of campaigns are written. */
  manifest: unknown;
}

/** @param starter by whom campaigns are started */
export function fleetClientOver(api: ApiClient, starter: ApiClient): FleetClient {
  return {
    gateways: async (after, limit) => {
      const path = `/gateways${query({ after, limit })}`;
      const { gateways, next } = await api.get<Listed<'gateways', GatewayView>>(path);
      return pageOf(gateways, next);
    },
    gatewayDevices: async (id) => {
      const gateway = await api.get<{ inventory: InventoryDevice[] }>(`/gateways/${id}`);
      return gateway.inventory;
    },
    hasBlob: (sha256) => api.has(`/blobs/${sha256}`),
    putBlob: (sha256, content) =>
      api.putBytes(`/blobs/${sha256}`, content, 'application/octet-stream'),
    submit: (document) =>
      api.postBytes<CampaignSummary>('/campaigns', document, CAMPAIGN_MEDIA_TYPE),
    campaigns: async (after, limit) => {
      const path = `/campaigns${query({ after, limit })}`;
      const { campaigns, next } = await api.get<Listed<'campaigns', CampaignSummary>>(path);
      return pageOf(campaigns, next);
    },
    campaign: (id) => unlessUnknown(api.get<CampaignSummary>(`/campaigns/${id}`)),
    manifest: async (id) => {
      const detail = await unlessUnknown(api.get<CampaignDetail>(`/campaigns/${id}`));
      return detail && manifestIn(detail);
    },
    campaignDevices: async (id, filter) => {
      const path = `/campaigns/${id}/devices${query({ ...filter })}`;
      const { devices, next } = await api.get<Listed<'devices', CampaignDeviceView>>(path);
      return pageOf(devices, next);
    },
    start: (id) => starter.post<CampaignSummary>(`/campaigns/${id}/start`),
  };
}

function pageOf<T>(items: readonly T[], next: string | undefined): Page<T> {
  return { items, more: next !== undefined };
}

/** @throws UpliftError */
function manifestIn({ id, manifest }: CampaignDetail): Manifest {
  const read = readManifestDocument(manifest);
  if (read.ok) return read.manifest;
  throw new UpliftError('answer-unknown', `the coordinator says something else of ${id}`, {
    expected: 'the manifest of a campaign',
    actual: read.message,
  });
}

async function unlessUnknown<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof UpliftError && error.code === 'campaign-unknown') return undefined;
    throw error;
  }
}

function query(words: Record<string, string | number | undefined>): string {
  const said = Object.entries(words).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, `${value}`]],
  );
  return said.length === 0 ? '' : `?${new URLSearchParams(said)}`;
}
