/** What a front asks of a coordinator; see `OperatorDesk`. Each call rejects with an `UpliftError`. */

import type { Manifest } from '../../campaign/manifest.ts';
import type {
  CampaignDeviceView,
  CampaignView,
  DeviceFilter,
  GatewayView,
  Page,
} from '../coordinator/control.ts';
import type { InventoryDevice } from '../wire.ts';

/** A campaign but for what it says of each device. */
export type CampaignSummary = Omit<CampaignView, 'manifest'>;

export interface FleetClient {
  gateways(after: string | undefined, limit: number): Promise<Page<GatewayView>>;
  gatewayDevices(id: string): Promise<readonly InventoryDevice[]>;
  hasBlob(sha256: string): Promise<boolean>;
  putBlob(sha256: string, content: Uint8Array): Promise<void>;
  /** The same document again is the same campaign. */
  submit(document: Uint8Array): Promise<CampaignSummary>;
  campaigns(after: string | undefined, limit: number): Promise<Page<CampaignSummary>>;
  campaign(id: string): Promise<CampaignSummary | undefined>;
  /** What was signed. */
  manifest(id: string): Promise<Manifest | undefined>;
  campaignDevices(id: string, filter: DeviceFilter): Promise<Page<CampaignDeviceView>>;
  /** By somebody other than who submitted it. */
  start(id: string): Promise<CampaignSummary>;
}
