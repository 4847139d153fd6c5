/** One limit as a worker runs it: how its key is read, who decides, and what is counted of it. */
import { cellLane, type Lane } from '../../kernel/cells.ts';
import {
  createLimiter,
  type Decision,
  type LeaseDecision,
  type Limiter,
  type LocalStore,
  type SyncLeases,
  type SyncLimiter,
} from '../../limit/index.ts';
import { LIMIT_SLOTS, limitSlots } from '../slots.ts';
import { algorithmOf, floorName, type LimitPlan } from './plan.ts';
import { RefusedKeys } from './refused-keys.ts';
import { clientKey, createKeyReader, type KeyReader } from './request-key.ts';

/** A limiter whose store answers at once. */
export type LocalLimiter = Limiter & SyncLimiter & Partial<SyncLeases>;

export class Meter {
  readonly plan: LimitPlan;
  readonly readKey: KeyReader;
  readonly limiter: LocalLimiter;
  readonly #lane: Lane;
  readonly #refusedKeys: RefusedKeys;

  private constructor(plan: LimitPlan, own: Pick<Meter, 'limiter' | 'readKey'>, lane: number) {
    this.plan = plan;
    this.limiter = own.limiter;
    this.readKey = own.readKey;
    this.#lane = cellLane(plan.cell, LIMIT_SLOTS, lane);
    this.#refusedKeys = new RefusedKeys(plan.refusedKeys, lane);
  }

  /**
   * The meters of a limit: one, or for a limit that goes by claims a second one of client addresses, so that whoever makes up
   * claims gets no more than whoever makes none.
   */
  static of(plan: LimitPlan, store: LocalStore, lane: number): readonly Meter[] {
    const limiter = (name: string): LocalLimiter =>
      createLimiter({ name, algorithm: algorithmOf(plan.algorithm), store, shadow: plan.shadow });
    const meter = new Meter(plan, { limiter: limiter(plan.name), readKey: createKeyReader(plan) }, lane);
    if (plan.floor === null) return [meter];
    return [new Meter(plan, { limiter: limiter(floorName(plan.name)), readKey: clientKey }, lane), meter];
  }

  /** Counts what was decided about a request. */
  count(decision: Decision, key: string): void {
    const lane = this.#lane;
    if (decision.shadowed) lane[limitSlots.shadowed]! += 1;
    else if (decision.allowed) lane[limitSlots.allowed]! += 1;
    else lane[limitSlots.refused]! += 1;
    if (decision.shadowed || !decision.allowed) this.#refusedKeys.count(key, this.plan.showKeys);
  }
}

/** Of a decision that is none of a limit with leases, 0. */
export function leaseOf(decision: Decision | LeaseDecision): number {
  return 'lease' in decision ? decision.lease : 0;
}
