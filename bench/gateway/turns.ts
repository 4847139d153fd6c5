/**
 * One round of a closed load in which all contenders run and take turns of some tenths of a second: while one's load runs, the others' stands
 * still (SIGSTOP). What a shared machine does to one it then does to all, so a ratio is good to a few per cent where rounds that follow each
 * other differ by a fifth. What remains is by how much one start of a process differs from the next, so each round has fresh ones.
 *
 * Invariant: no two loads run at the same time, also not while they connect and end. Latencies are not told: a load that stands still has
 * answers waiting.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Case } from './cases.ts';
import type { Contender, Started } from './contender.ts';
import { type ClosedLoad, startWrk } from './load/wrk.ts';
import { parseResult } from './load/load.ts';
import { type Bench, readAll, type Reading, type Sample, sampleOf, targetOf } from './measure.ts';
import type { Running } from './processes.ts';

/** Enough to connect and ask once, handshakes included. */
const CONNECT_MS = 500;
/** In which the answers to a load that has just been stopped are written. */
const STILL_MS = 5;

class Entrant {
  readonly started: Started;
  readonly spans: (readonly [Reading, Reading])[] = [];
  ranMs = 0;
  readonly #bench: Bench;
  readonly #wrk: Running;

  constructor(bench: Bench, one: Case, load: ClosedLoad, started: Started, longestS: number) {
    this.started = started;
    this.#bench = bench;
    this.#wrk = startWrk(bench.processes, load, targetOf(bench, one, started), longestS);
  }

  /** Runs until `until` has come. */
  async run(until: () => Promise<unknown>): Promise<void> {
    const pids = this.started.pids();
    const before = readAll(this.#bench, pids);
    this.#wrk.child.kill('SIGCONT');
    await until();
    const ranMs = performance.now() - before.atMs;
    this.#wrk.child.kill('SIGSTOP');
    await sleep(STILL_MS);
    this.ranMs += ranMs;
    this.spans.push([before, readAll(this.#bench, pids)]);
  }

  /** Ends the load, which then says what it did. */
  async end(round: number): Promise<Sample> {
    await this.run(async () => {
      this.#wrk.child.kill('SIGINT');
      await this.#wrk.ended;
    });
    const { requests, errors } = parseResult(this.#wrk.output());
    return sampleOf(round, { requests, errors, durationS: this.ranMs / 1000 }, this.started.pids(), this.spans);
  }
}

/** `bench.durationS` of load for each. */
export async function measureInTurns(
  bench: Bench,
  one: Case & { readonly load: ClosedLoad },
  running: ReadonlyMap<Contender, Started>,
  round: number,
  turnMs: number,
): Promise<Map<Contender, Sample>> {
  const longestS = 2 * running.size * (bench.durationS + 1) + 60;
  const entrants = new Map<Contender, Entrant>();
  for (const [contender, started] of running) {
    const entrant = new Entrant(bench, one, one.load, started, longestS);
    await entrant.run(() => sleep(CONNECT_MS));
    entrants.set(contender, entrant);
  }
  const all = [...entrants.values()];
  for (let turn = 0; turn * turnMs < bench.durationS * 1000; turn++) {
    for (const entrant of turn % 2 === 0 ? all : all.toReversed()) await entrant.run(() => sleep(turnMs));
  }
  const samples = new Map<Contender, Sample>();
  for (const [contender, entrant] of entrants) samples.set(contender, await entrant.end(round));
  return samples;
}
