/** What of node-forge is used (it ships no types): ASN.1, and the key derivation of PKCS#12. */
declare module 'node-forge' {
  /** A value of a primitive node is a string with a character an octet. */
  export interface Asn1Node {
    tagClass: number;
    type: number;
    constructed: boolean;
    value: string | Asn1Node[];
  }

  interface ByteBuffer {
    getBytes(): string;
  }

  interface MessageDigest {
    start(): MessageDigest;
  }

  const forge: {
    asn1: {
      fromDer(
        bytes: string,
        options: {
          strict: boolean;
          parseAllBytes: boolean;
          decodeBitStrings: boolean;
          maxDepth: number;
        },
      ): Asn1Node;
      toDer(node: Asn1Node): ByteBuffer;
      oidToDer(dotted: string): ByteBuffer;
    };
    md: Record<'sha1' | 'sha256' | 'sha384' | 'sha512', { create(): MessageDigest }>;
    util: { createBuffer(bytes: string): ByteBuffer };
    pkcs12: {
      generateKey(
        password: string,
        salt: ByteBuffer,
        id: number,
        iterations: number,
        bytes: number,
        digest: MessageDigest,
      ): ByteBuffer;
    };
  };
  export default forge;
}
