/**
 * The live feed (`GET /api/live`): server-sent events, once a second, to whoever looks. First `whole`, then `change`
 * (live-model.ts), also in a second without news, so that both sides know that the other is there.
 *
 * Invariants: nothing is read while nobody looks; at most `CLIENTS_MAX` look; of one that reads too slowly nothing is kept: it misses
 * what it cannot take, and is told the whole when it can take something again; whoever takes nothing for `BEHIND_MAX` is cut, so that dead
 * pages keep nobody out. Cost: one reading and one text a second, however many look.
 *
 * A page may watch more than the state: what else it shows (watch-model.ts) is told by the same stream, as `answers`, when it is another.
 */
import type { Clock, Timer } from '../../kernel/clock.ts';
import { changeOf, type LiveState } from './live-model.ts';
import { type Answered, type AnswerPath, type KnownAnswer, LiveWatches } from './live-watches.ts';
import type { Watch } from './watch-model.ts';

const PERIOD_MS = 1000;
/** Screens on walls and open tabs, with room; each costs a connection and a copy of a second's news. */
const CLIENTS_MAX = 64;
/** Seconds. */
const BEHIND_MAX = 30;
/** Answers of a second that are kept for others who watch the same: of what some screens show, and not of what everybody may think of. */
const SHARED_MAX = 100;

/** A response, as far as it is used here. */
export interface LiveClient {
  /** False if it is not to be written to before it has drained. */
  write(text: string): boolean;
  once(event: 'drain' | 'close', run: () => void): unknown;
  destroy(): unknown;
}

interface Watcher {
  readonly client: LiveClient;
  readonly stream: string;
  readonly watches: LiveWatches;
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
  /** By their streams. */
  readonly #watchers = new Map<string, Watcher>();
  /** Answers of this second, for whoever watches the same. */
  readonly #answered = new Map<string, Promise<Answered>>();
  #timer: Timer | null = null;
  #last: LiveState | null = null;
  /** That somebody looked. */
  #seconds = 0;

  /** `onFault` is told why something could not be read; whoever looked at it is cut then, and may ask again. */
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
  add(client: LiveClient, stream: string): void {
    this.#last ??= this.#read();
    const watcher: Watcher = {
      client,
      stream,
      watches: new LiveWatches(),
      isBehind: false,
      missed: 0,
      isCurrent: true,
    };
    this.#watchers.set(stream, watcher);
    client.once('close', () => this.#remove(watcher));
    this.#timer ??= this.#clock.every(PERIOD_MS, () => this.#tick());
    this.#tell(watcher, eventText('whole', JSON.stringify(this.#last)));
  }

  /** What is told there beside the state, these and no others, the first of it at once. False: there is no such stream. */
  watch(stream: string, wanted: readonly Watch[], answer: AnswerPath): boolean {
    const watcher = this.#watchers.get(stream);
    if (watcher === undefined) return false;
    watcher.watches.set(wanted, (path, known) => this.#once(path, known, answer));
    this.#tellAnswers(watcher);
    return true;
  }

  /** However many watch it. */
  #once(path: string, known: KnownAnswer, answer: AnswerPath): Promise<Answered> {
    const key = JSON.stringify([path, known]);
    const made = this.#answered.get(key) ?? answer(path, known);
    if (this.#answered.size < SHARED_MAX) this.#answered.set(key, made);
    return made;
  }

  #remove({ stream }: Watcher): void {
    this.#watchers.delete(stream);
    if (this.#watchers.size > 0) return;
    this.#timer?.clear();
    this.#timer = null;
    this.#last = null;
    this.#answered.clear();
  }

  /** Run by a timer of the control thread, which nothing here may end. */
  #tick(): void {
    this.#seconds += 1;
    this.#answered.clear();
    try {
      this.#tellNews(this.#last, (this.#last = this.#read()));
    } catch (error) {
      this.#onFault(error);
      for (const { client } of this.#watchers.values()) client.destroy();
      return;
    }
    for (const watcher of this.#watchers.values()) this.#tellAnswers(watcher);
  }

  /** To whoever can take something. */
  #tellAnswers(watcher: Watcher): void {
    if (watcher.isBehind) return;
    const tell = (data: string): boolean => {
      // Meanwhile it may have been told a second's news that it did not take, or be gone.
      if (watcher.isBehind || this.#watchers.get(watcher.stream) !== watcher) return false;
      this.#tell(watcher, eventText('answers', data));
      return true;
    };
    watcher.watches
      .run(() => this.#seconds, tell)
      .catch((error: unknown) => {
        this.#onFault(error);
        watcher.client.destroy();
      });
  }

  #tellNews(before: LiveState | null, after: LiveState): void {
    let change: string | null = null;
    let whole: string | null = null;
    for (const watcher of this.#watchers.values()) {
      if (watcher.isBehind) {
        watcher.isCurrent = false;
        watcher.missed += 1;
        if (watcher.missed >= BEHIND_MAX) watcher.client.destroy();
        continue;
      }
      const knows = watcher.isCurrent && before !== null;
      if (knows) change ??= eventText('change', JSON.stringify(changeOf(before, after)));
      else whole ??= eventText('whole', JSON.stringify(after));
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

/** `data` is JSON, which has no line break. */
function eventText(event: string, data: string): string {
  return `event: ${event}\ndata: ${data}\n\n`;
}
