/**
 * A fine timing wheel for waits that are rare and short: it ticks only while something is in it, so that a thread with nothing
 * to wait for sleeps (Linux calls a kernel that does so tickless).
 *
 * Invariants: those of `timer-wheel.ts`; the clock runs one timer for it while it is not empty, and none otherwise.
 * Cost: as the wheel; what is disarmed keeps it ticking until its slot has come round, a few seconds at most.
 */
import type { Clock, Timer } from './clock.ts';
import { type Deadline, TimerWheel } from './timer-wheel.ts';

/** A deadline is met within two ticks: little beside the 25 ms of a backoff, and 200 wake-ups a second are no load. */
const TICK_MS = 5;

export class TicklessWheel {
  readonly #clock: Clock;
  readonly #wheel: TimerWheel;
  readonly #ref: boolean;
  #timer: Timer | null = null;

  /** With `ref` it keeps the process alive while something is in it. */
  constructor(
    clock: Clock,
    { tickMs = TICK_MS, ref = false }: { readonly tickMs?: number; readonly ref?: boolean } = {},
  ) {
    this.#clock = clock;
    this.#ref = ref;
    this.#wheel = new TimerWheel(clock.nowMs(), tickMs);
  }

  /** Sets the deadline of `entry`, replacing an earlier one. */
  arm(entry: Deadline, deadlineMs: number): void {
    if (this.#timer === null) {
      this.#wheel.advance(this.#clock.nowMs());
      this.#timer = this.#clock.every(this.#wheel.tickMs, () => this.#tick(), { ref: this.#ref });
    }
    this.#wheel.arm(entry, deadlineMs);
  }

  /** Forgets the deadline. */
  disarm(entry: Deadline): void {
    this.#wheel.disarm(entry);
  }

  /** Takes the entry out, for one that will not be armed again. */
  remove(entry: Deadline): void {
    this.#wheel.remove(entry);
  }

  #tick(): void {
    this.#wheel.advance(this.#clock.nowMs());
    if (!this.#wheel.empty) return;
    this.#timer?.clear();
    this.#timer = null;
  }
}
