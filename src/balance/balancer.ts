/**
 * Choosing one of a service's endpoints for one piece of work: the words that all algorithms share.
 *
 * A balancer knows weights and what it picked before; who may be picked at all (health, a drain, endpoints tried already) is
 * the caller's, said with each pick. So a balancer has no I/O, no clock and no opinion on health, and one endpoint being
 * out needs no rebuild.
 *
 * To add an algorithm: a file beside this one, a line in `algorithms.ts`, and what kind it is in `contract.test.ts`, which runs the
 * contract that `spillway/testing` has for everybody's. What an algorithm needs to know about the work is a field of `PickContext`.
 */
import type { Random } from '../kernel/random.ts';
import type { Loads } from './loads.ts';

/** What is known of the piece of work, and of who may do it. One for each caller, filled anew for each pick and never kept. */
export interface PickContext {
  /** One byte an endpoint, in the balancer's order: 1 may be picked, 0 may not. Left as it was found. */
  readonly eligible: Uint8Array;
  /** 32 bits of a hash of the work's key, for algorithms that hash; signed or not, only the bits count. 0 without a key. */
  keyHash: number;
  /** Monotonic, for algorithms that weigh latency, or trust for a while what they have seen. */
  nowMs: number;
  /**
   * How warm each endpoint is: above 0, and 1 when it takes its full share. Null while all are warm, which is nearly
   * always. See slow-start.ts.
   */
  ramp: Float64Array | null;
}

/** A context for `endpoints` endpoints that may all be picked. */
export function createPickContext(endpoints: number): PickContext {
  return { eligible: new Uint8Array(endpoints).fill(1), keyHash: 0, nowMs: 0, ramp: null };
}

export interface Balancer {
  /** The index of the endpoint to use, or -1 when none is eligible. Allocates nothing. */
  pick(context: PickContext): number;
}

export interface BalancerOptions {
  /**
   * Relative share of each endpoint, in order: from 0.000001 to 1000000, or 0: never picked, eligible or not.
   * At most 65,536 endpoints.
   */
  readonly weights: readonly number[];
  /**
   * Where in its cycle the balancer begins, an integer of at least 0. Give each worker its own number: workers that begin
   * alike send their first requests to the same endpoint, and stay in step. @defaultValue 0
   */
  readonly start?: number;
  /** Where chance comes from. Give each worker its own. @defaultValue `createRandom()`, which nobody can foresee */
  readonly random?: Random;
  /**
   * What the endpoints are doing, in the order of `weights`, for algorithms that look. The caller tells it what it starts
   * and finishes; threads that share a table see each other's work. @defaultValue one of its own, in which nothing happens
   */
  readonly loads?: Loads;
  /**
   * What each endpoint is called, one each and no two alike, for algorithms that hash: a key's place follows from the name,
   * so an endpoint keeps its keys when the list changes. @defaultValue its place in the list
   */
  readonly names?: readonly string[];
  /**
   * How much more than its share an endpoint may have in flight before `consistent-hash` passes keys on: 1 (no more) to 1000.
   * @defaultValue 1.25
   */
  readonly loadFactor?: number;
}
