/**
 * A machine whose every call goes into the recording, with the time that it was handed: what a replay needs
 * to have it do exactly the same again. The bytes of its link are recorded besides, as they were on the wire
 * (recorded-link.ts); a machine's own are what it was handed and gave, wherever they were cut.
 */

import type { MadeHubSession } from '../../gateway/hub-run.ts';
import type { Clock } from '../../ports.ts';
import { tapped } from '../../protocol/tapped.ts';
import type { ServerSaid } from '../../transport/zigbee/messages.ts';
import type { HubSession } from '../../upgrade/hub-session-messages.ts';
import { MONOTONIC_CLOCK } from './clock.ts';
import { MACHINES, type MachineKind } from './machines.ts';
import type { RecordingWriter } from './writer.ts';

export interface RecordedMachineOptions {
  recorder: RecordingWriter;
  link: string;
  kind: MachineKind;
  /** What it was made of. */
  settings: unknown;
  clock?: Clock;
}

/** To be called with a machine that nothing was done to yet. */
export function recordedMachine<M extends object>(machine: M, options: RecordedMachineOptions): M {
  const { recorder, link, kind, settings, clock = MONOTONIC_CLOCK } = options;
  recorder.machine(link, kind, settings, clock.nowMs());
  return tapped(machine, MACHINES[kind], (call) => recorder.call(link, call, clock.nowMs()));
}

/**
 * What a coordinator's process says of its OTA server, where its site was opened with `onServer`: each start
 * of a process is a new machine.
 */
export function recordServer(
  said: ServerSaid,
  { recorder, link, clock = MONOTONIC_CLOCK }: Omit<RecordedMachineOptions, 'kind' | 'settings'>,
): void {
  if (said === 'begins') recorder.machine(link, 'zcl-ota-server', {}, clock.nowMs());
  else recorder.call(link, said, clock.nowMs());
}

/** The session of a hub, as whoever makes it can have it watched. */
export function recordedSession(
  { kind, session, settings }: MadeHubSession,
  options: Omit<RecordedMachineOptions, 'kind' | 'settings'>,
): HubSession {
  return recordedMachine(session, { ...options, kind, settings });
}
