import type { RuleId } from '../../../src/admission/rules.ts';
import { type NaiveImage, naiveImage } from '../../image/naive-ota.ts';
import { type Base, BODY, base, flipBit, IMAGE } from './builders.ts';

const ONE_BIT_OFF = flipBit(Uint8Array.from(BODY), 171);

export function imageBases(): Base[] {
  const of = (
    name: string,
    ruleId: RuleId,
    change: NaiveImage,
    mayTurn: string[] = ['image header'],
  ) =>
    base(
      `image: ${name}`,
      ruleId,
      'image',
      { documents: { image: naiveImage({ ...IMAGE, ...change }) } },
      mayTurn,
    );
  return [
    {
      ...of('one bit of it', 'cpl.listed', { body: [...ONE_BIT_OFF] }, []),
      undo: naiveImage(IMAGE),
    },
    of('manufacturer', 'device.manufacturer-code', { manufacturer: 0x121c }),
    of('image type', 'device.image-type', { imageType: 0x0085 }),
    of('hardware above', 'device.hardware-range', { hardware: [0x0101, 0x01ff] }),
    of('destination', 'device.destination', { destination: '00112233445566ab' }),
    {
      ...of('the same version', 'device.newer', { fileVersion: 0x01000000 }),
      also: 'cpl.firmware-version',
    },
    of('the version before', 'device.newer', { fileVersion: 0x00ffffff }),
    base('image: a byte behind it', 'image.total-size', 'image', {
      documents: { image: Uint8Array.from([...naiveImage(IMAGE), 0]) },
    }),
    base('image: a byte too large', 'image.fits-slot', 'image', {
      device: { slotBytes: naiveImage(IMAGE).length - 1 },
    }),
    base('image: of another kind', 'device.image-profile', 'image', {
      device: { imageProfile: 'gb-signed' },
    }),
  ];
}
