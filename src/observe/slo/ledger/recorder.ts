/**
 * From what was counted to entries: joins the minutes in which the budget of one objective was spent too fast into bursts, and the
 * rest into days. A pure machine: steps go in, facts come out.
 *
 * Invariants: what comes out, and what is held, adds up to what went in; bursts do not overlap, unless the clock was set back.
 * What is spent little by little is said of a day, bursts in it or not. A burst is worth an entry from `WORTH` of the budget on, so a budget that is spent once makes at most a thousand of them.
 * What is held, and lost if the process is killed: `PART_MS` of a burst, and what is not worth an entry, of a day.
 */
import type { Span, Spent } from './entry.ts';

export interface CountedStep extends Span {
  readonly good: number;
  readonly bad: number;
}

export interface RecorderOptions {
  readonly slo: string;
  /** The share of events that may fail: 0.001 of 99.9 %. */
  readonly errorBudget: number;
}

const MINUTE_MS = 60_000;
/** A second with one failure says nothing. */
const JUDGED_MS = MINUTE_MS;
/** After so long without, the next failures are another burst. */
const QUIET_MS = 5 * MINUTE_MS;
/** Of a burst that lasts, a part is written each so often. */
const PART_MS = 5 * MINUTE_MS;
const DAY_MS = 86_400_000;
/** Of the budget. */
const WORTH = 0.001;

export class SpendRecorder {
  readonly #options: RecorderOptions;
  /** The end of the last step. */
  #untilMs: number | null = null;
  /** What is not judged yet. */
  #minute: CountedStep | null = null;
  #burst: CountedStep | null = null;
  /** What came after the burst without spending too fast: part of it if it goes on. */
  #calm: CountedStep | null = null;
  #rest: CountedStep | null = null;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** `budgetEvents`: how many may fail in the whole window of the objective. */
  step(step: CountedStep, budgetEvents: number): readonly Spent[] {
    if (!(step.toMs > step.fromMs)) return [];
    const beforeMs = this.#untilMs ?? step.fromMs;
    this.#untilMs = step.toMs;
    // A clock that was set, or a process that was away: what was before is one thing, what comes is another.
    const apart = step.fromMs < beforeMs || step.fromMs - beforeMs > QUIET_MS;
    const out: Spent[] = apart ? [...this.end(budgetEvents)] : [];
    this.#minute = joined(this.#minute, step);
    if (lengthMs(this.#minute) >= JUDGED_MS) out.push(...this.#judge(budgetEvents));
    return out;
  }

  /** All that is held. */
  end(budgetEvents: number): readonly Spent[] {
    const out = this.#judge(budgetEvents);
    return [...out, ...this.#endBurst(budgetEvents), ...this.#endRest()];
  }

  #judge(budgetEvents: number): readonly Spent[] {
    const minute = this.#minute;
    if (minute === null) return [];
    this.#minute = null;
    const { good, bad } = minute;
    if (bad > 0 && bad / (good + bad) > this.#options.errorBudget) {
      this.#burst = joined(joined(this.#burst, this.#calm), minute);
      this.#calm = null;
      return this.#writePart(budgetEvents);
    }
    if (this.#burst === null) return this.#addRest(minute);
    this.#calm = joined(this.#calm, minute);
    return lengthMs(this.#calm) >= QUIET_MS ? this.#endBurst(budgetEvents) : [];
  }

  #writePart(budgetEvents: number): readonly Spent[] {
    const burst = this.#burst;
    if (burst === null || lengthMs(burst) < PART_MS || burst.bad < WORTH * budgetEvents) return [];
    this.#burst = null;
    return [this.#spent(burst, true)];
  }

  #endBurst(budgetEvents: number): readonly Spent[] {
    const [burst, calm] = [this.#burst, this.#calm];
    this.#burst = null;
    this.#calm = null;
    const worth = burst !== null && burst.bad >= WORTH * budgetEvents;
    return [
      ...(worth ? [this.#spent(burst, true)] : []),
      ...(worth || burst === null ? [] : this.#addRest(burst)),
      ...(calm === null ? [] : this.#addRest(calm)),
    ];
  }

  #addRest(step: CountedStep): readonly Spent[] {
    this.#rest = joined(this.#rest, step);
    return step.toMs - this.#rest.fromMs >= DAY_MS ? this.#endRest() : [];
  }

  /** Without failures there is nothing to tell. */
  #endRest(): readonly Spent[] {
    const rest = this.#rest;
    this.#rest = null;
    return rest === null || rest.bad === 0 ? [] : [this.#spent(rest, false)];
  }

  #spent({ fromMs, toMs, good, bad }: CountedStep, burst: boolean): Spent {
    return { kind: 'spent', slo: this.#options.slo, fromMs, toMs, good, bad, burst };
  }
}

function joined(before: CountedStep | null, next: CountedStep): CountedStep;
function joined(before: CountedStep | null, next: CountedStep | null): CountedStep | null;
function joined(before: CountedStep | null, next: CountedStep | null): CountedStep | null {
  if (before === null || next === null) return before ?? next;
  const { fromMs, good, bad } = before;
  return { fromMs, toMs: next.toMs, good: good + next.good, bad: bad + next.bad };
}

function lengthMs({ fromMs, toMs }: Span): number {
  return toMs - fromMs;
}
