/**
 * The text of an event stream as events (HTML Standard, 9.2.6), however it is cut into pieces. A comment,
 * by which the gateway says that it is there, is an event without a kind.
 */

export interface StreamEvent {
  kind: string;
  /** Of a record: its sequence. */
  id: string | undefined;
  data: string;
}

/** No record is larger; a peer that sends no line end is not kept in memory. */
const CHARACTERS_MAX = 16 * 1024 * 1024;

export class EventParser {
  private text = '';

  /** @throws Error where an event has no end */
  take(piece: string): StreamEvent[] {
    this.text += piece;
    const blocks = this.text.split('\n\n');
    this.text = blocks.pop()!;
    if (this.text.length > CHARACTERS_MAX) throw new Error('an event without end');
    return blocks.map(eventOf);
  }
}

function eventOf(block: string): StreamEvent {
  const event: StreamEvent = { kind: '', id: undefined, data: '' };
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const value = line.slice(colon + 1).replace(/^ /, '');
    const name = line.slice(0, colon);
    if (name === 'event') event.kind = value;
    else if (name === 'id') event.id = value;
    else if (name === 'data') event.data = event.data === '' ? value : `${event.data}\n${value}`;
  }
  return event;
}
