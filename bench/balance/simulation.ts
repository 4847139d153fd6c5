/**
 * One algorithm on one scenario, on simulated time: discrete events, no clock, no I/O, the same result each time.
 *
 * A server works on as many requests as it has slots, in order of arrival; the others wait in its line, and leave it unanswered
 * after `PATIENCE_MS`. One that is down refuses at once, and what it was working on is lost. Nothing is tried again, so that
 * what an algorithm chose is seen as it is. Each worker of the gateway has a balancer of its own, and they share their loads.
 *
 * Cost: some 2 µs a request.
 */
import {
  type Balancer,
  type BalancerName,
  createBalancer,
  createLoadTable,
  createPickContext,
  Loads,
} from '../../src/balance/index.ts';
import { WinnerTree } from '../../src/balance/winner-tree.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { Scenario } from './scenario.ts';

const PATIENCE_MS = 10_000;
const SAMPLE_MS = 50;
const IDLE = Number.POSITIVE_INFINITY;

export interface Outcome {
  /** Answer times of the requests that were answered, ascending. */
  readonly answeredMs: Float64Array;
  readonly failed: number;
  /** How much more than the mean the fullest server has in flight for its weight, as a factor; the mean over time. */
  readonly imbalance: number;
}

export function simulate(name: BalancerName, scenario: Scenario): Outcome {
  const run = new Run(name, scenario);
  for (let request = 0; request < scenario.arrivalsMs.length; request++) run.arrive(request);
  return run.end();
}

class Run {
  readonly #scenario: Scenario;
  readonly #loads: readonly Loads[];
  readonly #balancers: readonly Balancer[];
  readonly #context;
  /** By request: the server it went to. */
  readonly #places: Uint8Array;
  /** By slot: when it is free, what it works on. The slots of a server follow one another. */
  readonly #free: WinnerTree;
  readonly #busyWith: Int32Array;
  readonly #serverOf: Uint8Array;
  readonly #firstSlots: readonly number[];
  readonly #lines: readonly number[][];
  readonly #inFlight: Int32Array;
  readonly #answeredMs: number[] = [];
  #failed = 0;
  #sampleMs = 0;
  #samples = 0;
  #imbalances = 0;

  constructor(name: BalancerName, scenario: Scenario) {
    const { servers, workerCount, arrivalsMs, seed } = scenario;
    this.#scenario = scenario;
    const workers = Array.from({ length: workerCount }, (_, worker) => worker);
    const table = createLoadTable(servers.length, workerCount);
    this.#loads = workers.map((worker) => new Loads(table, worker));
    const weights = servers.map(({ weight }) => weight);
    const names = servers.map((server) => server.name);
    this.#balancers = workers.map((worker) =>
      createBalancer(name, {
        weights,
        names,
        loads: this.#loads[worker]!,
        start: worker,
        random: seededRandom(seed + 1 + worker),
      }),
    );
    this.#context = createPickContext(servers.length);
    this.#places = new Uint8Array(arrivalsMs.length);
    const slots = servers.flatMap((server, index) => new Array<number>(server.slots).fill(index));
    this.#serverOf = Uint8Array.from(slots);
    this.#firstSlots = servers.map((_, index) => slots.indexOf(index));
    this.#free = new WinnerTree(new Float64Array(slots.length).fill(IDLE));
    this.#busyWith = new Int32Array(slots.length);
    this.#lines = servers.map(() => []);
    this.#inFlight = new Int32Array(servers.length);
  }

  arrive(request: number): void {
    const { servers, arrivalsMs, keyHashes, workers } = this.#scenario;
    const nowMs = arrivalsMs[request]!;
    this.#workUntil(nowMs);
    const context = this.#context;
    for (const [index, server] of servers.entries()) context.eligible[index] = server.seemsUp(nowMs) ? 1 : 0;
    context.nowMs = nowMs;
    context.keyHash = keyHashes[request]!;
    const worker = workers[request]!;
    const index = this.#balancers[worker]!.pick(context);
    this.#places[request] = index;
    this.#inFlight[index]! += 1;
    this.#loads[worker]!.started(index, nowMs);
    const server = servers[index]!;
    const first = this.#firstSlots[index]!;
    let slot = first;
    while (slot < first + server.slots && this.#free.key(slot) !== IDLE) slot++;
    if (server.downMs(nowMs) <= nowMs) this.#done(request, nowMs, false);
    else if (slot < first + server.slots) this.#begin(slot, request, nowMs);
    else this.#lines[index]!.push(request);
  }

  end(): Outcome {
    this.#workUntil(Number.MAX_VALUE);
    return {
      answeredMs: Float64Array.from(this.#answeredMs).toSorted(),
      failed: this.#failed,
      imbalance: this.#imbalances / this.#samples,
    };
  }

  #workUntil(untilMs: number): void {
    const free = this.#free;
    for (let slot = free.first(); slot >= 0 && free.key(slot) <= untilMs; slot = free.first()) {
      const nowMs = free.key(slot);
      this.#sampleUntil(nowMs);
      free.set(slot, IDLE);
      const server = this.#scenario.servers[this.#serverOf[slot]!]!;
      this.#done(this.#busyWith[slot]!, nowMs, server.downMs(nowMs) > nowMs);
      this.#nextInLine(slot, nowMs);
    }
    if (untilMs < Number.MAX_VALUE) this.#sampleUntil(untilMs);
  }

  #nextInLine(slot: number, nowMs: number): void {
    const index = this.#serverOf[slot]!;
    const { arrivalsMs, servers } = this.#scenario;
    const line = this.#lines[index]!;
    while (line.length > 0) {
      const request = line.shift()!;
      const isUp = servers[index]!.downMs(nowMs) > nowMs;
      if (isUp && nowMs - arrivalsMs[request]! <= PATIENCE_MS) return this.#begin(slot, request, nowMs);
      this.#done(request, nowMs, false);
    }
  }

  #begin(slot: number, request: number, nowMs: number): void {
    const server = this.#scenario.servers[this.#serverOf[slot]!]!;
    const endMs = nowMs + this.#scenario.workMs[request]! / server.speed(nowMs);
    this.#busyWith[slot] = request;
    this.#free.set(slot, Math.min(endMs, server.downMs(nowMs)));
  }

  #done(request: number, nowMs: number, ok: boolean): void {
    const index = this.#places[request]!;
    const tookMs = nowMs - this.#scenario.arrivalsMs[request]!;
    const loads = this.#loads[this.#scenario.workers[request]!]!;
    loads.answered(index, tookMs, nowMs, ok);
    loads.finished(index);
    this.#inFlight[index]! -= 1;
    if (ok) this.#answeredMs.push(tookMs);
    else this.#failed += 1;
  }

  #sampleUntil(untilMs: number): void {
    for (; this.#sampleMs < untilMs; this.#sampleMs += SAMPLE_MS) {
      let [weight, work, most] = [0, 0, 0];
      for (const [index, server] of this.#scenario.servers.entries()) {
        if (!server.seemsUp(this.#sampleMs)) continue;
        weight += server.weight;
        work += this.#inFlight[index]!;
        most = Math.max(most, this.#inFlight[index]! / server.weight);
      }
      if (work === 0) continue;
      this.#imbalances += most / (work / weight);
      this.#samples += 1;
    }
  }
}
