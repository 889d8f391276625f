/** What passed on the links of a recording, frame by frame, in the order of its last bytes. */
import { encodeHex } from '../../bytes/hex.ts';
import type { Direction, LinkKind, Recording } from '../recording/format.ts';
import { decodeOtaRecord } from '../recording/recorded-ota.ts';
import type { FrameDecoder, TracedFrame } from './frame.ts';
import { otaText } from './ota-text.ts';
import { SmpFrameDecoder } from './smp-decoder.ts';
import { XmodemFrameDecoder } from './xmodem-decoder.ts';
import { ZnpFrameDecoder } from './znp-decoder.ts';

export type TraceEntry =
  | ({ kind: 'frame'; link: string } & TracedFrame)
  | { kind: 'note'; link: string; atUs: number; text: string };

const SHOWN_BYTES_MAX = 32;

export function decoderOf(kind: LinkKind): FrameDecoder {
  switch (kind) {
    case 'smp':
      return new SmpFrameDecoder();
    case 'bootloader':
      return new XmodemFrameDecoder({ bare: false });
    case 'xmodem':
      return new XmodemFrameDecoder({ bare: true });
    case 'znp':
      return new ZnpFrameDecoder();
    case 'zcl-ota':
      return new PieceDecoder('ZCL OTA', otaRecordText);
    case 'bytes':
      return new PieceDecoder('bytes', bytesText);
  }
}

/** The calls into machines are not in it: they are for a replay. */
export function* traceOf({ header, records }: Recording): Generator<TraceEntry> {
  const decoders = new Map<string, FrameDecoder>();
  let lastUs = 0;
  for (const record of records) {
    const { link, atUs } = record;
    lastUs = atUs;
    if (record.kind === 'note') {
      yield { kind: 'note', link, atUs, text: record.text };
    } else if (record.kind === 'machine') {
      yield { kind: 'note', link, atUs, text: `a machine begins: ${record.machine}` };
    } else if (record.kind === 'bytes') {
      let decoder = decoders.get(link);
      if (decoder === undefined) {
        decoder = decoderOf(header.links?.[link] ?? 'bytes');
        decoders.set(link, decoder);
      }
      for (const frame of decoder.take(record.direction, record.bytes, atUs))
        yield { kind: 'frame', link, ...frame };
    }
  }
  for (const [link, decoder] of decoders)
    for (const frame of decoder.rest(lastUs)) yield { kind: 'frame', link, ...frame };
}

/** Of links whose pieces are what they carry. */
class PieceDecoder implements FrameDecoder {
  private readonly protocol: string;
  private readonly textOf: (bytes: Uint8Array) => string;

  constructor(protocol: string, textOf: (bytes: Uint8Array) => string) {
    this.protocol = protocol;
    this.textOf = textOf;
  }

  take(direction: Direction, bytes: Uint8Array, atUs: number): TracedFrame[] {
    return [{ direction, atUs, protocol: this.protocol, text: this.textOf(bytes), bytes }];
  }

  rest(): TracedFrame[] {
    return [];
  }
}

function otaRecordText(bytes: Uint8Array): string {
  const frame = decodeOtaRecord(bytes);
  if (frame === undefined) return bytesText(bytes);
  return `${frame.eui64}/${frame.endpoint} ${otaText(frame.bytes)}`;
}

export function bytesText(bytes: Uint8Array): string {
  const shown = encodeHex(bytes.subarray(0, SHOWN_BYTES_MAX));
  return `${bytes.length} bytes ${shown}${bytes.length > SHOWN_BYTES_MAX ? '...' : ''}`;
}
