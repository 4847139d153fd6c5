/**
 * The health of a service: everything that is known of its endpoints, brought together at each evaluation.
 *
 *     checks ──▶ active ─────────────────────────────┐
 *     traffic ─▶ window ─▶ passive ─▶ ejection ─▶ condition ─▶ eligible ─▶ who gets traffic
 *
 * The control thread owns one a service and calls `evaluate` when a check changed something, when a worker's row of errors is
 * full (`TrafficRecorder.record`), and at `againMs` at the latest. It keeps what is known of an endpoint by its id across
 * changes of the config.
 *
 * No I/O and no clock. Cost: O(n × lanes) for n endpoints, about 1 µs an endpoint and lane; 4 kB an endpoint.
 */
import type { Cell } from '../kernel/cells.ts';
import type { HealthState } from './active.ts';
import { conditionOf, transitionOf, type ConditionTransition, type EndpointHealth } from './condition.ts';
import { initialEjection, isInUse, stepEjections, type Ejection, type EjectionPolicy } from './ejection.ts';
import { eligible, type Eligibility, type EligibilityPolicy } from './eligible.ts';
import { faultsOf, goodAndBad, resultsMinOf, type Fault, type PassivePolicy } from './passive.ts';
import { TrafficWindow, type TrafficSummary } from './traffic-window.ts';

export interface HealthPolicy {
  /** Null: traffic is not judged and nothing is ejected. */
  readonly passive: PassivePolicy | null;
  readonly ejection: EjectionPolicy;
  readonly eligibility: EligibilityPolicy;
}

export interface HealthMember {
  readonly id: string;
  readonly weight: number;
  readonly backup: boolean;
  /** Where its traffic is counted: `createTrafficCell`. */
  readonly traffic: Cell;
}

export interface EvaluatedEndpoint {
  readonly id: string;
  readonly health: EndpointHealth;
  readonly eligibility: Eligibility;
  /** A fault in its traffic for which it was not ejected, and why not; null without. */
  readonly spared: string | null;
  /** Null if its condition is what it was. */
  readonly transition: ConditionTransition | null;
}

export interface Evaluation {
  /** In the order of the members. */
  readonly endpoints: readonly EvaluatedEndpoint[];
  /** Why all are used against what is known of them; null while health is believed. */
  readonly failOpen: string | null;
  /** Evaluate again by then; null: only a check can change anything. */
  readonly againMs: number | null;
}

interface Known {
  readonly member: HealthMember;
  readonly window: TrafficWindow | null;
  readonly ejection: Ejection;
  readonly health: EndpointHealth;
}

/** Out of an ejection without a trial. */
const IN = { phase: 'in', reason: '', cause: 'none' } as const;
/** Evaluations in a window: often enough that the rules see what it holds, seldom enough to cost nothing. */
const EVALUATIONS = 10;
/** While one is on trial: it should not fail for longer than it takes to see it. */
const TRIAL_EVALUATIONS = 100;

export class ServiceHealth {
  #policy: HealthPolicy;
  #known: Known[] = [];

  constructor(policy: HealthPolicy, members: readonly HealthMember[], nowMs: number) {
    this.#policy = policy;
    this.update(policy, members, nowMs);
  }

  /** Takes a new config. An endpoint that stays, with its cell, keeps its past; a new length of the window begins a new one. */
  update(policy: HealthPolicy, members: readonly HealthMember[], nowMs: number): void {
    const before = new Map(this.#known.map((known) => [known.member.id, known]));
    const sameWindow = policy.passive?.windowMs === this.#policy.passive?.windowMs;
    this.#policy = policy;
    this.#known = members.map((member) => {
      const old = before.get(member.id);
      const same = old?.member.traffic === member.traffic ? old : undefined;
      const ejection = policy.passive === null ? initialEjection(nowMs) : (same?.ejection ?? initialEjection(nowMs));
      const window = (sameWindow ? same?.window : null) ?? this.#openWindow(member, nowMs);
      return { member, window, ejection, health: same?.health ?? conditionOf(null, initialEjection(nowMs)) };
    });
  }

  /** `activeOf` says what checks know of an endpoint; null if nothing checks it. */
  evaluate(activeOf: (id: string) => HealthState | null, nowMs: number): Evaluation {
    const { passive, eligibility } = this.#policy;
    const actives = this.#known.map(({ member }) => activeOf(member.id));
    const spared = passive === null ? [] : this.#judgeTraffic(passive, actives, nowMs);
    const before = this.#known;
    this.#known = before.map((known, index) => ({
      ...known,
      health: conditionOf(actives[index]!, passive === null ? null : known.ejection),
    }));
    const candidates = this.#known.map(({ member, health }) => ({ ...member, health }));
    const { verdicts, failOpen, againMs } = eligible(candidates, eligibility, nowMs);
    const endpoints = this.#known.map(({ member: { id }, health }, index) => ({
      id,
      health,
      eligibility: verdicts[index]!,
      spared: spared[index] ?? null,
      transition: transitionOf(before[index]!.health, health, nowMs),
    }));
    const times = [againMs, passive === null ? null : nowMs + this.#periodMs(passive)].filter((ms) => ms !== null);
    return { endpoints, failOpen, againMs: times.length === 0 ? null : Math.min(...times) };
  }

  /** Moves the ejections on; answers who was spared, and why. */
  #judgeTraffic(policy: PassivePolicy, actives: readonly (HealthState | null)[], nowMs: number): (string | null)[] {
    // What was counted while it fell, and an ejection that followed, are no news about the server that came back.
    const isBack = this.#known.map(
      ({ health }, index) => health.condition === 'down' && actives[index]?.health === 'up',
    );
    this.#known = this.#known.map((known, index) =>
      isBack[index] === true ? { ...known, ejection: { ...known.ejection, ...IN, sinceMs: nowMs } } : known,
    );
    const traffic = this.#known.map(({ window }, index) => {
      if (isBack[index] === true) window!.reset(nowMs);
      window!.collect(nowMs);
      return window!.summary(resultsMinOf(policy));
    });
    const faults = this.#faults(policy, actives, traffic, nowMs);
    const inputs = this.#known.map(({ member: { weight }, ejection }, index) => ({
      ejection,
      weight,
      down: actives[index]?.health === 'down',
      fault: faults[index]!,
      trial: goodAndBad(traffic[index]!.sinceReset, policy),
    }));
    const outcomes = stepEjections(inputs, this.#policy.ejection, nowMs);
    this.#known = this.#known.map((known, index) => {
      const { ejection } = outcomes[index]!;
      // What is counted on trial, and judged after it, is what comes from now on.
      if (ejection.phase === 'trial' && known.ejection.phase !== 'trial') known.window!.reset(nowMs);
      return { ...known, ejection };
    });
    return outcomes.map((outcome) => outcome.spared);
  }

  #faults(
    policy: PassivePolicy,
    actives: readonly (HealthState | null)[],
    traffic: readonly TrafficSummary[],
    nowMs: number,
  ): (Fault | null)[] {
    const observed = this.#known.map(({ member: { weight }, ejection }, index) => {
      const active = actives[index] ?? null;
      const down = active?.health === 'down';
      const sinceMs = Math.max(ejection.sinceMs, active?.sinceMs ?? ejection.sinceMs);
      return { traffic: traffic[index]!, inUse: isInUse({ ejection, down, weight }), settledMs: nowMs - sinceMs };
    });
    return faultsOf(observed, policy);
  }

  #periodMs({ windowMs }: PassivePolicy): number {
    const someoneIsOnTrial = this.#known.some(({ ejection }) => ejection.phase === 'trial');
    return windowMs / (someoneIsOnTrial ? TRIAL_EVALUATIONS : EVALUATIONS);
  }

  #openWindow({ traffic }: HealthMember, nowMs: number): TrafficWindow | null {
    const { passive } = this.#policy;
    return passive === null ? null : new TrafficWindow({ cell: traffic, windowMs: passive.windowMs }, nowMs);
  }
}
