/**
 * True time, which nobody in the simulation can see, and what the clocks of a machine make of it.
 *
 * A schedule runs what is due in the order of its time, and of its coming. O(n) to add, for the few dozens that are pending.
 */
import type { Instant } from '../../src/lease/instant.ts';

interface Due {
  readonly atMs: number;
  readonly run: () => void;
}

export class Schedule {
  nowMs = 0;
  /** The next is the last. */
  readonly #due: Due[] = [];

  after(delayMs: number, run: () => void): void {
    const atMs = this.nowMs + delayMs;
    let at = this.#due.length;
    while (at > 0 && this.#due[at - 1]!.atMs <= atMs) at--;
    this.#due.splice(at, 0, { atMs, run });
  }

  /** The next thing happens; false if there is none. */
  step(): boolean {
    const next = this.#due.pop();
    if (next === undefined) return false;
    this.nowMs = next.atMs;
    next.run();
    return true;
  }
}

/** The two clocks of a machine. */
export class Machine {
  readonly #schedule: Schedule;
  readonly rate: number;
  readonly #startMs: number;
  #wallMs = 1_800_000_000_000;
  /** For how long the monotonic clock has stood still, and since when it does. */
  #stoodStillMs = 0;
  #suspendedMs: number | null = null;

  constructor(schedule: Schedule, { rate, startMs }: { readonly rate: number; readonly startMs: number }) {
    this.#schedule = schedule;
    this.rate = rate;
    this.#startMs = startMs;
  }

  get now(): Instant {
    const { nowMs } = this.#schedule;
    const awakeMs = (this.#suspendedMs ?? nowMs) - this.#stoodStillMs;
    return { nowMs: this.#startMs + awakeMs * this.rate, wallMs: this.#wallMs + nowMs * this.rate };
  }

  stepWall(ms: number): void {
    this.#wallMs += ms;
  }

  suspend(): void {
    this.#suspendedMs ??= this.#schedule.nowMs;
  }

  wake(): void {
    if (this.#suspendedMs !== null) this.#stoodStillMs += this.#schedule.nowMs - this.#suspendedMs;
    this.#suspendedMs = null;
  }
}
