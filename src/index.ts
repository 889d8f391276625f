/**
 * What programs may use of Uplift: image formats, the products list, admission, signatures, the OTA
 * server, and the lab.
 */
export { type Decision, decideAdmission, rules } from './admission/decide.ts';
export { type AdmissionFacts, gatherImageFacts, type ImageFacts } from './admission/facts.ts';
export { factsSeen, type SeenFact } from './admission/seen-facts.ts';
export { crc16Kermit, crc16X25, crc16Xmodem, crc32 } from './bytes/crc.ts';
export { loadRig } from './config/load.ts';
export { UpliftError } from './errors.ts';
export { parseEblImage } from './image/ebl.ts';
export { recogniseFormat } from './image/file-format.ts';
export { encodeGbImage, IMAGE_PROFILES, locateUpgradeImage } from './image/gb-upgrade.ts';
export { parseGblImage } from './image/gbl.ts';
export { type HubImage, readHubImage } from './image/hub-image.ts';
export { parseMcubootImage } from './image/mcuboot.ts';
export { encodeOtaFileFrom, encodeOtaImage, parseOtaFile } from './image/zigbee-ota.ts';
export { LabError, labError } from './lab/failure.ts';
export { LAB_CLASSES, type LabClass } from './lab/failure-classes.ts';
export type { RunResult } from './lab/run-result.ts';
export type { OpenHands, RigHands } from './lab/runner/hands.ts';
export { type LabEnd, type LabEvent, type LabOptions, runLab } from './lab/runner/lab.ts';
export type { LabRun } from './lab/runner/lab-run.ts';
export { runScenario } from './lab/runner/run-scenario.ts';
export { defineScenario, type ScenarioDefinition, type StepInput } from './lab/scenario/define.ts';
export { loadScenario } from './lab/scenario/load.ts';
export { parseCentralProductsList } from './products/central-products-list.ts';
export { decodeOtaFrame, encodeOtaFrame } from './protocol/zcl-ota/codec.ts';
export { ZclOtaServer } from './protocol/zcl-ota/server.ts';
export type { Assignment, OtaServerEvent, OtaTransmit } from './protocol/zcl-ota/session.ts';
export { type HubImageProof, verifyHubImage } from './trust/hub-image.ts';
export { parsePublicKey, type SignatureKey } from './trust/public-key.ts';
