/**
 * Many deadlines, one timer: a hashed timing wheel (Varghese and Lauck, 1987, scheme 6) with lazy moves.
 *
 * A connection moves its deadline at every request, nearly always to a later time. So `arm` only writes the new deadline if
 * the entry already sits in an earlier slot; when that slot comes round, the entry is moved on. Arming is a store and a
 * compare; an entry is relinked about once per deadline, not once per request.
 *
 * Invariant: an armed entry sits in a slot that comes round no later than one tick after its deadline. An entry never fires
 * early and at most about two ticks late.
 * Cost: O(1) to arm and disarm, no allocation; each tick visits the entries of one slot.
 */

const SLOTS = 512; // × the tick of 100 ms covers 51 s in one turn; longer deadlines are moved on once a turn
const MASK = SLOTS - 1;
/** One slot short of a whole turn, so that an entry moved on never lands in the slot that is being emptied. */
const FARTHEST = SLOTS - 2;

/** Who is told when its time has come. */
export interface Timed {
  onDeadline(nowMs: number): void;
}

/**
 * One deadline of somebody's. An object of its own, as all have the same shape then: a wheel that reads and writes fields of a dozen
 * classes has to look for each of them, three times as long.
 */
export class Deadline {
  /** When `onDeadline` is due, in the clock's ms; `Infinity` is never. Read it; change it through the wheel. */
  atMs = Number.POSITIVE_INFINITY;
  readonly owner: Timed;
  // The wheel's.
  slot = -1; // outside of it
  next: Deadline | null = null;
  previous: Deadline | null = null;

  constructor(owner: Timed) {
    this.owner = owner;
  }
}

export class TimerWheel {
  readonly tickMs: number;
  readonly #slots: (Deadline | null)[] = Array.from({ length: SLOTS }, () => null);
  #tick: number;
  #entries = 0;

  constructor(nowMs: number, tickMs = 100) {
    this.tickMs = tickMs;
    this.#tick = Math.floor(nowMs / tickMs);
  }

  /** Nothing is in it, not even what was disarmed. */
  get empty(): boolean {
    return this.#entries === 0;
  }

  /** Sets the deadline of `entry`, replacing an earlier one. */
  arm(entry: Deadline, atMs: number): void {
    const due = this.#slotOf(atMs);
    if (entry.slot >= 0) {
      const ahead = (entry.slot - this.#tick) & MASK;
      const scheduledFirst = ahead <= due - this.#tick;
      entry.atMs = atMs;
      if (scheduledFirst) return;
      this.#unlink(entry);
    }
    entry.atMs = atMs;
    this.#link(entry, due & MASK);
  }

  /** Forgets the deadline. The entry leaves the wheel when its slot comes round; `remove` takes it out at once. */
  disarm(entry: Deadline): void {
    entry.atMs = Number.POSITIVE_INFINITY;
  }

  /** Takes the entry out, for one that will not be armed again. */
  remove(entry: Deadline): void {
    entry.atMs = Number.POSITIVE_INFINITY;
    if (entry.slot >= 0) this.#unlink(entry);
  }

  /** Fires what is due at `nowMs`. Call it every `tickMs`; late calls catch up. */
  advance(nowMs: number): void {
    const until = Math.floor(nowMs / this.tickMs);
    if (this.empty) this.#tick = Math.max(this.#tick, until);
    // A thread that slept longer than a turn need not visit a slot twice.
    else if (until - this.#tick > SLOTS) this.#tick = until - SLOTS;
    while (this.#tick < until) {
      this.#tick++;
      this.#expire((this.#tick - 1) & MASK, nowMs);
    }
  }

  #expire(slot: number, nowMs: number): void {
    // Nothing is linked into this slot meanwhile (see `FARTHEST`), so taking the first until none is left ends.
    for (let entry = this.#slots[slot] ?? null; entry !== null; entry = this.#slots[slot] ?? null) {
      this.#unlink(entry);
      if (entry.atMs <= nowMs) {
        entry.atMs = Number.POSITIVE_INFINITY;
        entry.owner.onDeadline(nowMs);
      } else if (entry.atMs !== Number.POSITIVE_INFINITY) {
        this.#link(entry, this.#slotOf(entry.atMs) & MASK);
      }
    }
  }

  #slotOf(deadlineMs: number): number {
    const tick =
      deadlineMs === Number.POSITIVE_INFINITY ? this.#tick + FARTHEST : Math.floor(deadlineMs / this.tickMs) + 1;
    if (tick <= this.#tick) return this.#tick;
    return tick - this.#tick > FARTHEST ? this.#tick + FARTHEST : tick;
  }

  #link(entry: Deadline, slot: number): void {
    const first = this.#slots[slot] ?? null;
    this.#entries += 1;
    entry.slot = slot;
    entry.previous = null;
    entry.next = first;
    if (first !== null) first.previous = entry;
    this.#slots[slot] = entry;
  }

  #unlink(entry: Deadline): void {
    const { next, previous } = entry;
    this.#entries -= 1;
    if (next !== null) next.previous = previous;
    if (previous !== null) previous.next = next;
    else this.#slots[entry.slot] = next;
    entry.slot = -1;
    entry.next = null;
    entry.previous = null;
  }
}
