/**
 * What has been added and is not on disk yet, at one resolution. Bounded: with more than `stepsMax` steps waiting, the oldest of a series is let go of.
 * What is taken is taken at one moment, and gone through as whoever has it likes: it may be sixty steps of thousands of series.
 */
import { STEP, type Steps } from '../../kernel/steps.ts';
import type { Added, Taken } from './block.ts';
import type { Entry, Sample } from './entry.ts';
import { type AnyStep, kindOf, type StepKind } from './kinds.ts';

const STEPS_MAX = 60;

export class Pending {
  readonly #stepMs: number;
  readonly #stepsMax: number;
  #steps = new Map<Entry, Map<number, AnyStep>>();
  /** Steps that were let go of, because the disk did not take them in time. */
  lost = 0;

  constructor(stepMs: number, stepsMax = STEPS_MAX) {
    this.#stepMs = stepMs;
    this.#stepsMax = stepsMax;
  }

  get isEmpty(): boolean {
    return this.#steps.size === 0;
  }

  add(entry: Entry, { atMs, step: value }: Sample): void {
    this.#merge(entry, Math.floor(atMs / this.#stepMs), (kind, before) =>
      before === undefined ? kind.copy(value) : kind.add(before, value),
    );
  }

  /** All of it; it is empty then. */
  take(): Taken {
    const taken = new TakenSteps(this.#steps);
    this.#steps = new Map();
    return taken;
  }

  /** What was taken could not be written; what came since is newer. */
  *putBack(taken: Taken): Steps<void> {
    let done = 0;
    for (const { entry, step, value } of taken) {
      if (++done % STEP === 0) yield;
      this.#merge(entry, step, (kind, since) =>
        since === undefined ? kind.copy(value) : kind.add(kind.copy(value), since),
      );
    }
  }

  #merge(entry: Entry, step: number, merge: (kind: StepKind<AnyStep>, there: AnyStep | undefined) => AnyStep): void {
    let steps = this.#steps.get(entry);
    if (steps === undefined) this.#steps.set(entry, (steps = new Map()));
    steps.set(step, merge(kindOf(entry.kind), steps.get(step)));
    if (steps.size <= this.#stepsMax) return;
    steps.delete(Math.min(...steps.keys()));
    this.lost++;
  }
}

class TakenSteps implements Taken {
  readonly size: number;
  readonly #steps: ReadonlyMap<Entry, ReadonlyMap<number, AnyStep>>;

  constructor(steps: ReadonlyMap<Entry, ReadonlyMap<number, AnyStep>>) {
    this.#steps = steps;
    let size = 0;
    for (const one of steps.values()) size += one.size;
    this.size = size;
  }

  *[Symbol.iterator](): Generator<Added> {
    for (const [entry, steps] of this.#steps) {
      for (const [step, value] of steps) yield { entry, step, value };
    }
  }
}
