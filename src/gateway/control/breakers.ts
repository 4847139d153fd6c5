/**
 * The breakers of all services: looks at what workers have counted, has the machine of `spillway/resilience` decide, and publishes the state,
 * of which workers read (breakers/service-breaker.ts).
 *
 * Invariants: one timer for all, and none without breakers; what is known of a service survives a reload as long as it has a breaker; of what was
 * counted only what came while it was closed is in its window. A trial in which no permit was taken and none has ended for `trialMs` goes on
 * without those that are out: a worker that died had them, or an attempt that takes that long. Cost: a look is O(services × lanes), some microseconds a hundred; a breaker opens up to `LOOK_MS` late.
 */
import { type Cell, cellLanes, type Lane, sumSlot } from '../../kernel/cells.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import { BreakerLife, type BreakerPhase } from '../../resilience/breaker-life.ts';
import type { CallCounts } from '../../resilience/breaker-policy.ts';
import {
  publishBreaker,
  publishPolicy,
  readRow,
  readTrial,
  renewTrial,
  type Trial,
} from '../breakers/service-breaker.ts';
import { BREAKER_SLOTS, breakerSlots } from '../slots.ts';
import type { BreakerPlan, ServicePlan } from '../snapshot.ts';
import type { GatewayEvent } from './events.ts';

/** As a person would not notice; twenty times a second is no work. */
const LOOK_MS = 50;

export interface BreakersOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly onEvent: (event: GatewayEvent) => void;
}

/** What `state()` and metrics show. */
export interface KnownBreaker {
  readonly phase: BreakerPhase;
  readonly reason: string;
  /** Wall time. */
  readonly sinceMs: number;
  /** Wall time at which it is over; null unless it is open. */
  readonly untilMs: number | null;
  /** Openings in a row that are not forgotten. */
  readonly openings: number;
  /** How often it became what, since it is known. */
  readonly transitions: ReadonlyMap<BreakerPhase, number>;
}

interface Watched {
  readonly cell: Cell;
  readonly lanes: readonly Lane[];
  readonly life: BreakerLife;
  readonly transitions: Map<BreakerPhase, number>;
  /** Wall times of the state. */
  sinceMs: number;
  untilMs: number | null;
  /** What is counted that has been looked at. */
  seen: CallCounts;
  /** The trial as it was when something last became of it. */
  trial: Trial;
  trialMs: number;
}

const NOTHING: Trial = { calls: 0, failures: 0, slow: 0, out: 0, takes: 0 };

export class Breakers {
  readonly #options: BreakersOptions;
  #services = new Map<string, Watched>();
  #timer: Timer | null = null;

  constructor(options: BreakersOptions) {
    this.#options = options;
  }

  /** Of a service that is given twice the first counts. */
  update(services: readonly Pick<ServicePlan, 'name' | 'breaker'>[]): void {
    const before = this.#services;
    this.#services = new Map();
    for (const { name, breaker } of services) {
      if (breaker !== null && !this.#services.has(name))
        this.#services.set(name, this.#watch(before.get(name), breaker));
    }
    const isNeeded = this.#services.size > 0;
    if (isNeeded) this.#timer ??= this.#options.clock.every(LOOK_MS, () => this.#look());
    else this.stop();
  }

  /** Null for a service without one. */
  known(service: string): KnownBreaker | null {
    const watched = this.#services.get(service);
    if (watched === undefined) return null;
    const { phase, reason, openings } = watched.life.state;
    return {
      ...{ phase, reason, openings, transitions: watched.transitions },
      ...{ sinceMs: watched.sinceMs, untilMs: watched.untilMs },
    };
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = null;
  }

  #watch(old: Watched | undefined, { cell, policy }: BreakerPlan): Watched {
    const { clock, random } = this.#options;
    const nowMs = clock.nowMs();
    publishPolicy(cell, policy);
    if (old?.cell === cell) {
      old.life.change(policy, nowMs);
      return old;
    }
    const lanes = cellLanes(cell, BREAKER_SLOTS);
    const life = new BreakerLife({ policy, random }, nowMs);
    // Of a config that was on trial the cell may be there still, in the state that it was left in.
    publishBreaker(cell, { ...life.state, untilMs: nowMs });
    const state = { sinceMs: clock.wallMs(), untilMs: null, seen: countsOf(lanes), trial: NOTHING, trialMs: nowMs };
    return { cell, lanes, life, transitions: new Map(), ...state };
  }

  #look(): void {
    const nowMs = this.#options.clock.nowMs();
    for (const [service, watched] of this.#services) {
      const before = watched.life.state;
      watched.life.turn(nowMs);
      if (watched.life.state.phase === 'closed') this.#count(watched, nowMs);
      else if (before.phase === 'half-open') this.#judge(watched, nowMs);
      if (watched.life.state.phase !== before.phase) this.#enter(service, watched, nowMs);
    }
  }

  #count(watched: Watched, nowMs: number): void {
    const { cell, lanes, life, seen } = watched;
    const now = countsOf(lanes);
    watched.seen = now;
    const calls = now.calls - seen.calls;
    const row = readRow(cell);
    // A row is full a moment after its last attempt is counted, or before.
    if (calls > 0 || row > 0) {
      life.count({ calls, failures: now.failures - seen.failures, slow: now.slow - seen.slow }, row, nowMs);
    }
  }

  #judge(watched: Watched, nowMs: number): void {
    const { cell, life, trial: before } = watched;
    const trial = readTrial(cell);
    life.judgeTrial(trial, nowMs);
    if (trial.calls !== before.calls || trial.out !== before.out || trial.takes !== before.takes) {
      watched.trial = trial;
      watched.trialMs = nowMs;
    } else if (life.state.phase === 'half-open' && trial.out > 0 && nowMs - watched.trialMs >= life.policy.trialMs) {
      life.renewTrial();
      renewTrial(cell, life.state.generation);
    }
  }

  #enter(service: string, watched: Watched, nowMs: number): void {
    const { cell, lanes, life, transitions } = watched;
    const { phase, generation, reason, untilMs } = life.state;
    watched.seen = countsOf(lanes);
    watched.trial = NOTHING;
    watched.trialMs = nowMs;
    watched.sinceMs = this.#options.clock.wallMs();
    watched.untilMs = phase === 'open' ? watched.sinceMs + (untilMs - nowMs) : null;
    transitions.set(phase, (transitions.get(phase) ?? 0) + 1);
    publishBreaker(cell, {
      phase,
      generation,
      untilMs: Number.isFinite(untilMs) ? untilMs : nowMs + life.policy.openMs,
    });
    const forMs = phase === 'open' ? untilMs - nowMs : null;
    this.#options.onEvent({ kind: 'breaker', service, phase, reason, forMs });
  }
}

/** Of all states; differences are of one. */
function countsOf(lanes: readonly Lane[]): CallCounts {
  const { good, slow, failed, failedSlowly } = breakerSlots;
  const [fine, late, bad, both] = [good, slow, failed, failedSlowly].map((slot) => sumSlot(lanes, slot)) as [
    number,
    number,
    number,
    number,
  ];
  return { calls: fine + late + bad + both, failures: bad + both, slow: late + both };
}
