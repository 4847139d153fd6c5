/** What became of the reloads so far: counts, and the last one in full. */
import type { Clock } from '../../kernel/clock.ts';
import type { ReloadOutcome } from './events.ts';
import type { ReloadState } from './gateway-state.ts';

export class ReloadHistory {
  readonly #clock: Clock;
  #state: ReloadState = { applied: 0, refused: 0, lastAt: null, lastOutcome: null, lastReason: null };
  /** Unix seconds of the config in use. */
  appliedAtS = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get state(): ReloadState {
    return this.#state;
  }

  started(): void {
    this.appliedAtS = this.#clock.wallMs() / 1000;
  }

  /** One that found nothing changed is not counted: it says nothing about the config. */
  record(outcome: ReloadOutcome): void {
    if (outcome.kind === 'unchanged') return;
    const lastAt = new Date(this.#clock.wallMs()).toISOString();
    const { applied, refused } = this.#state;
    if (outcome.kind === 'applied') {
      this.appliedAtS = this.#clock.wallMs() / 1000;
      this.#state = { applied: applied + 1, refused, lastAt, lastOutcome: 'applied', lastReason: null };
    } else {
      this.#state = { applied, refused: refused + 1, lastAt, lastOutcome: 'refused', lastReason: outcome.reason };
    }
  }
}
