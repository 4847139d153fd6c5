/**
 * Keeps the process alive for as long as something is awaited, where what it waits for may not: a socket that is not counted, a wake from within.
 * All who await something share one timer that never does anything: so each costs a count, and not a timer that is made and cleared.
 */
let awaited = 0;
let timer: NodeJS.Timeout | null = null;

/** Nothing; so seldom that nobody notices. */
const PERIOD_MS = 2 ** 31 - 1;

/** One who may await something. */
export class KeepAlive {
  #isAwaiting = false;

  /** Whether it awaits something now. */
  set(isAwaiting: boolean): void {
    if (isAwaiting === this.#isAwaiting) return;
    this.#isAwaiting = isAwaiting;
    awaited += isAwaiting ? 1 : -1;
    timer ??= setInterval(() => {}, PERIOD_MS);
    if (awaited === 0) timer.unref();
    else timer.ref();
  }
}
