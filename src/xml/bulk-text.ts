/**
 * The text of an element whose handler asked for it in bulk: bytes as they came, never one string. An
 * image of 10 MB is some 14 MB of base64; as a string it would be held several times over.
 *
 * Allowed is what base64 and white space need. So no markup, no reference and no `]]>` can stand in it,
 * every byte is a character, and nothing of it has to be escaped in a canonical form.
 */

const REFUSED = 0;
const DIGIT = 1;
const BLANK = 2;
const LINE_FEED = 3;
const CARRIAGE_RETURN = 4;

const KINDS = kindsOfBytes();

export class BulkText {
  /** Line ends seen, and characters since the last of them. */
  lines = 0;
  columns = 0;
  hasDigits = false;
  #afterReturn = false;

  /**
   * The piece with its line ends made line feeds (XML 1.0, 2.11), or `undefined` where a byte is none
   * that is allowed; `lines` and `columns` then say where. A view of the piece wherever it has no
   * carriage return, so it is the caller's memory.
   */
  take(piece: Uint8Array): Uint8Array | undefined {
    const { length } = piece;
    let returns = this.#afterReturn ? 1 : 0;
    let others = 0;
    let lineStart = -this.columns;
    let at = 0;
    for (; at < length; at++) {
      const kind = KINDS[piece[at]!]!;
      if (kind === DIGIT) continue;
      if (kind === REFUSED) break;
      others += 1;
      if (kind === BLANK) continue;
      // The pair of both counts once, by its carriage return.
      const isPair = kind === LINE_FEED && (at > 0 ? piece[at - 1] === 0x0d : this.#afterReturn);
      if (!isPair) this.lines += 1;
      lineStart = at + 1;
      if (kind === CARRIAGE_RETURN) returns += 1;
    }
    this.columns = at - lineStart;
    this.hasDigits ||= at > others;
    if (at < length) return undefined;
    const normal = returns > 0 ? this.#normalise(piece) : piece;
    if (length > 0) this.#afterReturn = piece[length - 1] === 0x0d;
    return normal;
  }

  #normalise(piece: Uint8Array): Uint8Array {
    const normal = new Uint8Array(piece.length);
    let used = 0;
    let afterReturn = this.#afterReturn;
    for (const byte of piece) {
      if (byte !== 0x0a || !afterReturn) normal[used++] = byte === 0x0d ? 0x0a : byte;
      afterReturn = byte === 0x0d;
    }
    return normal.subarray(0, used);
  }
}

function kindsOfBytes(): Uint8Array {
  const kinds = new Uint8Array(256);
  const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=';
  for (let at = 0; at < digits.length; at++) kinds[digits.charCodeAt(at)] = DIGIT;
  kinds[0x20] = BLANK;
  kinds[0x09] = BLANK;
  kinds[0x0a] = LINE_FEED;
  kinds[0x0d] = CARRIAGE_RETURN;
  return kinds;
}
