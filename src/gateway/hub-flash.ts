/** One hub of a flash: its port opened, its session run, its outcome told. */

import type { HubImageFacts } from '../admission/facts.ts';
import { assert, UpliftError } from '../errors.ts';
import { newLink } from '../transport/serial/link.ts';
import { describePort } from '../transport/serial/ports.ts';
import { SerialLink } from '../transport/serial/serial-link.ts';
import { BootloaderSession } from '../upgrade/bootloader-session.ts';
import type { HubSession, HubSessionRequest } from '../upgrade/hub-session-messages.ts';
import { SmpSession } from '../upgrade/smp-session.ts';
import { factsOfDevice } from './device-facts.ts';
import {
  aborted,
  type FlashRequest,
  fail,
  type HubRun,
  interrupt,
  type OnFlashEvent,
  report,
  reportProgress,
} from './flash-run.ts';
import { HubRunner } from './hub-runner.ts';

/** Why its port did not open, or undefined where it did. */
export async function flashHub(
  run: HubRun,
  request: FlashRequest,
  onEvent: OnFlashEvent,
  signal: AbortSignal,
): Promise<UpliftError | undefined> {
  const { device } = run;
  const { port, baudRate, model } = device;
  const session = newSession(run, request);
  run.holds = () => session.holds();
  const link = newLink({ port, baudRate, rtscts: model.serial.rtscts });
  let leftAs = 'stopped before the hub was turned to';
  const runner = new HubRunner({
    session,
    link,
    lineSteps: { enterBootloader: model.serial.enterBootloader, reset: model.serial.reset },
    onEvent: (event) => {
      if (event.kind !== 'progress' && event.kind !== 'stopped') return report(run, event, onEvent);
      if (event.kind === 'progress') reportProgress(run, event.sample, onEvent);
      else leftAs = event.detail;
      return !run.halted;
    },
  });
  try {
    await runner.open();
  } catch (error) {
    if (!(error instanceof UpliftError)) throw error;
    fail(run, error, onEvent);
    return error;
  }
  const reading = link instanceof SerialLink ? await link.reading() : undefined;
  const adapter = reading?.info ? { adapter: describePort(reading.info) } : {};
  const opened = { kind: 'hub-opened', device: device.id, port, baudRate, ...adapter } as const;
  onEvent({ kind: 'site', event: opened });
  const ended = await Promise.race([runner.run(), aborted(signal)]);
  if (ended === 'aborted') await runner.stop();
  await runner.close();
  if (ended === 'aborted') interrupt(run, leftAs);
  return undefined;
}

function newSession({ device, image, context }: HubRun, request: FlashRequest): HubSession {
  const { model, port, baudRate } = device;
  const { serial, smp } = model;
  const { list, policy, activation, limits } = request;
  const { hubImage, facts } = image;
  assert(hubImage !== undefined, 'an admitted image can be read');
  const session: HubSessionRequest = {
    device: factsOfDevice(device),
    image: facts as HubImageFacts,
    hubImage,
    list,
    policy,
    context,
    activation,
    limits: limits.hub,
    line: {
      // What a serial server sets its line to is not known here.
      baudRate: port.startsWith('tcp://') ? undefined : baudRate,
      bootMs: serial.bootMs,
      answerTimeoutMs: serial.answerTimeoutMs,
      attemptsMax: serial.attemptsMax,
      canEnterBootloader: serial.enterBootloader.length > 0,
      canReset: serial.reset.length > 0,
    },
  };
  if (smp) return new SmpSession({ ...session, smp });
  return new BootloaderSession({ ...session, applicationVersion: serial.applicationVersion });
}
