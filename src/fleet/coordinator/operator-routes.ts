/**
 * What people ask of a coordinator, and who may: a viewer reads; an operator adds gateways and shuts them
 * out, brings images, campaigns and what gateways sealed, starts, pauses, resumes, aborts and tries again; an approver may the
 * same. Nobody approves by a role: that a campaign is approved is said by its signatures alone, and
 * whoever brings one with another signature only carries it. Who submitted a campaign does not start it.
 */

import { CAMPAIGN_MEDIA_TYPE } from '../../api/campaign-routes.ts';
import { ApiError } from '../../api/problem.ts';
import { type ApiMetrics, JSON_BYTES_MAX, type RouteShape, routeMaker } from '../../api/route.ts';
import { openApiDocument } from '../../api/schemas.ts';
import { CAMPAIGN_CODES, type CampaignCode } from '../../campaign/codes.ts';
import { manifestDocument } from '../../campaign/manifest.ts';
import { COSE_CODES, type CoseCode } from '../../trust/cose.ts';
import {
  CARRIED_EVENTS_MEDIA_TYPE,
  CARRIED_EVENTS_PATH,
  SEALED_BYTES_MAX,
} from '../bundle/carried-events.ts';
import { EVENTS_CODES, type EventsCode } from '../bundle/codes.ts';
import { WIRE_LIMITS } from '../wire.ts';
import type { CampaignView, OperatorDesk } from './control.ts';
import { type FleetDoorCode, FleetError } from './fleet-problems.ts';
import * as schemas from './operator-schemas.ts';

export interface OperatorWorld {
  desk: OperatorDesk;
  metrics: ApiMetrics | undefined;
  openApi(): unknown;
}

/** More than a campaign may list (campaign/manifest.ts). */
export const IMAGE_BYTES_MAX = 16 * 1024 * 1024;
const PAGE = 100;
const DEVICES_BYTES_MAX = 1024 * 1024;

const route = routeMaker<OperatorWorld, FleetDoorCode>();

const gateways: RouteShape<OperatorWorld>[] = [
  route({
    operation: 'listGateways',
    method: 'GET',
    path: '/gateways',
    role: 'viewer',
    summary: 'Gateways of the fleet by name, a page at a time.',
    query: schemas.gatewayQuery,
    answers: { 200: schemas.gatewayPage },
    refuses: [],
    async handle({ query: { after, limit = PAGE } }, { desk }) {
      const { items, more } = await desk.gateways(after, limit);
      const next = more ? { next: items.at(-1)!.id } : {};
      return { status: 200, body: { gateways: items, ...next } };
    },
  }),
  route({
    operation: 'addGateway',
    method: 'POST',
    path: '/gateways',
    role: 'operator',
    summary: 'Expects a gateway; with the token that is told this once, it enrols.',
    body: { kind: 'json', schema: schemas.newGateway, bytesMax: JSON_BYTES_MAX },
    answers: { 201: schemas.enrolmentToken },
    refuses: ['gateway-exists'],
    async handle({ body: { gateway }, by }, { desk }) {
      return { status: 201, body: { gateway, ...(await desk.addGateway(gateway, by)) } };
    },
  }),
  route({
    operation: 'showGateway',
    method: 'GET',
    path: '/gateways/{gateway}',
    role: 'viewer',
    summary: 'A gateway, with the devices that it last told of.',
    params: schemas.inGateway,
    answers: { 200: schemas.gatewayDetail },
    refuses: ['gateway-unknown'],
    async handle({ params }, { desk }) {
      const gateway = await desk.gateway(params.gateway);
      if (!gateway) throw new FleetError('gateway-unknown', { actual: params.gateway });
      return {
        status: 200,
        body: { ...gateway, inventory: await desk.gatewayDevices(gateway.id) },
      };
    },
  }),
  route({
    operation: 'renewGateway',
    method: 'POST',
    path: '/gateways/{gateway}/renew',
    role: 'operator',
    summary: 'A new token: its certificate is forgotten when the token is used.',
    params: schemas.inGateway,
    body: { kind: 'json', schema: schemas.nothing, bytesMax: JSON_BYTES_MAX },
    answers: { 200: schemas.enrolmentToken },
    refuses: ['gateway-unknown', 'gateway-revoked'],
    async handle({ params: { gateway }, by }, { desk }) {
      return { status: 200, body: { gateway, ...(await desk.renewGateway(gateway, by)) } };
    },
  }),
  route({
    operation: 'revokeGateway',
    method: 'POST',
    path: '/gateways/{gateway}/revoke',
    role: 'operator',
    summary: 'Shuts a gateway out, from its next request on.',
    params: schemas.inGateway,
    body: { kind: 'json', schema: schemas.withReason, bytesMax: JSON_BYTES_MAX },
    answers: { 204: null },
    refuses: ['gateway-unknown', 'gateway-revoked'],
    async handle({ params: { gateway }, body: { reason }, by }, { desk }) {
      await desk.revokeGateway(gateway, by, reason);
      return { status: 204 };
    },
  }),
];

const carried: RouteShape<OperatorWorld>[] = [
  route({
    operation: 'bringEvents',
    method: 'POST',
    path: CARRIED_EVENTS_PATH,
    role: 'operator',
    summary: 'What a gateway sealed on a medium; it is known by its seal, and counted once.',
    body: { kind: 'bytes', mediaType: CARRIED_EVENTS_MEDIA_TYPE, bytesMax: SEALED_BYTES_MAX },
    answers: { 200: schemas.eventsBrought },
    refuses: [
      'gateway-unknown',
      'events-gap',
      'events-forked',
      'event-of-other',
      ...(Object.keys(EVENTS_CODES) as EventsCode[]),
      ...(Object.keys(COSE_CODES) as CoseCode[]),
    ],
    async handle({ body, by }, { desk }) {
      return { status: 200, body: await desk.bringEvents(body, by) };
    },
  }),
];

const blobs: RouteShape<OperatorWorld>[] = [
  route({
    operation: 'hasBlob',
    method: 'HEAD',
    path: '/blobs/{sha256}',
    role: 'viewer',
    summary: 'Whether an image is there.',
    params: schemas.inBlob,
    answers: { 200: null },
    refuses: ['blob-unknown'],
    async handle({ params: { sha256 } }, { desk }) {
      if (await desk.hasBlob(sha256)) return { status: 200 };
      throw new FleetError('blob-unknown', { actual: sha256 });
    },
  }),
  route({
    operation: 'putBlob',
    method: 'PUT',
    path: '/blobs/{sha256}',
    role: 'operator',
    summary: 'Keeps an image, if all of it is what its name and `Content-Length` say.',
    params: schemas.inBlob,
    body: { kind: 'stream', mediaType: 'application/octet-stream', bytesMax: IMAGE_BYTES_MAX },
    answers: { 204: null },
    refuses: ['blob-other'],
    async handle({ params: { sha256 }, body, by }, { desk }) {
      const { declaredBytes } = body;
      if (declaredBytes === undefined)
        throw new ApiError('body-length', { expected: 'its length' });
      await desk.putBlob(sha256, declaredBytes, body, by);
      return { status: 204 };
    },
  }),
];

const campaigns: RouteShape<OperatorWorld>[] = [
  route({
    operation: 'listCampaigns',
    method: 'GET',
    path: '/campaigns',
    role: 'viewer',
    summary: 'Campaigns without their manifests, a page at a time.',
    query: schemas.campaignQuery,
    answers: { 200: schemas.campaignPage },
    refuses: [],
    async handle({ query: { after, limit = PAGE } }, { desk }) {
      const { items, more } = await desk.campaigns(after, limit);
      const next = more ? { next: items.at(-1)!.id } : {};
      const shown = items.map(({ manifest: _, ...summary }) => summary);
      return { status: 200, body: { campaigns: shown, ...next } };
    },
  }),
  route({
    operation: 'submitCampaign',
    method: 'POST',
    path: '/campaigns',
    role: 'operator',
    summary: 'Brings a signed campaign, or one that is there with more signatures.',
    body: {
      kind: 'bytes',
      mediaType: CAMPAIGN_MEDIA_TYPE,
      bytesMax: WIRE_LIMITS.campaignBytesMax,
    },
    answers: { 200: schemas.campaignDetail },
    refuses: [
      'campaign-exists',
      'generation-not-above',
      'other-fleet',
      'image-missing',
      'campaign-state',
      'signature-of-other',
      ...(Object.keys(CAMPAIGN_CODES) as CampaignCode[]),
    ],
    async handle({ body, by }, { desk }) {
      return { status: 200, body: detailOf(await desk.submit(body, by)) };
    },
  }),
  route({
    operation: 'showCampaign',
    method: 'GET',
    path: '/campaigns/{campaign}',
    role: 'viewer',
    summary: 'A campaign: its rings, how its devices stand, and what it says.',
    params: schemas.inCampaign,
    answers: { 200: schemas.campaignDetail },
    refuses: ['campaign-unknown'],
    async handle({ params }, { desk }) {
      const campaign = await desk.campaign(params.campaign);
      if (!campaign) throw new FleetError('campaign-unknown', { actual: params.campaign });
      return { status: 200, body: detailOf(campaign) };
    },
  }),
  route({
    operation: 'campaignDevices',
    method: 'GET',
    path: '/campaigns/{campaign}/devices',
    role: 'viewer',
    summary: 'Devices of a campaign, some or all, a page at a time.',
    params: schemas.inCampaign,
    query: schemas.deviceQuery,
    answers: { 200: schemas.campaignDevicePage },
    refuses: ['campaign-unknown'],
    async handle({ params: { campaign }, query }, { desk }) {
      const { limit = PAGE, ...filter } = query;
      const { items, more } = await desk.campaignDevices(campaign, { ...given(filter), limit });
      const next = more ? { next: items.at(-1)!.device } : {};
      return { status: 200, body: { devices: items, ...next } };
    },
  }),
  route({
    operation: 'deviceEvents',
    method: 'GET',
    path: '/campaigns/{campaign}/devices/{device}/events',
    role: 'viewer',
    summary: 'What its gateway told of a device in a campaign, in order.',
    params: schemas.inDevice,
    answers: { 200: schemas.deviceEvents },
    refuses: ['campaign-unknown'],
    async handle({ params: { campaign, device } }, { desk }) {
      const events = await desk.deviceEvents(campaign, device, schemas.PAGE_MAX);
      return { status: 200, body: { events } };
    },
  }),
  command('startCampaign', 'start', 'Lets it begin, for the devices that are known now.', {
    refuses: ['author-starts', 'no-devices', 'image-missing', 'campaign-expired'],
    run: (desk, id, by) => desk.start(id, by),
  }),
  commandWithReason('pauseCampaign', 'pause', 'Starts no more devices until it is resumed.', {
    run: (desk, id, by, reason) => desk.pause(id, by, reason),
  }),
  command('resumeCampaign', 'resume', 'Goes on with one that is paused, or held at a ring.', {
    refuses: ['campaign-expired'],
    run: (desk, id, by) => desk.resume(id, by),
  }),
  commandWithReason('abortCampaign', 'abort', 'Starts nothing of it ever again.', {
    run: (desk, id, by, reason) => desk.abort(id, by, reason),
  }),
  route({
    operation: 'retryCampaign',
    method: 'POST',
    path: '/campaigns/{campaign}/retry',
    role: 'operator',
    summary: 'Gives devices that failed another attempt.',
    params: schemas.inCampaign,
    body: { kind: 'json', schema: schemas.retrial, bytesMax: DEVICES_BYTES_MAX },
    answers: { 200: schemas.campaignDetail },
    refuses: ['campaign-unknown', 'campaign-state', 'nothing-failed'],
    async handle({ params: { campaign }, body: { devices }, by }, { desk }) {
      return { status: 200, body: detailOf(await desk.retryFailed(campaign, devices, by)) };
    },
  }),
];

const audit: RouteShape<OperatorWorld>[] = [
  route({
    operation: 'listAudit',
    method: 'GET',
    path: '/audit',
    role: 'viewer',
    summary: 'What people asked for and what came of it, in order, a page at a time.',
    query: schemas.auditQuery,
    answers: { 200: schemas.auditPage },
    refuses: [],
    async handle({ query: { after, limit = PAGE } }, { desk }) {
      const { items, more } = await desk.audit(after, limit);
      const next = more ? { next: items.at(-1)!.sequence } : {};
      return { status: 200, body: { entries: items, ...next } };
    },
  }),
  route({
    operation: 'checkAudit',
    method: 'GET',
    path: '/audit/check',
    role: 'viewer',
    summary: 'Whether every entry has the hash that it has to have.',
    answers: { 200: schemas.auditCheck },
    refuses: [],
    async handle(_call, { desk }) {
      const wrong = await desk.checkAudit();
      return { status: 200, body: { isWhole: !wrong, ...(wrong ? { wrong } : {}) } };
    },
  }),
  route({
    operation: 'metrics',
    method: 'GET',
    path: '/metrics',
    role: 'viewer',
    summary: 'Metrics for Prometheus.',
    answers: { 200: 'text/plain' },
    refuses: ['not-found'],
    async handle(_call, { metrics }) {
      if (!metrics) throw new ApiError('not-found', { actual: 'metrics' });
      const headers = { 'content-type': metrics.contentType };
      return { status: 200, body: await metrics.text(), headers };
    },
  }),
  route({
    operation: 'openApi',
    method: 'GET',
    path: '/openapi.json',
    role: 'viewer',
    summary: 'This document.',
    answers: { 200: openApiDocument },
    refuses: [],
    handle: (_call, { openApi }) => ({ status: 200, body: openApi() }),
  }),
];

/** Each is about what is in the database. */
export const OPERATOR_ROUTES: readonly RouteShape<OperatorWorld>[] = [
  ...gateways,
  ...carried,
  ...blobs,
  ...campaigns,
  ...audit,
].map((one) => ({ ...one, refuses: [...one.refuses, 'database-away'] }));

function command(
  operation: string,
  name: string,
  summary: string,
  does: {
    refuses: readonly FleetDoorCode[];
    run(desk: OperatorDesk, id: string, by: string): Promise<CampaignView>;
  },
): RouteShape<OperatorWorld> {
  return route({
    operation,
    method: 'POST',
    path: `/campaigns/{campaign}/${name}`,
    role: 'operator',
    summary,
    params: schemas.inCampaign,
    body: { kind: 'json', schema: schemas.nothing, bytesMax: JSON_BYTES_MAX },
    answers: { 200: schemas.campaignDetail },
    refuses: ['campaign-unknown', 'campaign-state', ...does.refuses],
    async handle({ params: { campaign }, by }, { desk }) {
      return { status: 200, body: detailOf(await does.run(desk, campaign, by)) };
    },
  });
}

function commandWithReason(
  operation: string,
  name: string,
  summary: string,
  does: {
    run(desk: OperatorDesk, id: string, by: string, reason: string): Promise<CampaignView>;
  },
): RouteShape<OperatorWorld> {
  return route({
    operation,
    method: 'POST',
    path: `/campaigns/{campaign}/${name}`,
    role: 'operator',
    summary,
    params: schemas.inCampaign,
    body: { kind: 'json', schema: schemas.withReason, bytesMax: JSON_BYTES_MAX },
    answers: { 200: schemas.campaignDetail },
    refuses: ['campaign-unknown', 'campaign-state'],
    async handle({ params: { campaign }, body: { reason }, by }, { desk }) {
      return { status: 200, body: detailOf(await does.run(desk, campaign, by, reason)) };
    },
  });
}

function detailOf(campaign: CampaignView): Record<string, unknown> {
  return { ...campaign, manifest: manifestDocument(campaign.manifest) };
}

/** Without the fields that are not there. */
function given<T extends object>(filter: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(filter).filter(([, value]) => value !== undefined),
  ) as never;
}
