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

/** So many a second, and as many at once. */
export class Budget {
  readonly #perSecond: number;
  #left: number;
  #atMs: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#left = perSecond;
    this.#atMs = nowMs;
  }

  take(nowMs: number): boolean {
    const passedMs = Math.max(0, nowMs - this.#atMs);
    this.#left = Math.min(this.#perSecond, this.#left + (passedMs * this.#perSecond) / 1000);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
