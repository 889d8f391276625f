/** Frames of the OTA cluster, of either direction. */
import fc from 'fast-check';
import { decodeOtaFrame, encodeOtaFrame, type OtaFrame } from '../../src/protocol/zcl-ota/codec.ts';
import {
  block,
  end,
  names,
  offer,
  page,
  query,
  refusal,
  response,
  specificFile,
  TRIPLE,
  u32,
} from '../protocol/zcl-ota/naive-frames.ts';
import { ACCEPTED, type Answer, type Family, hold, refusedBy, sameBytes } from './target.ts';

const CODES = { malformed: '', 'unsupported-command': '', 'not-a-frame': '' };

export const ZIGBEE: Family = {
  name: 'zigbee',
  targets: [
    {
      name: 'OTA frame',
      good: [
        query(1, TRIPLE, 0x100),
        block(2, TRIPLE, 0, 50),
        page(3, TRIPLE, 0, 50, 500, 10),
        end(4, 0, TRIPLE),
        end(5, 0x96),
        specificFile(6, TRIPLE),
        offer(7, TRIPLE, 1000),
        refusal(8, 0x98),
        response(9, 0x05, 0, ...names(TRIPLE), ...u32(0), 3, 1, 2, 3),
        response(10, 0x05, 0x97, ...u32(1), ...u32(2)),
        response(11, 0x07, ...names(TRIPLE), ...u32(0), ...u32(0)),
        response(12, 0x00, 3, 100, ...names(TRIPLE)),
        Uint8Array.of(0x18, 13, 0x0b, 1, 0),
      ],
      // A head of any kind, and a payload whose length is near that of a command.
      arbitrary: fc
        .tuple(fc.nat(0x1f), fc.nat(255), fc.nat(0x0c), fc.uint8Array({ maxLength: 40 }))
        .map(([control, sequence, command, payload]) =>
          Uint8Array.from([control, sequence, command, ...payload]),
        ),
      read: readFrame,
    },
  ],
};

/** What was understood is written in one form, which is read and written again as it is. */
function readFrame(bytes: Uint8Array): Answer {
  const frame = decodeOtaFrame(bytes);
  if (!frame.ok) return refusedBy(CODES, frame.code);
  const defaultResponseToServer = (frame.frameControl & 0x08) === 0;
  const write = ({ message, sequence, manufacturerSpecific }: OtaFrame) =>
    encodeOtaFrame(message, sequence, { manufacturerSpecific, defaultResponseToServer });
  const written = write(frame);
  const again = decodeOtaFrame(written);
  hold(again.ok && sameBytes(write(again), written), 'written again it says the same');
  return ACCEPTED;
}
