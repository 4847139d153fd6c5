/**
 * Takes a sample of the live numbers once a second and keeps what happened in it as series: rates, durations and how full things are, by the names
 * that `/metrics` has (probes.ts).
 *
 * A round is taken in turns of the event loop of `TURN_MS` each, all with the time at which it began: ten thousand endpoints never hold up
 * a health check or an answer of the admin API. A round that is not through when the next is due goes on, and that next one is left out. What is
 * kept is what a cell grew by since it was last looked at, so what a second missed is in the one after it.
 * Cost: `npm run bench -- observe --only series`.
 */
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Series } from '../../observe/series/series.ts';
import type { Snapshot } from '../snapshot.ts';
import { noProbes, ProbeMaker, type Probes, type RouteProbe } from './probes.ts';

const ROUND_MS = 1000;
/** Of a budget of 5 ms that nothing in this thread may exceed; a probe is some microseconds. */
const TURN_MS = 2;
const PROBES_A_LOOK = 16;

export interface SamplerOptions {
  readonly clock: Clock;
  readonly series: Series;
  /** What is in force; null: nothing is. */
  readonly snapshot: () => Snapshot | null;
  /** A round is through: what each route grew by is in its probe. */
  readonly onRound: (routes: readonly RouteProbe[]) => void;
}

export class Sampler {
  readonly #options: SamplerOptions;
  readonly #maker: ProbeMaker;
  #snapshot: Snapshot | null = null;
  #probes: Probes = noProbes;
  #timer: Timer | null = null;
  /** The next of a round, if one is under way. */
  #turn: { readonly timer: Timer; readonly take: (turnMs: number) => void } | null = null;

  constructor(options: SamplerOptions) {
    this.#options = options;
    this.#maker = new ProbeMaker(options.series);
  }

  start(): void {
    this.#timer ??= this.#options.clock.every(ROUND_MS, () => this.#round(TURN_MS));
  }

  /** Ends the round under way and takes a last one, in one go: nothing waits for this thread any more. */
  stop(): void {
    if (this.#timer === null) return;
    this.#timer.clear();
    this.#timer = null;
    this.#turn?.timer.clear();
    this.#turn?.take(Number.POSITIVE_INFINITY);
    this.#round(Number.POSITIVE_INFINITY);
  }

  #round(turnMs: number): void {
    if (this.#turn !== null) return;
    const { clock, series, snapshot: read } = this.#options;
    const snapshot = read();
    if (snapshot === null) return;
    const nowMs = clock.nowMs();
    if (snapshot !== this.#snapshot || nowMs >= this.#probes.untilMs) this.#probes = this.#maker.make(snapshot, nowMs);
    this.#snapshot = snapshot;
    const atMs = clock.wallMs();
    series.round(atMs);
    this.#take(0, atMs, turnMs);
  }

  #take(from: number, atMs: number, turnMs: number): void {
    const { clock, onRound } = this.#options;
    const { all, routes } = this.#probes;
    const endMs = clock.nowMs() + turnMs;
    for (let at = from; at < all.length; at++) {
      all[at]!.sample(atMs);
      if (at % PROBES_A_LOOK !== 0 || clock.nowMs() < endMs) continue;
      const take = (ms: number): void => {
        this.#turn = null;
        this.#take(at + 1, atMs, ms);
      };
      this.#turn = { timer: clock.after(0, () => take(turnMs)), take };
      return;
    }
    onRound(routes);
  }
}
