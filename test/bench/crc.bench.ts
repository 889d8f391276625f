/**
 * Our CRCs against the npm packages `crc` and `polycrc` and, for CRC-32, node:zlib's native code.
 *
 * `crc` appears twice: its public function, which copies its argument, and its inner loop. V8
 * compiles the public CRC-32 badly among the other contenders (4 ns a byte; alone in a process 2.3,
 * like the inner loop): from 1 KiB on, quote the ratio to the inner loop.
 */
import { createRequire } from 'node:module';
import { crc32 as zlibCrc32 } from 'node:zlib';
import { crc16Kermit, crc16X25, crc16Xmodem, crc32 } from '../../src/bytes/crc.ts';
import { bytesAllocatedPerCall, compare, seededBytes } from './bench.ts';

type Calculate = (bytes: Uint8Array) => number;

const require = createRequire(import.meta.url);
const npmCrc = require('crc') as Record<string, Calculate>;
/**
 * The package's inner loops, without the copy that its public functions make of their argument:
 * from its other build, so that Buffers there and arrays here do not make one loop polymorphic.
 */
const inner = async (name: string): Promise<(bytes: Uint8Array, previous?: number) => number> =>
  (await import(`crc/calculators/${name}`)).default;
const polycrc = require('polycrc') as {
  crc(...model: (number | boolean)[]): Calculate;
  crc32: Calculate;
};

const SIZES = [
  ['64 B', 64],
  ['1 KiB', 1024],
  ['1 MiB', 1 << 20],
] as const;

for (const [label, size] of SIZES) {
  const inputs = Array.from({ length: size > 4096 ? 1 : 16 }, (_, i) =>
    seededBytes(size, 0x5eed + i),
  );
  const last = inputs.length - 1;
  const on =
    (calculate: Calculate) =>
    (call: number): number =>
      calculate(inputs[call & last]!) | 0;
  const inner32 = await inner('crc32');
  const innerXmodem = await inner('crc16xmodem');
  const innerKermit = await inner('crc16kermit');
  compare({
    name: `crc-32 ${label}`,
    bytesPerCall: size,
    contenders: {
      uplift: on((bytes) => crc32(bytes)),
      'node:zlib (native)': on((bytes) => zlibCrc32(bytes)),
      crc: on(npmCrc['crc32']!),
      'crc, inner loop': on((bytes) => inner32(bytes)),
      polycrc: on(polycrc.crc32),
    },
  });
  compare({
    name: `crc-16/xmodem ${label}`,
    bytesPerCall: size,
    contenders: {
      uplift: on((bytes) => crc16Xmodem(bytes)),
      crc: on(npmCrc['crc16xmodem']!),
      'crc, inner loop': on((bytes) => innerXmodem(bytes)),
      polycrc: on(polycrc.crc(16, 0x1021, 0, 0, false)),
    },
  });
  compare({
    name: `crc-16/kermit ${label}`,
    bytesPerCall: size,
    contenders: {
      uplift: on((bytes) => crc16Kermit(bytes)),
      crc: on(npmCrc['crc16kermit']!),
      'crc, inner loop': on((bytes) => innerKermit(bytes, 0)),
      polycrc: on(polycrc.crc(16, 0x1021, 0, 0, true)),
    },
  });
  compare({
    name: `crc-16/x-25 ${label}`,
    bytesPerCall: size,
    contenders: {
      uplift: on((bytes) => crc16X25(bytes)),
      polycrc: on(polycrc.crc(16, 0x1021, 0xffff, 0xffff, true)),
    },
  });
  const calls = size > 4096 ? 20 : 2000;
  const allocated = {
    'crc-16/xmodem': bytesAllocatedPerCall(on(crc16Xmodem), calls),
    'crc-32': bytesAllocatedPerCall(on(crc32), calls),
  };
  for (const [name, heapBytes] of Object.entries(allocated)) {
    console.log(`${name} ${label}: ${heapBytes.toFixed(1)} heap bytes a call`);
  }
}
