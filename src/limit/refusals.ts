/**
 * What this process knows to be refused: a key that the store refused cannot be granted before the moment the store named, so it
 * need not be asked until then.
 *
 * Never wrong: the answer was true no earlier than the question was sent, so what is refused here the store would refuse as well,
 * unless somebody else gives back (a refund, a reset, a changed limit, or the store loses the key) meanwhile; therefore it is asked
 * again every `KNOWN_MS`. What this process gives back it forgets here, and answers to what it had asked before say nothing any more:
 * calls overtake each other on several connections. Not for leases, which others give back all the time; and only for the cost that was
 * refused, so that `retryAfterMs` stays exact, to the time of one round trip.
 * Cost: one look into a map; at most `KEYS_MAX` keys refused and as many given back, the oldest out first.
 */
import type { Outcome } from './algorithm.ts';
import type { Answer } from './line.ts';

/** Some 2 MB; refusing more keys than that from memory would not be what saves the day. */
const KEYS_MAX = 10_000;
/** How long what others give back may go unnoticed; a question a second is nothing for a store. */
const KNOWN_MS = 1_000;

interface Refusal {
  readonly cost: number;
  /** Before it the store would refuse, or nobody asks again. */
  readonly untilMs: number;
  /** When it surely will not, and when all has come back, if nobody else takes. */
  readonly grantedMs: number;
  readonly resetMs: number;
  readonly remaining: number;
}

export class Refusals {
  readonly #byKey = new Map<string, Refusal>();
  /** When a key was last given something back, and before when that is not known of all keys. */
  readonly #forgottenMs = new Map<string, number>();
  #clearedMs = Number.NEGATIVE_INFINITY;

  /** Whether nothing is known to be refused; then nobody need read the clock. */
  get none(): boolean {
    return this.#byKey.size === 0;
  }

  /** What the store would say, if it is known to refuse. */
  find(key: string, cost: number, nowMs: number): Outcome | null {
    const refusal = this.#byKey.get(key);
    if (refusal === undefined) return null;
    if (nowMs >= refusal.untilMs) {
      this.#byKey.delete(key);
      return null;
    }
    if (cost !== refusal.cost) return null;
    const { remaining, grantedMs, resetMs } = refusal;
    return {
      granted: 0,
      remaining,
      retryAfterUs: (grantedMs - nowMs) * 1000,
      resetAfterUs: (resetMs - nowMs) * 1000,
    };
  }

  /** Notes that `cost` was refused, and will be for a time. */
  note(key: string, cost: number, answer: Answer): void {
    const { remaining, retryAfterUs, resetAfterUs, sentMs, receivedMs } = answer;
    if (!Number.isFinite(retryAfterUs)) return;
    if (sentMs <= (this.#forgottenMs.get(key) ?? this.#clearedMs)) return;
    this.#byKey.delete(key);
    if (this.#byKey.size >= KEYS_MAX) this.#byKey.delete(this.#byKey.keys().next().value!);
    this.#byKey.set(key, {
      cost,
      untilMs: sentMs + Math.min(retryAfterUs / 1000, KNOWN_MS),
      grantedMs: receivedMs + retryAfterUs / 1000,
      resetMs: receivedMs + resetAfterUs / 1000,
      remaining,
    });
  }

  /** Something was given back to a key. */
  forget(key: string, nowMs: number): void {
    this.#byKey.delete(key);
    this.#forgottenMs.delete(key);
    if (this.#forgottenMs.size >= KEYS_MAX) {
      const [oldest, atMs] = this.#forgottenMs.entries().next().value!;
      this.#forgottenMs.delete(oldest);
      this.#clearedMs = atMs;
    }
    this.#forgottenMs.set(key, nowMs);
  }

  /** The limit is another. */
  clear(nowMs: number): void {
    this.#byKey.clear();
    this.#forgottenMs.clear();
    this.#clearedMs = nowMs;
  }
}
