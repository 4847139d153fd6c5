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
 * Cost: 40 B a slot, 64 B a lane, 8 B a slot and lane; no allocation (`npm run bench -- pick`). What a look at latencies needs is worked out when an
 * answer comes, and lies together.
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

/** A lane begins with how many pieces of work its thread has ended, and the slots of the last ones by their number; counts follow. */
const ENDED = 0;
const LAST_ENDED = 8;
export const LAST_ENDED_MAX = 8;
const COUNTS = LINE_BYTES / 4;

/** The numbers of a slot's estimate: these. */
const WIDTH = 4;
const LATENCY_MS = 0;
/** Share of failures, 0 to 1. */
const FAILURES = 1;
/** When the last answer came, or, if later, when something began to wait where nothing did. */
const NEWS_MS = 2;
/** What an answer was taken to need then, failures included. */
const KNOWN_MS = 3;

/** Plain and shareable: send it to a worker as it is. */
export interface LoadTable {
  readonly buffer: SharedArrayBuffer;
  readonly slots: number;
  readonly lanes: number;
}

interface Columns {
  /** `WIDTH` of each slot. */
  readonly estimates: Float64Array;
  readonly inFlight: Int32Array;
  readonly waiting: Int32Array;
}

function lines(bytes: number): number {
  return Math.ceil(bytes / LINE_BYTES) * LINE_BYTES;
}

function columnsOf({ buffer, slots }: LoadTable): Columns {
  const [wide, narrow] = [lines(slots * WIDTH * 8), lines(slots * 4)];
  return {
    estimates: new Float64Array(buffer, 0, slots * WIDTH),
    inFlight: new Int32Array(buffer, wide, slots),
    waiting: new Int32Array(buffer, wide + narrow, slots),
  };
}

function laneBytes(slots: number): number {
  return LINE_BYTES + lines(slots * 8);
}

/** A thread's part: what it has ended, then of each slot what it has in flight and what of that waits. */
function laneOf({ buffer, slots, lanes }: LoadTable, lane: number): Int32Array {
  if (lane < 0 || lane >= lanes) throw new RangeError(`Lane ${lane} of a table that has ${lanes}.`);
  const totals = lines(slots * WIDTH * 8) + 2 * lines(slots * 4);
  return new Int32Array(buffer, totals + lane * laneBytes(slots), COUNTS + slots * 2);
}

/** A zeroed table of `slots` endpoints for `lanes` threads. */
export function createLoadTable(slots: number, lanes: number): LoadTable {
  const bytes = lines(slots * WIDTH * 8) + lanes * laneBytes(slots) + 2 * lines(slots * 4);
  return { buffer: new SharedArrayBuffer(bytes), slots, lanes };
}

/** Takes off what a thread that is gone had open. Call it when the thread has ended, before another has its lane. */
export function clearLane(table: LoadTable, lane: number): void {
  const { inFlight, waiting } = columnsOf(table);
  const part = laneOf(table, lane);
  for (let slot = 0; slot < table.slots; slot++) {
    Atomics.sub(inFlight, slot, part[COUNTS + 2 * slot]!);
    Atomics.sub(waiting, slot, part[COUNTS + 2 * slot + 1]!);
  }
  part.fill(0);
}

/** Forgets how fast a slot answered: another endpoint gets it. Wait until nothing is in flight there: that still ends. */
export function clearSlot(table: LoadTable, slot: number): void {
  columnsOf(table).estimates.fill(0, WIDTH * slot, WIDTH * (slot + 1));
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

export class Loads {
  readonly #slots: Int32Array;
  readonly #lane: Int32Array;
  readonly #inFlight: Int32Array;
  /** What is in flight by index: the table itself where the slots follow each other, else room for a copy. */
  readonly #row: Int32Array;
  readonly #scattered: boolean;
  /** By slot; null where they follow each other. */
  readonly #indexes: ReadonlyMap<number, number> | null;
  readonly #waiting: Int32Array;
  readonly #estimates: Float64Array;

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
    this.#indexes = this.#scattered ? new Map(slots.map((slot, index) => [slot, index])) : null;
    this.#row = this.#scattered ? new Int32Array(slots.length) : columns.inFlight.subarray(first, first + slots.length);
    this.#waiting = columns.waiting;
    this.#estimates = columns.estimates;
  }

  get length(): number {
    return this.#slots.length;
  }

  /** An endpoint has been given work. What follows is one `answered` or `abandoned`, then one `finished`. */
  started(index: number, nowMs: number): void {
    const slot = this.#slots[index]!;
    Atomics.add(this.#inFlight, slot, 1);
    this.#lane[COUNTS + 2 * slot]! += 1;
    const before = Atomics.add(this.#waiting, slot, 1);
    this.#lane[COUNTS + 2 * slot + 1]! += 1;
    if (before > 0) return;
    const estimates = this.#estimates;
    const at = WIDTH * slot;
    const rest = remains(nowMs - estimates[at + NEWS_MS]!);
    const latencyMs = (estimates[at + LATENCY_MS]! *= rest);
    const failures = (estimates[at + FAILURES]! *= rest);
    estimates[at + KNOWN_MS] = latencyMs + failures * failures * FAILURE_MS;
    estimates[at + NEWS_MS] = nowMs;
  }

  /** The answer began `latencyMs` after the start. `ok` is false if the endpoint failed: then its quickness is no merit. */
  answered(index: number, latencyMs: number, nowMs: number, ok: boolean): void {
    const slot = this.#slots[index]!;
    const estimates = this.#estimates;
    const at = WIDTH * slot;
    let average = estimates[at + LATENCY_MS]!;
    if (latencyMs >= average) average = latencyMs;
    else if (ok) average = latencyMs + (average - latencyMs) * remains(nowMs - estimates[at + NEWS_MS]!);
    let failures = estimates[at + FAILURES]!;
    failures += ((ok ? 0 : 1) - failures) * FAILURE_GAIN;
    estimates[at + LATENCY_MS] = average;
    estimates[at + FAILURES] = failures;
    estimates[at + KNOWN_MS] = average + failures * failures * FAILURE_MS;
    estimates[at + NEWS_MS] = nowMs;
    this.abandoned(index);
  }

  /** Nobody waits for the answer any more, and that says nothing of the endpoint: the client left, say. */
  abandoned(index: number): void {
    const slot = this.#slots[index]!;
    Atomics.sub(this.#waiting, slot, 1);
    this.#lane[COUNTS + 2 * slot + 1]! -= 1;
  }

  /** The work is over. */
  finished(index: number): void {
    const slot = this.#slots[index]!;
    const lane = this.#lane;
    Atomics.sub(this.#inFlight, slot, 1);
    lane[COUNTS + 2 * slot]! -= 1;
    const number = lane[ENDED]!;
    lane[LAST_ENDED + (number & (LAST_ENDED_MAX - 1))] = slot;
    lane[ENDED] = number + 1;
  }

  /** How many pieces of work this thread has ended, over all views of the table; of 32 bits, and begins again when they are full. */
  get ended(): number {
    return this.#lane[ENDED]!;
  }

  /** Where it ended the piece of this number, one of the last `LAST_ENDED_MAX`: -1 for an endpoint of another service. */
  endedAt(number: number): number {
    const slot = this.#lane[LAST_ENDED + (number & (LAST_ENDED_MAX - 1))]!;
    if (this.#indexes !== null) return this.#indexes.get(slot) ?? -1;
    const index = slot - this.#slots[0]!;
    return index >= 0 && index < this.#slots.length ? index : -1;
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
   * How long the next answer of each endpoint from `from` up to `to` is expected to take, in ms times its factor: into `times`, by
   * index. 0 if nothing is known of it or all is forgotten. The time comes in an object: a fraction that is handed over is allocated, unless
   * the engine inlines the call.
   */
  expect(now: { readonly nowMs: number }, factors: Float64Array, times: Float64Array, from: number, to: number): void {
    const { nowMs } = now;
    const slots = this.#slots;
    const estimates = this.#estimates;
    const waiting = this.#waiting;
    for (let index = from | 0; index < to; index = (index + 1) | 0) {
      const slot = slots[index]!;
      const at = (WIDTH * slot) | 0;
      const knownMs = estimates[at + KNOWN_MS]!;
      const sinceMs = nowMs - estimates[at + NEWS_MS]!;
      let expectedMs = knownMs;
      if (waiting[slot]! > 0) expectedMs = Math.max(knownMs > 0 ? knownMs : UNKNOWN_MS, sinceMs);
      else {
        // `remains`, written out: a call from here is not always inlined, and then takes ten times as long.
        const rest = Math.max(0, 1 - Math.max(0, sinceMs) / (8 * DECAY_MS));
        const square = rest * rest;
        expectedMs *= square * square * square * square;
      }
      times[index] = expectedMs * factors[index]!;
    }
  }
}

/** Loads of `endpoints` endpoints that only this thread balances over. */
export function createLoads(endpoints: number): Loads {
  return new Loads(createLoadTable(endpoints, 1), 0);
}
