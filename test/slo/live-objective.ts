/** Objectives in simulated time, second by second, for tests of what evaluates them. */
import assert from 'node:assert/strict';
import { SimulatedClock } from '../../src/kernel/simulated-clock.ts';
import { createSeries } from '../../src/observe/series/series.ts';
import { createSloEvaluator, type SloEvaluatorOptions } from '../../src/observe/slo/live/evaluator.ts';
import type { AlertStatus, SloStatus } from '../../src/observe/slo/live/status.ts';
import { resolveSlos } from '../../src/observe/slo/load.ts';
import type { Slo } from '../../src/observe/slo/objective.ts';
import type { SloInput } from '../../src/observe/slo/slo-schema.ts';

export type Input = SloInput['slos'][number];

/** Objectives of `shop`; the first is `shop-up`, of 99.9 %, where `inputs` say nothing else. */
export function slosOf(...inputs: Partial<Input>[]): readonly Slo[] {
  const slos = inputs.map((input): Input => ({ name: 'up', objective: '99.9%', sli: { availability: {} }, ...input }));
  const { slos: file, mistakes } = resolveSlos({ service: 'shop', slos });
  assert.deepEqual(mistakes, []);
  return file!.slos;
}

/** One objective, whose seconds a test decides. */
export class Live {
  readonly clock = new SimulatedClock();
  readonly series = createSeries({ clock: this.clock });
  readonly slos: readonly Slo[];
  readonly evaluator: ReturnType<typeof createSloEvaluator>;

  constructor(input: Partial<Input> = {}, options: Partial<SloEvaluatorOptions> = {}) {
    const { clock, series } = this;
    this.slos = slosOf(input);
    this.evaluator = createSloEvaluator({ slos: this.slos, series, clock, ...options });
  }

  /** So many seconds, with so many events in each; returns how it stands then. */
  run(seconds: number, total: number, bad: number): SloStatus {
    for (let second = 0; second < seconds; second++) this.second(total, bad);
    return this.evaluator.evaluate()[0]!;
  }

  second(total: number, bad: number): void {
    this.clock.pass(1000);
    this.series.round(this.clock.wallMs());
    this.evaluator.count('shop-up', { bad, total });
  }

  /** Seconds until the most urgent alert is in this state, evaluated each second. */
  until(state: AlertStatus['state'], total: number, bad: number, most = 20_000): number {
    return this.untilAny(({ alerts }) => alerts[0]?.state === state, { total, bad, most });
  }

  /** Seconds until it is so, evaluated each second. */
  untilAny(
    isSo: (status: SloStatus) => boolean,
    { total, bad, most = 20_000 }: { total: number; bad: number; most?: number },
  ): number {
    for (let seconds = 1; seconds <= most; seconds++) {
      this.second(total, bad);
      if (isSo(this.evaluator.evaluate()[0]!)) return seconds;
    }
    return Number.POSITIVE_INFINITY;
  }
}
