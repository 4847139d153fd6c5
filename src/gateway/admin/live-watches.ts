/**
 * What one page watches (watch-model.ts): answers that it is told again when they are others, as the feed finds the time.
 *
 * Invariants: one question is under way at a time; an answer is known to the page only once it was given to it, so that one which reads too slowly is told
 * the newest later, and never a queue. Cost: of each path a digest, not its answer.
 */
import type { AnswerNews, Watch, WatchNews } from './watch-model.ts';

/** What the page knows of a path, as whoever answers remembers it; null: nothing. */
export type KnownAnswer = object | null;

export type Answered =
  /** `text` is the JSON of an `AnswerNews`. */
  | { readonly kind: 'news'; readonly text: string; readonly known: KnownAnswer }
  | { readonly kind: 'problem'; readonly status: number; readonly detail: string };

export type AnswerPath = (path: string, known: KnownAnswer) => Promise<Answered>;

interface Watched {
  readonly watch: Watch;
  known: readonly KnownAnswer[];
  /** Why there was no answer; '' if there was. */
  problem: string;
  /** In seconds of the feed. */
  dueS: number;
}

export const sameAnswer = JSON.stringify({ kind: 'same' } satisfies AnswerNews);

export class LiveWatches {
  #watched = new Map<number, Watched>();
  #answer: AnswerPath | null = null;
  #isRunning = false;

  /** These and no others: what stays is known as it was. */
  set(wanted: readonly Watch[], answer: AnswerPath): void {
    this.#answer = answer;
    const before = this.#watched;
    const begin = (watch: Watch): Watched => ({ watch, known: watch.paths.map(() => null), problem: '', dueS: 0 });
    this.#watched = new Map(wanted.map((watch) => [watch.id, before.get(watch.id) ?? begin(watch)]));
  }

  /** Tells what is due, one after the other, until `tell` says that the page takes no more. Rejects as `answer` does; then the rest is still due. */
  async run(nowS: () => number, tell: (data: string) => boolean): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let next = this.#due(nowS()); next !== null; next = this.#due(nowS())) {
        const { known, watch } = next;
        const answered = await Promise.all(watch.paths.map((path, at) => this.#answer!(path, known[at] ?? null)));
        if (this.#watched.get(watch.id) !== next) continue;
        const news = newsOf(next, answered);
        if (news.data !== null && !tell(news.data)) return;
        Object.assign(next, news.next, { dueS: nowS() + watch.everyS });
      }
    } finally {
      this.#isRunning = false;
    }
  }

  /** The one that has waited longest. */
  #due(nowS: number): Watched | null {
    let first: Watched | null = null;
    for (const each of this.#watched.values())
      if (each.dueS <= nowS && each.dueS < (first?.dueS ?? Infinity)) first = each;
    return first;
  }
}

/** What there is to tell, null if nothing, and what is so once it is told. */
function newsOf({ watch: { id }, known, problem }: Watched, answered: readonly Answered[]) {
  const failed = answered.find((one) => one.kind === 'problem');
  if (failed !== undefined) {
    const { detail, status } = failed;
    const data = JSON.stringify({ id, problem: { status, detail } } satisfies WatchNews);
    // What it knew it may have let go of.
    return { data: detail === problem ? null : data, next: { problem: detail, known: known.map(() => null) } };
  }
  const news = answered as readonly Extract<Answered, { kind: 'news' }>[];
  const next = { problem: '', known: news.map((one) => one.known) };
  if (problem === '' && news.every(({ text }) => text === sameAnswer)) return { data: null, next };
  return { data: `{"id":${id},"answers":[${news.map(({ text }) => text).join()}]}`, next };
}
