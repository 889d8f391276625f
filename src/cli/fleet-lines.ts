/** Campaigns of a fleet in lines for people: how far each ring is, why it stands, and what is next. */
import { DEVICE_STATES } from '../campaign/device-progress.ts';
import type { z } from '../config/fields.ts';
import type { CampaignState } from '../fleet/coordinator/control.ts';
import type {
  campaignDetail,
  campaignDevice,
  campaignSummary,
  deviceEvents,
} from '../fleet/coordinator/operator-schemas.ts';
import { printable } from '../products/codes.ts';
import { momentText } from './fleet-client.ts';
import { paint, table } from './output.ts';

type Summary = z.output<typeof campaignSummary>;
type Detail = z.output<typeof campaignDetail>;

export function campaignLines(campaign: Detail): string[] {
  const { id, state, detail, line, generation, submittedBy, submittedMs, startedBy, startedMs } =
    campaign;
  const { endedMs, expiresMs, approvers, approvalsMissing, gateways, width, refusals } = campaign;
  const why = detail === undefined ? '' : `: ${printable(detail)}`;
  const missing = approvalsMissing > 0 ? `, ${approvalsMissing} missing` : '';
  const started =
    startedBy === undefined ? '-' : `${printable(startedBy)} at ${momentText(startedMs)}`;
  const rows = [
    ['line', `${printable(line)}, generation ${generation}`],
    ['submitted', `${printable(submittedBy)} at ${momentText(submittedMs)}`],
    ['approvals', `${approvers.length}${missing}`],
    ['started', started],
    [endedMs === undefined ? 'ends' : 'ended', momentText(endedMs ?? expiresMs)],
    ['reaches', `${gateways} ${gateways === 1 ? 'gateway' : 'gateways'}; ${width} devices at once`],
    ...Object.entries(refusals).map(([code, count]) => [
      'refused by',
      `${count} ${count === 1 ? 'gateway' : 'gateways'}: ${printable(code)}`,
    ]),
  ];
  const head = ['ring', '', 'devices', ...DEVICE_STATES];
  return [
    `${paint('bold', id)}  ${stateText(state)}${why}`,
    ...table(rows, '  '),
    ...table([head, ...campaign.rings.map(ringRow)], '  '),
    ...campaign.rings.flatMap(({ name, failed }) =>
      Object.entries(failed).map(([failure, count]) => `  ${name}: ${count} failed, ${failure}`),
    ),
    `  next  ${nextOf(campaign)}`,
  ];
}

export function campaignRow({ id, state, line, generation, submittedMs, rings, detail }: Summary) {
  const all = rings.reduce((sum, { size }) => sum + size, 0);
  const done = rings.reduce((sum, { counts }) => sum + counts.succeeded, 0);
  const failed = rings.reduce((sum, { counts }) => sum + counts.failed, 0);
  return [
    id,
    stateText(state),
    `${printable(line)} ${generation}`,
    momentText(submittedMs),
    `${done} of ${all}${failed > 0 ? `, ${failed} failed` : ''}`,
    detail === undefined ? '' : printable(detail),
  ];
}

export function deviceRow(device: z.output<typeof campaignDevice>): string[] {
  const { gateway, ring, state, attempt, phase, failure, code, detail, runs, changedMs } = device;
  const why = [failure, code, detail].filter((text) => text !== undefined).map(printable);
  return [
    device.device,
    printable(gateway),
    printable(ring),
    state,
    attempt > 1 ? `attempt ${attempt}` : '',
    phase ?? '',
    momentText(changedMs),
    runs === undefined ? why.join(', ') : `runs ${printable(runs)}`,
  ];
}

export function eventRow(event: z.output<typeof deviceEvents>['events'][number]): string[] {
  const { atMs, attempt, phase, code, detail, runs, isWithdrawn, sequence } = event;
  const why = [code, detail].filter((text) => text !== undefined).map(printable);
  if (isWithdrawn) why.push('called off');
  if (runs !== undefined) why.push(`runs ${printable(runs)}`);
  return [momentText(atMs), `attempt ${attempt}`, printable(phase), why.join(', '), `#${sequence}`];
}

function ringRow({ name, size, counts, isOpen }: Detail['rings'][number]): string[] {
  const numbers = DEVICE_STATES.map((state) => `${counts[state]}`);
  return [printable(name), isOpen ? 'open' : 'closed', `${size}`, ...numbers];
}

function stateText(state: CampaignState): string {
  if (state === 'finished') return paint('green', state);
  return ['aborted', 'expired', 'held'].includes(state) ? paint('red', state) : state;
}

function nextOf({ id, state, rings }: Detail): string {
  const again = `uplift fleet campaign retry ${id}`;
  const hasFailed = rings.some(({ counts }) => counts.failed > 0);
  const words: Record<CampaignState, string> = {
    unsigned: 'have it signed by approvers (uplift campaign sign), and submit it again',
    ready: `uplift fleet campaign start ${id}, by another than who submitted it`,
    running: `nothing; uplift fleet campaign pause ${id} stops new devices`,
    paused: `uplift fleet campaign resume ${id}, or abort`,
    held: `too few of a ring succeeded: look at devices --state failed, then ${again}, resume or abort`,
    finished: hasFailed ? 'a campaign of a later generation, for those that failed' : 'nothing',
    aborted:
      'look at devices --state failed; what is to follow is a campaign of a later generation',
    expired: 'a campaign of a later generation, for what it did not reach',
    superseded: 'nothing; a later generation of its line took its place',
  };
  return words[state];
}
