/**
 * The deadline of many calls with one timer: to make and clear one for each would cost a tenth of a call to Redis.
 *
 * A timer that is itself late says that this process was not there to hear an answer, or even to send the question: calls are then
 * given their time anew, once. Otherwise what has arrived is still read before it is called late.
 * Cost: O(1) a call; once each `deadlineMs` a look at all that are under way.
 */
import type { Clock } from '../kernel/clock.ts';

/** A timer that is later than this share of the deadline was kept waiting by this process. */
const LAG_RATIO = 0.1;

/** A call that is under way. */
interface Due<Call> {
  readonly call: Call;
  dueMs: number;
  /** Was given its time anew. */
  spared: boolean;
  /** Its place among all, or -1. */
  place: number;
}

export class Deadlines<Call> {
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  readonly #expire: (call: Call) => void;
  // WHY: an array in no order. A map that calls enter and leave has V8 replace its table all the time, and each dead table that grew old
  // keeps the next one and its calls from dying young.
  readonly #calls: Due<Call>[] = [];
  #armed = false;

  constructor(clock: Clock, deadlineMs: number, expire: (call: Call) => void) {
    this.#clock = clock;
    this.#deadlineMs = deadlineMs;
    this.#expire = expire;
  }

  begin(call: Call, nowMs: number): Due<Call> {
    const due = { call, dueMs: nowMs + this.#deadlineMs, spared: false, place: this.#calls.length };
    this.#calls.push(due);
    if (!this.#armed) this.#arm(nowMs, this.#deadlineMs);
    return due;
  }

  /** The call is over. False if it was before, because it has expired. */
  end(due: Due<Call>): boolean {
    const { place } = due;
    if (place < 0) return false;
    const last = this.#calls.pop()!;
    if (last !== due) {
      this.#calls[place] = last;
      last.place = place;
    }
    due.place = -1;
    return true;
  }

  #arm(nowMs: number, delayMs: number): void {
    this.#armed = true;
    this.#clock.after(delayMs, () => this.#look(nowMs + delayMs));
  }

  #look(timerDueMs: number): void {
    this.#armed = false;
    const nowMs = this.#clock.nowMs();
    const lagging = nowMs - timerDueMs > this.#deadlineMs * LAG_RATIO;
    const late: Due<Call>[] = [];
    let nextMs = Infinity;
    for (const due of this.#calls) {
      if (lagging && !due.spared) {
        due.spared = true;
        due.dueMs = nowMs + this.#deadlineMs;
      }
      if (due.dueMs <= nowMs) late.push(due);
      else nextMs = Math.min(nextMs, due.dueMs);
    }
    if (late.length > 0) {
      this.#clock.after(0, () => {
        for (const due of late) if (this.end(due)) this.#expire(due.call);
      });
    }
    if (nextMs < Infinity) this.#arm(nowMs, nextMs - nowMs);
  }
}
