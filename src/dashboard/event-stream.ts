/**
 * Reads server-sent events from text that arrives in pieces. Only what the gateway sends: `event:` and `data:` of one line each; other
 * lines are left out. Pure. An event that has not ended is kept up to `PENDING_MAX`, then it is an error.
 */

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** The whole of 10,000 endpoints is about 3 MB. */
const PENDING_MAX = 32 * 2 ** 20;

export class EventStream {
  #pending = '';

  /** The events that end in this piece. */
  add(text: string): ServerEvent[] {
    const parts = (this.#pending + text).split('\n\n');
    this.#pending = parts.pop() ?? '';
    if (this.#pending.length > PENDING_MAX) throw new RangeError('The gateway sent an event that is too long.');
    return parts.map(eventOf);
  }
}

function eventOf(block: string): ServerEvent {
  let event = 'message';
  let data = '';
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) event = line.slice(7);
    if (line.startsWith('data: ')) data = line.slice(6);
  }
  return { event, data };
}
