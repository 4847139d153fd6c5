/**
 * What this process has taken ahead: up to `size` of a key at once, of which it hands out by itself what a round trip each would
 * have been for. For takes that cost 1; any other asks the store.
 *
 * What that changes, with n processes that reserve k:
 *
 * - In all, no more is handed out than the store granted, and each that was granted once.
 * - At most n × (k − 1) of a key are taken and not handed out, so that somebody may be refused while others have some. What is not
 *   used within `HELD_MS` is given back; what the key has got back by itself by then, as at the end of a window, has lapsed.
 * - In any stretch of time at most n × (k − 1) more are handed out than the algorithm promises, twice that for a sliding
 *   window: what was reserved when it began is handed out within it, or given back within it and taken anew, and not both.
 * - A process that ends leaves what it has reserved taken; it comes back as all that is taken does. So does what was asked in a call
 *   that missed its deadline, and what was to be given back while the store was unavailable.
 *
 * Cost: one look into a map a take, one timer for all keys; a refund for each key that leaves something. While `KEYS_MAX` keys
 * have a reservation, no other gets one.
 */
import type { Clock } from '../kernel/clock.ts';
import type { Outcome } from './algorithm.ts';
import type { Answer } from './line.ts';

/** Long enough to be worth the round trip, short enough that nobody is turned away for long because of another's reserve. */
const HELD_MS = 1_000;
/** Some 2 MB. */
const KEYS_MAX = 10_000;

export interface Reservation {
  /** 0 while it is asked for, and while what was left is on its way back. */
  left: number;
  /** What the store had besides. */
  remaining: number;
  /** Before it what is left may be handed out; then it is given back. */
  untilMs: number;
  /** When all of the key has come back if nobody else takes, and there is nothing to give back. */
  resetMs: number;
}

export interface ReservesOptions {
  readonly size: number;
  readonly clock: Clock;
  /** Resolves when it is done, or has failed. */
  readonly giveBack: (key: string, amount: number) => Promise<void>;
}

export class Reserves {
  /** In the order in which they were asked for. */
  readonly #byKey = new Map<string, Reservation>();
  readonly #size: number;
  readonly #clock: Clock;
  readonly #giveBack: ReservesOptions['giveBack'];
  #sweeping = false;

  constructor({ size, clock, giveBack }: ReservesOptions) {
    this.#size = size;
    this.#clock = clock;
    this.#giveBack = giveBack;
  }

  get size(): number {
    return this.#size;
  }

  /** How much of the key is here. */
  left(key: string): number {
    return this.#byKey.get(key)?.left ?? 0;
  }

  /** What `draw` would answer, drawing nothing. */
  look(key: string): Outcome | null {
    const reservation = this.#byKey.get(key);
    if (reservation === undefined || reservation.left === 0) return null;
    const nowMs = this.#clock.nowMs();
    const { left, remaining, untilMs, resetMs } = reservation;
    if (nowMs >= Math.min(untilMs, resetMs)) {
      this.#end(key, reservation, nowMs);
      return null;
    }
    return { granted: 1, remaining: remaining + left, retryAfterUs: 0, resetAfterUs: (resetMs - nowMs) * 1000 };
  }

  /** One of what is here. */
  draw(key: string): Outcome | null {
    const out = this.look(key);
    if (out === null) return null;
    const reservation = this.#byKey.get(key)!;
    reservation.left -= 1;
    if (reservation.left === 0) this.#byKey.delete(key);
    out.remaining -= 1;
    return out;
  }

  /** Whoever finds nothing here asks the store for `size` and says what came of it to `keep` or `drop`; null: for one. */
  begin(key: string): Reservation | null {
    if (this.#byKey.has(key) || this.#byKey.size >= KEYS_MAX) return null;
    const reservation: Reservation = { left: 0, remaining: 0, untilMs: 0, resetMs: 0 };
    this.#byKey.set(key, reservation);
    return reservation;
  }

  /** Keeps what was granted beyond the one that was wanted; if the key was forgotten meanwhile, nobody will find it. */
  keep(key: string, reservation: Reservation, { granted, remaining, resetAfterUs, sentMs }: Answer): void {
    if (granted <= 1) return this.drop(key, reservation);
    reservation.left = granted - 1;
    reservation.remaining = remaining;
    reservation.untilMs = sentMs + HELD_MS;
    reservation.resetMs = sentMs + resetAfterUs / 1000;
    this.#sweepAt(reservation.untilMs);
  }

  drop(key: string, reservation: Reservation): void {
    if (this.#byKey.get(key) === reservation) this.#byKey.delete(key);
  }

  /** Hands out no more of it, and gives nothing back. */
  forget(key: string): void {
    this.#byKey.delete(key);
  }

  clear(): void {
    this.#byKey.clear();
  }

  /** Until what was left has arrived no more is reserved, so that no more than `size - 1` is ever out. */
  #end(key: string, reservation: Reservation, nowMs: number): void {
    const { left, resetMs } = reservation;
    reservation.left = 0;
    if (nowMs >= resetMs) this.drop(key, reservation);
    else void this.#giveBack(key, left).then(() => this.drop(key, reservation));
  }

  #sweepAt(atMs: number): void {
    if (this.#sweeping) return;
    this.#sweeping = true;
    this.#clock.after(Math.max(0, atMs - this.#clock.nowMs()), () => this.#sweep());
  }

  /** Ends what has been here for too long. */
  #sweep(): void {
    this.#sweeping = false;
    const nowMs = this.#clock.nowMs();
    for (const [key, reservation] of this.#byKey) {
      if (reservation.left === 0) continue;
      if (nowMs < reservation.untilMs) return this.#sweepAt(reservation.untilMs);
      this.#end(key, reservation, nowMs);
    }
  }
}
