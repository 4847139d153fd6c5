/**
 * Time, as a value that is passed in: everything that waits or measures takes a `Clock`, so a test can hold it still.
 * Milliseconds are floating point and monotonic (`nowMs`); wall time is only for what people and other machines read.
 */

/** A cancelable timer. `clear` is idempotent. */
export interface Timer {
  clear(): void;
}

export interface Clock {
  /** Monotonic milliseconds with a fraction; the origin is arbitrary but the same for every thread of the process. */
  nowMs(): number;
  /** Milliseconds since the Unix epoch. */
  wallMs(): number;
  /** Calls `run` once after `delayMs`, which may be of any length: never, if it is infinite. The timer keeps the process alive only if `ref` is true. */
  after(delayMs: number, run: () => void, options?: { readonly ref?: boolean }): Timer;
  /** Calls `run` every `periodMs` until cleared. */
  every(periodMs: number, run: () => void, options?: { readonly ref?: boolean }): Timer;
  /**
   * Keeps the process alive from a `true` until as many have said `false`: a count, where a timer with `ref` is made and cleared each time. A simulated
   * clock keeps nothing alive, and has none.
   */
  readonly keepAlive?: (isAwaited: boolean) => void;
}

/** By how much the clocks of two machines may run apart. One of today that is slewed by NTP is off by at most 0.05 %, one that runs free by 0.01 %; Redlock allows 1 % too. */
export const CLOCKS_APART_RATIO = 0.01;

// Bound once: the global is a getter that looks itself up at each use, a fifth of what a reading costs.
const now = performance.now.bind(performance);

/** Node's timers hold no more, and ring at once if they are set to more. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** As many timers as it takes, one after the other. */
function afterLong(delayMs: number, run: () => void, options?: { readonly ref?: boolean }): Timer {
  const rest = (): void => void (timer = systemClock.after(delayMs - TIMER_MS_MAX, run, options));
  let timer = systemClock.after(TIMER_MS_MAX, rest, options);
  return { clear: () => timer.clear() };
}

let awaited = 0;
/** All who await something share this one, which never does anything. */
let keeper: NodeJS.Timeout | null = null;

function keepAlive(isAwaited: boolean): void {
  awaited += isAwaited ? 1 : -1;
  keeper ??= setInterval(() => {}, TIMER_MS_MAX);
  if (awaited === 0) keeper.unref();
  else keeper.ref();
}

/** The machine's clock. */
export const systemClock: Clock = {
  // All worker threads of a process share one origin (measured on Node 24 and 26), so readings compare across threads.
  nowMs: () => now(),
  wallMs: () => Date.now(),
  after(delayMs, run, options) {
    if (delayMs > TIMER_MS_MAX) return afterLong(delayMs, run, options);
    const timer = setTimeout(run, delayMs);
    if (options?.ref !== true) timer.unref();
    return { clear: () => clearTimeout(timer) };
  },
  every(periodMs, run, options) {
    const timer = setInterval(run, periodMs);
    if (options?.ref !== true) timer.unref();
    return { clear: () => clearInterval(timer) };
  },
  keepAlive,
};

/**
 * The same with an origin that all processes of the machine share (`CLOCK_MONOTONIC`): readings of different processes compare. Exact to
 * some nanoseconds in the first years after a boot. Under libfaketime only with `FAKETIME_DONT_FAKE_MONOTONIC=1`.
 */
export const machineClock: Clock = {
  ...systemClock,
  nowMs() {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },
};
