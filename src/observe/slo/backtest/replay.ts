/**
 * When each alert of an objective would have been on, over what was recorded. Pure. O(steps × alerts).
 *
 * A window holds the steps that end in it, so it is exact where steps divide it, and at most a step too short elsewhere. Of a gap nothing is
 * known and counts nothing: without events in the short window there is no share, and an alert that is on ends.
 */
import { type BurnAlert, firingAlerts } from '../burn-alerts.ts';
import type { Slo } from '../objective.ts';
import { beginningsOf, type RecordedStep, type Recording } from './recording.ts';

export interface Firing {
  readonly fromS: number;
  /** Null: it is on at the end of what was recorded. */
  readonly toS: number | null;
}

export interface AlertHistory {
  readonly alert: BurnAlert;
  readonly firings: readonly Firing[];
}

export function replay(slo: Slo, recording: Recording): readonly AlertHistory[] {
  return firingAlerts(slo).map((alert) => ({
    alert,
    firings: firingsOf(alert, recording.steps, slo.alerts.failuresMin),
  }));
}

function firingsOf(alert: BurnAlert, steps: readonly RecordedStep[], failuresMin: number): readonly Firing[] {
  const [long, short] = [new RollingWindow(steps, alert.longS), new RollingWindow(steps, alert.shortS)];
  const firings: Firing[] = [];
  const beginnings = beginningsOf(steps);
  let fromS: number | null = null;
  for (const [at, { atS }] of steps.entries()) {
    const beforeS = steps[at - 1]?.atS ?? atS;
    const isGap = (beginnings[at] ?? atS) > beforeS && atS > beforeS + alert.shortS;
    if (isGap && fromS !== null) {
      firings.push({ fromS, toS: beforeS + alert.shortS });
      fromS = null;
    }
    long.end(at);
    short.end(at);
    const on = long.share > alert.threshold && short.share > alert.threshold && long.bad >= failuresMin;
    if (on) fromS ??= atS;
    else if (fromS !== null) {
      firings.push({ fromS, toS: atS });
      fromS = null;
    }
  }
  return fromS === null ? firings : [...firings, { fromS, toS: null }];
}

/** Sums over the steps that end within the last `lengthS`. */
class RollingWindow {
  readonly #steps: readonly RecordedStep[];
  readonly #lengthS: number;
  #from = 0;
  #good = 0;
  bad = 0;

  constructor(steps: readonly RecordedStep[], lengthS: number) {
    this.#steps = steps;
    this.#lengthS = lengthS;
  }

  /** Ends with this step, which is the one after the last. */
  end(at: number): void {
    const step = this.#steps[at];
    if (step === undefined) return;
    this.#good += step.good;
    this.bad += step.bad;
    for (let first = this.#steps[this.#from]; first !== undefined; first = this.#steps[this.#from]) {
      if (first.atS > step.atS - this.#lengthS) return;
      this.#good -= first.good;
      this.bad -= first.bad;
      this.#from += 1;
    }
  }

  /** Of failures; 0 without events, so that no alert is on. */
  get share(): number {
    const total = this.#good + this.bad;
    return total > 0 ? this.bad / total : 0;
  }
}
