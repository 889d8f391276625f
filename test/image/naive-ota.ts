/**
 * A naive builder of OTA images as oracle: plain arrays of numbers, written from the layout table
 * alone, sharing no line with the product.
 */

export interface NaiveImage {
  headerVersion?: number;
  fieldControl?: number;
  manufacturer?: number;
  imageType?: number;
  fileVersion?: number;
  stack?: number;
  text?: string;
  credential?: number;
  /** Digits, most significant first. */
  destination?: string;
  hardware?: [number, number];
  extra?: number[];
  body?: number[];
  totalImageBytes?: number;
  headerLength?: number;
}

export function naiveImage(image: NaiveImage = {}): Uint8Array {
  const optional: number[] = [];
  let control = 0;
  if (image.credential !== undefined) {
    control += 1;
    optional.push(image.credential);
  }
  if (image.destination !== undefined) {
    control += 2;
    for (let i = 14; i >= 0; i -= 2) {
      optional.push(Number.parseInt(image.destination.slice(i, i + 2), 16));
    }
  }
  if (image.hardware) {
    control += 4;
    optional.push(...le(image.hardware[0], 2), ...le(image.hardware[1], 2));
  }
  optional.push(...(image.extra ?? []));
  const body = image.body ?? [];
  const headerLength = 56 + optional.length;
  const text = [...(image.text ?? 'naive')].map((char) => char.charCodeAt(0));
  while (text.length < 32) text.push(0);
  return Uint8Array.from([
    ...[0x1e, 0xf1, 0xee, 0x0b],
    ...le(image.headerVersion ?? 0x0100, 2),
    ...le(image.headerLength ?? headerLength, 2),
    ...le(image.fieldControl ?? control, 2),
    ...le(image.manufacturer ?? 0x121d, 2),
    ...le(image.imageType ?? 0x0084, 2),
    ...le(image.fileVersion ?? 0x01020304, 4),
    ...le(image.stack ?? 2, 2),
    ...text,
    ...le(image.totalImageBytes ?? headerLength + body.length, 4),
    ...optional,
    ...body,
  ]);
}

export function naiveElement(tag: number, data: number[], info: number[] = []): number[] {
  return [...le(tag, 2), ...le(data.length, 4), ...info, ...data];
}

export function le(value: number, bytes: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < bytes; i++) out.push(Math.floor(value / 256 ** i) % 256);
  return out;
}

export function concat(...parts: (Uint8Array | number[])[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Counting bytes, so that a shifted view is seen. */
export function counting(length: number, from = 0): number[] {
  return Array.from({ length }, (_, i) => (from + i) & 0xff);
}
