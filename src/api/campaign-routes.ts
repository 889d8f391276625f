/**
 * Campaigns that are brought to a gateway by hand, on a stick, and what became of any on it. Who brings
 * one is not asked whether it is good: its signatures say that.
 */
import type { CampaignControl, GatewayControl } from '../gateway/control.ts';
import { ControlError } from './gateway-problems.ts';
import { type GatewayRoute, JSON_BYTES_MAX, route, UNWELL } from './gateway-route.ts';
import * as schemas from './schemas.ts';

/** RFC 9052, 11.3. */
export const CAMPAIGN_MEDIA_TYPE = 'application/cose';
export const CAMPAIGN_BYTES_MAX = 2 * 1024 * 1024;

export const campaignRoutes: GatewayRoute[] = [
  route({
    operation: 'listCampaigns',
    method: 'GET',
    path: '/campaigns',
    role: 'viewer',
    summary: 'Campaigns that came to this gateway by any carrier, and what they have become here.',
    answers: { 200: schemas.campaignsAnswer },
    refuses: ['not-found'],
    handle: (_call, { control }) => ({
      status: 200,
      body: { campaigns: campaignsOf(control).campaigns() },
    }),
  }),
  route({
    operation: 'carryCampaign',
    method: 'POST',
    path: '/campaigns',
    role: 'operator',
    summary:
      'Brings a signed campaign, beside those that were brought before. It is followed where its ' +
      'signatures are good; `state` says so.',
    body: { kind: 'bytes', mediaType: CAMPAIGN_MEDIA_TYPE, bytesMax: CAMPAIGN_BYTES_MAX },
    answers: { 200: schemas.campaignView },
    refuses: ['not-found', 'campaign-refused', 'campaigns-many', ...UNWELL],
    handle: ({ body, by }, { control }) => ({
      status: 200,
      body: campaignsOf(control).carry(body, by),
    }),
  }),
  route({
    operation: 'showCampaign',
    method: 'GET',
    path: '/campaigns/{digest}',
    role: 'viewer',
    summary: 'One campaign, by the digest of its manifest.',
    params: schemas.inCampaign,
    answers: { 200: schemas.campaignView },
    refuses: ['not-found', 'campaign-unknown'],
    handle({ params: { digest } }, { control }) {
      const found = campaignsOf(control)
        .campaigns()
        .find((one) => one.digest === digest);
      if (found) return { status: 200, body: found };
      throw new ControlError('campaign-unknown', { actual: digest });
    },
  }),
  route({
    operation: 'cancelCampaign',
    method: 'POST',
    path: '/campaigns/{digest}/cancel',
    role: 'operator',
    summary: 'Begins nothing more of a campaign that was brought here; what has begun goes on.',
    params: schemas.inCampaign,
    body: { kind: 'json', schema: schemas.rejection, bytesMax: JSON_BYTES_MAX },
    answers: { 200: schemas.campaignView },
    refuses: ['not-found', 'campaign-unknown', 'campaign-over', 'campaign-of-other', ...UNWELL],
    handle: ({ params: { digest }, body: { reason }, by }, { control }) => ({
      status: 200,
      body: campaignsOf(control).cancel(digest, by, reason),
    }),
  }),
  route({
    operation: 'sealedEvents',
    method: 'GET',
    path: '/fleet/events',
    role: 'viewer',
    summary: 'What became of campaigns, sealed for the coordinator: to be carried there by hand.',
    query: schemas.sealedEventsQuery,
    answers: { 200: schemas.sealedEventsAnswer },
    refuses: ['not-found'],
    handle({ query: { after } }, { control }) {
      const { sealed, ...told } = campaignsOf(control).sealedEvents(after);
      const text = Buffer.from(sealed).toString('base64');
      return { status: 200, body: { ...told, sealed: text } };
    },
  }),
];

function campaignsOf({ campaigns }: GatewayControl): CampaignControl {
  if (campaigns) return campaigns;
  throw new ControlError('not-found', {
    expected: 'a gateway that belongs to a fleet',
    actual: 'one that does not',
    next: 'configure the section `campaigns` and start it anew',
  });
}
