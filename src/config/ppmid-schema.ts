/** What a PPMID model file (hw-config/ppmids) may say, and what can be made to go wrong with a virtual one. */
import { code, deviceModel, flash, id, milliseconds, text, whole, z } from './fields.ts';

/** The OTA client's settings without defaults: what a rig overrides must not bring any along. */
const otaClientFields = {
  maximumDataBytes: whole(1, 255).describe('The most image bytes it takes in one block response.'),
  answerTimeoutMs: milliseconds.describe('How long it waits for an answer.'),
  retryPauseMs: milliseconds.describe('How long it pauses before it asks again.'),
  failuresMax: whole(1, 1000).describe('Failures in a row after which it gives the download up.'),
  pageBytes: whole(0, 65_535).describe('0: asks by blocks; else by pages of so many bytes.'),
  pageSpacingMs: milliseconds.describe('The response spacing that it asks for with a page.'),
  blockPeriodUnit: z
    .enum(['none', 'ms', 's'])
    .describe('The unit in which it obeys a minimum block period, or none.'),
  waitMaxMs: milliseconds.describe('The longest wait it accepts before it asks or activates.'),
  queryPeriodMs: milliseconds.describe('How often it asks for an image by itself; 0 never.'),
  rebootMs: milliseconds.describe('From the command to activate until it is back.'),
};

/** How a product's own OTA client behaves; the numbers are the device's, not the gateway's. */
const otaClient = z.strictObject({
  maximumDataBytes: otaClientFields.maximumDataBytes.default(50),
  answerTimeoutMs: otaClientFields.answerTimeoutMs.default(3_000),
  retryPauseMs: otaClientFields.retryPauseMs.default(2_000),
  failuresMax: otaClientFields.failuresMax.default(10),
  pageBytes: otaClientFields.pageBytes.default(0),
  pageSpacingMs: otaClientFields.pageSpacingMs.default(50),
  blockPeriodUnit: otaClientFields.blockPeriodUnit.default('ms'),
  waitMaxMs: otaClientFields.waitMaxMs.default(3_600_000),
  queryPeriodMs: otaClientFields.queryPeriodMs.default(300_000),
  rebootMs: otaClientFields.rebootMs.default(500),
} satisfies Record<keyof typeof otaClientFields, z.ZodType>);

export const otaClientOverrides = z.strictObject(otaClientFields).partial();

export const ppmidModelSchema = z.strictObject({
  model: id.describe('The name of this model.'),
  kind: z.literal('ppmid'),
  description: text(0, 2000),
  source: text(1, 2000).describe('Where the numbers of this file come from.'),
  deviceModel,
  imageProfile: z
    .enum(['gb-ppmid', 'gb-signed', 'zigbee-ota'])
    .describe('What an image for it looks like behind the OTA header.'),
  zigbee: z.strictObject({
    endpoint: whole(1, 240).default(1),
    profileId: code(16).default(0x0104),
    deviceId: code(16).default(0x0502),
    manufacturerCode: code(16),
    imageType: code(16),
    hardwareVersion: code(16),
    manufacturerName: text(0, 32),
    modelIdentifier: text(0, 32),
    sleepyPollMs: milliseconds.default(0).describe('Wakes so often; 0 is always on.'),
  }),
  flash,
  otaClient: otaClient.prefault({}).describe('How its OTA client behaves.'),
});

/** What can be made to go wrong with one virtual device. */
export const ppmidFaults = z.strictObject({
  restartAtBlock: z
    .array(whole(0, 0xffff_ffff), 'a list of block numbers')
    .max(10_000, 'a list of at most 10000 block numbers')
    .default([])
    .describe('Restarts, its memory lost and its flash kept, when such a block is to be stored.'),
  rejoinWithNewAddress: z
    .boolean()
    .default(false)
    .describe('Comes back from such a restart under another network address.'),
  losesProgress: z
    .boolean()
    .default(false)
    .describe('Forgets the partial download on a restart and begins at offset 0.'),
  refusesImage: z
    .boolean()
    .default(false)
    .describe('Reports INVALID_IMAGE at the end whatever the bytes are.'),
  skipsVerification: z
    .boolean()
    .default(false)
    .describe('Accepts an image whose hash does not match the one it was built for.'),
  revertsAfterActivation: z
    .boolean()
    .default(false)
    .describe('Activates, then comes back with the old version.'),
  claimsNewVersion: z
    .boolean()
    .default(false)
    .describe('Activates and states the new file version, and runs the build that it ran before.'),
  neverActivates: z.boolean().default(false).describe('Says success, then never activates.'),
  stallAtBlock: whole(0, 0xffff_ffff).optional().describe('Stops asking at this block.'),
  stallMs: milliseconds.optional().describe('How long it stalls; for ever where absent.'),
  duplicateRequests: whole(1, 10).default(1).describe('Sends each request so many times.'),
  slowMs: milliseconds.default(0).describe('Waits so long before each request.'),
  silent: z.boolean().default(false).describe('Never answers anything.'),
});

export type PpmidModel = z.output<typeof ppmidModelSchema>;
export type PpmidFaults = z.output<typeof ppmidFaults>;
export type OtaClientConfig = PpmidModel['otaClient'];
