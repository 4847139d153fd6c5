/**
 * Which traces are kept. The head: a share of all, chosen by the trace id, so that every service that is asked chooses the same. The tail:
 * what failed or was slow, up to so many a second, so that an outage does not fill the store with copies of itself.
 *
 * Pure: time comes in. Source: OpenTelemetry, “TraceState: Probability Sampling” (a trace is in a share p if the number that its last 56 bits
 * are is at least (1 - p) · 2^56; here of the first 52 of them).
 */

const DIGITS = 13;
const ID_DIGITS = 32;
/** The last 56 bits are 14 digits. */
const FROM = ID_DIGITS - 14;

export function isInShare(traceId: string, share: number): boolean {
  if (share >= 1) return true;
  return share > 0 && Number.parseInt(traceId.slice(FROM, FROM + DIGITS), 16) >= (1 - share) * 16 ** DIGITS;
}

const SECOND_MS = 1000;

/** So many a second, whatever came before it. */
export class Budget {
  readonly #perSecond: number;
  #secondEndsMs: number;
  #taken = 0;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#secondEndsMs = nowMs + SECOND_MS;
  }

  /** One more, if no more than this share of the budget is taken: what is left to others is the rest. */
  take(nowMs: number, share = 1): boolean {
    if (nowMs >= this.#secondEndsMs) {
      this.#secondEndsMs = nowMs + SECOND_MS;
      this.#taken = 0;
    }
    if (this.#taken >= this.#perSecond * share) return false;
    this.#taken += 1;
    return true;
  }
}
