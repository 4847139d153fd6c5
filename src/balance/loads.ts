/**
 * What endpoints are doing now, counted by all threads that balance over them: requests in flight, requests that wait for
 * their answer to begin, how long that takes, how many fail. (A stream that has begun is in flight, but waits for nothing.)
 *
 * One shared table of slots, flat by number so that a scan reads memory in order; a slot is an endpoint. `Loads` is the view
 * of one thread on the endpoints of one service: a list of slots, so an endpoint keeps its numbers across a reload that
 * moves it, and services that name the same endpoint may share them.
 *
 * Invariants:
 *   - the counts are exact: a total is changed by atomic instructions, and each thread also keeps its own part in a lane that
 *     only it writes, so that what a dead thread left open can be taken off again (`clearLane`). The two are changed in one
 *     breath, without a call or a loop at which a thread can be ended;
 *   - latency and failures are written without a lock, on purpose: two threads that finish at the same moment may lose one
 *     sample of the two, which is only a lost sample of an average. An aligned float64 does not tear.
 *
 * The estimate is peak EWMA, as in Twitter's Finagle: a slower answer counts at once, faster ones pull it down with time.
 * Work that is not answered weighs too: while something waits, an answer takes at least as long as nothing has come
 * back, so a server that hangs is seen before its first timeout. An endpoint is forgotten with time only while nothing
 * waits there: what waits is the probe.
 *
 * Cost: 32 B a slot and 8 B a slot and lane; no allocation (`npm run bench -- pick`).
 */

/** Finagle's and Linkerd's own: long enough to average over, short enough that a server is asked again within a minute. */
const DECAY_MS = 10_000;
/**
 * What a server that always fails is taken to need, times the square of its share of failures: longer than a busy server that
 * works, so that it gets nothing, and next to nothing for one failure among many (`npm run bench -- balance`).
 */
const FAILURE_MS = 10_000;
/** A first answer is outstanding: taken to be slow, so that one request explores an unknown server and not a burst. */
const UNKNOWN_MS = 1000;
/** The share of a sample in the failure average: a server that begins to fail is out of favour within a few requests. */
const FAILURE_GAIN = 1 / 8;
const LINE_BYTES = 64;

/** Plain and shareable: send it to a worker as it is. */
export interface LoadTable {
  readonly buffer: SharedArrayBuffer;
  readonly slots: number;
  readonly lanes: number;
}

interface Columns {
  readonly latencyMs: Float64Array;
  /** Share of failures, 0 to 1. */
  readonly failures: Float64Array;
  /** When the last answer came, or, if later, when something began to wait where nothing did. */
  readonly newsMs: Float64Array;
  readonly inFlight: Int32Array;
  readonly waiting: Int32Array;
}

function lines(bytes: number): number {
  return Math.ceil(bytes / LINE_BYTES) * LINE_BYTES;
}

function columnsOf({ buffer, slots }: LoadTable): Columns {
  const [wide, narrow] = [lines(slots * 8), lines(slots * 4)];
  return {
    latencyMs: new Float64Array(buffer, 0, slots),
    failures: new Float64Array(buffer, wide, slots),
    newsMs: new Float64Array(buffer, 2 * wide, slots),
    inFlight: new Int32Array(buffer, 3 * wide, slots),
    waiting: new Int32Array(buffer, 3 * wide + narrow, slots),
  };
}

/** A thread's part of the counts: in flight at 2 × slot, waiting at 2 × slot + 1. */
function laneOf({ buffer, slots, lanes }: LoadTable, lane: number): Int32Array {
  if (lane < 0 || lane >= lanes) throw new RangeError(`Lane ${lane} of a table that has ${lanes}.`);
  const totals = 3 * lines(slots * 8) + 2 * lines(slots * 4);
  return new Int32Array(buffer, totals + lane * lines(slots * 8), slots * 2);
}

/** A zeroed table of `slots` endpoints for `lanes` threads. */
export function createLoadTable(slots: number, lanes: number): LoadTable {
  const bytes = (3 + lanes) * lines(slots * 8) + 2 * lines(slots * 4);
  return { buffer: new SharedArrayBuffer(bytes), slots, lanes };
}

/** Takes off what a thread that is gone had open. Call it when the thread has ended, before another has its lane. */
export function clearLane(table: LoadTable, lane: number): void {
  const { inFlight, waiting } = columnsOf(table);
  const part = laneOf(table, lane);
  for (let slot = 0; slot < table.slots; slot++) {
    Atomics.sub(inFlight, slot, part[2 * slot]!);
    Atomics.sub(waiting, slot, part[2 * slot + 1]!);
  }
  part.fill(0);
}

/** Forgets how fast a slot answered: another endpoint gets it. Wait until nothing is in flight there: that still ends. */
export function clearSlot(table: LoadTable, slot: number): void {
  const { latencyMs, failures, newsMs } = columnsOf(table);
  latencyMs[slot] = 0;
  failures[slot] = 0;
  newsMs[slot] = 0;
}

/** What is left of an estimate after `idleMs`: about e^(-t / DECAY_MS) in three multiplications, 0 after 8 DECAY_MS. */
function remains(idleMs: number): number {
  // Threads read the clock at different moments: news may seem to come from the future.
  const rest = 1 - Math.max(0, idleMs) / (8 * DECAY_MS);
  if (rest <= 0) return 0;
  const square = rest * rest;
  const fourth = square * square;
  return fourth * fourth;
}

function allOf({ slots }: LoadTable): number[] {
  return Array.from({ length: slots }, (_, slot) => slot);
}

/** The part of a `PickContext` that is needed to compare endpoints. */
interface Asked {
  readonly eligible: Uint8Array;
  readonly nowMs: number;
}

export class Loads {
  readonly #slots: Int32Array;
  readonly #lane: Int32Array;
  readonly #inFlight: Int32Array;
  /** What is in flight by index: the table itself where the slots follow each other, else room for a copy. */
  readonly #row: Int32Array;
  readonly #scattered: boolean;
  readonly #waiting: Int32Array;
  readonly #latencyMs: Float64Array;
  readonly #failures: Float64Array;
  readonly #newsMs: Float64Array;
  /** Of the last `quickest`: Infinity if there was nobody, 0 if nothing is known of the one there was, or all is forgotten. */
  quickestMs = Number.POSITIVE_INFINITY;

  /** The view of thread `lane` on a service whose endpoints have these slots, in order; on all slots if none are given. */
  constructor(table: LoadTable, lane: number, slots: readonly number[] = allOf(table)) {
    const wrong = slots.find((slot) => !Number.isInteger(slot) || slot < 0 || slot >= table.slots);
    if (wrong !== undefined) throw new RangeError(`Slot ${wrong} of a table that has ${table.slots}.`);
    const columns = columnsOf(table);
    this.#slots = Int32Array.from(slots);
    this.#lane = laneOf(table, lane);
    this.#inFlight = columns.inFlight;
    const first = slots[0] ?? 0;
    this.#scattered = slots.some((slot, index) => slot !== first + index);
    this.#row = this.#scattered ? new Int32Array(slots.length) : columns.inFlight.subarray(first, first + slots.length);
    this.#waiting = columns.waiting;
    this.#latencyMs = columns.latencyMs;
    this.#failures = columns.failures;
    this.#newsMs = columns.newsMs;
  }

  get length(): number {
    return this.#slots.length;
  }

  /** An endpoint has been given work. What follows is one `answered` or `abandoned`, then one `finished`. */
  started(index: number, nowMs: number): void {
    const slot = this.#slots[index]!;
    Atomics.add(this.#inFlight, slot, 1);
    this.#lane[2 * slot]! += 1;
    const before = Atomics.add(this.#waiting, slot, 1);
    this.#lane[2 * slot + 1]! += 1;
    if (before > 0) return;
    const rest = remains(nowMs - this.#newsMs[slot]!);
    this.#latencyMs[slot]! *= rest;
    this.#failures[slot]! *= rest;
    this.#newsMs[slot] = nowMs;
  }

  /** The answer began `latencyMs` after the start. `ok` is false if the endpoint failed: then its quickness is no merit. */
  answered(index: number, latencyMs: number, nowMs: number, ok: boolean): void {
    const slot = this.#slots[index]!;
    const average = this.#latencyMs[slot]!;
    if (latencyMs >= average) this.#latencyMs[slot] = latencyMs;
    else if (ok) this.#latencyMs[slot] = latencyMs + (average - latencyMs) * remains(nowMs - this.#newsMs[slot]!);
    this.#failures[slot]! += ((ok ? 0 : 1) - this.#failures[slot]!) * FAILURE_GAIN;
    this.#newsMs[slot] = nowMs;
    this.abandoned(index);
  }

  /** Nobody waits for the answer any more, and that says nothing of the endpoint: the client left, say. */
  abandoned(index: number): void {
    const slot = this.#slots[index]!;
    Atomics.sub(this.#waiting, slot, 1);
    this.#lane[2 * slot + 1]! -= 1;
  }

  /** The work is over. */
  finished(index: number): void {
    const slot = this.#slots[index]!;
    Atomics.sub(this.#inFlight, slot, 1);
    this.#lane[2 * slot]! -= 1;
  }

  /** Requests in flight at an endpoint, by all threads. */
  inFlight(index: number): number {
    return this.#inFlight[this.#slots[index]!]!;
  }

  /** The same for a scan, by index, right from `from` up to `to` and until the next call: nothing to look up for each. */
  row(from: number, to: number): Int32Array {
    if (this.#scattered) {
      for (let index = from; index < to; index++) this.#row[index] = this.#inFlight[this.#slots[index]!]!;
    }
    return this.#row;
  }

  /**
   * Who would answer one more piece of work soonest: of the eligible from `from` up to `to` the index of the least expected
   * time × (in flight + 1) × factor, the first of equals; -1 if nobody is eligible. How much that is, is in `quickestMs`.
   */
  quickest({ eligible, nowMs }: Asked, factors: Float64Array, from: number, to: number): number {
    const slots = this.#slots;
    const latencyMs = this.#latencyMs;
    const failures = this.#failures;
    const newsMs = this.#newsMs;
    const inFlight = this.#inFlight;
    const waiting = this.#waiting;
    let best = -1;
    let bestMs = Number.POSITIVE_INFINITY;
    for (let index = from; index < to; index++) {
      const slot = slots[index]!;
      const known = latencyMs[slot]! + failures[slot]! * failures[slot]! * FAILURE_MS;
      const sinceMs = nowMs - newsMs[slot]!;
      let expectedMs = (inFlight[slot]! + 1) * factors[index]!;
      // Either may be larger, as if by chance: a branch would be guessed wrong.
      if (waiting[slot]! > 0) expectedMs *= Math.max(known > 0 ? known : UNKNOWN_MS, sinceMs);
      else {
        // `remains`, written out: a call from here is not always inlined, and then takes ten times as long.
        const rest = Math.max(0, 1 - Math.max(0, sinceMs) / (8 * DECAY_MS));
        const square = rest * rest;
        expectedMs *= known * square * square * square * square;
      }
      if (expectedMs < bestMs && eligible[index] === 1) {
        best = index;
        bestMs = expectedMs;
      }
    }
    this.quickestMs = bestMs;
    return best;
  }
}

/** Loads of `endpoints` endpoints that only this thread balances over. */
export function createLoads(endpoints: number): Loads {
  return new Loads(createLoadTable(endpoints, 1), 0);
}
