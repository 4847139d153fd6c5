/**
 * Health: when each check runs, and what its result and the traffic mean for the endpoints of a service.
 *
 * A *prober* is one check of one address; services that name the same check of the same address share it, so an endpoint
 * is not asked twice. A result goes through the pure machine (src/health/active.ts), then each service of the prober is looked
 * at anew, together with what its traffic says (src/health/service-health.ts), and the `HEALTH` words change. Traffic is looked at
 * in turn, and at once when a worker sees a row of errors.
 *
 * Invariants: a prober has at most one check under way and at most one place in the queue; at most `CHECKS_MAX` run at
 * once; what is known of an address survives an update as long as the same thing is asked of it, whatever the interval.
 * Cost: one timer a prober; a result costs O(endpoints of its services).
 */
import { cellHeader, type Cell } from '../../kernel/cells.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import {
  initialHealth,
  ServiceHealth,
  step,
  type CheckResult,
  type Condition,
  type ConditionTransition,
  type EvaluatedEndpoint,
  type HealthCause,
  type HealthState,
} from '../../health/index.ts';
import { lookupFor } from '../link-local.ts';
import { HEALTH, HEALTH_DOWN, HEALTH_TRIAL, HEALTH_UNKNOWN, HEALTH_UP } from '../slots.ts';
import type { GatewayEvent } from './events.ts';
import type { CheckPlan, HealthPlan } from './health-plan.ts';
import { probeTls } from './probe-tls.ts';
import { startProbe } from './probe.ts';

/** Enough for 1,000 endpoints asked each second by servers that answer in 50 ms; few enough to spare sockets. */
const CHECKS_MAX = 64;

export interface HealthChecksOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly onEvent: (event: GatewayEvent) => void;
}

/** What `state()` and metrics show of an endpoint. */
export interface KnownHealth {
  readonly health: Condition;
  readonly reason: string;
  readonly cause: HealthCause;
  /** Wall time in ms; null if nothing ever said anything of it. */
  readonly sinceMs: number | null;
  /** How often it changed, by what it became and why. */
  readonly changes: readonly HealthChange[];
  /** The last that had a result; null before it, and without checks. */
  readonly check: LastCheck | null;
  /** How long it was out in all, since it is known; the time of now too. */
  readonly outMs: number;
  /** Wall time in ms since when it is out; null if it is not. */
  readonly outSinceMs: number | null;
}

/** What came of a check, when, and how long it took. */
export interface LastCheck {
  readonly result: CheckResult['kind'];
  readonly reason: string;
  /** Wall time in ms. */
  readonly atMs: number;
  readonly tookMs: number;
}

/** Counted since it is known. */
export interface HealthChange {
  readonly to: Condition;
  readonly cause: HealthCause;
  readonly count: number;
}

interface Prober {
  readonly check: CheckPlan;
  state: HealthState;
  readonly services: Set<string>;
  timer: Timer | null;
  cancel: (() => void) | null;
  last: LastCheck | null;
}

interface Member {
  readonly plan: HealthPlan;
  readonly prober: Prober | null;
  /** What is known of it; null before the first look. */
  seen: EvaluatedEndpoint | null;
  /** Since when it is out; meaningless while it is not. */
  outSinceMs: number;
  /** How long it was out before. */
  outMs: number;
  word: number;
  /** By `to` and `cause`, of which there are few. */
  readonly changes: Map<string, HealthChange>;
}

/** A service: its endpoints in order, and what their checks and their traffic come to together. */
interface Watched {
  /** By endpoint, in the order of the service. */
  readonly members: ReadonlyMap<string, Member>;
  readonly health: ServiceHealth;
  failOpen: boolean;
  /** The next look that only time asks for. */
  timer: Timer | null;
}

export class HealthChecks {
  readonly #options: HealthChecksOptions;
  #probers = new Map<string, Prober>();
  #services = new Map<string, Watched>();
  #due: Prober[] = [];
  #running = 0;

  constructor(options: HealthChecksOptions) {
    this.#options = options;
  }

  /** Takes the plans of a new config: what is asked as before goes on undisturbed. */
  update(plans: readonly HealthPlan[]): void {
    const before = { probers: this.#probers, services: this.#services };
    this.#probers = new Map();
    this.#services = new Map();
    const known = new Map([...before.probers.values()].map((prober) => [questionOf(prober.check), prober.state]));
    for (const [service, own] of Map.groupBy(plans, (plan) => plan.service)) this.#watch(service, own, before, known);
    for (const [key, prober] of before.probers) if (this.#probers.get(key) !== prober) this.#retire(prober);
    const cells = new Set<Cell>(plans.map((plan) => plan.cell));
    for (const { members, timer } of before.services.values()) {
      timer?.clear();
      for (const { plan } of members.values()) {
        if (!cells.has(plan.cell)) Atomics.store(cellHeader(plan.cell), HEALTH, HEALTH_UNKNOWN);
      }
    }
    for (const [service, watched] of this.#services) this.#look(service, watched);
    // The first checks of a large config are spread a little, about 1 ms each.
    for (const prober of this.#probers.values()) {
      if (prober.timer === null && prober.cancel === null && !this.#due.includes(prober)) {
        this.#schedule(prober, this.#options.random.unit() * Math.min(prober.check.intervalMs, this.#probers.size));
      }
    }
  }

  known(service: string, endpoint: string): KnownHealth {
    const watched = this.#services.get(service);
    const member = watched?.members.get(endpoint);
    const changes = [...(member?.changes.values() ?? [])];
    const seen = member?.seen ?? null;
    if (member === undefined || seen === null) return { ...notLookedAt, changes };
    const { condition: health, reason, cause, checked } = seen.health;
    const { clock } = this.#options;
    const nowMs = clock.nowMs();
    const wallOf = (ms: number): number => clock.wallMs() - (nowMs - ms);
    const isNew = health === 'unknown' && !checked;
    const isOut = seen.eligibility === 'out';
    const known = {
      ...{ health, reason, cause, changes, sinceMs: isNew ? null : wallOf(seen.health.sinceMs) },
      check: member.prober?.last ?? null,
      outMs: member.outMs + (isOut ? nowMs - member.outSinceMs : 0),
      outSinceMs: isOut ? wallOf(member.outSinceMs) : null,
    };
    if (seen.eligibility === 'waiting') return { ...known, reason: `waits for its first success: ${reason}` };
    if (seen.eligibility === 'in' && seen.spared !== null) return { ...known, reason: seen.spared };
    if (seen.eligibility !== 'kept') return known;
    const kept = watched?.failOpen === true ? 'used all the same, as too few are left' : 'kept as the last';
    return { ...known, health: 'unknown', reason: `${kept}: ${reason}` };
  }

  /** Whether health of a service is not believed, because too few of its endpoints are left. */
  isFailOpen(service: string): boolean {
    return this.#services.get(service)?.failOpen ?? false;
  }

  /** A worker has seen so many errors in a row that nobody should wait for the next look. */
  lookAtTraffic(): void {
    for (const [service, watched] of this.#services) {
      if ([...watched.members.values()].some(({ plan }) => plan.policy.passive !== null)) this.#look(service, watched);
    }
  }

  stop(): void {
    for (const prober of this.#probers.values()) this.#retire(prober);
    for (const { timer } of this.#services.values()) timer?.clear();
    this.#probers.clear();
    this.#services.clear();
  }

  /** Endpoints that stay keep what is known of them. */
  #watch(
    service: string,
    plans: readonly HealthPlan[],
    before: { readonly probers: Map<string, Prober>; readonly services: Map<string, Watched> },
    known: ReadonlyMap<string, HealthState>,
  ): void {
    const nowMs = this.#options.clock.nowMs();
    const old = before.services.get(service);
    const members = plans.map((plan): readonly [string, Member] => {
      const prober = plan.check === null ? null : this.#proberFor(plan.check, before.probers, known);
      prober?.services.add(service);
      const was = old?.members.get(plan.endpoint);
      const same = was?.plan.cell === plan.cell ? was : undefined;
      const { seen = null, outSinceMs = 0, outMs = 0, word = HEALTH_UNKNOWN, changes = new Map() } = same ?? {};
      return [plan.endpoint, { plan, prober, seen, outSinceMs, outMs, word, changes }];
    });
    const { policy } = plans[0]!;
    const judged = plans.map(({ endpoint: id, weight, backup, traffic }) => ({ id, weight, backup, traffic }));
    old?.health.update(policy, judged, nowMs);
    const health = old?.health ?? new ServiceHealth(policy, judged, nowMs);
    this.#services.set(service, { members: new Map(members), health, failOpen: old?.failOpen ?? false, timer: null });
  }

  #proberFor(check: CheckPlan, before: ReadonlyMap<string, Prober>, known: ReadonlyMap<string, HealthState>): Prober {
    const key = JSON.stringify(check);
    const already = this.#probers.get(key);
    if (already !== undefined) return already;
    const kept = before.get(key);
    kept?.services.clear();
    const state = known.get(questionOf(check)) ?? initialHealth(this.#options.clock.nowMs());
    const prober: Prober = kept ?? { check, state, services: new Set(), timer: null, cancel: null, last: null };
    this.#probers.set(key, prober);
    return prober;
  }

  #retire(prober: Prober): void {
    prober.timer?.clear();
    this.#due = this.#due.filter((other) => other !== prober);
    if (prober.cancel === null) return;
    prober.cancel();
    prober.cancel = null;
    this.#running -= 1;
    this.#runDue();
  }

  #schedule(prober: Prober, delayMs: number): void {
    prober.timer = this.#options.clock.after(delayMs, () => {
      prober.timer = null;
      this.#due.push(prober);
      this.#runDue();
    });
  }

  #runDue(): void {
    while (this.#running < CHECKS_MAX) {
      const prober = this.#due.shift();
      if (prober === undefined) return;
      this.#run(prober);
    }
  }

  #run(prober: Prober): void {
    const { clock, random } = this.#options;
    const { check } = prober;
    const startedMs = clock.nowMs();
    this.#running += 1;
    const tls = check.tls === null ? null : probeTls(check.tls, check.identity);
    const lookup = lookupFor(check.allowLinkLocal);
    const probe = { host: check.host, port: check.port, timeoutMs: check.timeoutMs, kind: check.probe, tls, lookup };
    prober.cancel = startProbe(probe, clock, (result) => {
      prober.cancel = null;
      this.#running -= 1;
      const periodMs = check.intervalMs * (1 + check.jitterRatio * (2 * random.unit() - 1));
      this.#schedule(prober, Math.max(1, periodMs - (clock.nowMs() - startedMs)));
      if (result !== null) {
        const { kind, reason } = result;
        prober.last = { result: kind, reason, atMs: clock.wallMs(), tookMs: clock.nowMs() - startedMs };
        this.#learn(prober, result);
      }
      this.#runDue();
    });
  }

  #learn(prober: Prober, result: CheckResult): void {
    prober.state = step(prober.state, result, prober.check, this.#options.clock.nowMs()).state;
    for (const service of prober.services) {
      const watched = this.#services.get(service);
      if (watched !== undefined) this.#look(service, watched);
    }
  }

  /** Brings together what is known of a service, and says what has changed. */
  #look(service: string, watched: Watched): void {
    const { clock, onEvent } = this.#options;
    const { members, health } = watched;
    const nowMs = clock.nowMs();
    const states = new Map([...members.values()].map(({ plan, prober }) => [plan.endpoint, prober?.state ?? null]));
    const { endpoints, failOpen, againMs } = health.evaluate((id) => states.get(id) ?? null, nowMs);
    if ((failOpen !== null) !== watched.failOpen) {
      watched.failOpen = failOpen !== null;
      onEvent({ kind: 'fail-open', service, reason: failOpen });
    }
    let index = 0;
    for (const member of members.values()) this.#settle(member, endpoints[index++]!, nowMs);
    watched.timer?.clear();
    watched.timer =
      againMs === null ? null : clock.after(Math.max(1, againMs - nowMs), () => this.#look(service, watched));
  }

  #settle(member: Member, next: EvaluatedEndpoint, nowMs: number): void {
    const { onEvent } = this.#options;
    const { plan, seen } = member;
    const word = wordFor(next);
    const before = { word: member.word, eligibility: seen?.eligibility ?? 'in', spared: seen?.spared ?? null };
    member.word = word;
    member.seen = next;
    if (next.transition !== null) count(member.changes, next.transition);
    Atomics.store(cellHeader(plan.cell), HEALTH, word);
    const subject = { service: plan.service, endpoint: plan.endpoint, reason: next.health.reason };
    const { condition } = next.health;
    const wasOut = before.eligibility === 'out';
    const downForMs = wasOut || before.word === HEALTH_TRIAL ? nowMs - member.outSinceMs : null;
    if (next.eligibility === 'out' && !wasOut) member.outSinceMs = nowMs;
    if (next.eligibility !== 'out' && wasOut) member.outMs += nowMs - member.outSinceMs;
    if (next.spared !== null && before.spared === null) {
      onEvent({ kind: 'endpoint-spared', ...subject, reason: next.spared });
    }
    if (word === HEALTH_TRIAL && before.word !== HEALTH_TRIAL) onEvent({ kind: 'endpoint-trial', ...subject });
    else if (next.eligibility !== before.eligibility) {
      if (next.eligibility === 'out') onEvent({ kind: 'endpoint-down', ...subject, ejected: condition === 'ejected' });
      else if (next.eligibility === 'kept') onEvent({ kind: 'endpoint-kept', ...subject });
      else if (next.eligibility === 'in') onEvent({ kind: 'endpoint-up', ...subject, downForMs });
    } else if (wasOut && next.transition !== null) {
      // Out as before, and not for the same: its checks fail by now, or succeed while its ejection lasts.
      onEvent({ kind: 'endpoint-down', ...subject, ejected: condition === 'ejected' });
    } else if (word === HEALTH_UP && before.word !== HEALTH_UP) onEvent({ kind: 'endpoint-up', ...subject, downForMs });
  }
}

const notLookedAt: Omit<KnownHealth, 'changes'> = {
  ...({ health: 'unknown', reason: 'not checked', cause: 'none', sinceMs: null } as const),
  ...{ check: null, outMs: 0, outSinceMs: null },
};

function count(changes: Map<string, HealthChange>, { to, cause }: ConditionTransition): void {
  const key = `${to} ${cause}`;
  changes.set(key, { to, cause, count: (changes.get(key)?.count ?? 0) + 1 });
}

/** An endpoint that is kept is neither up nor down: it is used, as an unknown one is. */
function wordFor({ eligibility, health: { condition } }: EvaluatedEndpoint): number {
  if (eligibility === 'out' || eligibility === 'waiting') return HEALTH_DOWN;
  if (eligibility === 'kept') return HEALTH_UNKNOWN;
  if (condition === 'trial') return HEALTH_TRIAL;
  return condition === 'up' ? HEALTH_UP : HEALTH_UNKNOWN;
}

/** What is asked of an address, without how often and how patiently: by this, knowledge survives a reload. */
function questionOf({ host, identity, port, probe, tls, allowLinkLocal }: CheckPlan): string {
  return JSON.stringify({ host, identity, port, probe, tls, allowLinkLocal });
}
