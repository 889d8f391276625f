/**
 * A coordinator as a front sees one, in memory: it opens campaigns as the real one has to, and its gateways
 * do what a test says. It can be away, and can lose an answer after it did what it was asked.
 */
import {
  type CampaignImage,
  type Manifest,
  parseManifest,
} from '../../../src/campaign/manifest.ts';
import { decodeCampaign } from '../../../src/campaign/signed-campaign.ts';
import { EXIT, UpliftError } from '../../../src/errors.ts';
import { isMeant, isTarget } from '../../../src/fleet/agent/own-rings.ts';
import { FLEET_CODES, type FleetCode } from '../../../src/fleet/codes.ts';
import type {
  CampaignDeviceView,
  CampaignState,
  CampaignView,
  DeviceFilter,
  GatewayView,
  Page,
} from '../../../src/fleet/coordinator/control.ts';
import type { FleetClient } from '../../../src/fleet/front/client.ts';
import type { InventoryDevice } from '../../../src/fleet/wire.ts';
import { verifyApprovals, verifySigners } from '../../../src/trust/cose-signers.ts';
import { sha256Hex } from '../../../src/trust/digest.ts';
import { TRUST } from '../../campaign/campaigns.ts';

export type Call = keyof FleetClient;

interface Campaign {
  manifest: Manifest;
  digest: string;
  state: CampaignState;
  approvalsMissing: number;
  devices: Map<string, CampaignDeviceView>;
}

export class MemoryFleet implements FleetClient {
  readonly inventories = new Map<string, InventoryDevice[]>();
  readonly blobs = new Map<string, Uint8Array>();
  readonly all = new Map<string, Campaign>();
  /** In their order. */
  readonly calls: Call[] = [];
  isAway = false;
  /** What it does, and does not answer. */
  loses: Call | undefined;
  /** Whoever submitted may not start. */
  hasOtherStarter = true;
  pageMax = 1_000;
  private readonly nowMs: () => number;

  constructor(nowMs: () => number) {
    this.nowMs = nowMs;
  }

  /** The newest. */
  get last(): Campaign {
    return [...this.all.values()].at(-1)!;
  }

  sayAll(change: Partial<CampaignDeviceView>, campaign = this.last): void {
    for (const device of campaign.devices.keys()) this.say(device, change, campaign);
  }

  say(device: string, change: Partial<CampaignDeviceView>, campaign = this.last): void {
    const view = campaign.devices.get(device)!;
    campaign.devices.set(device, { ...view, ...change, changedMs: this.nowMs() });
  }

  approve(campaign = this.last): void {
    campaign.approvalsMissing = 0;
    campaign.state = 'ready';
  }

  gateways(after: string | undefined, limit: number): Promise<Page<GatewayView>> {
    return this.answer('gateways', () => {
      const views = [...this.inventories].map(
        ([id, devices]): GatewayView => ({
          ...{ id, state: 'enrolled', devices: devices.length, seenMs: this.nowMs() },
        }),
      );
      return this.page(views, ({ id }) => id, after, limit);
    });
  }

  gatewayDevices(id: string): Promise<readonly InventoryDevice[]> {
    return this.answer('gatewayDevices', () => {
      const devices = this.inventories.get(id);
      if (!devices) throw refused('gateway-unknown');
      return structuredClone(devices);
    });
  }

  hasBlob(sha256: string): Promise<boolean> {
    return this.answer('hasBlob', () => this.blobs.has(sha256));
  }

  putBlob(sha256: string, content: Uint8Array): Promise<void> {
    return this.answer('putBlob', () => {
      if (sha256Hex(content) !== sha256) throw refused('blob-other');
      this.blobs.set(sha256, content);
    });
  }

  submit(document: Uint8Array): Promise<CampaignView> {
    return this.answer('submit', () => {
      const decoded = decodeCampaign(document);
      if (!decoded.ok) throw new UpliftError(decoded.code, decoded.message);
      const trust = { ...TRUST, atMs: this.nowMs(), purpose: 'campaign' } as const;
      const verified = verifySigners(decoded, trust);
      if (!verified.ok) throw new UpliftError(verified.code, verified.message);
      const parsed = parseManifest(decoded.payload);
      if (!parsed.ok) throw new UpliftError(parsed.code, parsed.message);
      const { manifest } = parsed;
      const digest = sha256Hex(decoded.payload);
      const known = this.all.get(manifest.id);
      if (known && known.digest !== digest) throw refused('campaign-exists');
      if (known) return this.viewOf(known);
      const { author, approvals } = manifest;
      const isApproved = verifyApprovals(verified.signers, author, approvals).ok;
      const approvalsMissing = isApproved ? 0 : approvals - (verified.signers.length - 1);
      const state = isApproved ? 'ready' : 'unsigned';
      const made: Campaign = { manifest, digest, state, approvalsMissing, devices: new Map() };
      this.all.set(manifest.id, made);
      return this.viewOf(made);
    });
  }

  campaigns(after: string | undefined, limit: number): Promise<Page<CampaignView>> {
    return this.answer('campaigns', () => {
      const views = [...this.all.values()].map((one) => this.viewOf(one));
      return this.page(views, ({ id }) => id, after, limit);
    });
  }

  campaign(id: string): Promise<CampaignView | undefined> {
    return this.answer('campaign', () => {
      const found = this.all.get(id);
      return found && this.viewOf(found);
    });
  }

  manifest(id: string): Promise<Manifest | undefined> {
    return this.answer('manifest', () => this.all.get(id)?.manifest);
  }

  campaignDevices(id: string, filter: DeviceFilter): Promise<Page<CampaignDeviceView>> {
    return this.answer('campaignDevices', () => {
      const { changedSinceMs = 0, after = '', limit } = filter;
      const most = Math.min(limit, this.pageMax);
      const items: CampaignDeviceView[] = [];
      // In order of their names since it was started.
      for (const view of this.all.get(id)!.devices.values()) {
        if (view.device <= after || view.changedMs < changedSinceMs) continue;
        if (items.length === most) return { items, more: true };
        items.push(view);
      }
      return { items, more: false };
    });
  }

  start(id: string): Promise<CampaignView> {
    return this.answer('start', () => {
      const found = this.all.get(id);
      if (!found) throw refused('campaign-unknown');
      if (!this.hasOtherStarter) throw refused('author-starts');
      return this.begin(found);
    });
  }

  /** Started, by whomever. */
  begin(found = this.last): CampaignView {
    if (found.state !== 'ready') throw refused('campaign-state');
    const { manifest, devices } = found;
    const isThere = ({ sha256 }: CampaignImage) => this.blobs.has(sha256);
    if (!manifest.images.every(isThere)) throw refused('image-missing');
    const changedMs = this.nowMs();
    const { devices: named, ...kind } = manifest;
    const wanted = new Set(named);
    const targets = [...this.inventories].flatMap(([gateway, inventory]) =>
      inventory.flatMap(({ device, firmwareVersion, ...hardware }): CampaignDeviceView[] => {
        const isIn =
          wanted.has(device) &&
          isTarget(kind, { name: device, hardware }) &&
          firmwareVersion !== undefined &&
          isMeant(manifest, { hardware, version: firmwareVersion });
        const view = { device, gateway, ring: 'all', state: 'pending', attempt: 1 } as const;
        return isIn ? [{ ...view, changedMs }] : [];
      }),
    );
    for (const view of targets.toSorted((a, b) => (a.device < b.device ? -1 : 1)))
      devices.set(view.device, view);
    if (devices.size === 0) throw refused('no-devices');
    found.state = 'running';
    return this.viewOf(found);
  }

  private async answer<T>(call: Call, work: () => T): Promise<T> {
    if (this.isAway) throw away();
    this.calls.push(call);
    const answer = work();
    if (this.loses !== call) return answer;
    this.loses = undefined;
    throw away();
  }

  private page<T>(
    items: readonly T[],
    nameOf: (item: T) => string,
    after: string | undefined,
    limit: number,
  ): Page<T> {
    const sorted = items.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    const from = after === undefined ? 0 : sorted.findIndex((item) => nameOf(item) > after);
    const rest = from < 0 ? [] : sorted.slice(from);
    const most = Math.min(limit, this.pageMax);
    return { items: rest.slice(0, most), more: rest.length > most };
  }

  private viewOf({ manifest, digest, state, approvalsMissing }: Campaign): CampaignView {
    const { id, line, generation, expiresMs, author } = manifest;
    return {
      ...{ id, digest, line, generation, state, expiresMs, author, approvalsMissing, manifest },
      ...{ submittedBy: 'front', submittedMs: this.nowMs(), approvers: [], gateways: 1 },
      ...{ rings: [], width: 1, refusals: {} },
    };
  }
}

function refused(code: FleetCode): UpliftError {
  return new UpliftError(code, FLEET_CODES[code], { exit: EXIT.refused });
}

function away(): UpliftError {
  return new UpliftError('gateway-unreachable', 'it does not answer', { exit: EXIT.notReachable });
}
