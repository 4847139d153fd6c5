/**
 * The live feed (`GET /api/live`): server-sent events, once a second, to whoever looks. First `whole`, then `change`
 * (live-model.ts), also in a second without news, so that both sides know that the other is there.
 *
 * Invariants: nothing is read while nobody looks; at most `CLIENTS_MAX` look; of one that reads too slowly nothing is kept: it misses
 * what it cannot take, and is told the whole when it can take something again; whoever takes nothing for `BEHIND_MAX` is cut, so that dead
 * pages keep nobody out. Cost: one reading and one text a second, however many look.
 */
import type { Clock, Timer } from '../../kernel/clock.ts';
import { changeOf, type LiveState } from './live-model.ts';

const PERIOD_MS = 1000;
/** Screens on walls and open tabs, with room; each costs a connection and a copy of a second's news. */
const CLIENTS_MAX = 64;
/** Seconds. */
const BEHIND_MAX = 30;

/** A response, as far as it is used here. */
export interface LiveClient {
  /** False if it is not to be written to before it has drained. */
  write(text: string): boolean;
  once(event: 'drain' | 'close', run: () => void): unknown;
  destroy(): unknown;
}

interface Watcher {
  readonly client: LiveClient;
  /** It has not taken what it was sent last. */
  isBehind: boolean;
  /** What it missed since. */
  missed: number;
  /** It knows all but the news since the last reading. */
  isCurrent: boolean;
}

export class LiveFeed {
  readonly #clock: Clock;
  readonly #read: () => LiveState;
  readonly #onFault: (error: unknown) => void;
  readonly #watchers = new Set<Watcher>();
  #timer: Timer | null = null;
  #last: LiveState | null = null;

  /** `onFault` is told why nothing could be read; whoever looked is cut then, and may ask again. */
  constructor(clock: Clock, read: () => LiveState, onFault: (error: unknown) => void) {
    this.#clock = clock;
    this.#read = read;
    this.#onFault = onFault;
  }

  get isFull(): boolean {
    return this.#watchers.size >= CLIENTS_MAX;
  }

  get clients(): number {
    return this.#watchers.size;
  }

  /** Tells it the whole now and the news from then on, until it closes. Throws what `read` throws, and has not added it then. */
  add(client: LiveClient): void {
    this.#last ??= this.#read();
    const watcher: Watcher = { client, isBehind: false, missed: 0, isCurrent: true };
    this.#watchers.add(watcher);
    client.once('close', () => this.#remove(watcher));
    this.#timer ??= this.#clock.every(PERIOD_MS, () => this.#tick());
    this.#tell(watcher, eventText('whole', this.#last));
  }

  #remove(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size > 0) return;
    this.#timer?.clear();
    this.#timer = null;
    this.#last = null;
  }

  /** Run by a timer of the control thread, which nothing here may end. */
  #tick(): void {
    try {
      this.#tellNews(this.#last, (this.#last = this.#read()));
    } catch (error) {
      this.#onFault(error);
      for (const { client } of this.#watchers) client.destroy();
    }
  }

  #tellNews(before: LiveState | null, after: LiveState): void {
    let change: string | null = null;
    let whole: string | null = null;
    for (const watcher of this.#watchers) {
      if (watcher.isBehind) {
        watcher.isCurrent = false;
        watcher.missed += 1;
        if (watcher.missed >= BEHIND_MAX) watcher.client.destroy();
        continue;
      }
      const knows = watcher.isCurrent && before !== null;
      if (knows) change ??= eventText('change', changeOf(before, after));
      else whole ??= eventText('whole', after);
      watcher.isCurrent = true;
      this.#tell(watcher, (knows ? change : whole) ?? '');
    }
  }

  #tell(watcher: Watcher, text: string): void {
    if (watcher.client.write(text)) return;
    // It has been given it all the same: what drains before the next news has missed none.
    watcher.isBehind = true;
    watcher.missed = 0;
    watcher.client.once('drain', () => (watcher.isBehind = false));
  }
}

function eventText(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
