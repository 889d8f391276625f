/**
 * Flips one bit after another of the documents of a base case, and decides on each.
 *
 * The property. The base is authentic, and refused for one rule. After any one flip of any document,
 *
 * 1. nothing is thrown: the document is not taken, or a decision is made;
 * 2. the decision is refused, except where the flip undid the near miss: in an image, where it is the
 *    very image again that the near miss was made of; in what nobody signs, a header, a row of a list or
 *    a floor, where the flip is in a place that the base names, and a naive reading of the documents as
 *    they now stand admits the image too. An unsigned list is what it says, and one bit may say it. An
 *    image of sub-elements may lose the last of them, signature and certificate, by the length before
 *    them: it is then an unsigned image, which the list names as it did.
 *
 * Of an admitted base no flip of the image is admitted under the same list and keys, except in header
 * fields of an OTA image, which no list hashes, and there only where the naive reading agrees.
 */

import { naiveCrc32 } from '../../image/naive-hub.ts';
import { le } from '../../image/naive-ota.ts';
import { type Base, BODY_BYTES, flipBit } from './builders.ts';
import { Desk, type DocumentName, type Documents, type Readers } from './desk.ts';
import { naivelyAdmits, naivelyTagged } from './oracle.ts';

export interface SweepOptions {
  /** Of the bits of the document at fault, and of all others, one of so many. */
  causeStride?: number;
  otherStride?: number;
  /** Where the strides begin. */
  seed: number;
  readers?: Readers;
}

export interface SweepReport {
  flips: number;
  /** Documents that no reader took. */
  unread: number;
  /** Flips that truly undid the near miss. */
  turned: number;
}

/** Throws at the first flip that breaks the property. */
export function sweep(base: Base, options: SweepOptions): SweepReport {
  const desk = new Desk(base.scene, options.readers);
  const report = { flips: 0, unread: 0, turned: 0 };
  for (const name of Object.keys(base.documents) as DocumentName[]) {
    for (const bit of bitsOf(base, name, options)) {
      const bytes = flipBit(base.documents[name]!, bit);
      // Whoever changes a GBL makes the CRC at its end right again.
      const isCovered = bit < 8 * (bytes.length - 4);
      const isGbl = name === 'image' && base.scene.profile === 'gbl' && isCovered;
      const flipped = { ...base.documents, [name]: isGbl ? withCrc(bytes) : bytes };
      const decision = desk.decide(flipped);
      report.flips++;
      if (decision === 'unread') report.unread++;
      else if (decision.verdict === 'admitted') {
        const reason = turnedBy(base, name, bit, flipped);
        if (reason !== undefined) {
          throw new Error(`${base.name}: bit ${bit} of ${name} is admitted: ${reason}`);
        }
        report.turned++;
      }
    }
  }
  return report;
}

function withCrc(gbl: Uint8Array): Uint8Array {
  const covered = [...gbl.subarray(0, -4)];
  return Uint8Array.from([...covered, ...le(naiveCrc32(covered), 4)]);
}

/** Why it must not be; `undefined` where the flip truly undid the near miss. */
function turnedBy(
  base: Base,
  name: DocumentName,
  bit: number,
  flipped: Documents,
): string | undefined {
  const { undo, mayTurn = [], scene } = base;
  if (undo && name === 'image' && Buffer.compare(flipped.image!, undo) === 0) return undefined;
  const place = placeOf(base, name, bit);
  if (!mayTurn.some((one) => place.startsWith(one))) return `no flip may turn ${place}`;
  if (name === 'anchors') return undefined;
  if (scene.profile === 'zigbee-ota') {
    return naivelyTagged(flipped.image!, [1, 2]) ? `${place}, and it is still signed` : undefined;
  }
  return naivelyAdmits(scene, flipped) ? undefined : `${place} does not say so`;
}

/** Each bit of the document at fault, and in a products list of the row that names the image. */
function* bitsOf(base: Base, name: DocumentName, options: SweepOptions): Generator<number> {
  const { causeStride = 1, otherStride = 1, seed } = options;
  const bytes = base.documents[name]!;
  // An admitted base is about its image alone: other documents may say many things.
  if (!base.ruleId && name !== 'image') return;
  const [from, to] = rowOf(base, name);
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const isAtFault = bit >= 8 * from && bit < 8 * to;
    const stride = isAtFault ? causeStride : otherStride;
    if ((bit + seed) % stride === 0) yield bit;
  }
}

/** Bytes of a document that are flipped in full. */
function rowOf({ cause, documents }: Base, name: DocumentName): [from: number, to: number] {
  const { length } = documents[name]!;
  if (name !== cause) return [0, 0];
  if (name !== 'products' || isWorkbook(documents.products!)) return [0, length];
  const lines = Buffer.from(documents.products!).toString('latin1').split('\n');
  return [lines[0]!.length, lines[0]!.length + 1 + lines[1]!.length];
}

/** In words that `mayTurn` begins with: `image header`, `products NEW model`, `anchors "roles"`. */
function placeOf({ documents, scene }: Base, name: DocumentName, bit: number): string {
  const bytes = Buffer.from(documents[name]!);
  const at = bit >>> 3;
  if (name === 'image') {
    const isHeader =
      scene.profile !== 'mcuboot' && scene.profile !== 'gbl' && at < bytes.readUInt16LE(6);
    // Behind the element that the list hashes: too long, nothing of what follows it is read.
    const ownElement = 56 + 6 + BODY_BYTES;
    const isLength = scene.profile === 'zigbee-ota' && at >= ownElement + 2 && at < ownElement + 6;
    if (isLength) return 'image length of the certificate';
    return isHeader ? 'image header' : 'image body';
  }
  if (name === 'anchors') {
    const key = [...bytes.toString('latin1').matchAll(/"(\w+)":/g)].filter(
      ({ index, 0: text }) => index + text.length <= at,
    );
    return `anchors "${key.at(-1)?.[1]}"`;
  }
  if (name === 'floors' || isWorkbook(bytes)) return name;
  const lines = bytes.toString('latin1').split('\n');
  const line = bytes.subarray(0, at).toString('latin1').split('\n').length - 1;
  const column = bytes.subarray(0, at).toString('latin1').split('\n').at(-1)!.split(',').length - 1;
  return `${name} ${lines[line]!.split(',')[0]} ${lines[0]!.split(',')[column]}`;
}

function isWorkbook(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b;
}
