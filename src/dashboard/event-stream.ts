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
  /** Of an event that has not ended; joined once, when it does. */
  #pending: string[] = [];
  #length = 0;
  /** A line feed that what was added ended with: it may be half of the end of an event. */
  #half = '';

  /** The events that end in this piece. O(its length), and that of the events. */
  add(text: string): ServerEvent[] {
    const parts = (this.#half + text).split('\n\n');
    const rest = parts.pop()!;
    const events = parts.map((part) => eventOf(this.#take() + part));
    this.#half = rest.endsWith('\n') ? '\n' : '';
    this.#pending.push(rest.slice(0, rest.length - this.#half.length));
    this.#length += rest.length - this.#half.length;
    if (this.#length > PENDING_MAX) throw new RangeError('The gateway sent an event that is too long.');
    return events;
  }

  #take(): string {
    const text = this.#pending.join('');
    this.#pending = [];
    this.#length = 0;
    return text;
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
