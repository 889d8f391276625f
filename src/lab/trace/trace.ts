/** What passed on the links of a recording, frame by frame, in the order of its last bytes. */
import { encodeHex } from '../../bytes/hex.ts';
import type { OtaTransmit } from '../../protocol/zcl-ota/session.ts';
import type { Direction, LinkKind, RecordedCall, Recording } from '../recording/format.ts';
import { isMachineKind, MACHINES } from '../recording/machines.ts';
import { decodeOtaRecord } from '../recording/recorded-ota.ts';
import { decodeValue } from '../recording/values.ts';
import type { FrameDecoder, TracedFrame } from './frame.ts';
import { otaText } from './ota-text.ts';
import { SmpFrameDecoder } from './smp-decoder.ts';
import { XmodemFrameDecoder } from './xmodem-decoder.ts';
import { ZnpFrameDecoder } from './znp-decoder.ts';

export type TraceEntry = { link: string; linkKind: LinkKind } & (
  | ({ kind: 'frame' } & TracedFrame)
  | { kind: 'note'; atUs: number; text: string }
);

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
    case 'ota-server':
    case 'bytes':
      return new PieceDecoder('bytes', bytesText);
  }
}

/**
 * The calls into machines are for a replay and not in it, but for the frames that an OTA server was handed and
 * gave: with most radios they are on no wire that is recorded.
 */
export function* traceOf({ header, records }: Recording): Generator<TraceEntry> {
  const decoders = new Map<string, FrameDecoder>();
  const kinds = new Map<string, LinkKind>(Object.entries(header.links ?? {}));
  let lastUs = 0;
  for (const record of records) {
    const { link, atUs } = record;
    lastUs = atUs;
    if (record.kind === 'machine' && !kinds.has(link) && isMachineKind(record.machine))
      kinds.set(link, MACHINES[record.machine].linkKind);
    const linkKind = kinds.get(link) ?? 'bytes';
    const of = { link, linkKind };
    if (record.kind === 'note') {
      yield { kind: 'note', ...of, atUs, text: record.text };
    } else if (record.kind === 'machine') {
      yield { kind: 'note', ...of, atUs, text: `a machine begins: ${record.machine}` };
    } else if (record.kind === 'call') {
      const frame = linkKind === 'ota-server' ? serverFrame(record.call, atUs) : undefined;
      if (frame) yield { kind: 'frame', ...of, ...frame };
    } else {
      const decoder = decoders.get(link) ?? decoderOf(linkKind);
      decoders.set(link, decoder);
      for (const frame of decoder.take(record.direction, record.bytes, atUs))
        yield { kind: 'frame', ...of, ...frame };
    }
  }
  for (const [link, decoder] of decoders) {
    const of = { link, linkKind: kinds.get(link) ?? 'bytes' };
    for (const frame of decoder.rest(lastUs)) yield { kind: 'frame', ...of, ...frame };
  }
}

/** `handleFrame(device, bytes, now)`, and what `pollTransmit` gave: a device and bytes. */
function serverFrame(
  { method, parameters, result }: RecordedCall,
  atUs: number,
): TracedFrame | undefined {
  const isIn = method === 'handleFrame';
  if (!isIn && (method !== 'pollTransmit' || result === undefined)) return undefined;
  const decoded = decodeValue(isIn ? parameters : result, undefined)?.value;
  const [device, bytes] = isIn
    ? ((decoded as unknown[] | undefined) ?? [])
    : [(decoded as OtaTransmit | undefined)?.device, (decoded as OtaTransmit | undefined)?.bytes];
  if (!(bytes instanceof Uint8Array)) return undefined;
  const text = `device ${device}: ${otaText(bytes)}`;
  return { direction: isIn ? 'up' : 'down', atUs, protocol: 'ZCL OTA', text, bytes };
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
