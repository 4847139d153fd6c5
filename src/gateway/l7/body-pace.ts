/**
 * Whether the body of a request comes on: looked at window by window, because a deadline moved at every byte would say
 * nothing about a client that sends one byte a second (slow POST), and one for the whole would cut large uploads.
 *
 * A client that we do not read, because the server does not take what it has sent, is never slow.
 */
import type { ListenerPlan } from '../snapshot.ts';

/** Long enough for a phone that loses its cell for a moment. */
const WINDOW_MS_MAX = 5000;

export class BodyPace {
  #seen = 0;
  #idleMs = 0;

  begin(): void {
    this.#seen = 0;
    this.#idleMs = 0;
  }

  /** How long from one look to the next. */
  static windowMs({ timeouts }: ListenerPlan): number {
    return Math.min(timeouts.bodyIdleMs, WINDOW_MS_MAX);
  }

  /** A window is over; `bytes` have come since the beginning. `isRead` if the client was free to send. */
  isTooSlow(plan: ListenerPlan, bytes: number, isRead: boolean): boolean {
    const windowMs = BodyPace.windowMs(plan);
    const got = bytes - this.#seen;
    this.#seen = bytes;
    this.#idleMs = got > 0 || !isRead ? 0 : this.#idleMs + windowMs;
    if (this.#idleMs >= plan.timeouts.bodyIdleMs) return true;
    return isRead && got > 0 && got < (plan.limits.requestBodyRateMin * windowMs) / 1000;
  }
}
