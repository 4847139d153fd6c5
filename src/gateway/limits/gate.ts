/**
 * All limits that a request meets, asked together: it takes from each or, if one refuses, from none. Here are those whose counters are
 * in memory and that answer at once; where some are in a store, remote-gate.ts.
 *
 * Cost (`npm run bench -- gate`): of one limit a key, a look into its rows and a decision, a quarter of a microsecond; of two
 * together two thirds of one, because both are held while both decide.
 */
import type { SyncAllOf } from '../../limit/index.ts';
import type { Leases } from './leases.ts';
import { type Asked, Members, type Metered } from './members.ts';
import { leaseOf, type LocalMeter } from './meter.ts';
import type { Keyed } from './request-key.ts';
import { clearVerdict, type Decided, linesOf, refuse, settle, type Verdict } from './verdict.ts';

export interface Together {
  readonly allowed: boolean;
  readonly decided: readonly Decided[];
}

export class Gate {
  readonly remote = false;
  readonly #all: readonly Metered<LocalMeter>[];
  readonly #members: Members<LocalMeter>;
  readonly #leases: Leases;

  constructor(all: readonly Metered<LocalMeter>[], leases: Leases) {
    this.#all = all;
    this.#members = new Members(all);
    this.#leases = leases;
  }

  /** Whether the request may go on; why not, and what the answer is to tell, is then in `verdict`. */
  enter(request: Keyed, verdict: Verdict): boolean {
    clearVerdict(verdict);
    if (this.#all.length > 1) return this.#enterAll(request, verdict);
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
    const asked = this.#members.asked(request);
    if (asked === null) return true;
    const { allowed, decided } = takeTogether(asked);
    settle(verdict, decided, allowed, this.#leases);
    return allowed;
  }
}

/** Takes from all of those that are asked, or from none. */
export function takeTogether({ members, limiter, costs, keys }: Asked<LocalMeter>): Together {
  // All of them are local.
  const { allowed, decisions } = (limiter as SyncAllOf).takeSync(keys, costs);
  const decided: Decided[] = [];
  for (let index = 0; index < members.length; index++) {
    decided.push({ meter: members[index]!.meter, key: keys[index]!, decision: decisions[index]! });
  }
  return { allowed, decided };
}
