/** `uplift fleet gateway add|list|show|renew|revoke`: who belongs to a fleet. */
import type { z } from '../config/fields.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type {
  enrolmentToken,
  gatewayDetail,
  gatewayPage,
  gatewayView,
} from '../fleet/coordinator/operator-schemas.ts';
import { printable } from '../products/codes.ts';
import { type FleetAskOptions, fleetClient, lastOf, momentText, named } from './fleet-client.ts';
import { type Output, paint, table } from './output.ts';

type Gateway = z.output<typeof gatewayView>;
type Token = z.output<typeof enrolmentToken>;

export async function add(
  name: string,
  options: FleetAskOptions,
  output: Output,
): Promise<ExitCode> {
  const gateway = named('<name>', name);
  return told(await fleetClient(options).post<Token>('/gateways', { gateway }), output);
}

export async function renew(
  name: string,
  options: FleetAskOptions,
  output: Output,
): Promise<ExitCode> {
  const path = `/gateways/${named('<name>', name)}/renew`;
  return told(await fleetClient(options).post<Token>(path), output);
}

export async function revoke(
  name: string,
  options: FleetAskOptions & { reason: string },
  output: Output,
): Promise<ExitCode> {
  const gateway = named('<name>', name);
  await fleetClient(options).post(`/gateways/${gateway}/revoke`, { reason: options.reason });
  output.result({ revoked: gateway }, [`${gateway} is shut out from its next request on`]);
  return EXIT.done;
}

export async function list(
  options: FleetAskOptions & { last: string; after?: string },
  output: Output,
): Promise<ExitCode> {
  const query = new URLSearchParams({ limit: `${lastOf(options.last)}` });
  if (options.after !== undefined) query.set('after', named('--after', options.after));
  const page = await fleetClient(options).get<z.output<typeof gatewayPage>>(`/gateways?${query}`);
  const lines = table(page.gateways.map(rowOf));
  const more = page.next === undefined ? [] : [`and more: --after ${page.next}`];
  output.result(page, lines.length === 0 ? ['no gateway'] : [...lines, ...more]);
  return EXIT.done;
}

export async function show(
  name: string,
  options: FleetAskOptions,
  output: Output,
): Promise<ExitCode> {
  const path = `/gateways/${named('<name>', name)}`;
  const gateway = await fleetClient(options).get<z.output<typeof gatewayDetail>>(path);
  const { id, state, region, version, certificate, enrolledMs, seenMs, journal, trouble } = gateway;
  const rows = [
    ['state', state],
    ['region', region ?? '-'],
    ['version', version ?? '-'],
    ['enrolled', momentText(enrolledMs)],
    ['heard of', momentText(seenMs)],
    ['certificate', certificate ?? '-'],
    ['journal', journal ? `to record ${journal.sequence}` : '-'],
    ...(trouble === undefined ? [] : [['trouble', paint('red', printable(trouble))]]),
  ];
  const devices = gateway.inventory.map((device) => [
    device.device,
    printable(device.id),
    printable(`${device.manufacturer}:${device.model}`),
    device.firmwareVersion === undefined ? 'never read' : printable(device.firmwareVersion),
  ]);
  output.result(gateway, [
    paint('bold', id),
    ...table(rows, '  '),
    ...(devices.length === 0 ? ['  no device'] : table(devices, '  ')),
  ]);
  return EXIT.done;
}

function rowOf({ id, state, region, devices, seenMs, trouble }: Gateway): string[] {
  const shown = trouble === undefined ? '' : paint('red', printable(trouble));
  const count = `${devices} ${devices === 1 ? 'device' : 'devices'}`;
  return [id, state, region ?? '-', count, `heard of ${momentText(seenMs)}`, shown];
}

function told(answer: Token, output: Output): ExitCode {
  const { gateway, token, untilMs } = answer;
  output.result(answer, [
    `token  ${token}`,
    `       for ${gateway}, once, until ${momentText(untilMs)}; it is shown this once`,
    '',
    'write it into the file that campaigns.coordinator.enrolmentTokenFile names on the gateway',
  ]);
  return EXIT.done;
}
