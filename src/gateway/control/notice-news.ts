/**
 * Whether a worker's notice is news. All workers meet the same fault, and it is said once, not once for each of them: what
 * one has said is not heard from another for a while. A worker that repeats itself has a reason to, and is heard.
 * Bounded: the oldest is forgotten first.
 */

/** As long as a worker itself keeps quiet about what goes on being wrong. */
const SAME_MS = 60_000;
/** More than a person reads in that time. */
const SAID_MAX = 1000;

export class NoticeNews {
  readonly #said = new Map<string, { readonly lane: number; readonly atMs: number }>();

  isNews(lane: number, message: string, nowMs: number): boolean {
    const before = this.#said.get(message);
    if (before !== undefined && before.lane !== lane && nowMs - before.atMs < SAME_MS) return false;
    this.#said.delete(message);
    this.#said.set(message, { lane, atMs: nowMs });
    const [oldest] = this.#said.keys();
    if (this.#said.size > SAID_MAX && oldest !== undefined) this.#said.delete(oldest);
    return true;
  }
}
