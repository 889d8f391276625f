/** How many there are of what, now: for whoever watches a fleet. */
import { DEVICE_STATES } from '../../campaign/device-progress.ts';
import { CAMPAIGN_STATES, type FleetCensus, GATEWAY_STATES } from './control.ts';
import type { Db } from './database.ts';
import { GOING } from './evaluation.ts';
import type { Desk } from './settings.ts';

export async function takeCensus(db: Db, desk: Desk): Promise<FleetCensus> {
  const aliveMs = desk.timers.nowMs() - desk.settings.aliveMs;
  const gateways = await db
    .selectFrom('gateways')
    .select(({ fn }) => ['state', fn.countAll<number>().as('count')])
    .groupBy('state')
    .execute();
  const enrolled = db
    .selectFrom('gateways')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('state', '=', 'enrolled');
  const silent = await enrolled.where('seen_ms', '<=', aliveMs).executeTakeFirstOrThrow();
  const troubled = await enrolled.where('trouble', 'is not', null).executeTakeFirstOrThrow();
  const campaigns = await db
    .selectFrom('campaigns')
    .select(({ fn }) => ['state', fn.countAll<number>().as('count')])
    .groupBy('state')
    .execute();
  const devices = await db
    .selectFrom('campaign_devices')
    .innerJoin('campaigns', 'campaigns.digest', 'campaign_devices.campaign')
    .select(({ fn }) => ['campaign_devices.state', fn.countAll<number>().as('count')])
    .where('campaigns.state', 'in', GOING)
    .groupBy('campaign_devices.state')
    .execute();
  return {
    gateways: counted(GATEWAY_STATES, gateways),
    gatewaysSilent: silent.count,
    gatewaysInTrouble: troubled.count,
    campaigns: counted(CAMPAIGN_STATES, campaigns),
    devices: counted(DEVICE_STATES, devices),
  };
}

function counted<S extends string>(
  states: readonly S[],
  rows: readonly { state: S; count: number }[],
): Record<S, number> {
  const counts = new Map(rows.map(({ state, count }) => [state, count]));
  return Object.fromEntries(states.map((state) => [state, counts.get(state) ?? 0])) as Record<
    S,
    number
  >;
}
