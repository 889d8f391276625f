/** Upgrades under a simulated clock that are recorded: sessions against the virtual hub, and an OTA server. */
import { join } from 'node:path';
import type { HubImageProfile } from '../../src/image/hub-image.ts';
import type { LinkKind, Recording, RecordingHeader } from '../../src/lab/recording/format.ts';
import type { MachineKind } from '../../src/lab/recording/machines.ts';
import { readRecordingFile } from '../../src/lab/recording/reader.ts';
import { recordedMachine } from '../../src/lab/recording/recorded-machine.ts';
import { openRecorder, type RecordingWriter } from '../../src/lab/recording/writer.ts';
import { BootloaderSession } from '../../src/upgrade/bootloader-session.ts';
import { SmpSession } from '../../src/upgrade/smp-session.ts';
import { temporaryFolder } from '../store/failing-files.ts';
import { type HubWorld, hubRequest, type RequestChange, SMP_TRAITS } from '../upgrade/hub-world.ts';

export const LINK = 'hub-1';
const folder = temporaryFolder('replay');
let files = 0;

export function headerOf(kind: LinkKind): RecordingHeader {
  return {
    version: '0.1.0',
    rig: 'simulated',
    device: LINK,
    seed: 1,
    startedAtMs: 0,
    links: { [LINK]: kind },
  };
}

export function newRecorder(kind: LinkKind): RecordingWriter {
  return openRecorder(join(folder, `${++files}.uplrec`), headerOf(kind));
}

/** A session of that kind in the world, its calls and the bytes of its line recorded. */
export function recordSession(
  world: HubWorld,
  recorder: RecordingWriter,
  kind: Extract<MachineKind, 'smp-session' | 'bootloader-session'>,
  file: Uint8Array,
  profile: HubImageProfile,
  change: RequestChange = {},
): HubWorld {
  const clock = { nowMs: () => world.nowMs };
  const { toHub, toHost } = world;
  world.toHub = (bytes, transmit) => {
    recorder.record(LINK, 'down', bytes, world.nowMs);
    return toHub(bytes, transmit);
  };
  world.toHost = (bytes, piece) => {
    const through = toHost(bytes, piece);
    if (through) recorder.record(LINK, 'up', through, world.nowMs);
    return through;
  };
  const request = hubRequest(file, profile, change);
  const settings =
    kind === 'smp-session' ? { ...request, smp: { ...SMP_TRAITS, ...change.smp } } : request;
  const session =
    kind === 'smp-session'
      ? new SmpSession({ ...request, smp: { ...SMP_TRAITS, ...change.smp } })
      : new BootloaderSession(request);
  const recorded = recordedMachine(session, { recorder, link: LINK, kind, settings, clock });
  return world.begin(recorded);
}

export async function finished(recorder: RecordingWriter): Promise<Recording> {
  await recorder.close();
  return readRecordingFile(recorder.path);
}
