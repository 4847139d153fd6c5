/**
 * The limits of a request of which some are in a store. Those in memory are asked first: what they refuse is refused at once, and nobody
 * waits. Then the store is asked, for all of its limits in one question; if it refuses, what was taken in memory is given back. So
 * a refused request has taken from none; while its question is on its way, it holds its part of the limits in memory.
 *
 * Cost: a promise and an object a limit; the question is one call with all others of the tick.
 */
import type { Decision } from '../../limit/index.ts';
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
}

export class RemoteGate {
  readonly remote = true;
  readonly #local: Members<LocalMeter>;
  readonly #remote: Members<RemoteMeter>;
  readonly #leases: Leases;

  constructor({ local, remote, leases }: RemoteGateOptions) {
    this.#local = new Members(local);
    this.#remote = new Members(remote);
    this.#leases = leases;
  }

  /** As `Gate.enter`; a promise if a store has to be asked. Everything is read out of the request before it returns. */
  enter(request: Keyed, verdict: Verdict): boolean | Promise<boolean> {
    clearVerdict(verdict);
    const local = this.#local.asked(request);
    const remote = this.#remote.asked(request);
    const { allowed, decided } = local.length === 0 ? { allowed: true, decided: [] } : takeTogether(this.#local, local);
    if (allowed && remote.length > 0) return this.#ask(remote, decided, verdict);
    settle(verdict, decided, allowed, this.#leases);
    return allowed;
  }

  async #ask(remote: readonly Asked<RemoteMeter>[], local: readonly Decided[], verdict: Verdict): Promise<boolean> {
    const decisions = await this.#take(remote);
    const decided = remote.flatMap(({ meter, key }, index): Decided[] => {
      const decision = decisions[index] ?? null;
      // Another was known to refuse, and this one was not asked.
      if (decision === null) return [];
      meter.countSource(decision.source);
      return [{ meter, key, decision }];
    });
    const allowed = decided.every(({ decision }) => decision.allowed);
    const held = allowed ? local : local.map(giveBack);
    settle(verdict, [...held, ...decided], allowed, this.#leases);
    return allowed;
  }

  async #take(asked: readonly Asked<RemoteMeter>[]): Promise<readonly (Decision | null)[]> {
    const [only, second] = asked;
    // A single one joins whoever takes from the same key in this tick.
    if (second === undefined) return [await only!.meter.limiter.take(only!.key, { cost: only!.cost })];
    const keys = asked.map(({ key }) => key);
    const { decisions } = await this.#remote.together(asked).take(keys, { cost: asked.map(({ cost }) => cost) });
    return decisions;
  }
}

/** What was taken is there again; says what is left then. */
function giveBack({ meter, key, decision }: Decided): Decided {
  const lease = leaseOf(decision);
  if (lease !== 0) meter.release(key, lease);
  else if (decision.granted > 0) meter.refund(key, decision.granted);
  return { meter, key, decision: { ...decision, remaining: decision.remaining + decision.granted, granted: 0 } };
}
