/**
 * What a clock that was set does to a window of time. What is counted is kept by the clock on the wall (series.ts); how long something has lasted
 * only the clock knows that is never set. So the last hour is an hour of what was counted, in as many pieces of wall time as it takes: up to where
 * the clock was set, and from where it was set to. Pure.
 *
 * Where a piece covers times that were there before, as after a clock was set back, what was counted then is counted along, once.
 * Invariants: pieces are apart from one another; of a clock that was never set there is one.
 * Bounded: of more than `SETTINGS_MAX` the least is taken for time that has passed, as all were if no clock were never set; what was counted stays.
 */

import { KEPT_DAYS, resolutions } from '../../series/resolutions.ts';

/** By both clocks: the one that is never set, and the one on the wall. */
export interface Moment {
  readonly nowMs: number;
  readonly wallMs: number;
}

export interface TimeRange {
  readonly fromMs: number;
  /** Not included. */
  readonly toMs: number;
}

/** The clocks of a machine come apart by less between two looks, unless one is set. */
const CLOCK_SET_MS = 1000;
const COARSE_MS = resolutions.at(-1)!.stepMs;
const KEPT_MS = KEPT_DAYS * 86_400_000;
/** One a day: windows of all objectives are put together of as many pieces, each second. */
const SETTINGS_MAX = KEPT_DAYS;

/** In whole seconds of the wall clock, as what is counted is kept. */
interface Setting {
  /** Up to here all was seen before it was set. */
  readonly seenMs: number;
  /** Not before here it would have been by the next look: the end of a coarsest step, so that no finer one is cut where nothing follows. */
  readonly fromMs: number;
  /** From here on it goes on. */
  readonly toMs: number;
  /** When, by the clock that is never set. */
  readonly nowMs: number;
}

export class ClockSettings {
  #looked: Moment;
  /** The newest first. */
  #settings: readonly Setting[] = [];
  /** By so much those are that are forgotten. */
  #forgottenMs = 0;

  constructor(now: Moment) {
    this.#looked = now;
  }

  /** Whether it was set lately is known by looking, once a second or so. */
  look(now: Moment): void {
    const looked = this.#looked;
    this.#looked = now;
    const passedMs = now.nowMs - looked.nowMs;
    if (!isSet(looked, now)) return;
    const setting: Setting = {
      seenMs: secondAfter(looked.wallMs),
      fromMs: Math.ceil((looked.wallMs + passedMs + 1) / COARSE_MS) * COARSE_MS,
      toMs: secondAfter(now.wallMs - passedMs),
      nowMs: now.nowMs,
    };
    this.#settings = [setting, ...this.#settings.filter(({ nowMs }) => now.nowMs - nowMs < KEPT_MS)];
    if (this.#settings.length > SETTINGS_MAX) this.#forgetLeast();
  }

  /** Of several the oldest, and never the newest: the one after it goes on from the latest that was seen before either. */
  #forgetLeast(): void {
    const [newest, ...older] = this.#settings;
    const least = older.reduce((one, other) => (byMs(other) <= byMs(one) ? other : one));
    const after = older[older.indexOf(least) - 1] ?? newest!;
    const both = {
      ...after,
      seenMs: Math.max(after.seenMs, least.seenMs),
      fromMs: Math.max(after.fromMs, least.fromMs),
    };
    this.#settings = this.#settings.flatMap((each) => (each === least ? [] : each === after ? both : each));
    this.#forgottenMs += byMs(least);
  }

  get isSet(): boolean {
    return this.#settings.length > 0 || this.#forgottenMs > 0;
  }

  /** The last `ms` before the wall time `toMs`. */
  pieces(ms: number, toMs: number): readonly TimeRange[] {
    const pieces: TimeRange[] = [];
    let leftMs = ms;
    let [seenMs, endMs] = [toMs, toMs];
    for (const setting of this.#settings) {
      if (seenMs - setting.toMs >= leftMs) break;
      pieces.push({ fromMs: setting.toMs, toMs: endMs });
      leftMs -= seenMs - setting.toMs;
      [seenMs, endMs] = [setting.seenMs, setting.fromMs];
    }
    return apart([...pieces, { fromMs: seenMs - leftMs, toMs: endMs }]);
  }

  /** Milliseconds from the wall time `fromMs` to `toMs`, which is now; of a time that was there twice, since the second. No more than they are. */
  passedMs(fromMs: number, toMs: number): number {
    let passedMs = 0;
    let seenMs = toMs;
    for (const setting of this.#settings) {
      if (fromMs >= setting.toMs && fromMs < seenMs) break;
      passedMs += seenMs - setting.toMs;
      ({ seenMs } = setting);
    }
    return Math.max(0, passedMs + Math.max(0, seenMs - fromMs) - this.#forgottenMs);
  }
}

/** A moment of before, by the wall clock as it is now: it may have been set since. */
export function wallOf(then: Moment, now: Moment): number {
  return isSet(then, now) ? now.wallMs - (now.nowMs - then.nowMs) : then.wallMs;
}

/** Ranges without those parts that two of them have in common. */
export function apart(ranges: readonly TimeRange[]): readonly TimeRange[] {
  const joined: { fromMs: number; toMs: number }[] = [];
  for (const { fromMs, toMs } of ranges.toSorted((one, other) => one.fromMs - other.fromMs)) {
    const last = joined.at(-1);
    if (last !== undefined && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs);
    else joined.push({ fromMs, toMs });
  }
  return joined;
}

function isSet(then: Moment, now: Moment): boolean {
  return Math.abs(now.wallMs - then.wallMs - (now.nowMs - then.nowMs)) > CLOCK_SET_MS;
}

function byMs({ seenMs, toMs }: Setting): number {
  return Math.abs(toMs - seenMs);
}

function secondAfter(wallMs: number): number {
  return Math.floor(wallMs / 1000) * 1000 + 1000;
}
