/**
 * What a virtual Communications Hub can be told: its protocol, line, flash and faults. Names are
 * flat and carry their unit, so that a rig file can spell them the same way. The defaults are those
 * of the board that was observed (Zephyr 4.4 with MCUboot); where a default is only this device's
 * own, it says so.
 */
import { type HubFaults, hubFaults } from '../../config/hub-schema.ts';
import type { FlashGeometry } from '../flash.ts';

export type HubProtocol = 'smp' | 'gecko-bootloader' | 'ember-bootloader';

export interface HubOptions {
  protocol: HubProtocol;
  /** 8N1, so ten bits a byte in each direction. */
  baudRate: number;
  /** A USB adapter holds a short burst so long; 0 passes bytes on as they come. */
  turnRoundMs: number;
  /** Bytes the UART keeps while the processor is held up by its flash. */
  uartFifoBytes: number;
  /** The processor stands still while flash is erased or programmed, and the UART overruns. */
  flashBlocksUart: boolean;
  /** From power-on or reset to the first byte that is listened to, without the time of a swap. */
  bootMs: number;
  /** How long the power stays away after a cut. */
  powerOffMs: number;
  flash: FlashGeometry;
  /** What a new hub runs: an MCUboot image; GBL or EBL for the Silicon Labs bootloaders. */
  firmware: Uint8Array;
  smp: SmpOptions;
  bootloader: BootloaderOptions;
  faults: HubFaults;
  seed: number;
}

export interface SmpOptions {
  /** Largest packet: length, message and CRC. What `params` answers. */
  bufBytes: number;
  bufCount: number;
  /** Largest line, its newline included; a longer one is dropped in silence. */
  lineBytes: number;
  /** Lines that can be held, the one being received included. */
  poolLines: number;
  /** Time to take one line out of the pool. This device's own default. */
  lineMs: number;
  /** Time to work one request, without its flash operations. This device's own default. */
  messageMs: number;
  /** `rc: 0` in the answers to upload and erase, as builds before Zephyr 3 did. */
  writeAnswersCarryRc: boolean;
  /** Maps and lists of indefinite length in answers. */
  indefiniteMaps: boolean;
  /** Leaves flags that are false out of the list of images. */
  omitFalseFlags: boolean;
  /** Erases block by block as an image grows, not the whole slot at its first chunk. */
  progressiveErase: boolean;
  /** The last upload answer carries `match`: whether the image has the hash that was announced. */
  uploadMatch: boolean;
  imageCount: number;
  /** What os `info` says. */
  info: Record<InfoLetter, string>;
  /** Build with os command 8. */
  bootloaderInfo: boolean;
  /** From the answer to a reset until it happens. */
  resetDelayMs: number;
  /** A reset without `force` is refused as busy. */
  resetWantsForce: boolean;
  /** An image that runs for the first time confirms itself. */
  imageConfirmsItself: boolean;
  /** MCUboot takes no image with a lower version than the one that runs. */
  preventsDowngrade: boolean;
  /** Public key in PEM; MCUboot then takes only images that it signed. */
  signatureKey: string | undefined;
  /** MCUboot was built with serial recovery. */
  recovery: boolean;
  /** Is in it when it is first powered. */
  startsInRecovery: boolean;
  /** Recovery also starts where there is no image to boot. */
  recoveryWithoutImage: boolean;
  recoveryBufBytes: number;
  recoveryPoolLines: number;
  /** Older recoveries answer `params` with rc 8. */
  recoveryParams: boolean;
  /** Recovery erases the whole slot at the first chunk, not block by block. */
  recoveryErasesSlot: boolean;
  /** Recovery writes the slot that `image` names (2 x image + slot + 1), not the primary one. */
  recoveryDirectUpload: boolean;
}

/** The letters that os `info` takes as format, in the order in which `a` (all) writes them. */
export const INFO_LETTERS = ['s', 'n', 'r', 'v', 'b', 'm', 'p', 'i', 'o'] as const;
export type InfoLetter = (typeof INFO_LETTERS)[number];

export interface BootloaderOptions {
  /** As the menu shows it. */
  version: string;
  /** How long the bootloader listens after a reset before it starts the application; 0 not at all. */
  windowMs: number;
  /** The line that makes the application reset into the bootloader: a PTY has no modem lines for it. */
  entryCommand: string;
  /** Public key, P-256, in PEM; unsigned files are then refused. */
  signatureKey: string | undefined;
  /** A line of text that its application answers with its version; empty for none. */
  versionCommand: string;
  /** The application says its version when it starts too. */
  announcesVersion: boolean;
  /** Key for encrypted files is there: without one they are refused. */
  decrypts: boolean;
}

/** As a rig file spells them. */
export type { HubFaults };

export const NO_HUB_FAULTS: HubFaults = hubFaults.parse({});

const DEFAULT_INFO: Record<InfoLetter, string> = {
  s: 'Zephyr',
  n: 'unknown',
  r: 'v4.4.0',
  v: '4.4.0',
  b: 'Thu Jan  1 00:00:00 2026',
  m: 'arm',
  p: 'cortex-m0',
  i: 'virtual_hub',
  o: 'Zephyr',
};

export const SMP_DEFAULTS: SmpOptions = {
  bufBytes: 384,
  bufCount: 4,
  lineBytes: 128,
  poolLines: 2,
  lineMs: 0.2,
  messageMs: 1,
  writeAnswersCarryRc: false,
  indefiniteMaps: true,
  omitFalseFlags: false,
  progressiveErase: false,
  uploadMatch: false,
  imageCount: 1,
  info: DEFAULT_INFO,
  bootloaderInfo: true,
  resetDelayMs: 250,
  resetWantsForce: false,
  imageConfirmsItself: false,
  preventsDowngrade: false,
  signatureKey: undefined,
  recovery: false,
  startsInRecovery: false,
  recoveryWithoutImage: false,
  recoveryBufBytes: 1024,
  recoveryPoolLines: 8,
  recoveryParams: true,
  recoveryErasesSlot: false,
  recoveryDirectUpload: false,
};

export const BOOTLOADER_DEFAULTS: BootloaderOptions = {
  version: 'v2.04.01',
  windowMs: 1_000,
  entryCommand: 'bootloader',
  versionCommand: '',
  announcesVersion: true,
  signatureKey: undefined,
  decrypts: true,
};

/** What a caller states; the rest has the values above. */
export type HubSettings = Partial<Omit<HubOptions, 'smp' | 'bootloader' | 'faults'>> & {
  flash: FlashGeometry;
  firmware: Uint8Array;
  smp?: Partial<SmpOptions>;
  bootloader?: Partial<BootloaderOptions>;
  faults?: Partial<HubFaults>;
};

export function completeHubOptions(settings: HubSettings): HubOptions {
  return {
    protocol: 'smp',
    baudRate: 115_200,
    turnRoundMs: 0,
    uartFifoBytes: 16,
    flashBlocksUart: false,
    bootMs: 200,
    powerOffMs: 500,
    seed: 1,
    ...settings,
    smp: { ...SMP_DEFAULTS, ...settings.smp },
    bootloader: { ...BOOTLOADER_DEFAULTS, ...settings.bootloader },
    faults: { ...NO_HUB_FAULTS, ...settings.faults },
  };
}
