/**
 * Which version of the protocol a device speaks: 2 until it says otherwise. A device that refuses says so
 * with rc 12 or 13; one that just stays silent is tried with both in turn, until the first answer decides.
 */
import { VERSION, type WireVersion } from './header.ts';

export class ProtocolVersion {
  wire: WireVersion = VERSION.v2;
  private proven = false;

  /** An answer came to a request of this version. */
  accepted(version: number): void {
    this.proven = true;
    this.wire = version === VERSION.v1 ? VERSION.v1 : VERSION.v2;
  }

  /** The device refused the version of a request; true where there is an older one to send it again in. */
  refused(version: number): boolean {
    this.proven = true;
    const canFall = version !== VERSION.v1;
    this.wire = VERSION.v1;
    return canFall;
  }

  /** A request found no answer: as long as none ever did, the other version may. */
  unanswered(): void {
    if (!this.proven) this.wire = this.wire === VERSION.v2 ? VERSION.v1 : VERSION.v2;
  }

  /** Perhaps another firmware now. */
  forget(): void {
    this.proven = false;
    this.wire = VERSION.v2;
  }
}
