/** Text of a peer, made fit for a line of a terminal or a log. */

/**
 * Printable ASCII as it is; everything else, and the backslash, as \xNN or \uNNNN. So no line ends early, no
 * terminal is steered and no direction of writing is turned, and what stood there can be read off.
 */
export function escapeText(text: string): string {
  return text.replace(/[^\x20-\x7e]|\\/g, (char) => {
    const unit = char.charCodeAt(0).toString(16);
    return unit.length > 2 ? `\\u${unit.padStart(4, '0')}` : `\\x${unit.padStart(2, '0')}`;
  });
}
