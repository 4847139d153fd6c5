/**
 * Active health: when each check runs, and what its result means for the endpoints that share it.
 *
 * A *prober* is one check of one address; services that name the same check of the same address share it, so an endpoint
 * is not asked twice. A result goes through the pure machine (src/health/active.ts), then each service of the prober
 * decides anew which endpoints are in (src/health/eligible.ts), and the `HEALTH` words change.
 *
 * Invariants: a prober has at most one check under way and at most one place in the queue; at most `CHECKS_MAX` run at
 * once; what is known of an address survives an update as long as the same thing is asked of it, whatever the interval.
 * Cost: one timer a prober; a result costs O(endpoints of its services).
 */
import { cellHeader, type Cell } from '../../kernel/cells.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import {
  conditionOf,
  defaultEligibilityPolicy,
  eligible,
  initialHealth,
  step,
  type CheckResult,
  type Eligibility,
  type HealthState,
} from '../../health/index.ts';
import { lookupFor } from '../link-local.ts';
import { HEALTH, HEALTH_DOWN, HEALTH_UNKNOWN, HEALTH_UP } from '../slots.ts';
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
  readonly health: 'unknown' | 'up' | 'down';
  readonly reason: string;
  /** Wall time in ms; null if nothing ever checked it. */
  readonly sinceMs: number | null;
}

interface Prober {
  readonly check: CheckPlan;
  state: HealthState;
  readonly services: Set<string>;
  timer: Timer | null;
  cancel: (() => void) | null;
}

interface Member {
  readonly plan: HealthPlan;
  readonly prober: Prober | null;
  eligibility: Eligibility;
  /** Since when it is out or kept; meaningless while in. */
  outSinceMs: number;
  word: number;
}

export class HealthChecks {
  readonly #options: HealthChecksOptions;
  #probers = new Map<string, Prober>();
  #services = new Map<string, Member[]>();
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
    for (const plan of plans) this.#addMember(plan, before, known);
    for (const [key, prober] of before.probers) if (this.#probers.get(key) !== prober) this.#retire(prober);
    const cells = new Set<Cell>(plans.map((plan) => plan.cell));
    for (const member of [...before.services.values()].flat()) {
      if (!cells.has(member.plan.cell)) Atomics.store(cellHeader(member.plan.cell), HEALTH, HEALTH_UNKNOWN);
    }
    for (const service of this.#services.keys()) this.#decide(service);
    // The first checks of a large config are spread a little, about 1 ms each.
    for (const prober of this.#probers.values()) {
      if (prober.timer === null && prober.cancel === null && !this.#due.includes(prober)) {
        this.#schedule(prober, this.#options.random.unit() * Math.min(prober.check.intervalMs, this.#probers.size));
      }
    }
  }

  known(service: string, endpoint: string): KnownHealth {
    const member = this.#services.get(service)?.find(({ plan }) => plan.endpoint === endpoint);
    const state = member?.prober?.state;
    if (member === undefined || state === undefined) return { health: 'unknown', reason: 'not checked', sinceMs: null };
    const { clock } = this.#options;
    const sinceMs = clock.wallMs() - (clock.nowMs() - state.sinceMs);
    if (member.eligibility === 'kept')
      return { health: 'unknown', reason: `kept as the last: ${state.reason}`, sinceMs };
    return { health: state.health, reason: state.reason, sinceMs };
  }

  stop(): void {
    for (const prober of this.#probers.values()) this.#retire(prober);
    this.#probers.clear();
  }

  #addMember(
    plan: HealthPlan,
    before: { readonly probers: Map<string, Prober>; readonly services: Map<string, Member[]> },
    known: ReadonlyMap<string, HealthState>,
  ): void {
    const prober = plan.check === null ? null : this.#proberFor(plan.check, before.probers, known);
    prober?.services.add(plan.service);
    const old = before.services.get(plan.service)?.find((member) => member.plan.endpoint === plan.endpoint);
    const same = old?.plan.cell === plan.cell ? old : undefined;
    const member: Member = {
      plan,
      prober,
      eligibility: same?.eligibility ?? 'in',
      outSinceMs: same?.outSinceMs ?? 0,
      word: same?.word ?? HEALTH_UNKNOWN,
    };
    const members = this.#services.get(plan.service);
    if (members === undefined) this.#services.set(plan.service, [member]);
    else members.push(member);
  }

  #proberFor(check: CheckPlan, before: ReadonlyMap<string, Prober>, known: ReadonlyMap<string, HealthState>): Prober {
    const key = JSON.stringify(check);
    const already = this.#probers.get(key);
    if (already !== undefined) return already;
    const kept = before.get(key);
    kept?.services.clear();
    const state = known.get(questionOf(check)) ?? initialHealth(this.#options.clock.nowMs());
    const prober: Prober = kept ?? { check, state, services: new Set(), timer: null, cancel: null };
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
    const tls = check.tls === null ? null : probeTls(check.tls, check.host);
    const lookup = lookupFor(check.allowLinkLocal);
    const probe = { host: check.host, port: check.port, timeoutMs: check.timeoutMs, kind: check.probe, tls, lookup };
    prober.cancel = startProbe(probe, clock, (result) => {
      prober.cancel = null;
      this.#running -= 1;
      const periodMs = check.intervalMs * (1 + check.jitterRatio * (2 * random.unit() - 1));
      this.#schedule(prober, Math.max(1, periodMs - (clock.nowMs() - startedMs)));
      if (result !== null) this.#learn(prober, result);
      this.#runDue();
    });
  }

  #learn(prober: Prober, result: CheckResult): void {
    prober.state = step(prober.state, result, prober.check, this.#options.clock.nowMs()).state;
    for (const service of prober.services) this.#decide(service);
  }

  #decide(service: string): void {
    const members = this.#services.get(service) ?? [];
    const candidates = members.map(({ plan, prober }) => ({
      health: conditionOf(prober?.state ?? null, null),
      weight: plan.weight,
      backup: false,
    }));
    const policy = { ...defaultEligibilityPolicy, failOpenBelow: 0 };
    const { verdicts } = eligible(candidates, policy, this.#options.clock.nowMs());
    members.forEach((member, index) => this.#settle(member, verdicts[index] ?? 'in'));
  }

  #settle(member: Member, eligibility: Eligibility): void {
    const { plan, prober } = member;
    const word = wordFor(eligibility, prober?.state.health ?? 'unknown');
    const before = { word: member.word, eligibility: member.eligibility };
    member.word = word;
    member.eligibility = eligibility;
    Atomics.store(cellHeader(plan.cell), HEALTH, word);
    const nowMs = this.#options.clock.nowMs();
    const subject = { service: plan.service, endpoint: plan.endpoint, reason: prober?.state.reason ?? 'not checked' };
    if (eligibility !== before.eligibility) {
      const downForMs = before.eligibility === 'out' ? nowMs - member.outSinceMs : null;
      member.outSinceMs = nowMs;
      if (eligibility === 'out') this.#options.onEvent({ kind: 'endpoint-down', ...subject });
      else if (eligibility === 'kept') this.#options.onEvent({ kind: 'endpoint-kept', ...subject });
      else this.#options.onEvent({ kind: 'endpoint-up', ...subject, downForMs });
    } else if (word === HEALTH_UP && before.word === HEALTH_UNKNOWN) {
      this.#options.onEvent({ kind: 'endpoint-up', ...subject, downForMs: null });
    }
  }
}

/** An endpoint that is kept is neither up nor down: it is used, as an unknown one is. */
function wordFor(eligibility: Eligibility, health: HealthState['health']): number {
  if (eligibility === 'out') return HEALTH_DOWN;
  return health === 'up' ? HEALTH_UP : HEALTH_UNKNOWN;
}

/** What is asked of an address, without how often and how patiently: by this, knowledge survives a reload. */
function questionOf({ host, port, probe, tls, allowLinkLocal }: CheckPlan): string {
  return JSON.stringify({ host, port, probe, tls, allowLinkLocal });
}
