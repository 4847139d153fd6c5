/**
 * What an algorithm of rate limiting is: numbers of state and a moment go in, a decision and new numbers come out.
 *
 * The contract, the same for each of them (`npm test -- src/limit` holds it for every algorithm in every store):
 *
 * - What is refused consumes nothing.
 * - `retryAfterUs` is exact: the same take, alone, is granted that much later and not a microsecond earlier. It is `Infinity`
 *   for a cost above the limit, and for nothing else.
 * - A cost of 0 is always granted and changes nothing.
 * - A refund never makes room for more than the limit.
 * - A clock that steps back never freezes a key for longer than it could have been frozen at the moment of the step.
 *
 * State is `width` numbers a key, each a non-negative integer below 2^53, so that a typed array, shared memory, a string in Redis
 * and a row in PostgreSQL hold the same and compute the same: all products stay below 2^52, where a double divides exactly.
 * All zeros is a key that nobody has used; a store may forget a key as soon as `resetAfterUs` has passed.
 *
 * Pure and synchronous: no clock, no store, no allocation.
 */

/** What is asked of one key. Filled anew for each question and never kept. */
export interface Ask {
  /** Microseconds since the Unix epoch, on the clock of the store; an integer. */
  nowUs: number;
  /** What one take costs; an integer, 0 or more. */
  cost: number;
  /** How many takes of that cost are wanted, one after another: as many as there is room for are granted. */
  times: number;
  /** Who takes, for algorithms with leases: the first of `times` consecutive numbers. 0 otherwise. */
  holder: number;
}

/** The answer, as numbers that every store can carry. Filled anew for each question. */
export interface Outcome {
  /** How many of the takes are granted: 0 to `times`. */
  granted: number;
  /** What can still be taken afterwards: by a take, what it left; by a peek, what there is. */
  remaining: number;
  /** When, after those granted, one more take of the same cost would be; 0 if all were. `Infinity`: never. */
  retryAfterUs: number;
  /** When the key will be as if it had never been used, if nobody takes any more; a store may forget it then. */
  resetAfterUs: number;
}

export function createOutcome(): Outcome {
  return { granted: 0, remaining: 0, retryAfterUs: 0, resetAfterUs: 0 };
}

interface AlgorithmOf<Kind extends string> {
  /** Which arithmetic; a store on another engine has one script or statement for each. */
  readonly kind: Kind;
  /**
   * Which state: with a limiter's name the identity of its counters. Algorithms of one layout read each other's numbers, so that
   * counters go on when a limit is changed.
   */
  readonly layout: string;
  /** The most that can be taken at once. */
  readonly limit: number;
  /** How long the whole limit takes to come back, in milliseconds. */
  readonly windowMs: number;
  /** Numbers of state a key. */
  readonly width: number;
  /** The parameters as integers, in the order that the algorithm's file says: all that another engine has to be told. */
  readonly parameters: readonly number[];
  /** Decides, and takes what it grants. */
  take(state: Float64Array, at: number, ask: Ask, out: Outcome): void;
  /** Decides the same and takes nothing. It writes only if the clock stepped back: the numbers as of now. */
  peek(state: Float64Array, at: number, ask: Ask, out: Outcome): void;
  /** The key is as if it had never been used. */
  idle(state: Float64Array, at: number, nowUs: number): boolean;
  /** The same with a share (above 0, at most 1) of the limit and the rate, at least 1: for one of several who share it. */
  share(ratio: number): Algorithm;
}

/** An algorithm whose limit comes back by itself. */
export interface RateAlgorithm extends AlgorithmOf<'token-bucket' | 'fixed-window' | 'sliding-window' | 'sliding-log'> {
  /** Gives back up to `ask.cost` of what has not come back yet. */
  refund(state: Float64Array, at: number, ask: Ask): void;
}

/** An algorithm whose takes are leases: they end when they are released, or by themselves. */
export interface LeaseAlgorithm extends AlgorithmOf<'concurrency'> {
  /** Gives back what `ask.holder` holds; false if it holds nothing any more. */
  release(state: Float64Array, at: number, ask: Ask): boolean;
  /** Lets it hold on for another whole lease from now; false if it holds nothing any more. */
  renew(state: Float64Array, at: number, ask: Ask): boolean;
}

export type Algorithm = RateAlgorithm | LeaseAlgorithm;

/** Below it, `Math.floor(a / b)` and `Math.ceil(a / b)` of integers are exact in doubles, in Lua as in JavaScript. */
export const EXACT_MAX = 2 ** 52;

/** Far beyond what is limited in one place; and a limit times a window still fits. */
export const LIMIT_MAX = 1e9;

/** When the window began that a moment is in: windows begin at whole multiples of their length since 1970. Exact until 2112. */
export function windowStart(nowUs: number, windowUs: number): number {
  return Math.floor(nowUs / windowUs) * windowUs;
}

/** How many takes of `cost` there is room for, at most `times`. A cost of 0 always has room. */
export function fitting(room: number, cost: number, times: number): number {
  if (cost === 0 || cost * times <= room) return times;
  return Math.max(0, Math.floor(room / cost));
}

/** A share of a limit: at least 1. */
export function shareOf(limit: number, ratio: number): number {
  return Math.max(1, Math.floor(limit * ratio));
}
