/**
 * What this process knows to be refused: a key that the store refused cannot be granted before the moment the store named, so it
 * need not be asked until then.
 *
 * Never wrong: the answer was true no earlier than the question was sent, so what is refused here the store would refuse as well,
 * unless somebody else gives back (a refund, a reset, a changed limit, or the store loses the key) meanwhile. What this process
 * gives back it forgets here. Not for leases, which others give back all the time; and only for the cost that was refused, so that
 * `retryAfterMs` stays exact, to the time of one round trip.
 * Cost: one look into a map; at most `KEYS_MAX` keys, the oldest out first.
 */
import type { Outcome } from './algorithm.ts';
import type { Answer } from './line.ts';

/** Some 2 MB; refusing more keys than that from memory would not be what saves the day. */
const KEYS_MAX = 10_000;

interface Refusal {
  readonly cost: number;
  /** Before it the store would refuse. */
  readonly untilMs: number;
  /** When it surely will not, and when all has come back, if nobody else takes. */
  readonly grantedMs: number;
  readonly resetMs: number;
  readonly remaining: number;
}

export class Refusals {
  readonly #byKey = new Map<string, Refusal>();

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
    this.#byKey.delete(key);
    if (this.#byKey.size >= KEYS_MAX) this.#byKey.delete(this.#byKey.keys().next().value!);
    this.#byKey.set(key, {
      cost,
      untilMs: sentMs + retryAfterUs / 1000,
      grantedMs: receivedMs + retryAfterUs / 1000,
      resetMs: receivedMs + resetAfterUs / 1000,
      remaining,
    });
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }

  clear(): void {
    this.#byKey.clear();
  }
}
