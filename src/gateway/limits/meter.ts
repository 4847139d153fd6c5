/** One limit as a worker runs it: how its key is read, who decides, and what is counted of it. */
import { cellLane, type Lane } from '../../kernel/cells.ts';
import {
  createLimiter,
  type Decision,
  type DecisionSource,
  type LeaseDecision,
  type Leases,
  type Limiter,
  type LocalStore,
  type Rates,
  type RemoteStore,
  type SyncLeases,
  type SyncLimiter,
  type SyncRates,
} from '../../limit/index.ts';
import { tenthOf } from '../../limit/filled.ts';
import { RefusedKeys } from '../../limit/refused-keys.ts';
import { LIMIT_SLOTS, limitSlots } from '../slots.ts';
import { algorithmOf, floorName, isClaimed, type LimitPlan } from './plan.ts';
import { clientKey, createKeyReader, type KeyReader } from './request-key.ts';

/** A limiter whose store answers at once. */
type LocalLimiter = Limiter & SyncLimiter & Partial<SyncLeases & SyncRates>;
/** One whose store is somewhere else. */
type RemoteLimiter = Limiter & Partial<Leases & Rates>;

export type LocalMeter = Meter<LocalLimiter>;
export type RemoteMeter = Meter<RemoteLimiter>;

const sourceSlots = {
  store: limitSlots.byStore,
  cache: limitSlots.byCache,
  fallback: limitSlots.byFallback,
  open: limitSlots.byOpen,
  closed: limitSlots.byClosed,
  // Nothing is taken ahead here; if it were, the store would have granted it.
  reserve: limitSlots.byStore,
} as const satisfies Record<DecisionSource, number>;

export class Meter<L extends LocalLimiter | RemoteLimiter = LocalLimiter | RemoteLimiter> {
  readonly plan: LimitPlan;
  readonly readKey: KeyReader;
  readonly limiter: L;
  readonly #lane: Lane;
  readonly #refusedKeys: RefusedKeys;

  private constructor(plan: LimitPlan, own: Pick<Meter<L>, 'limiter' | 'readKey'>, lane: number) {
    this.plan = plan;
    this.limiter = own.limiter;
    this.readKey = own.readKey;
    this.#lane = cellLane(plan.cell, LIMIT_SLOTS, lane);
    this.#refusedKeys = new RefusedKeys(plan.refusedKeys, lane);
  }

  /** The meters of a limit that counts in memory. */
  static local(plan: LimitPlan, store: LocalStore, lane: number): readonly LocalMeter[] {
    const algorithm = algorithmOf(plan.algorithm);
    return metersOf(plan, (name, readKey): LocalMeter => {
      const limiter = createLimiter({ name, algorithm, store, shadow: plan.shadow });
      return new Meter<LocalLimiter>(plan, { limiter, readKey }, lane);
    });
  }

  /** Of one that counts in a store. */
  static remote(plan: LimitPlan, store: RemoteStore, lane: number): readonly RemoteMeter[] {
    const algorithm = algorithmOf(plan.algorithm);
    const { answer, share, deadlineMs } = plan.store!.outage;
    const outage = { answer, share, deadline: deadlineMs };
    return metersOf(plan, (name, readKey): RemoteMeter => {
      const limiter = createLimiter({ name, algorithm, store, shadow: plan.shadow, outage });
      return new Meter<RemoteLimiter>(plan, { limiter, readKey }, lane);
    });
  }

  /** Counts what was decided about a request. */
  count(decision: Decision, key: string): void {
    const lane = this.#lane;
    if (decision.shadowed) lane[limitSlots.shadowed]! += 1;
    else if (decision.allowed) lane[limitSlots.allowed]! += 1;
    else lane[limitSlots.refused]! += 1;
    if (decision.source !== 'open' && decision.source !== 'closed') lane[limitSlots.filled + tenthOf(decision)]! += 1;
    if (decision.shadowed || !decision.allowed) this.#refusedKeys.count(key, this.plan.showKeys);
  }

  /** Counts who decided, where that may have been the store or somebody in its place. */
  countSource(source: DecisionSource): void {
    this.#lane[sourceSlots[source]]! += 1;
  }

  /** Ends a lease. One that the store does not hear of ends by itself. */
  release(key: string, lease: number): void {
    const { limiter } = this;
    if ('takeSync' in limiter) limiter.releaseSync?.(key, lease);
    else limiter.release?.(key, lease).catch(() => {});
  }

  /** Another whole lease. If the store does not hear of it, the next time may still be early enough. */
  renew(key: string, lease: number): void {
    const { limiter } = this;
    if ('takeSync' in limiter) limiter.renewSync?.(key, lease);
    else limiter.renew?.(key, lease).catch(() => {});
  }

  /** Gives back what was taken. */
  refund(key: string, amount: number): void {
    const { limiter } = this;
    if ('takeSync' in limiter) limiter.refundSync?.(key, amount);
    else limiter.refund?.(key, amount).catch(() => {});
  }
}

/**
 * One, or for a limit that goes by claims a second one of client addresses before it, so that whoever makes up claims gets no more
 * than whoever makes none.
 */
function metersOf<M>(plan: LimitPlan, make: (name: string, readKey: KeyReader) => M): readonly M[] {
  const meter = make(plan.name, createKeyReader(plan));
  return isClaimed(plan) ? [make(floorName(plan.name), clientKey), meter] : [meter];
}

/** Of a decision that is none of a limit with leases, 0. */
export function leaseOf(decision: Decision | LeaseDecision): number {
  return 'lease' in decision ? decision.lease : 0;
}
