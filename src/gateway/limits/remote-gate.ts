/**
 * The limits of a request of which some are in a store. Those in memory are asked first: what they refuse is refused at once, and nobody
 * waits. Then the store is asked, for all of its limits in one question; if it refuses, what was taken in memory is given back. So
 * a refused request has taken from none; while its question is on its way, it holds its part of the limits in memory. What has come
 * back by itself meanwhile, as at the end of a window, is not given back once more: that would be another's.
 *
 * Cost: a promise and an object a limit; the question is one call with all others of the tick.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { Algorithm, Decision } from '../../limit/index.ts';
import { takeTogether } from './gate.ts';
import type { Leases } from './leases.ts';
import { type Asked, Members, type Metered } from './members.ts';
import { leaseOf, type LocalMeter, type RemoteMeter } from './meter.ts';
import type { Keyed } from './request-key.ts';
import { clearVerdict, type Decided, settle, type Verdict } from './verdict.ts';

export interface RemoteGateOptions {
  readonly local: readonly Metered<LocalMeter>[];
  /** All in one store. */
  readonly remote: readonly Metered<RemoteMeter>[];
  readonly leases: Leases;
  readonly clock: Clock;
}

export class RemoteGate {
  readonly remote = true;
  readonly #local: Members<LocalMeter>;
  readonly #remote: Members<RemoteMeter>;
  readonly #leases: Leases;
  readonly #clock: Clock;

  constructor({ local, remote, leases, clock }: RemoteGateOptions) {
    this.#local = new Members(local);
    this.#remote = new Members(remote);
    this.#leases = leases;
    this.#clock = clock;
  }

  /** As `Gate.enter`; a promise if a store has to be asked. Everything is read out of the request before it returns. */
  enter(request: Keyed, verdict: Verdict): boolean | Promise<boolean> {
    clearVerdict(verdict);
    const local = this.#local.asked(request);
    const remote = this.#remote.asked(request);
    const { allowed, decided } = local === null ? { allowed: true, decided: [] } : takeTogether(local);
    if (allowed && remote !== null) return this.#ask({ ...remote, keys: [...remote.keys] }, decided, verdict);
    settle(verdict, decided, allowed, this.#leases);
    return allowed;
  }

  async #ask(remote: Asked<RemoteMeter>, local: readonly Decided[], verdict: Verdict): Promise<boolean> {
    const askedMs = this.#clock.nowMs();
    const decisions = await takeFrom(remote);
    const decided = remote.members.flatMap(({ meter }, index): Decided[] => {
      const decision = decisions[index] ?? null;
      // Another was known to refuse, and this one was not asked.
      if (decision === null) return [];
      meter.countSource(decision.source);
      return [{ meter, key: remote.keys[index]!, decision }];
    });
    const allowed = decided.every(({ decision }) => decision.allowed);
    const held = allowed ? local : local.map((each) => giveBack(each, this.#clock.nowMs() - askedMs));
    settle(verdict, [...held, ...decided], allowed, this.#leases);
    return allowed;
  }
}

async function takeFrom({ members, limiter, costs, keys }: Asked<RemoteMeter>): Promise<readonly (Decision | null)[]> {
  // A single one joins whoever takes from the same key in this tick.
  if (members.length === 1) return [await members[0]!.meter.limiter.take(keys[0]!, { cost: costs[0]! })];
  return (await limiter.take(keys, { cost: costs })).decisions;
}

/** What was taken `agoMs` ago is there again; says what is left then. */
function giveBack({ meter, key, decision }: Decided, agoMs: number): Decided {
  const { granted, remaining, resetAfterMs } = decision;
  const lease = leaseOf(decision);
  if (lease !== 0) meter.release(key, lease);
  else if (granted > 0 && agoMs < resetAfterMs - returningMs(meter.limiter.algorithm, granted))
    meter.refund(key, granted);
  return { meter, key, decision: { ...decision, remaining: remaining + granted, granted: 0 } };
}

/** How long before all of a limit has come back what was taken last no longer counts, if nobody has taken since. */
function returningMs({ kind, limit, windowMs }: Algorithm, granted: number): number {
  switch (kind) {
    // It comes back bit by bit: while half of it is out it is given back whole, so that less than half is won or lost.
    case 'token-bucket':
      return (windowMs * granted) / limit / 2;
    // Then it counts as a part of the window before.
    case 'sliding-window':
      return windowMs;
    // At one moment.
    case 'fixed-window':
    case 'sliding-log':
    case 'concurrency':
      return 0;
    default:
      return kind satisfies never;
  }
}
