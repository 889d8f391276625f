/** `uplift fleet campaign ...`: campaigns of a fleet, from their submission to their end. */
import { basename } from 'node:path';
import { CAMPAIGN_MEDIA_TYPE } from '../api/campaign-routes.ts';
import type { z } from '../config/fields.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type {
  campaignDetail,
  campaignDevicePage,
  campaignPage,
  deviceEvents,
} from '../fleet/coordinator/operator-schemas.ts';
import { readCampaignBytes } from './campaign-documents.ts';
import { type FleetAskOptions, fleetClient, lastOf, named } from './fleet-client.ts';
import { campaignLines, campaignRow, deviceRow, eventRow } from './fleet-lines.ts';
import { type Output, table } from './output.ts';
import { barText } from './work-bar.ts';

type Campaign = z.output<typeof campaignDetail>;

export interface PageOptions extends FleetAskOptions {
  last: string;
  after?: string;
}

export async function submit(
  path: string,
  options: FleetAskOptions & { image?: string[] },
  output: Output,
): Promise<ExitCode> {
  const client = fleetClient(options);
  const document = readCampaignBytes(path);
  const isShown = !output.quiet && !output.json && process.stderr.isTTY === true;
  for (const image of options.image ?? []) {
    await client.putFile('/blobs', image, (sent, bytes) => {
      if (isShown) process.stderr.write(`\r${barText(basename(image), sent, bytes)}`);
    });
    if (isShown) process.stderr.write('\r\u001b[2K');
  }
  return told(
    await client.postBytes<Campaign>('/campaigns', document, CAMPAIGN_MEDIA_TYPE),
    output,
  );
}

export async function list(options: PageOptions, output: Output): Promise<ExitCode> {
  const query = new URLSearchParams({ limit: `${lastOf(options.last)}` });
  if (options.after !== undefined) query.set('after', named('--after', options.after));
  const page = await fleetClient(options).get<z.output<typeof campaignPage>>(`/campaigns?${query}`);
  const lines = table(page.campaigns.map(campaignRow));
  const more = page.next === undefined ? [] : [`and more: --after ${page.next}`];
  output.result(page, lines.length === 0 ? ['no campaign'] : [...lines, ...more]);
  return EXIT.done;
}

export async function show(
  id: string,
  options: FleetAskOptions,
  output: Output,
): Promise<ExitCode> {
  return told(await fleetClient(options).get<Campaign>(pathOf(id)), output);
}

export async function devices(
  id: string,
  options: PageOptions & { ring?: string; state?: string; gateway?: string },
  output: Output,
): Promise<ExitCode> {
  const { last, after, ring, state, gateway } = options;
  const query = new URLSearchParams({ limit: `${lastOf(last)}` });
  for (const [name, value] of Object.entries({ after, ring, state, gateway }))
    if (value !== undefined) query.set(name, value);
  const page = await fleetClient(options).get<z.output<typeof campaignDevicePage>>(
    `${pathOf(id)}/devices?${query}`,
  );
  const lines = table(page.devices.map(deviceRow));
  const more = page.next === undefined ? [] : [`and more: --after ${page.next}`];
  output.result(page, lines.length === 0 ? ['no device'] : [...lines, ...more]);
  return EXIT.done;
}

export async function events(
  id: string,
  device: string,
  options: FleetAskOptions,
  output: Output,
): Promise<ExitCode> {
  const path = `${pathOf(id)}/devices/${named('<device>', device)}/events`;
  const said = await fleetClient(options).get<z.output<typeof deviceEvents>>(path);
  const lines = table(said.events.map(eventRow));
  output.result(said, lines.length === 0 ? ['nothing was told of it'] : lines);
  return EXIT.done;
}

export type CampaignCommand = 'start' | 'pause' | 'resume' | 'abort' | 'retry';

export async function command(
  name: CampaignCommand,
  id: string,
  options: FleetAskOptions & { reason?: string; device?: string[] },
  output: Output,
): Promise<ExitCode> {
  const { reason, device } = options;
  const body = {
    ...(reason === undefined ? {} : { reason }),
    ...(device === undefined ? {} : { devices: device }),
  };
  return told(await fleetClient(options).post<Campaign>(`${pathOf(id)}/${name}`, body), output);
}

function pathOf(id: string): string {
  return `/campaigns/${named('<campaign>', id)}`;
}

function told(campaign: Campaign, output: Output): ExitCode {
  output.result(campaign, campaignLines(campaign));
  return EXIT.done;
}
