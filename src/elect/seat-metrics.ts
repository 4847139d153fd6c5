/**
 * What becomes of seats, counted where somebody wants it: as of every lease (lease-metrics.ts), and who leads in which term since when, so
 * that all processes together show each leader. Of a seat that this process does not lead, the term is 0.
 *
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

export class SeatMetrics implements LeaseWitness {
  readonly #leases: LeaseMetrics;
  readonly #clock: Clock;
  readonly #holder: string;
  readonly #term: Seats;
  readonly #since: Seats;

  constructor(metrics: MetricsSink, store: LeaseStore, holder: string) {
    this.#leases = new LeaseMetrics({ metrics, thing: 'seat', store: store.name, nameOf: (seat) => seat });
    this.#clock = store.clock;
    this.#holder = holder;
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
    this.#leases.granted(seat);
    this.#term.bind(this.#labels(seat)).set(Number(term));
    this.#since.bind(this.#labels(seat)).set(this.#clock.wallMs() / 1000);
  }

  ended(seat: string, end: LeaseEnd, heldMs: number): void {
    this.#leases.ended(seat, end, heldMs);
    this.#term.bind(this.#labels(seat)).set(0);
    this.#since.bind(this.#labels(seat)).set(0);
  }

  #labels(seat: string): { readonly seat: string; readonly holder: string } {
    return { seat, holder: this.#holder };
  }
}
