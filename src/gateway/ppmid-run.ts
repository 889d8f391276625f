/** One upgrade of a device behind a coordinator: its session, and what carries out its commands. */
import type { OtaImageFacts } from '../admission/facts.ts';
import { type AdmissionToken, tokenFor } from '../admission/token.ts';
import type { PpmidDevice } from '../config/schema.ts';
import { assert } from '../errors.ts';
import type { Timers } from '../ports.ts';
import { ANY_U16, type ImageTriple } from '../protocol/zcl-ota/codec.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import { UpgradeSession } from '../upgrade/session.ts';
import type { KeptRecord, SessionEvent, SessionLimits } from '../upgrade/session-messages.ts';
import { factsOfDevice } from './device-facts.ts';
import type { Brief } from './field.ts';
import type { StateFolder } from './state-folder.ts';
import { type CoordinatorLink, ZigbeeDevice } from './zigbee-device.ts';

export type DistributionRecords = Pick<
  StateFolder,
  'distribution' | 'rememberDistribution' | 'forgetDistribution'
>;

export interface PpmidRunOptions {
  device: PpmidDevice;
  brief: Brief;
  /** Of the decision that admitted it; that of the image where the session decides first. */
  token?: AdmissionToken | undefined;
  activation: Activation;
  limits: SessionLimits;
  kept?: KeptRecord | undefined;
  link: CoordinatorLink;
  state: DistributionRecords;
  timers: Timers;
  /** False where nothing may be done on it or after it. */
  onEvent(event: SessionEvent): boolean;
}

export function newPpmidRun(options: PpmidRunOptions): ZigbeeDevice {
  const { device, brief, activation, limits, kept, link, state, timers, onEvent } = options;
  const { path, image, sha256, facts } = brief.image;
  assert(facts.ok && image !== undefined && sha256 !== undefined, 'an image that can be read');
  const { eui64, model } = device;
  const { endpoint } = model.zigbee;
  const { header } = facts as OtaImageFacts;
  const session = new UpgradeSession({
    device: factsOfDevice(device),
    image: facts as OtaImageFacts,
    list: brief.list,
    policy: brief.policy,
    context: brief.context,
    activation,
    resumable: state.distribution(eui64)?.sha256 === sha256,
    limits,
    kept,
  });
  return new ZigbeeDevice({
    eui64,
    endpoint,
    session,
    link,
    timers,
    assignment: {
      eui64,
      endpoint,
      imagePath: path,
      imageOffset: image.offset,
      token: options.token ?? tokenFor(facts),
      triple: tripleFor(header, device),
      stallMs: limits.stallMs,
    },
    remember: () => state.rememberDistribution(eui64, { sha256, fileVersion: header.fileVersion }),
    forget: () => state.forgetDistribution(eui64),
    onEvent,
  });
}

/** A header may leave manufacturer and image type open; on the air the device's own are used. */
function tripleFor(header: ImageTriple, device: PpmidDevice): ImageTriple {
  const { manufacturerCode, imageType } = device.model.zigbee;
  return {
    manufacturerCode:
      header.manufacturerCode === ANY_U16 ? manufacturerCode : header.manufacturerCode,
    imageType: header.imageType === ANY_U16 ? imageType : header.imageType,
    fileVersion: header.fileVersion,
  };
}
