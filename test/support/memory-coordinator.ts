/**
 * TEST MATERIAL: a coordinator in memory, as far as its doors can tell: it keeps what it is told, refuses
 * with the codes that it is to refuse with, and evaluates nothing.
 */
import { createHash, randomBytes } from 'node:crypto';
import { DEVICE_STATES, type DeviceState } from '../../src/campaign/device-progress.ts';
import { type Manifest, parseManifest } from '../../src/campaign/manifest.ts';
import { decodeCampaign } from '../../src/campaign/signed-campaign.ts';
import { UpliftError } from '../../src/errors.ts';
import { takeCarriedEvents } from '../../src/fleet/bundle/carried-events.ts';
import { FLEET_CODES, type FleetCode } from '../../src/fleet/codes.ts';
import {
  type AuditEntry,
  type BlobReader,
  CAMPAIGN_STATES,
  type CampaignDeviceView,
  type CampaignState,
  type CampaignView,
  type Coordinator,
  type DeviceEventView,
  type DeviceFilter,
  type EventsBrought,
  type FleetCensus,
  GATEWAY_STATES,
  type GatewayView,
  type Page,
} from '../../src/fleet/coordinator/control.ts';
import type {
  Desired,
  EventBatch,
  EventsTaken,
  Inventory,
  InventoryDevice,
} from '../../src/fleet/wire.ts';

/** In how large parts a stored blob is read. */
const STORED_BYTES = 100_000;
const DAY_MS = 86_400_000;

export class MemoryCoordinator implements Coordinator {
  readonly fleet = 'north';
  readonly known = new Map<string, GatewayView>();
  readonly tokens = new Map<string, string>();
  readonly wanted = new Map<string, Desired>();
  readonly blobs = new Map<string, Uint8Array>();
  readonly batches: EventBatch[] = [];
  readonly inventories = new Map<string, Inventory>();
  readonly held = new Map<string, CampaignView>();
  readonly devices = new Map<string, CampaignDeviceView[]>();
  readonly entries: AuditEntry[] = [];
  readonly calls: string[] = [];
  private readonly listeners = new Set<(gateway: string) => void>();
  /** Awaited by whatever is asked next, and may throw. */
  before: (what: string) => Promise<void> | void = () => {};
  blobReads = 0;

  constructor() {
    this.note('somebody', 'fleet-created');
  }

  // ---- for gateways

  async enrol(token: string, id: string, version: string, certificate: string): Promise<void> {
    await this.begin('enrol');
    if (this.tokens.get(token) !== id) throw refused('token-unknown');
    const holder = [...this.known.values()].find((one) => one.certificate === certificate);
    if (holder && holder.id !== id) throw refused('certificate-in-use');
    this.tokens.delete(token);
    const gateway = this.known.get(id)!;
    this.known.set(id, { ...gateway, state: 'enrolled', version, certificate, enrolledMs: 5 });
    this.want(id, []);
  }

  async identify(certificate: string): Promise<string | undefined> {
    await this.begin('identify');
    const all = [...this.known.values()];
    return all.find((one) => one.certificate === certificate && one.state === 'enrolled')?.id;
  }

  async desired(gateway: string, known: number | undefined): Promise<Desired | undefined> {
    await this.begin('desired');
    const wanted = this.wanted.get(gateway)!;
    return wanted.version === known ? undefined : wanted;
  }

  async takeEvents(gateway: string, batch: EventBatch): Promise<EventsTaken> {
    await this.begin('takeEvents');
    const view = this.known.get(gateway)!;
    if (batch.after?.sequence !== view.journal?.sequence) throw refused('events-gap');
    if (batch.after?.hash !== view.journal?.hash) throw refused('events-forked');
    this.batches.push(batch);
    this.known.set(gateway, { ...view, journal: batch.through });
    return { journal: batch.through, retryAfterMs: 1_500 };
  }

  async bringEvents(sealed: Uint8Array, by: string): Promise<EventsBrought> {
    const brought = await takeCarriedEvents(
      {
        fleet: this.fleet,
        identify: (certificate) => this.identify(certificate),
        takeSealed: (gateway, batch) => this.takeEvents(gateway, batch),
      },
      sealed,
    );
    if (!brought.ok) throw new UpliftError(brought.code, brought.message);
    this.note(by, 'events-brought', brought.gateway);
    return { gateway: brought.gateway, journal: brought.taken.journal! };
  }

  async takeInventory(gateway: string, inventory: Inventory): Promise<void> {
    await this.begin('takeInventory');
    this.inventories.set(gateway, inventory);
    const view = this.known.get(gateway)!;
    this.known.set(gateway, { ...view, devices: inventory.devices.length });
  }

  async blob(sha256: string): Promise<BlobReader | undefined> {
    await this.begin('blob');
    const bytes = this.blobs.get(sha256);
    if (!bytes) return undefined;
    const began = () => {
      this.blobReads++;
    };
    return {
      bytes: bytes.length,
      async *read(offset, length) {
        began();
        for (let at = offset; at < offset + length; ) {
          // As rows of a table begin.
          const end = Math.min(offset + length, (Math.floor(at / STORED_BYTES) + 1) * STORED_BYTES);
          yield bytes.subarray(at, end);
          at = end;
        }
      },
    };
  }

  onDesired(listener: (gateway: string) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  want(gateway: string, campaigns: Desired['campaigns']): void {
    const version = (this.wanted.get(gateway)?.version ?? 0) + 1;
    this.wanted.set(gateway, { version, pollMs: 60_000, campaigns });
    for (const listener of this.listeners) listener(gateway);
  }

  // ---- for people

  async gateways(after: string | undefined, limit: number): Promise<Page<GatewayView>> {
    await this.begin('gateways');
    return pageOf(sorted(this.known), (one) => one.id, after, limit);
  }

  async gateway(id: string): Promise<GatewayView | undefined> {
    return this.known.get(id);
  }

  async gatewayDevices(id: string): Promise<readonly InventoryDevice[]> {
    return this.inventories.get(id)?.devices ?? [];
  }

  async addGateway(id: string, by: string): Promise<{ token: string; untilMs: number }> {
    await this.begin('addGateway');
    if (this.known.has(id)) throw refused('gateway-exists');
    this.known.set(id, { id, state: 'expected', devices: 0 });
    return this.tokenFor(id, by, 'gateway-added');
  }

  async renewGateway(id: string, by: string): Promise<{ token: string; untilMs: number }> {
    if (!this.known.has(id)) throw refused('gateway-unknown');
    return this.tokenFor(id, by, 'gateway-renewed');
  }

  async revokeGateway(id: string, by: string, reason: string): Promise<void> {
    const gateway = this.known.get(id);
    if (!gateway) throw refused('gateway-unknown');
    if (gateway.state === 'revoked') throw refused('gateway-revoked');
    this.known.set(id, { ...gateway, state: 'revoked' });
    this.note(by, 'gateway-revoked', id, reason);
  }

  async putBlob(
    sha256: string,
    bytes: number,
    content: AsyncIterable<Uint8Array>,
    by: string,
  ): Promise<void> {
    await this.begin('putBlob');
    const pieces: Uint8Array[] = [];
    for await (const piece of content) pieces.push(piece);
    const whole = Buffer.concat(pieces);
    const digest = createHash('sha256').update(whole).digest('hex');
    if (digest !== sha256 || whole.length !== bytes) throw refused('blob-other');
    this.blobs.set(sha256, whole);
    this.note(by, 'blob-put', undefined, sha256);
  }

  async hasBlob(sha256: string): Promise<boolean> {
    await this.begin('hasBlob');
    return this.blobs.has(sha256);
  }

  async submit(document: Uint8Array, by: string): Promise<CampaignView> {
    await this.begin('submit');
    const decoded = decodeCampaign(document, { mayBeUnsigned: true });
    if (!decoded.ok) throw new UpliftError(decoded.code, decoded.message);
    const parsed = parseManifest(decoded.payload);
    if (!parsed.ok) throw new UpliftError(parsed.code, parsed.message);
    const { manifest } = parsed;
    if (manifest.fleet !== this.fleet) throw refused('other-fleet');
    if (manifest.images.some(({ sha256 }) => !this.blobs.has(sha256)))
      throw refused('image-missing');
    const digest = createHash('sha256').update(decoded.payload).digest('hex');
    const held = this.held.get(manifest.id);
    if (held && held.digest !== digest) throw refused('signature-of-other');
    const keyIds = decoded.signatures.map(({ keyId }) => keyId);
    const approvers = keyIds.filter((keyId) => keyId !== manifest.author);
    const approvalsMissing = Math.max(0, manifest.approvals - approvers.length);
    const state = approvalsMissing > 0 ? 'unsigned' : 'ready';
    const view = viewOf(manifest, { digest, state, submittedBy: by, approvers, approvalsMissing });
    this.held.set(manifest.id, view);
    this.note(by, 'campaign-submitted', manifest.id);
    return view;
  }

  async campaigns(after: string | undefined, limit: number): Promise<Page<CampaignView>> {
    return pageOf(sorted(this.held), (one) => one.id, after, limit);
  }

  async campaign(id: string): Promise<CampaignView | undefined> {
    return this.held.get(id);
  }

  async campaignDevices(id: string, filter: DeviceFilter): Promise<Page<CampaignDeviceView>> {
    if (!this.held.has(id)) throw refused('campaign-unknown');
    const { ring, state, gateway, changedSinceMs = 0, after, limit } = filter;
    const wanted = (this.devices.get(id) ?? []).filter(
      (one) =>
        (ring ?? one.ring) === one.ring &&
        (state ?? one.state) === one.state &&
        (gateway ?? one.gateway) === one.gateway &&
        one.changedMs >= changedSinceMs,
    );
    return pageOf(wanted, (one) => one.device, after, limit);
  }

  async deviceEvents(id: string, device: string): Promise<readonly DeviceEventView[]> {
    const { digest } = this.in(id, CAMPAIGN_STATES);
    return this.batches.flatMap(({ events }) =>
      events.flatMap((event) => {
        if (event.campaign !== digest || !('device' in event) || event.device !== device) return [];
        const { sequence, atMs, attempt, phase, withdrawn = false } = event;
        return [{ epoch: 1, sequence, atMs, attempt, phase, isWithdrawn: withdrawn }];
      }),
    );
  }

  async census(): Promise<FleetCensus> {
    const count = <S extends string>(states: readonly S[], all: readonly { state: S }[]) =>
      Object.fromEntries(
        states.map((state) => [state, all.filter((one) => one.state === state).length]),
      ) as Record<S, number>;
    return {
      gateways: count(GATEWAY_STATES, sorted(this.known)),
      gatewaysSilent: 0,
      gatewaysInTrouble: 0,
      campaigns: count(CAMPAIGN_STATES, sorted(this.held)),
      devices: count(DEVICE_STATES, [...this.devices.values()].flat()),
    };
  }

  async start(id: string, by: string): Promise<CampaignView> {
    const { submittedBy } = this.in(id, ['ready']);
    if (submittedBy === by) throw refused('author-starts');
    return this.move(id, by, 'running', { startedBy: by, startedMs: 9 });
  }

  async pause(id: string, by: string, reason: string): Promise<CampaignView> {
    this.in(id, ['running']);
    return this.move(id, by, 'paused', { detail: reason });
  }

  async resume(id: string, by: string): Promise<CampaignView> {
    this.in(id, ['paused', 'held']);
    return this.move(id, by, 'running');
  }

  async abort(id: string, by: string, reason: string): Promise<CampaignView> {
    this.in(id, ['ready', 'running', 'paused', 'held']);
    return this.move(id, by, 'aborted', { detail: reason, endedMs: 10 });
  }

  async retryFailed(
    id: string,
    devices: readonly string[] | undefined,
    by: string,
  ): Promise<CampaignView> {
    this.in(id, ['running', 'paused', 'held', 'finished']);
    const all = this.devices.get(id) ?? [];
    const isMeant = (one: CampaignDeviceView) =>
      one.state === 'failed' && (devices?.includes(one.device) ?? true);
    if (!all.some(isMeant)) throw refused('nothing-failed');
    const again = all.map((one): CampaignDeviceView => {
      return isMeant(one) ? { ...one, state: 'pending', attempt: one.attempt + 1 } : one;
    });
    this.devices.set(id, again);
    return this.move(id, by, 'running');
  }

  async audit(after: number | undefined, limit: number): Promise<Page<AuditEntry>> {
    const rest = this.entries.filter(({ sequence }) => sequence > (after ?? 0));
    return { items: rest.slice(0, limit), more: rest.length > limit };
  }

  async checkAudit(): Promise<AuditEntry | undefined> {
    return this.entries.find((entry) => entry.hash !== hashOf(entry));
  }

  async keepHouse(): Promise<void> {
    await this.begin('keepHouse');
  }

  async close(): Promise<void> {
    await this.begin('close');
  }

  // ---- as a test says

  /** A gateway that enrolled with that certificate. */
  enrolled(id: string, certificate: string): void {
    this.known.set(id, { id, state: 'enrolled', devices: 0, certificate });
    this.want(id, []);
  }

  keep(bytes: Uint8Array): string {
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    this.blobs.set(sha256, bytes);
    return sha256;
  }

  private async begin(what: string): Promise<void> {
    this.calls.push(what);
    await this.before(what);
  }

  private in(id: string, states: readonly CampaignState[]): CampaignView {
    const found = this.held.get(id);
    if (!found) throw refused('campaign-unknown');
    if (!states.includes(found.state)) throw refused('campaign-state');
    return found;
  }

  private move(
    id: string,
    by: string,
    state: CampaignState,
    more: Partial<CampaignView> = {},
  ): CampaignView {
    const moved = { ...this.held.get(id)!, state, ...more };
    this.held.set(id, moved);
    this.note(by, `campaign-${state}`, id, more.detail);
    return moved;
  }

  private tokenFor(id: string, by: string, what: string): { token: string; untilMs: number } {
    const token = randomBytes(24).toString('base64url');
    this.tokens.set(token, id);
    this.note(by, what, id);
    return { token, untilMs: Date.now() + DAY_MS };
  }

  private note(by: string, what: string, about?: string, detail?: string): void {
    const sequence = this.entries.length + 1;
    const said = {
      ...(about === undefined ? {} : { about }),
      ...(detail === undefined ? {} : { detail }),
    };
    const entry = { sequence, atMs: 1_000 * sequence, by, what, ...said, hash: '' };
    this.entries.push({ ...entry, hash: hashOf(entry) });
  }
}

export function counts(
  told: Partial<Record<DeviceState, number>> = {},
): CampaignView['rings'][0]['counts'] {
  const all = DEVICE_STATES.map((state) => [state, told[state] ?? 0]);
  return Object.fromEntries(all) as Record<DeviceState, number>;
}

function viewOf(
  manifest: Manifest,
  told: Pick<CampaignView, 'digest' | 'state' | 'submittedBy' | 'approvers' | 'approvalsMissing'>,
): CampaignView {
  const { id, line, generation, expiresMs, author, rings, pace } = manifest;
  return {
    ...{ id, line, generation, expiresMs, author, manifest, ...told },
    submittedMs: 7,
    gateways: 1,
    rings: rings.map(({ name }, index) => ({
      ...{ name, size: 2, counts: counts({ pending: 2 }), failed: {}, isOpen: index === 0 },
    })),
    width: pace.first,
    refusals: {},
  };
}

function pageOf<T>(
  all: readonly T[],
  keyOf: (one: T) => string,
  after: string | undefined,
  limit: number,
): Page<T> {
  const rest = all.filter((one) => after === undefined || keyOf(one) > after);
  return { items: rest.slice(0, limit), more: rest.length > limit };
}

function sorted<T>(map: Map<string, T>): T[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
}

function hashOf({ hash: _, ...entry }: AuditEntry): string {
  return createHash('sha256').update(JSON.stringify(entry)).digest('hex');
}

function refused(code: FleetCode): UpliftError {
  return new UpliftError(code, FLEET_CODES[code]);
}
