/**
 * The image group of Zephyr 4.4's SMP server, and the state of one upload. Orders of checks, texts
 * of reasons and every answer below were observed on the running server, unless a line says
 * otherwise.
 */
import type { CborMap } from './cbor.ts';
import type { HubFlash } from './hub-flash.ts';
import { areaOf, type Mcuboot } from './mcuboot.ts';
import {
  compareImageVersions,
  HEADER_BYTES,
  type ImageVersion,
  imageVersionText,
} from './mcuboot-image.ts';
import type { SmpOptions } from './options.ts';
import { answer, RC, readFields, refuse, type SmpRequest, type SmpResult } from './smp-message.ts';
import { UploadWriter } from './upload-writer.ts';

const COMMAND = { state: 0, upload: 1, erase: 5, slotInfo: 6 } as const;

/** The group's own codes (`err.rc`), as Zephyr's image group numbers them. */
const IMAGE_ERROR = {
  hashNotFound: 8,
  noFreeSlot: 9,
  flashOpen: 10,
  flashWrite: 12,
  offsetMissing: 20,
  lengthMissing: 21,
  headerShort: 22,
  headerMagic: 23,
  hashInvalid: 24,
  runningIsNewer: 27,
  alreadyPending: 28,
  tooLarge: 30,
  beyondLength: 31,
  testOfActive: 33,
} as const;

/** What version 1 shows of them; all others are 1, unknown. */
const V1_CODE: Partial<Record<number, number>> = {
  3: RC.noEntry,
  4: RC.noEntry,
  9: RC.badState,
  27: RC.badState,
  28: RC.badState,
  15: RC.noMemory,
  14: RC.invalid,
  19: RC.invalid,
  20: RC.invalid,
  21: RC.invalid,
  22: RC.invalid,
  24: RC.invalid,
  25: RC.invalid,
};

/** The reasons that version 1 adds to a refused upload. */
const UPLOAD_REASON: Partial<Record<number, string>> = {
  9: 'no slot',
  20: 'header malformed',
  21: 'header malformed',
  22: 'header malformed',
  23: 'magic mismatch',
  27: 'downgrade',
  30: 'img too large',
  31: 'data overrun',
};

const HASH_BYTES = 32;
/** As the server keeps "no offset" and "no length". */
const MISSING = 0xffffffff;
const HEADER_MAGIC = [0x3d, 0xb8, 0xf3, 0x96];

interface Upload {
  writer: UploadWriter;
  totalBytes: number;
  /** What the first request announced; empty where it announced none. */
  sha: Uint8Array;
  image: number;
}

export class ImageGroup {
  private readonly options: SmpOptions;
  private readonly flash: HubFlash;
  private readonly bootloader: Mcuboot;
  private upload: Upload | undefined;

  constructor(options: SmpOptions, flash: HubFlash, bootloader: Mcuboot) {
    this.options = options;
    this.flash = flash;
    this.bootloader = bootloader;
  }

  /** Bytes of the upload that is under way; 0 for none. */
  get uploadedBytes(): number {
    return this.upload?.writer.takenBytes ?? 0;
  }

  handle(request: SmpRequest): SmpResult {
    const { command, write, body } = request;
    if (command === COMMAND.state) return write ? this.setState(body) : this.list();
    if (command === COMMAND.upload && write) return this.takeChunk(body);
    if (command === COMMAND.erase && write) return this.erase(body);
    if (command === COMMAND.slotInfo && !write) return this.slotInfo();
    return refuse(RC.notSupported);
  }

  private list(): SmpResult {
    const images: CborMap[] = [];
    for (let image = 0; image < this.bootloader.imageCount; image++) {
      for (const slot of [0, 1]) {
        const entry = this.listEntry(image, slot);
        if (entry !== undefined) images.push(entry);
      }
    }
    return answer({ images, splitStatus: 0 });
  }

  private listEntry(image: number, slot: number): CborMap | undefined {
    const found = this.bootloader.readImage(image, slot);
    if (!found.ok) return undefined;
    const swap = this.bootloader.swapType(image);
    const flag = (set: boolean) => (set || !this.options.omitFalseFlags ? set : undefined);
    const running = slot === 0;
    return {
      image: this.bootloader.imageCount > 1 ? image : undefined,
      slot,
      version: imageVersionText(found.image.version),
      hash: found.image.hash,
      bootable: flag(found.image.bootable),
      pending: flag(!running && (swap === 'test' || swap === 'permanent')),
      confirmed: flag(running ? swap !== 'revert' : swap === 'revert'),
      active: flag(running),
      permanent: flag(!running && swap === 'permanent'),
    };
  }

  /** Test, permanent, or confirm what runs, by hash. */
  private setState(body: CborMap): SmpResult {
    const fields = readFields(body, { hash: 'bytes', confirm: 'bool' });
    if (fields === undefined) return refuse(RC.invalid);
    const { hash, confirm = false } = fields;
    if (hash === undefined || hash.length === 0) {
      return confirm ? this.confirmRunning(0) : imageError(IMAGE_ERROR.hashInvalid);
    }
    if (hash.length !== HASH_BYTES) return imageError(IMAGE_ERROR.hashInvalid);
    const place = this.find(hash);
    if (place === undefined) return imageError(IMAGE_ERROR.hashNotFound);
    if (place.slot === 0) {
      return confirm ? this.confirmRunning(place.image) : imageError(IMAGE_ERROR.testOfActive);
    }
    const swap = this.bootloader.swapType(place.image);
    if (swap === 'none') this.bootloader.setPending(place.image, confirm);
    // What is already so stays so; the image before a test counts as permanent already.
    else if (confirm !== (swap !== 'test')) return imageError(IMAGE_ERROR.alreadyPending);
    return this.list();
  }

  private confirmRunning(image: number): SmpResult {
    const swap = this.bootloader.swapType(image);
    if (swap === 'test' || swap === 'permanent') return imageError(IMAGE_ERROR.alreadyPending);
    this.bootloader.confirm(image);
    return this.list();
  }

  /** The first slot with that image: of the same image in both, the one that runs. */
  private find(hash: Uint8Array): { image: number; slot: number } | undefined {
    for (let image = 0; image < this.bootloader.imageCount; image++) {
      for (const slot of [0, 1]) {
        const found = this.bootloader.readImage(image, slot);
        if (found.ok && equal(found.image.hash, hash)) return { image, slot };
      }
    }
    return undefined;
  }

  private erase(body: CborMap): SmpResult {
    const fields = readFields(body, { slot: 'u32' });
    if (fields === undefined) return refuse(RC.invalid);
    const { slot = 1 } = fields;
    const image = slot >>> 1;
    if (image >= this.bootloader.imageCount) return imageError(IMAGE_ERROR.flashOpen);
    if (slot % 2 === 0 || !this.isSecondaryFree(image)) return imageError(IMAGE_ERROR.noFreeSlot);
    this.upload = undefined;
    const { slotBytes } = this.flash.geometry;
    this.flash.eraseRange(areaOf(image, 1), 0, slotBytes);
    return answer(this.options.writeAnswersCarryRc ? { rc: RC.ok } : {});
  }

  private slotInfo(): SmpResult {
    const images: CborMap[] = [];
    const size = this.flash.geometry.slotBytes;
    for (let image = 0; image < this.bootloader.imageCount; image++) {
      const slots: CborMap[] = [
        { slot: 0, size },
        { slot: 1, size, upload_image_id: image },
      ];
      images.push({ image, slots });
    }
    return answer({ images });
  }

  private takeChunk(body: CborMap): SmpResult {
    const fields = readFields(body, {
      image: 'u32',
      len: 'u32',
      off: 'u32',
      sha: 'bytes',
      data: 'bytes',
      upgrade: 'bool',
    });
    if (fields === undefined) return refuse(RC.invalid);
    const { off = MISSING, data = new Uint8Array(0) } = fields;
    if (off === MISSING) return this.refuseUpload(IMAGE_ERROR.offsetMissing);
    if (off === 0) {
      const refused = this.begin(fields, data);
      if (refused !== undefined) return refused;
    } else if (this.upload === undefined || off !== this.upload.writer.takenBytes) {
      return this.accepted(this.uploadedBytes);
    } else if (off + data.length > this.upload.totalBytes) {
      return this.refuseUpload(IMAGE_ERROR.beyondLength);
    }
    return this.store(this.upload!, data);
  }

  /** A first chunk: `undefined` where an upload begins with it, else its answer. */
  private begin(
    fields: { image?: number; len?: number; sha?: Uint8Array; upgrade?: boolean },
    data: Uint8Array,
  ): SmpResult | undefined {
    const { len = MISSING, sha = new Uint8Array(0), upgrade = false } = fields;
    if (data.length < HEADER_BYTES) return this.refuseUpload(IMAGE_ERROR.headerShort);
    if (len === MISSING) return this.refuseUpload(IMAGE_ERROR.lengthMissing);
    if (HEADER_MAGIC.some((byte, index) => data[index] !== byte)) {
      return this.refuseUpload(IMAGE_ERROR.headerMagic);
    }
    if (sha.length > HASH_BYTES) return this.refuseUpload(IMAGE_ERROR.hashInvalid);
    if (this.upload !== undefined && sha.length > 0 && equal(sha, this.upload.sha)) {
      return this.accepted(this.uploadedBytes);
    }
    // A server built for one image takes every image number for that one.
    const image = this.bootloader.imageCount > 1 ? (fields.image ?? 0) : 0;
    if (image >= this.bootloader.imageCount || !this.isSecondaryFree(image)) {
      return this.refuseUpload(IMAGE_ERROR.noFreeSlot);
    }
    const { slotBytes, eraseBlockBytes } = this.flash.geometry;
    if (len > slotBytes) return this.refuseUpload(IMAGE_ERROR.tooLarge);
    if (upgrade && this.isNotNewer(image, data)) {
      return this.refuseUpload(IMAGE_ERROR.runningIsNewer);
    }
    const area = areaOf(image, 1);
    // A pending swap dies with the image that it was for.
    this.flash.eraseRange(area, this.bootloader.trailerStart, slotBytes);
    const erasedEnd = this.options.progressiveErase ? 2 * eraseBlockBytes : slotBytes;
    this.flash.eraseRange(area, 0, erasedEnd);
    const writer = new UploadWriter(this.flash, area, eraseBlockBytes);
    this.upload = { writer, totalBytes: len, sha: sha.slice(), image };
    return undefined;
  }

  private store(upload: Upload, data: Uint8Array): SmpResult {
    if (!upload.writer.append(data)) return this.refuseUpload(IMAGE_ERROR.flashWrite);
    const { takenBytes } = upload.writer;
    if (takenBytes !== upload.totalBytes) return this.accepted(takenBytes);
    upload.writer.finish();
    this.upload = undefined;
    const match = this.options.uploadMatch ? equal(upload.sha, upload.writer.sha256()) : undefined;
    return this.accepted(takenBytes, match);
  }

  private accepted(off: number, match?: boolean): SmpResult {
    return answer({ rc: this.options.writeAnswersCarryRc ? RC.ok : undefined, off, match });
  }

  /** Any refusal ends the upload that was under way. */
  private refuseUpload(code: number): SmpResult {
    this.upload = undefined;
    return imageError(code, UPLOAD_REASON[code]);
  }

  /** Not while a test image runs: slot 1 holds the only way back. */
  private isSecondaryFree(image: number): boolean {
    return this.bootloader.swapType(image) !== 'revert';
  }

  private isNotNewer(image: number, header: Uint8Array): boolean {
    const running = this.bootloader.readImage(image, 0);
    if (!running.ok) return false;
    const view = new DataView(header.buffer, header.byteOffset);
    const version: ImageVersion = {
      major: header[20]!,
      minor: header[21]!,
      revision: view.getUint16(22, true),
      build: view.getUint32(24, true),
    };
    return compareImageVersions(version, running.image.version) <= 0;
  }
}

function imageError(code: number, reason?: string): SmpResult {
  const v1 = V1_CODE[code] ?? RC.unknown;
  return { kind: 'group-error', code, v1, ...(reason !== undefined && { reason }) };
}

function equal(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
