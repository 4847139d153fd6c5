/**
 * Ejection: what follows for an endpoint from what its traffic says, as a pure machine over all endpoints of a service.
 *
 *     in ── a fault, others well, room ──▶ ejected ── its time is over ──▶ trial ── 3 of 5 results good ──▶ in
 *      ▲                                    │   ▲                           │ │
 *      └───────── nobody in use is well ────┘   └──── 3 of 5 results bad ───┘ └─ nobody in use is well ──▶ in
 *
 * An ejection is a preference for the others, so there must be others and they must be better:
 *
 * - **Somebody in use is without fault, or nobody is ejected**, and those that were come back at once. So the last one stays,
 *   whether it times out or worse, and a fault that all share (a database, the network, one URL that hangs) leaves the
 *   service as large as it was.
 * - At most `ejectedShareMax` of the service's weight is out, counting what checks call down and what is on trial. Beyond that
 *   one may be ejected for *errors* if nothing else is out, however heavy it is; never for slowness: a slow server carries load,
 *   an absent one does not.
 * - Ejection `n` in a row takes `n × baseMs`, at most `ejectionMaxMs`. For each `forgiveAfterMs` in use one is forgotten.
 *
 * On trial an endpoint should get a small share of its traffic (`TRIAL_SHARE`), so a dead one costs a few requests, which
 * retries cover. Best of five is fair both ways: one lucky answer does not bring a broken server back, one unlucky does not
 * keep a good one out. Slowness does not count on trial: a cold server is slow, and would never get warm.
 *
 * Invariants: a step never ejects beyond the share; while anyone is ejected or on trial, someone is in use; `level` is at
 * least 1 while ejected or on trial. O(n log n). Sources: Envoy's outlier detection for growing times and the share, circuit
 * breakers for the trial.
 */
import { formatPercentage } from '../kernel/units.ts';
import type { Fault } from './passive.ts';

export interface EjectionPolicy {
  /** How long the first ejection takes. @defaultValue 5_000: short, because a trial costs few requests */
  readonly baseMs: number;
  /** How long any may take. @defaultValue 300_000 */
  readonly ejectionMaxMs: number;
  /**
   * Share of the service's weight that may be out, 0 to 1; 0 ejects nobody.
   * @defaultValue 0.8: rules that compare with the median reach half of a service at most, so beyond that are only servers
   * that answer nothing. With the default of `failOpenBelow`, ejections of equal servers alone never open it.
   */
  readonly ejectedShareMax: number;
  /** Time in use for which one past ejection is forgotten. @defaultValue 60_000 */
  readonly forgiveAfterMs: number;
}

export const defaultEjectionPolicy: EjectionPolicy = {
  baseMs: 5_000,
  ejectionMaxMs: 300_000,
  ejectedShareMax: 0.8,
  forgiveAfterMs: 60_000,
};

/** Of its usual traffic, what an endpoint on trial should get. The balancer's slow start goes on from here. */
export const TRIAL_SHARE = 0.1;
/** Best of five. */
const TRIAL_RESULTS = 3;

/**
 * The class of a reason: stable, for metrics. A rule of passive.ts; `trial`: how that went; `no-better`: none of the others is; `none`:
 * never ejected.
 */
export type EjectionCause = Fault['rule'] | 'trial' | 'no-better' | 'none';

export interface Ejection {
  readonly phase: 'in' | 'ejected' | 'trial';
  /** When the phase began. */
  readonly sinceMs: number;
  /** Ejections in a row that are not forgotten. */
  readonly level: number;
  /** When an ejection is over; meaningless in another phase. */
  readonly untilMs: number;
  /** Why it was ejected, or why it is in again; empty if it was never ejected. */
  readonly reason: string;
  readonly cause: EjectionCause;
}

export interface EjectionInput {
  readonly ejection: Ejection;
  readonly weight: number;
  /** Out by its checks. */
  readonly down: boolean;
  /** What its traffic says; null while it is not in use. */
  readonly fault: Fault | null;
  /** What came of the requests since its trial began; read on trial only. */
  readonly trial: { readonly good: number; readonly bad: number };
}

export interface EjectionOutcome {
  readonly ejection: Ejection;
  /** Why it is in use in spite of a fault; null if it has none or is ejected for it. */
  readonly spared: string | null;
}

export function initialEjection(nowMs: number): Ejection {
  return { phase: 'in', sinceMs: nowMs, level: 0, untilMs: 0, reason: '', cause: 'none' };
}

/** In use by its traffic and its checks; what has weight 0 gets no work and is no measure of anything. */
export function isInUse({ ejection, down, weight }: Pick<EjectionInput, 'ejection' | 'down' | 'weight'>): boolean {
  return ejection.phase === 'in' && !down && weight > 0;
}

/** One evaluation further. One answer for each endpoint, in the same order. */
export function stepEjections(
  members: readonly EjectionInput[],
  policy: EjectionPolicy,
  nowMs: number,
): EjectionOutcome[] {
  if (!members.some((member) => isInUse(member) && member.fault === null)) {
    return members.map((member) => suspended(member, nowMs));
  }
  const outcomes: EjectionOutcome[] = members.map((member) => ({
    ejection: endOfPhase(member, policy, nowMs),
    spared: null,
  }));
  const room = roomOf(members, policy);
  for (const { index, fault } of worstFirst(members)) {
    const { ejection, weight } = members[index]!;
    const spared = room.take(weight, fault);
    outcomes[index] =
      spared === null
        ? { ejection: eject(ejection, { reason: fault.reason, cause: fault.rule }, policy, nowMs), spared }
        : { ejection, spared: `${fault.reason}; in use all the same: ${spared}` };
  }
  return outcomes;
}

function worstFirst(members: readonly EjectionInput[]): { readonly index: number; readonly fault: Fault }[] {
  return members
    .flatMap((member, index) => (isInUse(member) && member.fault !== null ? [{ index, fault: member.fault }] : []))
    .toSorted((a, b) => b.fault.severity - a.fault.severity);
}

/** Nobody is better than the ejected: all are used. */
function suspended({ ejection, fault }: EjectionInput, nowMs: number): EjectionOutcome {
  if (ejection.phase === 'in') {
    return { ejection, spared: fault === null ? null : `${fault.reason}; in use all the same: no other is better` };
  }
  const reason = `none of the others is better; before: ${ejection.reason}`;
  return { ejection: { ...ejection, phase: 'in', sinceMs: nowMs, reason, cause: 'no-better' }, spared: null };
}

/** What time and the trial bring. */
function endOfPhase({ ejection, down, trial }: EjectionInput, policy: EjectionPolicy, nowMs: number): Ejection {
  const { phase, untilMs, reason } = ejection;
  if (down) return ejection;
  if (phase === 'ejected' && nowMs >= untilMs) return { ...ejection, phase: 'trial', sinceMs: nowMs };
  if (phase !== 'trial') return ejection;
  const results = `${trial.good} of ${trial.good + trial.bad} requests on trial succeeded`;
  if (trial.bad >= TRIAL_RESULTS && trial.bad >= trial.good) {
    const before = reason.split('; before: ').at(-1);
    return eject(ejection, { reason: `${results}; before: ${before}`, cause: 'trial' }, policy, nowMs);
  }
  if (trial.good < TRIAL_RESULTS) return ejection;
  return { ...ejection, phase: 'in', sinceMs: nowMs, reason: results, cause: 'trial' };
}

type Why = Pick<Ejection, 'reason' | 'cause'>;

function eject({ phase, level, sinceMs }: Ejection, why: Why, policy: EjectionPolicy, nowMs: number): Ejection {
  const forgiven = phase === 'in' ? Math.floor((nowMs - sinceMs) / policy.forgiveAfterMs) : 0;
  // A level above what the longest ejection needs would only take longer to forgive.
  const levelMax = Math.max(1, Math.ceil(policy.ejectionMaxMs / policy.baseMs));
  const next = Math.min(Math.max(0, level - forgiven) + 1, levelMax);
  const untilMs = nowMs + Math.min(next * policy.baseMs, policy.ejectionMaxMs);
  return { phase: 'ejected', sinceMs: nowMs, level: next, untilMs, ...why };
}

/** How much weight may still be ejected. `take` answers null, or why not. */
function roomOf(members: readonly EjectionInput[], { ejectedShareMax }: EjectionPolicy) {
  const totalWeight = members.reduce((sum, { weight }) => sum + weight, 0);
  let outWeight = members.reduce((sum, member) => sum + (isInUse(member) ? 0 : member.weight), 0);
  return {
    take(weight: number, fault: Fault): string | null {
      const share = (outWeight + weight) / totalWeight;
      const isOnlyOne = outWeight === 0 && fault.rule !== 'latency' && ejectedShareMax > 0;
      if (share > ejectedShareMax + Number.EPSILON && !isOnlyOne) {
        const out = formatPercentage(Math.round((outWeight / totalWeight) * 100) / 100);
        return `${out} of the service is out and at most ${formatPercentage(ejectedShareMax)} may be`;
      }
      outWeight += weight;
      return null;
    },
  };
}
