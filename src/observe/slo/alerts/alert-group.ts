/**
 * Which of the alerts of one objective is told, and when: one message for all of them, again when it becomes worse, again after
 * a while if it lasts, and once when it is over. A pure machine: what is on goes in, what is to be told comes out.
 *
 * Invariants: what is over was told before, and is told once; nothing is told of what lasts less than `GROUP_WAIT_MS`; while
 * something stays on there is at most one message in `REPEAT_MS`, unless it becomes worse; what comes and goes makes at
 * most two messages in `FLAP_MS`.
 */
import type { AlertStatus } from '../live/status.ts';

/** Alerts of one cause come together: the worst of them is told. */
const GROUP_WAIT_MS = 10_000;
/** After the end of one it is not over again at once. */
const FLAP_MS = 5 * 60_000;
const REPEAT_MS = { page: 3_600_000, ticket: 86_400_000 } as const;

export type GroupMessage = { readonly state: 'firing' | 'resolved'; readonly alert: AlertStatus } | null;

/** What was told and is not over. */
export interface Told {
  readonly alert: AlertStatus;
  /** Of those that were told, so that whoever was told of it is told that it is over. */
  readonly worst: AlertStatus;
  readonly atMs: number;
}

export class AlertGroup {
  /** Monotonic time at which something began to be on. */
  #onMs: number | null = null;
  #told: Told | null = null;
  #overMs = Number.NEGATIVE_INFINITY;

  /** `told`: by one before this, which it goes on from; its time is monotonic. */
  constructor(told: Told | null = null) {
    this.#told = told;
  }

  get told(): Told | null {
    return this.#told;
  }

  /** `alerts`: of the objective, the most urgent first. */
  step(nowMs: number, alerts: readonly AlertStatus[]): GroupMessage {
    const worst = alerts.find(({ state }) => state === 'firing');
    if (worst === undefined) return this.#over(nowMs);
    this.#onMs ??= nowMs;
    if (!this.#isDue(nowMs, worst)) return null;
    const before = this.#told?.worst ?? worst;
    this.#told = { alert: worst, worst: worst.burn > before.burn ? worst : before, atMs: nowMs };
    return { state: 'firing', alert: worst };
  }

  #isDue(nowMs: number, worst: AlertStatus): boolean {
    const told = this.#told;
    if (told === null) return nowMs - (this.#onMs ?? nowMs) >= GROUP_WAIT_MS && nowMs - this.#overMs >= FLAP_MS;
    return worst.burn > told.alert.burn || nowMs - told.atMs >= REPEAT_MS[worst.severity];
  }

  #over(nowMs: number): GroupMessage {
    const told = this.#told;
    this.#onMs = null;
    this.#told = null;
    if (told === null) return null;
    this.#overMs = nowMs;
    return { state: 'resolved', alert: told.worst };
  }
}
