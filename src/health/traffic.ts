/**
 * What real requests say about one endpoint, counted where all threads can see it.
 *
 * A traffic cell has a lane a worker (`kernel/cells.ts`) with counters that only grow: one a kind of result, and a histogram
 * of answer times. The hot path therefore knows no time and no window: whoever evaluates takes differences
 * (`traffic-window.ts`), and the lane of a worker that died still holds what it saw.
 *
 * One number is shared by all workers: the *row*, the errors since the last good result, in one header word together with
 * the kinds that were seen in it. It changes by compare-and-swap, and is only written when it changes: while an endpoint is
 * well, every worker has the cache line in its own cache and just reads it. Because the swap is exact, one worker, and only
 * one, makes the row as long as the policy says, and learns it at once.
 *
 * **Only what the endpoint did is a result.** Our own limits, a queue that was too long, a client that left, a hedge that was
 * cancelled, a pooled connection that had been closed while idle, a lack of ports or descriptors: these say nothing about the
 * endpoint, and there is no value here to record them with.
 *
 * Invariant: the lane has one writer. Cost: `traffic.bench.ts`; no allocation. 64 B + 640 B a lane.
 */
import { cellHeader, cellLane, createCell, type Cell, type Lane } from '../kernel/cells.ts';
import { BUCKETS, bucketOf } from './latency-buckets.ts';

/** How one attempt at an endpoint went. The numbers are slots of a lane and bits of the row. */
export const trafficResults = {
  /** An answer of any status below 500. */
  answer: 0,
  /** A whole, valid answer that is a 5xx. */
  serverError: 1,
  refused: 2,
  /** No connection for another reason: unreachable, reset while connecting, a name without an address. */
  unreachable: 3,
  tlsFailed: 4,
  connectTimeout: 5,
  /** Closed before an answer began, on a connection that was not an idle one gone stale. */
  reset: 6,
  /** Not valid HTTP. */
  protocol: 7,
  answerTimeout: 8,
  /** The answer began and was broken off by the endpoint. */
  brokenOff: 9,
} as const;

export type TrafficResultName = keyof typeof trafficResults;
export type TrafficResult = (typeof trafficResults)[TrafficResultName];

/** What each is called in a reason, with the status that a client saw. */
export const resultTexts: readonly string[] = [
  'answered',
  'status 5xx',
  '502 connection refused',
  '502 no connection',
  '502 TLS handshake failed',
  '504 no connection in time',
  '502 connection closed before an answer',
  '502 answer is not valid HTTP',
  '504 no answer in time',
  'answer broken off',
];

export const RESULTS = resultTexts.length;
/** Where the histogram begins in a lane. */
export const LATENCY = 16;
export const TRAFFIC_SLOTS = LATENCY + BUCKETS;

const ROW_WORD = 0;
const KIND_BITS = 10;
/** A row this long says all there is to say; it stays well within the word. */
const ROW_ERRORS_MAX = 1_000_000;

/** Errors without a good result between them. */
export interface Row {
  readonly errors: number;
  /** The kinds among them. */
  readonly kinds: readonly TrafficResult[];
}

export function createTrafficCell(lanes: number): Cell {
  return createCell(lanes, TRAFFIC_SLOTS);
}

export interface RowPolicy {
  /** Errors in a row that are a fault; at least 1. */
  readonly errors: number;
  /** Whether a 5xx is one of them, or as good as any other answer. */
  readonly serverErrors: boolean;
}

export interface TrafficRecorderOptions {
  readonly cell: Cell;
  /** Of the worker that records. */
  readonly lane: number;
  /** Null: no row is ever long enough. */
  readonly row: RowPolicy | null;
}

/** One worker's pen for one endpoint. */
export class TrafficRecorder {
  readonly #lane: Lane;
  readonly #header: Int32Array;
  readonly #rowErrors: number;
  readonly #firstError: number;

  constructor({ cell, lane, row }: TrafficRecorderOptions) {
    this.#lane = cellLane(cell, TRAFFIC_SLOTS, lane);
    this.#header = cellHeader(cell);
    this.#rowErrors = row?.errors ?? 0;
    this.#firstError = row?.serverErrors === true ? trafficResults.serverError : trafficResults.refused;
  }

  /**
   * Counts one result. `answerMs` is from the last byte of the request sent to the first byte of the answer, so that neither
   * a slow client nor a long body is held against the endpoint; it is read for an `answer` only.
   *
   * True if this result has just made the row as long as the policy says: have the endpoint evaluated now.
   */
  record(result: TrafficResult, answerMs: number): boolean {
    const lane = this.#lane;
    lane[result]!++;
    if (result === trafficResults.answer) lane[LATENCY + bucketOf(answerMs)]!++;
    if (result >= this.#firstError) return this.#lengthenRow(result);
    // A plain read, 6 ns less than an atomic one. One that is late leaves a row for the next good result to end.
    if (this.#header[ROW_WORD] !== 0) Atomics.store(this.#header, ROW_WORD, 0);
    return false;
  }

  #lengthenRow(result: TrafficResult): boolean {
    const header = this.#header;
    for (;;) {
      const before = Atomics.load(header, ROW_WORD);
      const errors = Math.min((before >>> KIND_BITS) + 1, ROW_ERRORS_MAX);
      const kinds = (before & ((1 << KIND_BITS) - 1)) | (1 << result);
      const after = (errors << KIND_BITS) | kinds;
      if (Atomics.compareExchange(header, ROW_WORD, before, after) === before) return errors === this.#rowErrors;
    }
  }
}

export function readRow(cell: Cell): Row {
  const word = Atomics.load(cellHeader(cell), ROW_WORD);
  const kinds = Object.values(trafficResults).filter((kind) => ((word >>> kind) & 1) === 1);
  return { errors: word >>> KIND_BITS, kinds };
}

/** Forgets the row: what comes now is judged afresh. */
export function clearRow(cell: Cell): void {
  Atomics.store(cellHeader(cell), ROW_WORD, 0);
}
