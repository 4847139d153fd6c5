/**
 * A clock that stands still until it is told to move, for tests: of what waits, no time is spent waiting, and the same happens
 * every time. Timers run in the order of their times, each with the clock at its time.
 *
 * What it is not: a way to hold promises still. What a timer starts asynchronously goes on when the test awaits.
 */
import type { Clock, Timer } from './clock.ts';

interface Pending {
  atMs: number;
  readonly periodMs: number | null;
  readonly run: () => void;
}

export class SimulatedClock implements Clock {
  #nowMs: number;
  #originMs: number;
  readonly #pending = new Set<Pending>();

  /** Starts at a wall time of `wallMs`. */
  constructor(wallMs = 1_800_000_000_000) {
    this.#nowMs = 1000;
    this.#originMs = wallMs - this.#nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#originMs + this.#nowMs;
  }

  /** Somebody sets the machine's clock, forward or back: what was measured does not change. */
  stepWall(ms: number): void {
    this.#originMs += ms;
  }

  /** Timers that would still run. */
  get timers(): number {
    return this.#pending.size;
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#add({ atMs: this.#nowMs + delayMs, periodMs: null, run });
  }

  every(periodMs: number, run: () => void): Timer {
    return this.#add({ atMs: this.#nowMs + periodMs, periodMs, run });
  }

  /** Lets time pass, and whatever is due meanwhile run. */
  pass(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let next = this.#next(untilMs); next !== null; next = this.#next(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      if (next.periodMs === null) this.#pending.delete(next);
      else next.atMs += next.periodMs;
      next.run();
    }
    this.#nowMs = untilMs;
  }

  #add(pending: Pending): Timer {
    this.#pending.add(pending);
    return { clear: () => void this.#pending.delete(pending) };
  }

  /** The earliest that is due; of several, the one that was set first. */
  #next(untilMs: number): Pending | null {
    let first: Pending | null = null;
    for (const pending of this.#pending) {
      if (pending.atMs <= untilMs && (first === null || pending.atMs < first.atMs)) first = pending;
    }
    return first;
  }
}
