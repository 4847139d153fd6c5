/**
 * What becomes of seats, counted where somebody wants it: as of every lease (lease-metrics.ts), and who leads in which term since when, so
 * that all processes together show each leader. Of a seat that this process does not lead, the term is 0.
 *
 * Invariant: of a seat and holder one thing is said, the greatest term that is held, by whichever of a process's elections: they may count in one
 * place, and one of them may hear that its term is over when another leads already.
 * Series: of terms two a seat and process. A term is a fencing token and so up to 2⁶³; a gauge shows it exactly up to 2⁵³, which
 * tokens of microseconds reach in the year 2255.
 */
import type { Clock } from '../kernel/clock.ts';
import { type AskOutcome, type LeaseEnd, LeaseMetrics, type LeaseWitness } from '../lease/lease-metrics.ts';
import type { LeaseStore } from '../lease/store.ts';
import type { Gauge } from '../observe/metrics/instruments.ts';
import type { Family, MetricsSink } from '../observe/metrics/metrics.ts';

type Seats = Family<Gauge, number, 'seat' | 'holder'>;

/** As many seats as one process can lead before somebody should ask why. */
const SEATS_MAX = 500;

interface HeldTerm {
  readonly term: number;
  readonly sinceS: number;
}

/** By where it is counted, and the seat and holder: the terms that are held, by whom. */
const heldIn = new WeakMap<MetricsSink, Map<string, Map<SeatMetrics, HeldTerm>>>();

const NO_TERM: HeldTerm = { term: 0, sinceS: 0 };

export class SeatMetrics implements LeaseWitness {
  readonly #leases: LeaseMetrics;
  readonly #clock: Clock;
  readonly #holder: string;
  readonly #term: Seats;
  readonly #since: Seats;
  readonly #held: Map<string, Map<SeatMetrics, HeldTerm>>;

  constructor(metrics: MetricsSink, store: LeaseStore, holder: string) {
    this.#leases = new LeaseMetrics({ metrics, thing: 'seat', store: store.name, nameOf: (seat) => seat });
    this.#clock = store.clock;
    this.#holder = holder;
    this.#held = heldIn.get(metrics) ?? new Map<string, Map<SeatMetrics, HeldTerm>>();
    heldIn.set(metrics, this.#held);
    const labels = ['seat', 'holder'] as const;
    this.#term = metrics.gauge({
      name: 'spillway_seat_term',
      help: 'The term in which this process leads; 0 while it does not.',
      labels,
      seriesMax: SEATS_MAX,
    });
    this.#since = metrics.gauge({
      name: 'spillway_seat_since_timestamp_seconds',
      help: 'Since when this process leads; 0 while it does not.',
      labels,
      seriesMax: SEATS_MAX,
    });
  }

  asked(seat: string): void {
    this.#leases.asked(seat);
    // A gauge that is bound is shown: who campaigns is seen not to lead.
    this.#term.bind(this.#labels(seat)).add(0);
  }

  answered(seat: string, outcome: AskOutcome, tookMs: number): void {
    this.#leases.answered(seat, outcome, tookMs);
  }

  granted(seat: string, term: bigint): void {
    this.#hold(seat, { term: Number(term), sinceS: this.#clock.wallMs() / 1000 });
    this.#leases.granted(seat);
  }

  ended(seat: string, end: LeaseEnd, heldMs: number): void {
    // First, for a user's own metrics may fail: who leads is not to be wrong because of how long it was.
    this.#hold(seat, null);
    this.#leases.ended(seat, end, heldMs);
  }

  /** In one of these elections a seat is held once. */
  #hold(seat: string, own: HeldTerm | null): void {
    const key = JSON.stringify([seat, this.#holder]);
    const held = this.#held.get(key) ?? new Map<SeatMetrics, HeldTerm>();
    if (own === null) held.delete(this);
    else held.set(this, own);
    if (held.size === 0) this.#held.delete(key);
    else this.#held.set(key, held);
    const shown = [...held.values()].reduce((one, other) => (other.term > one.term ? other : one), NO_TERM);
    this.#term.bind(this.#labels(seat)).set(shown.term);
    this.#since.bind(this.#labels(seat)).set(shown.sinceS);
  }

  #labels(seat: string): { readonly seat: string; readonly holder: string } {
    return { seat, holder: this.#holder };
  }
}
