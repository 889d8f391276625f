/**
 * A machine whose every call goes into the recording, with the time that it was handed: what a replay needs
 * to have it do exactly the same again. The bytes of its link are recorded besides, as they were on the wire
 * (recorded-link.ts); a machine's own are what it was handed and gave, wherever they were cut.
 */

import type { MadeHubSession } from '../../gateway/hub-run.ts';
import type { Clock } from '../../ports.ts';
import { tapped } from '../../protocol/tapped.ts';
import type { HubSession } from '../../upgrade/hub-session-messages.ts';
import { MONOTONIC_CLOCK } from './clock.ts';
import type { RecordedCall } from './format.ts';
import { MACHINES, type MachineKind, type MachineType } from './machines.ts';
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
  const { inputs, outputs }: MachineType = MACHINES[kind];
  recorder.machine(link, kind, settings, clock.nowMs());
  const record = (call: RecordedCall) => recorder.call(link, call, clock.nowMs());
  let idlePollMs: unknown;
  return tapped(machine, new Set([...inputs, ...outputs]), {
    called(method, parameters) {
      if (outputs.includes(method)) return;
      idlePollMs = undefined;
      record({ method, parameters });
    },
    gave(method, parameters, result) {
      if (!outputs.includes(method)) return;
      if (result !== undefined) {
        idlePollMs = undefined;
        record({ method, parameters, result });
      } else if (method === 'pollTransmit' && parameters[0] !== idlePollMs) {
        // The time may have moved something on, even where nothing is to be sent.
        idlePollMs = parameters[0];
        record({ method, parameters });
      }
    },
  });
}

/** The session of a hub, as whoever makes it can have it watched. */
export function recordedSession(
  { kind, session, settings }: MadeHubSession,
  options: Omit<RecordedMachineOptions, 'kind' | 'settings'>,
): HubSession {
  return recordedMachine(session, { ...options, kind, settings });
}
