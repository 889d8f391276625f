/** Private keys on the binary curves in the form that OpenSSL reads. For tests. */
import { createECDH } from 'node:crypto';
import { octetsOf, type SectCurve } from '../../src/trust/sect-curves.ts';

/** The object identifiers' last octet (SEC 2, A.2.2): 1.3.132.0.1 and 1.3.132.0.16. */
const OID_END = { sect163k1: 1, sect283k1: 16 } as const;

/** ECPrivateKey (RFC 5915) with the curve's name and the public point. */
export function sec1KeyDer(curve: SectCurve, scalar: bigint): Uint8Array {
  const key = octetsOf(scalar, curve.scalarBytes);
  const ecdh = createECDH(curve.name);
  ecdh.setPrivateKey(key);
  const point = ecdh.getPublicKey();
  const body = [
    ...tlv(0x02, [1]),
    ...tlv(0x04, [...key]),
    ...tlv(0xa0, tlv(0x06, [0x2b, 0x81, 0x04, 0x00, OID_END[curve.name]])),
    ...tlv(0xa1, tlv(0x03, [0, ...point])),
  ];
  return Uint8Array.from(tlv(0x30, body));
}

function tlv(tag: number, content: readonly number[]): number[] {
  const { length } = content;
  return [tag, ...(length < 128 ? [length] : [0x81, length]), ...content];
}
