/**
 * MCUboot's serial recovery: an SMP server of its own in the bootloader, smaller and less careful
 * than the application's. It writes the primary slot, checks nothing before the boot, and answers
 * `rc: 0` where the application answers no `rc`.
 */
import type { CborMap } from './cbor.ts';
import type { HubFlash } from './hub-flash.ts';
import { areaOf, type Mcuboot } from './mcuboot.ts';
import { imageVersionText } from './mcuboot-image.ts';
import type { SmpOptions } from './options.ts';
import {
  answer,
  answerPacket,
  RC,
  readFields,
  refuse,
  type SmpRequest,
  type SmpResult,
} from './smp-message.ts';
import { UploadWriter } from './upload-writer.ts';

const GROUP = { os: 0, image: 1 } as const;
const OS = { consoleEcho: 1, reset: 5, params: 6 } as const;
const IMAGE = { state: 0, upload: 1 } as const;
const RECOVERY_BUF_COUNT = 1;

export class SmpRecovery {
  private readonly options: SmpOptions;
  private readonly flash: HubFlash;
  private readonly bootloader: Mcuboot;
  private readonly onReset: () => void;
  private upload: { writer: UploadWriter; totalBytes: number } | undefined;

  constructor(options: SmpOptions, flash: HubFlash, bootloader: Mcuboot, onReset: () => void) {
    this.options = options;
    this.flash = flash;
    this.bootloader = bootloader;
    this.onReset = onReset;
  }

  handlePacket(packet: Uint8Array): Uint8Array[] {
    return answerPacket(packet, this.options.indefiniteMaps, (request) => this.handle(request));
  }

  private handle({ group, command, write, body }: SmpRequest): SmpResult {
    if (group === GROUP.os) {
      if (command === OS.consoleEcho && write) return answer({ rc: RC.ok });
      if (command === OS.reset && write) {
        this.onReset();
        return answer({ rc: RC.ok });
      }
      if (command === OS.params && !write && this.options.recoveryParams) {
        return answer({ buf_size: this.options.recoveryBufBytes, buf_count: RECOVERY_BUF_COUNT });
      }
    }
    if (group === GROUP.image) {
      if (command === IMAGE.state && !write) return this.list();
      if (command === IMAGE.upload && write) return this.takeChunk(body);
    }
    return refuse(RC.notSupported);
  }

  private list(): SmpResult {
    const images: CborMap[] = [];
    for (let image = 0; image < this.bootloader.imageCount; image++) {
      for (const slot of [0, 1]) {
        const found = this.bootloader.readImage(image, slot);
        if (!found.ok) continue;
        const { hash, version } = found.image;
        const number = this.bootloader.imageCount > 1 ? image : undefined;
        images.push({ image: number, slot, hash, version: imageVersionText(version) });
      }
    }
    return answer({ images });
  }

  private takeChunk(body: CborMap): SmpResult {
    const fields = readFields(body, { image: 'u32', len: 'u32', off: 'u32', data: 'bytes' });
    if (fields?.off === undefined || fields.data === undefined) return refuse(RC.invalid);
    const { off, data } = fields;
    if (off === 0) {
      const { image, slot } = this.target(fields.image ?? 0);
      const { slotBytes } = this.flash.geometry;
      if (image >= this.bootloader.imageCount) return refuse(RC.invalid);
      if (fields.len === undefined || fields.len > slotBytes) return refuse(RC.invalid);
      const area = areaOf(image, slot);
      // Marks of an earlier swap must not speak for the new image.
      this.flash.eraseRange(area, this.bootloader.trailerStart, slotBytes);
      if (this.options.recoveryErasesSlot) this.flash.eraseRange(area, 0, slotBytes);
      const writer = new UploadWriter(this.flash, area, this.bootloader.imageStart(image, slot));
      this.upload = { writer, totalBytes: fields.len };
    }
    const { upload } = this;
    if (upload === undefined) return answer({ rc: RC.ok, off: 0 });
    const { writer, totalBytes } = upload;
    if (off !== writer.takenBytes) return answer({ rc: RC.ok, off: writer.takenBytes });
    if (off + data.length > totalBytes) return refuse(RC.invalid);
    if (!writer.append(data)) return refuse(RC.unknown);
    if (writer.takenBytes === totalBytes) writer.finish();
    return answer({ rc: RC.ok, off: writer.takenBytes });
  }

  /** Direct upload counts slots from 1 over all images; 0 is the first primary slot. */
  private target(number: number): { image: number; slot: number } {
    if (!this.options.recoveryDirectUpload || number === 0) return { image: 0, slot: 0 };
    return { image: (number - 1) >>> 1, slot: (number - 1) % 2 };
  }
}
