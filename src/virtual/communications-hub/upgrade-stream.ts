/**
 * Reads a Silicon Labs upgrade file as it arrives, the way a bootloader does: tag by tag, refusing
 * at the first byte that cannot be right. Two dialects: GBL (32-bit little-endian tags) of the
 * Gecko bootloader, and EBL (16-bit big-endian tags) of the older Ember one.
 *
 * Nothing is decrypted: encrypted program data is stored as it is.
 */
import { createVerify, type KeyObject, type Verify } from 'node:crypto';
import { crc32 } from '../../bytes/crc.ts';
import { ByteReader } from '../../bytes/reader.ts';

/** What a file is refused with, as the bootloader prints it. */
export const FILE_ERROR = {
  version: 0x41,
  crc: 0x43,
  unknownTag: 0x44,
  signature: 0x45,
  /** Not signed where it has to be, a tag out of place, or data after the end. */
  type: 0x4f,
  key: 0x50,
  other: 0x18,
} as const;
export type FileError = (typeof FILE_ERROR)[keyof typeof FILE_ERROR];

type TagRole =
  | 'header'
  | 'info'
  | 'encryption'
  | 'ignored'
  | 'program'
  | 'encrypted-program'
  | 'signature'
  | 'end';

interface Dialect {
  headBytes: number;
  readHead(bytes: Uint8Array): { id: number; length: number };
  tags: ReadonlyMap<number, TagRole>;
  /** Bytes of a program tag before its data. */
  addressBytes: number;
}

const GBL: Dialect = {
  headBytes: 8,
  readHead(bytes) {
    const reader = new ByteReader(bytes);
    return { id: reader.u32(), length: reader.u32() };
  },
  tags: new Map<number, TagRole>([
    [0x03a617eb, 'header'],
    [0x76a617eb, 'ignored'],
    [0x5ea617eb, 'ignored'],
    [0xf40a0af4, 'info'],
    [0xf50909f5, 'ignored'],
    [0xfe0101fe, 'program'],
    [0xfd0303fd, 'program'],
    [0xfd0505fd, 'program'],
    [0xfd0707fd, 'program'],
    [0xf60808f6, 'ignored'],
    [0xfa0606fa, 'encryption'],
    [0xf90707f9, 'encrypted-program'],
    [0xf30b0bf3, 'ignored'],
    [0xf70a0af7, 'signature'],
    [0xfc0404fc, 'end'],
  ]),
  addressBytes: 4,
};

const EBL: Dialect = {
  headBytes: 4,
  readHead(bytes) {
    const reader = new ByteReader(bytes);
    return { id: reader.u16be(), length: reader.u16be() };
  },
  tags: new Map<number, TagRole>([
    [0x0000, 'header'],
    [0xfe01, 'program'],
    [0x02fe, 'ignored'],
    [0xfd03, 'program'],
    [0xfc04, 'end'],
  ]),
  addressBytes: 4,
};

const GBL_VERSION = 0x03000000;
const GBL_TYPE_ENCRYPTED = 0x0001;
const GBL_TYPE_SIGNED = 0x0100;
const EBL_VERSION = 0x0202;
const EBL_SIGNATURE = 0xe350;
const SIGNATURE_BYTES = 64;
/** CRC-32 over a file with its own CRC, little-endian, at the end. */
const CRC_RESIDUE = 0x2144df1c;
/** Values that are looked at are short; program data is passed on in pieces. */
const KEPT_VALUE_MAX = 256;

export interface UpgradeStreamOptions {
  dialect: 'gbl' | 'ebl';
  /** Unsigned files are refused where there is one. */
  signatureKey: KeyObject | undefined;
  /** Encrypted files can be taken. */
  decrypts: boolean;
  /** The CRC at the end is not looked at. */
  skipsCrc?: boolean;
  /** Program data, a view that is valid during the call; false where there is no room. */
  program(bytes: Uint8Array): boolean;
}

export class UpgradeStream {
  /** The end tag is in and its CRC is right. */
  complete = false;
  /** From the application's properties; undefined where they are encrypted or absent. */
  applicationVersion: number | undefined;
  private readonly options: UpgradeStreamOptions;
  private readonly dialect: Dialect;
  /** Fed with every byte before the signature; nothing follows one that was checked. */
  private verifier: Verify | undefined;
  private readonly head: Uint8Array;
  private headFill = 0;
  private role: TagRole | undefined;
  private valueLeft = 0;
  private valueAt = 0;
  private value = new Uint8Array(KEPT_VALUE_MAX);
  private crc = 0;
  private headerSeen = false;
  private verified = false;
  private error: FileError | undefined;

  constructor(options: UpgradeStreamOptions) {
    this.options = options;
    this.dialect = options.dialect === 'gbl' ? GBL : EBL;
    this.head = new Uint8Array(this.dialect.headBytes);
    this.verifier = createVerify('sha256');
  }

  /** The next bytes; answers what is wrong with the file, once and for ever. */
  take(bytes: Uint8Array): FileError | undefined {
    if (this.complete) this.error ??= FILE_ERROR.type;
    for (let at = 0; at < bytes.length && this.error === undefined && !this.complete; ) {
      at += this.role === undefined ? this.takeHead(bytes, at) : this.takeValue(bytes, at);
    }
    return this.error;
  }

  private takeHead(bytes: Uint8Array, at: number): number {
    const part = bytes.subarray(at, at + this.head.length - this.headFill);
    this.head.set(part, this.headFill);
    this.headFill += part.length;
    if (this.headFill === this.head.length) this.beginTag();
    return part.length;
  }

  private beginTag(): void {
    const { id, length } = this.dialect.readHead(this.head);
    const role = this.dialect.tags.get(id);
    this.headFill = 0;
    this.crc = crc32(this.head, this.crc);
    if (role === undefined) this.error = FILE_ERROR.unknownTag;
    else if ((role === 'header') === this.headerSeen) this.error = FILE_ERROR.type;
    else this.error = this.checkPlace(role, length);
    if (this.error !== undefined) return;
    if (role !== 'signature') this.verifier?.update(this.head);
    this.role = role;
    this.valueLeft = length;
    this.valueAt = 0;
    this.headerSeen = true;
    if (length === 0) this.endTag();
  }

  private checkPlace(role: TagRole, length: number): FileError | undefined {
    const { signatureKey } = this.options;
    const kept = role !== 'program' && role !== 'encrypted-program' && role !== 'ignored';
    if (kept && length > KEPT_VALUE_MAX) return FILE_ERROR.type;
    if (role === 'signature' && this.verified) return FILE_ERROR.type;
    if (role === 'signature' && length !== SIGNATURE_BYTES) return FILE_ERROR.signature;
    if (role === 'end' && length !== 4) return FILE_ERROR.type;
    const unsigned = role === 'end' && signatureKey !== undefined && !this.verified;
    return unsigned ? FILE_ERROR.type : undefined;
  }

  private takeValue(bytes: Uint8Array, at: number): number {
    const part = bytes.subarray(at, at + this.valueLeft);
    const from = this.valueAt;
    this.crc = crc32(part, this.crc);
    if (this.role !== 'signature') this.verifier?.update(part);
    this.valueLeft -= part.length;
    this.valueAt += part.length;
    if (this.role === 'program' || this.role === 'encrypted-program') {
      const address = this.role === 'program' ? this.dialect.addressBytes : 0;
      const data = part.subarray(Math.max(0, address - from));
      if (data.length > 0 && !this.options.program(data)) this.error = FILE_ERROR.other;
    } else if (this.role !== 'ignored') {
      this.value.set(part, from);
    }
    if (this.valueLeft === 0 && this.error === undefined) this.endTag();
    return part.length;
  }

  private endTag(): void {
    const value = new ByteReader(this.value, 0, this.valueAt);
    switch (this.role) {
      case 'header':
        this.error = this.options.dialect === 'gbl' ? this.checkGbl(value) : checkEbl(value);
        break;
      case 'info':
        value.skip(4);
        this.applicationVersion = value.u32();
        break;
      case 'encryption':
        if (!this.options.decrypts) this.error = FILE_ERROR.key;
        break;
      case 'signature':
        this.error = this.checkSignature(value.view(SIGNATURE_BYTES));
        break;
      case 'end':
        if (this.crc === CRC_RESIDUE || this.options.skipsCrc) this.complete = true;
        else this.error = FILE_ERROR.crc;
        break;
    }
    this.role = undefined;
  }

  private checkGbl(header: ByteReader): FileError | undefined {
    const [version, type] = [header.u32(), header.u32()];
    if (header.overrun || version !== GBL_VERSION) return FILE_ERROR.version;
    if (this.options.signatureKey !== undefined && (type & GBL_TYPE_SIGNED) === 0) {
      return FILE_ERROR.type;
    }
    if ((type & GBL_TYPE_ENCRYPTED) !== 0 && !this.options.decrypts) return FILE_ERROR.key;
    return undefined;
  }

  /** Over every byte before the signature tag's own head. */
  private checkSignature(signature: Uint8Array): FileError | undefined {
    const key = this.options.signatureKey;
    if (key === undefined) return undefined;
    this.verified = this.verifier!.verify({ key, dsaEncoding: 'ieee-p1363' }, signature);
    this.verifier = undefined;
    return this.verified ? undefined : FILE_ERROR.signature;
  }
}

function checkEbl(header: ByteReader): FileError | undefined {
  const [version, signature] = [header.u16be(), header.u16be()];
  if (header.overrun || version !== EBL_VERSION) return FILE_ERROR.version;
  return signature === EBL_SIGNATURE ? undefined : FILE_ERROR.type;
}
