/**
 * What becomes of claims, counted where somebody wants it: of locks and of seats alike, `spillway_lock_…` and `spillway_seat_…`.
 *
 * A name of a lock often holds an id (`payment:42`), so it is a label only as whoever makes the locks says; what is beyond `SERIES_MAX`
 * is counted together, and takes longer. Cost: some 0.3 µs from asking to giving back (`npm run bench -- observe --only patterns`).
 */
import { quietly } from '../kernel/quietly.ts';
import type { Gauge, Histogram } from '../observe/metrics/instruments.ts';
import type { MetricsSink } from '../observe/metrics/metrics.ts';

/** How asking ended. */
export type AskOutcome = 'granted' | 'taken' | 'late' | 'failed' | 'given_up';

/** How a lease ended: `gone` is one that the store did not know any more. */
export type LeaseEnd = 'released' | 'expired' | 'gone';

/** Who is told what becomes of the claims on a key. */
export interface LeaseWitness {
  asked(key: string): void;
  answered(key: string, outcome: AskOutcome, tookMs: number): void;
  granted(key: string, token: bigint): void;
  ended(key: string, end: LeaseEnd, heldMs: number, token: bigint): void;
  /** A quarter of a second has passed; told while anything is asked for or held. */
  look?(): void;
}

/**
 * The same, and what it throws goes no further: whoever is told of a lease is told in the middle of granting or ending it, and the metrics may
 * be a user's own.
 */
export function unfailing(witness: LeaseWitness): LeaseWitness {
  return {
    asked: (key) => quietly(() => witness.asked(key)),
    answered: (key, outcome, tookMs) => quietly(() => witness.answered(key, outcome, tookMs)),
    granted: (key, token) => quietly(() => witness.granted(key, token)),
    ended: (key, end, heldMs, token) => quietly(() => witness.ended(key, end, heldMs, token)),
    look: () => quietly(() => witness.look?.()),
  };
}

export interface LeaseMetricsOptions {
  readonly metrics: MetricsSink;
  /** What its leases are for, which is also the label of their names. */
  readonly thing: 'lock' | 'seat';
  /** Of the store. */
  readonly store: string;
  /** What a key is called. */
  readonly nameOf: (key: string) => string;
}

/** Each series of a histogram takes some 5 KB. */
const SERIES_MAX = 500;
/** From a lock in memory to a leader that stays for a month. */
const RANGE = [1e-5, 2 ** 22] as const;
const WAIT_BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 600];
const HELD_BOUNDS = [0.01, 0.1, 1, 10, 60, 600, 3600, 86_400, 604_800];

/** The series of one name. */
interface Bound {
  readonly waiting: Gauge;
  readonly holding: Gauge;
  readonly acquire: (outcome: AskOutcome) => Histogram;
  readonly held: (end: LeaseEnd) => Histogram;
}

export class LeaseMetrics implements LeaseWitness {
  readonly #nameOf: (key: string) => string;
  readonly #bind: (name: string) => Bound;
  readonly #bound = new Map<string, Bound>();

  constructor(options: LeaseMetricsOptions) {
    this.#nameOf = options.nameOf;
    this.#bind = seriesOf(options);
  }

  asked(key: string): void {
    this.#of(key).waiting.add(1);
  }

  answered(key: string, outcome: AskOutcome, tookMs: number): void {
    const bound = this.#of(key);
    bound.waiting.add(-1);
    bound.acquire(outcome).observe(tookMs / 1000);
  }

  granted(key: string): void {
    this.#of(key).holding.add(1);
  }

  ended(key: string, end: LeaseEnd, heldMs: number): void {
    const bound = this.#of(key);
    bound.holding.add(-1);
    bound.held(end).observe(heldMs / 1000);
  }

  #of(key: string): Bound {
    const name = this.nameOf(key);
    const known = this.#bound.get(name);
    if (known !== undefined) return known;
    const bound = this.#bind(name);
    if (this.#bound.size < SERIES_MAX) this.#bound.set(name, bound);
    return bound;
  }

  /** What becomes of a lock does not depend on what it is called: that code is the user's, and is called while the lock is granted or lost. */
  nameOf(key: string): string {
    try {
      const name: unknown = this.#nameOf(key);
      return typeof name === 'string' ? name : '';
    } catch {
      return '';
    }
  }
}

function seriesOf({ metrics, thing, store }: LeaseMetricsOptions): (name: string) => Bound {
  const labels: readonly string[] = [thing, 'store'];
  const durations = { range: RANGE, seriesMax: SERIES_MAX };
  const acquire = metrics.histogram<string>({
    ...durations,
    name: `spillway_${thing}_acquire_duration_seconds`,
    help: `From asking for a ${thing} to having it, or to not having it: taken, late (granted when little was left of it), failed or given_up.`,
    labels: [...labels, 'outcome'],
    bounds: WAIT_BOUNDS,
  });
  const held = metrics.histogram<string>({
    ...durations,
    name: `spillway_${thing}_held_duration_seconds`,
    help: `How long a ${thing} was held until it was released, or lost: expired (not renewed in time) or gone (unknown to its store).`,
    labels: [...labels, 'end'],
    bounds: HELD_BOUNDS,
  });
  const gauge = { labels, seriesMax: SERIES_MAX };
  const waiting = metrics.gauge<string>({
    ...gauge,
    name: `spillway_${thing}_waiting`,
    help: `Who asks or waits for a ${thing} in this process.`,
  });
  const holding = metrics.gauge<string>({
    ...gauge,
    name: `spillway_${thing}_held`,
    help: `How many of a ${thing} this process holds.`,
  });
  return (name) => {
    const series = { [thing]: name, store };
    return {
      waiting: waiting.bind(series),
      holding: holding.bind(series),
      acquire: kept((outcome) => acquire.bind({ ...series, outcome })),
      held: kept((end) => held.bind({ ...series, end })),
    };
  };
}

/** The same, remembered: of words there are few. */
function kept<Word extends string>(bind: (word: Word) => Histogram): (word: Word) => Histogram {
  const known: { [word in Word]?: Histogram } = {};
  return (word) => (known[word] ??= bind(word));
}
