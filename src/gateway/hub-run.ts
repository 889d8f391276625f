/** One upgrade of a hub on its line: its session, and what pumps it. */
import type { HubImageFacts } from '../admission/facts.ts';
import type { HubDevice } from '../config/schema.ts';
import { assert } from '../errors.ts';
import type { Link, Timers } from '../ports.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import { BootloaderSession } from '../upgrade/bootloader-session.ts';
import type {
  HubSession,
  HubSessionEvent,
  HubSessionRequest,
} from '../upgrade/hub-session-messages.ts';
import type { KeptRecord, SessionLimits } from '../upgrade/session-messages.ts';
import { SmpSession } from '../upgrade/smp-session.ts';
import { factsOfDevice } from './device-facts.ts';
import type { Brief } from './field.ts';
import { HubRunner } from './hub-runner.ts';

export interface HubRunOptions {
  device: HubDevice;
  brief: Brief;
  activation: Activation;
  limits: SessionLimits;
  kept?: KeptRecord | undefined;
  link: Link;
  timers: Timers;
  /** False where nothing may be done on it or after it. */
  onEvent(event: HubSessionEvent): boolean;
}

export function newHubRun(options: HubRunOptions): { session: HubSession; runner: HubRunner } {
  const { link, timers, onEvent, device } = options;
  const { enterBootloader, reset } = device.model.serial;
  const session = newSession(options);
  const runner = new HubRunner({
    session,
    link,
    timers,
    lineSteps: { enterBootloader, reset },
    onEvent,
  });
  return { session, runner };
}

function newSession({ device, brief, activation, limits, kept }: HubRunOptions): HubSession {
  const { model, port, baudRate } = device;
  const { serial, smp } = model;
  const { hubImage, facts } = brief.image;
  assert(hubImage !== undefined, 'an image that can be read');
  const request: HubSessionRequest = {
    device: factsOfDevice(device),
    image: facts as HubImageFacts,
    hubImage,
    list: brief.list,
    policy: brief.policy,
    context: brief.context,
    activation,
    limits,
    kept,
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
  if (smp) return new SmpSession({ ...request, smp });
  return new BootloaderSession({ ...request, applicationVersion: serial.applicationVersion });
}
