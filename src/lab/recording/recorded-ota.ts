/**
 * The frames of the OTA cluster as a link of their own, whatever radio and driver carry them: one record a
 * frame, behind the device's address and the two endpoints.
 *
 *     EUI-64, as on the air | endpoint of the device u8 | endpoint of the gateway u8 | ZCL frame
 */
import { encodeHex, eui64FromWire, eui64ToWire } from '../../bytes/hex.ts';
import { assert } from '../../errors.ts';
import type { Clock } from '../../ports.ts';
import type { FrameSender } from '../../transport/zigbee/ota-link.ts';
import type { LinkRecorder } from '../ports.ts';
import { MONOTONIC_CLOCK } from './clock.ts';
import type { Direction } from './format.ts';

const ADDRESS_BYTES = 8;
export const OTA_HEAD_BYTES = ADDRESS_BYTES + 2;

export interface RecordedOtaFrame {
  eui64: string;
  endpoint: number;
  /** The gateway's; 0 where the driver chooses. */
  ownEndpoint: number;
  bytes: Uint8Array;
}

/** Undefined where it is none. The frame's bytes share the input's memory. */
export function decodeOtaRecord(bytes: Uint8Array): RecordedOtaFrame | undefined {
  if (bytes.length < OTA_HEAD_BYTES) return undefined;
  return {
    eui64: eui64FromWire(bytes.subarray(0, ADDRESS_BYTES)),
    endpoint: bytes[ADDRESS_BYTES]!,
    ownEndpoint: bytes[ADDRESS_BYTES + 1]!,
    bytes: bytes.subarray(OTA_HEAD_BYTES),
  };
}

export class OtaTap {
  private readonly recorder: LinkRecorder;
  private readonly link: string;
  private readonly clock: Clock;

  constructor(recorder: LinkRecorder, link: string, clock: Clock = MONOTONIC_CLOCK) {
    this.recorder = recorder;
    this.link = link;
    this.clock = clock;
  }

  /** A frame that came in. */
  received(frame: Omit<RecordedOtaFrame, 'ownEndpoint'> & { destinationEndpoint: number }): void {
    const { destinationEndpoint, ...rest } = frame;
    this.record('up', { ...rest, ownEndpoint: destinationEndpoint });
  }

  /** The sender, but that each frame is recorded as it is handed over, and each that failed is noted. */
  recording(sender: FrameSender): FrameSender {
    return {
      send: async (eui64, endpoint, sourceEndpoint, bytes) => {
        this.record('down', { eui64, endpoint, ownEndpoint: sourceEndpoint ?? 0, bytes });
        try {
          await sender.send(eui64, endpoint, sourceEndpoint, bytes);
        } catch (error) {
          const text = `not delivered to ${eui64}: ${(error as Error).message}`;
          this.recorder.note(this.link, text, this.clock.nowMs());
          throw error;
        }
      },
    };
  }

  private record(direction: Direction, frame: RecordedOtaFrame): void {
    const address = eui64ToWire(frame.eui64);
    assert(address !== undefined, `an EUI-64, not ${encodeHex(Buffer.from(frame.eui64))}`);
    const bytes = new Uint8Array(OTA_HEAD_BYTES + frame.bytes.length);
    bytes.set(address);
    bytes[ADDRESS_BYTES] = frame.endpoint;
    bytes[ADDRESS_BYTES + 1] = frame.ownEndpoint;
    bytes.set(frame.bytes, OTA_HEAD_BYTES);
    this.recorder.record(this.link, direction, bytes, this.clock.nowMs());
  }
}
