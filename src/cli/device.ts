/** `uplift device list` and `read`: the devices of a running gateway, and what they say that they run. */
import { escapeText } from '../bytes/escape-text.ts';
import { EXIT, type ExitCode, UpliftError } from '../errors.ts';
import type { DeviceView, GatewayRecord } from '../gateway/control.ts';
import { type AskOptions, clientOf } from './job.ts';
import { type Output, table } from './output.ts';

/** A hub in its bootloader is asked for 20 s, twice. */
const READ_MS = 60_000;

export async function listDevices(options: AskOptions, output: Output): Promise<ExitCode> {
  const document = await clientOf(options).get<{ devices: DeviceView[] }>('/devices');
  const rows = document.devices.map(
    ({ id, kind, link, linkUp, runs, runsReadMs, upgrade, campaign }) => [
      id,
      kind,
      linkUp ? link : `${link} is down`,
      runs === undefined ? 'not read yet' : `runs ${escapeText(runs)}`,
      runsReadMs === undefined ? '-' : `read ${new Date(runsReadMs).toISOString()}`,
      upgrade ?? '-',
      campaign === undefined ? '-' : campaignText(campaign),
    ],
  );
  output.result(document, rows.length === 0 ? ['no device'] : table(rows));
  return EXIT.done;
}

function campaignText({ id, ring, state }: NonNullable<DeviceView['campaign']>): string {
  return [id, ...(ring === undefined ? [] : [ring]), state].map(escapeText).join(' ');
}

/** Asks, and waits for what it says. */
export async function readDevice(
  device: string,
  options: AskOptions,
  output: Output,
): Promise<ExitCode> {
  const client = clientOf(options);
  const { from } = await client.post<{ from: number }>(
    `/devices/${encodeURIComponent(device)}/read`,
  );
  const silence = AbortSignal.timeout(READ_MS);
  for await (const event of client.events({ from }, silence)) {
    if (event.event !== 'record' || !isAbout(event.record, device)) continue;
    const { version, code, detail } = event.record as unknown as Record<string, string>;
    if (version === undefined) {
      const next = 'see that it has power and its link is up, then ask again';
      throw new UpliftError(code!, detail!, { next, exit: EXIT.notReachable });
    }
    output.result(event.record, [`${device} runs ${escapeText(version)}`]);
    return EXIT.done;
  }
  throw new UpliftError('device-silent', `${device} did not answer in ${READ_MS / 1000} s`, {
    next: 'see that it has power and its link is up, then ask again',
    exit: EXIT.notReachable,
  });
}

function isAbout({ kind, device: about }: GatewayRecord, device: string): boolean {
  return kind === 'device-read' && about === device;
}
