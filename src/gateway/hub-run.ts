/** One upgrade of a hub on its line: its session, and what pumps it. */
import type { HubImageFacts } from '../admission/facts.ts';
import type { HubDevice } from '../config/schema.ts';
import { assert } from '../errors.ts';
import type { Link, Timers } from '../ports.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import { BootloaderSession } from '../upgrade/bootloader-session.ts';
import type {
  BootloaderSessionRequest,
  HubSession,
  HubSessionEvent,
  HubSessionRequest,
  SmpSessionRequest,
} from '../upgrade/hub-session-messages.ts';
import type { KeptRecord, SessionLimits } from '../upgrade/session-messages.ts';
import { SmpSession } from '../upgrade/smp-session.ts';
import { factsOfDevice } from './device-facts.ts';
import type { Brief } from './field.ts';
import { HubRunner } from './hub-runner.ts';

/** A session that nothing was done to yet, and what it was made of. */
export type MadeHubSession =
  | { kind: 'smp-session'; session: HubSession; settings: SmpSessionRequest }
  | { kind: 'bootloader-session'; session: HubSession; settings: BootloaderSessionRequest };

export interface HubRunOptions {
  device: HubDevice;
  brief: Brief;
  activation: Activation;
  limits: SessionLimits;
  kept?: KeptRecord | undefined;
  link: Link;
  timers: Timers;
  /** Puts something in the session's place that sees what is done to it: a lab's recording. */
  watch?: ((made: MadeHubSession) => HubSession) | undefined;
  /** False where nothing may be done on it or after it. */
  onEvent(event: HubSessionEvent): boolean;
}

export function newHubRun(options: HubRunOptions): { session: HubSession; runner: HubRunner } {
  const { link, timers, onEvent, device, watch } = options;
  const { enterBootloader, reset } = device.model.serial;
  const made = newSession(options);
  const session = watch ? watch(made) : made.session;
  const runner = new HubRunner({
    session,
    link,
    timers,
    lineSteps: { enterBootloader, reset },
    onEvent,
  });
  return { session, runner };
}

function newSession({ device, brief, activation, limits, kept }: HubRunOptions): MadeHubSession {
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
  if (smp) {
    const settings = { ...request, smp };
    return { kind: 'smp-session', session: new SmpSession(settings), settings };
  }
  const settings = { ...request, applicationVersion: serial.applicationVersion };
  return { kind: 'bootloader-session', session: new BootloaderSession(settings), settings };
}
