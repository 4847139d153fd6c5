/**
 * A config on trial: a share of the connections runs by it for a while, then it is promoted or taken back, by the numbers.
 *
 *     begin ── every second: worse? ── yes ──▶ rolled back
 *                 │ no, and the time is over ──▶ enough requests? ── no ──▶ rolled back
 *                 └───────────────────────────────────── yes ──▶ promoted
 *
 * What is on trial is routes and services: everything that is decided for a request. Listeners, the admin API and the log follow
 * when it is promoted. One trial at a time; whatever else changes the config ends it.
 *
 * Invariant: `settled` resolves exactly once, after the workers have been told.
 */
import type { Clock, Timer } from '../../kernel/clock.ts';
import { cellLanes, sumSlot, type Cell } from '../../kernel/cells.ts';
import { ROUTE_SLOTS, routeSlots } from '../slots.ts';
import { type CanaryCounts, describeCounts, tooFew, worseThan } from './canary-verdict.ts';
import { readDurations } from './read-durations.ts';

/** How often the numbers are looked at. */
const LOOK_MS = 1000;

export interface CanaryCells {
  /** Of connections on the new config. Both have the slots of a route. */
  readonly canary: Cell;
  /** Of the others, in the same time. */
  readonly others: Cell;
}

export interface CanaryVerdict {
  readonly kind: 'promote' | 'roll-back';
  /** What decided it, in words. */
  readonly reason: string;
  readonly canary: string;
  readonly others: string;
}

export interface CanaryOptions {
  readonly clock: Clock;
  readonly cells: CanaryCells;
  readonly watchMs: number;
  readonly onVerdict: (verdict: CanaryVerdict) => void;
}

export class Canary {
  readonly #options: CanaryOptions;
  readonly #untilMs: number;
  readonly #timer: Timer;
  #over = false;

  constructor(options: CanaryOptions) {
    const { clock, watchMs } = options;
    this.#options = options;
    this.#untilMs = clock.nowMs() + watchMs;
    this.#timer = clock.every(Math.min(LOOK_MS, watchMs), () => this.#look());
  }

  /** Until when it is watched, on the clock. */
  get untilMs(): number {
    return this.#untilMs;
  }

  /** What is known now: of the new config, and of the other connections. */
  describe(): { readonly canary: string; readonly others: string } {
    const { canary, others } = this.#options.cells;
    return { canary: describeCounts(readCounts(canary)), others: describeCounts(readCounts(others)) };
  }

  /** Ends it without a look; no verdict is told. */
  end(): void {
    this.#over = true;
    this.#timer.clear();
  }

  #look(): void {
    const { clock, cells } = this.#options;
    const canary = readCounts(cells.canary);
    const worse = worseThan(readCounts(cells.others), canary);
    if (worse !== null) this.#decide('roll-back', worse);
    else if (clock.nowMs() >= this.#untilMs) {
      const few = tooFew(canary);
      if (few === null) this.#decide('promote', 'no worse than the config in force');
      else this.#decide('roll-back', few);
    }
  }

  #decide(kind: CanaryVerdict['kind'], reason: string): void {
    if (this.#over) return;
    this.end();
    this.#options.onVerdict({ kind, reason, ...this.describe() });
  }
}

function readCounts(cell: Cell): CanaryCounts {
  const lanes = cellLanes(cell, ROUTE_SLOTS);
  const sum = (slot: number): number => sumSlot(lanes, slot);
  const { responses1xx, responses2xx, responses3xx, responses4xx, responses5xx, broken } = routeSlots;
  const errors = sum(responses5xx) + sum(broken);
  const good = [responses1xx, responses2xx, responses3xx, responses4xx].reduce((all, slot) => all + sum(slot), 0);
  const answered = good + errors;
  // Workers count on meanwhile: what they began may be seen later than what they ended.
  const unanswered = Math.max(0, sum(routeSlots.requests) - answered);
  return { requests: answered, errors, unanswered, durations: readDurations([cell], ROUTE_SLOTS, routeSlots) };
}
