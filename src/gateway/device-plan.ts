/** The plan of one device's upgrade: what its model file and the image say, as the planners take it. */
import type { HubDevice, LineStepConfig, PpmidDevice, RigDevice } from '../config/schema.ts';
import { EXIT, UpliftError } from '../errors.ts';
import type { HubImage } from '../image/hub-image.ts';
import type { OtaImage } from '../image/zigbee-ota.ts';
import { BLOCK_BYTES_MAX } from '../protocol/zcl-ota/block-response.ts';
import type { Activation } from '../protocol/zcl-ota/session.ts';
import { type PlanRequest, planUpgrade, type UpgradePlan } from '../upgrade/plan.ts';
import type { LoadedImage } from './image-library.ts';

/** `undefined` where the image cannot be read as the device takes it. @throws UpliftError */
export function planOf(
  device: RigDevice,
  { image, hubImage }: LoadedImage,
  activation: Activation,
): UpgradePlan | undefined {
  const request =
    device.kind === 'ppmid'
      ? image && zigbeeRequest(device, image, activation)
      : hubImage && hubRequest(device, hubImage, activation);
  return request && planUpgrade(request);
}

function zigbeeRequest(
  { model }: PpmidDevice,
  image: OtaImage,
  activation: Activation,
): PlanRequest {
  const { manufacturerCode, imageType, fileVersion } = image.header;
  const { flash, otaClient } = model;
  return {
    kind: 'zigbee',
    manufacturerCode,
    imageType,
    fileVersion,
    imageBytes: image.bytes.length,
    blockBytes: Math.min(BLOCK_BYTES_MAX, otaClient.maximumDataBytes),
    activation,
    flash,
    rebootMs: otaClient.rebootMs,
  };
}

function hubRequest(
  { model, baudRate }: HubDevice,
  image: HubImage,
  activation: Activation,
): PlanRequest {
  const { flash, smp, serial } = model;
  const { bootMs, answerTimeoutMs, enterBootloader } = serial;
  const timing = { baudRate, bootMs, answerTimeoutMs, enterMs: stepsMs(enterBootloader) };
  const common = { imageBytes: image.sendBytes.length, serial: timing, flash };
  if (smp) {
    return { kind: 'smp', ...common, version: image.version?.text, activation, smp };
  }
  if (activation.when !== 'held') {
    const versionWithinMs = serial.applicationVersion?.withinMs;
    return { kind: 'bootloader', ...common, activation, versionWithinMs };
  }
  throw new UpliftError('option-invalid', 'the activation (--activate) cannot be held here', {
    expected:
      'now or a time: this hub has no room for an image beside the one it runs, the upload replaces it',
    actual: 'held',
    next: 'activate it now, or at a time',
    exit: EXIT.usage,
  });
}

function stepsMs(steps: readonly LineStepConfig[]): number {
  return steps.reduce((sum, { breakMs = 0, waitMs }) => sum + breakMs + waitMs, 0);
}
