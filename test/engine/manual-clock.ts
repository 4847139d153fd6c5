/** A clock that a test moves by hand, for a data plane whose deadlines are to come at once, and not before. */
import type { Clock, Timer } from '../../src/kernel/clock.ts';
import { systemClock } from '../../src/kernel/clock.ts';

/** The period of the data plane's wheel: deadlines fire at most two of them late. */
const TICK_MS = 100;

export class ManualClock implements Clock {
  #nowMs = 1_000_000;
  #wallStepMs = 0;
  readonly #runs = new Set<() => void>();

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return systemClock.wallMs() + this.#wallStepMs;
  }

  /** Somebody sets the machine's clock, forward or back. */
  stepWall(ms: number): void {
    this.#wallStepMs += ms;
  }

  /** In real time: for what waits beside the data plane, such as the end of a drain. */
  after(delayMs: number, run: () => void, options?: { readonly ref?: boolean }): Timer {
    return systemClock.after(delayMs, run, options);
  }

  every(_periodMs: number, run: () => void): Timer {
    this.#runs.add(run);
    return { clear: () => this.#runs.delete(run) };
  }

  /** All that is due up to `ms` from now, and nothing that is due later. */
  pass(ms: number): void {
    for (let left = ms; left > 0; left -= TICK_MS) {
      this.#nowMs += Math.min(left, TICK_MS);
      for (const run of this.#runs) run();
    }
  }

  /** The event loop stood still for `ms`: what was due meanwhile comes now, once and late. */
  stall(ms: number): void {
    this.#nowMs += ms;
    for (const run of this.#runs) run();
  }

  /** To just before a deadline that is `ms` ahead. */
  nearly(ms: number): void {
    this.pass(ms - TICK_MS);
  }

  /** On to where a deadline that `nearly` came to has fired. */
  over(): void {
    this.pass(5 * TICK_MS);
  }
}
