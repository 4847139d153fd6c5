/**
 * All limits that a request meets, asked together: it takes from each or, if one refuses, from none.
 *
 * Cost (`npm run bench -- gate`): of one limit a key, a look into its rows and a decision, a third of a microsecond; of two
 * together about two, because they are held while both decide.
 */
import { allOf, type Decision, type SyncAllOf } from '../../limit/index.ts';
import { limitFields, type Report, retryAfterS } from '../../limit/fields.ts';
import type { Lease, Leases } from './leases.ts';
import { leaseOf, type Meter } from './meter.ts';
import type { Keyed } from './request-key.ts';

/** A meter, and what one request takes of it. */
export interface Metered {
  readonly meter: Meter;
  readonly cost: number;
}

/** What a gate has said of the last request; filled anew for each. */
export interface Verdict {
  /** Leases that the request holds until it ends. */
  lease: Lease | null;
  /** Names of the limits that refused. */
  refusedBy: readonly string[];
  /** For `Retry-After`; -1 is none. */
  retryAfterS: number;
  /** Lines for the head of the answer, line breaks included; '' if it gets none. */
  lines: string;
}

export function createVerdict(): Verdict {
  return { lease: null, refusedBy: [], retryAfterS: -1, lines: '' };
}

const NOBODY: readonly string[] = [];
/** The number of a subset has a bit for each meter. */
const METERS_MAX = 32;

interface Asked extends Metered {
  readonly key: string;
}

export class Gate {
  readonly #all: readonly Metered[];
  readonly #leases: Leases;
  /** Those of the meters, by number, that some requests meet together. */
  readonly #together = new Map<number, SyncAllOf>();

  constructor(all: readonly Metered[], leases: Leases) {
    if (all.length > METERS_MAX) throw new RangeError(`${all.length} limits for one request; at most ${METERS_MAX}.`);
    this.#all = all;
    this.#leases = leases;
  }

  /** Whether the request may go on; why not, and what the answer is to tell, is then in `verdict`. */
  enter(request: Keyed, verdict: Verdict): boolean {
    verdict.lease = null;
    verdict.refusedBy = NOBODY;
    verdict.lines = '';
    const { length } = this.#all;
    if (length > 1) return this.#enterAll(request, verdict);
    const { meter, cost } = this.#all[0]!;
    const key = meter.readKey(request);
    if (key === null) return true;
    const decision = meter.limiter.takeSync(key, cost);
    meter.count(decision, key);
    const lease = leaseOf(decision);
    if (lease !== 0) verdict.lease = this.#leases.hold(meter, key, lease, null);
    if (decision.allowed) {
      if (meter.plan.fields === 'always') verdict.lines = linesOf([{ meter, decision }], 'always');
      return true;
    }
    refuse(verdict, [{ meter, decision }]);
    return false;
  }

  #enterAll(request: Keyed, verdict: Verdict): boolean {
    let subset = 0;
    const asked: Asked[] = [];
    for (const [index, { meter, cost }] of this.#all.entries()) {
      const key = meter.readKey(request);
      if (key === null) continue;
      subset |= 1 << index;
      asked.push({ meter, cost, key });
    }
    if (asked.length === 0) return true;
    const keys = asked.map(({ key }) => key);
    const costs = asked.map(({ cost }) => cost);
    const { allowed, decisions } = this.#limiterOf(subset, asked).takeSync(keys, costs);
    const decided = asked.map(({ meter }, index) => ({ meter, decision: decisions[index]! }));
    decided.forEach(({ meter, decision }, index) => {
      if (!isFloorOfNext(decided, index)) countOnce(decided, index, keys, allowed);
      const lease = allowed ? leaseOf(decision) : 0;
      if (lease !== 0) verdict.lease = this.#leases.hold(meter, keys[index]!, lease, verdict.lease);
    });
    if (allowed) {
      if (asked.some(({ meter }) => meter.plan.fields === 'always')) verdict.lines = linesOf(decided, 'always');
      return true;
    }
    refuse(verdict, decided);
    return false;
  }

  #limiterOf(subset: number, asked: readonly Asked[]): SyncAllOf {
    let limiter = this.#together.get(subset);
    if (limiter === undefined) {
      const [first, ...others] = asked.map(({ meter }) => meter.limiter);
      limiter = allOf(first!, ...others);
      this.#together.set(subset, limiter);
    }
    return limiter;
  }
}

interface Decided {
  readonly meter: Meter;
  readonly decision: Decision;
}

/** The next is of the same limit, and says what is counted of it. */
function isFloorOfNext(decided: readonly Decided[], index: number): boolean {
  return decided[index + 1]?.meter.plan === decided[index]!.meter.plan;
}

/** A limit of two meters is one limit: refused if either refuses. When the request is refused, who would have let it pass is not counted. */
function countOnce(decided: readonly Decided[], index: number, keys: readonly string[], allowed: boolean): void {
  const { meter, decision } = decided[index]!;
  const before = decided[index - 1];
  const floor = before?.meter.plan === meter.plan ? before : null;
  const isFloor = floor !== null && (!floor.decision.allowed || (floor.decision.shadowed && decision.allowed));
  const counted = isFloor ? floor.decision : decision;
  if (allowed || !counted.allowed) meter.count(counted, keys[isFloor ? index - 1 : index]!);
}

function refuse(verdict: Verdict, decided: readonly Decided[]): void {
  const refused = decided.filter(({ decision }) => !decision.allowed);
  verdict.refusedBy = [...new Set(refused.map(({ meter }) => meter.plan.name))];
  verdict.retryAfterS = Math.max(...refused.map(({ decision }) => retryAfterS(decision) ?? -1));
  verdict.lines = linesOf(decided, 'refused');
}

/** What the client is told of the limits it has met. */
function linesOf(decided: readonly Decided[], when: 'always' | 'refused'): string {
  const byPolicy = new Map<string, Report>();
  for (const { meter, decision } of decided) {
    const { name, fields, shadow } = meter.plan;
    // A limit on trial must not slow clients down.
    if (shadow || fields === 'never' || (when === 'always' && fields !== 'always')) continue;
    const before = byPolicy.get(name)?.decision?.remaining ?? Infinity;
    if (decision.remaining < before) {
      byPolicy.set(name, { policy: { name, algorithm: meter.limiter.algorithm }, decision });
    }
  }
  const fields = limitFields('draft', [...byPolicy.values()], 0);
  return fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
}
