/**
 * Which endpoints of a service get traffic, given what is known of each.
 *
 * Down and ejected are out. Everything else is in, `unknown` too, unless the service is `cautious`: then an endpoint that is
 * checked waits for its first success, at most `startupDeadlineMs`. Waiting is neither up nor down: who waits is not counted,
 * neither as healthy nor as missing.
 *
 * **Fail-open.** If less than `failOpenBelow` of the weight that should serve is left, health is not believed any more: all
 * are used. Either the checks are wrong (what they ask is broken, or cannot be reached from here), or they are right and the
 * few that are left would be crushed next. It is an alarm, not a state to live in, and the decision says so in words.
 * Why 20 %: Envoy's 50 % means that a service of three with two dead servers sends two of three requests to them; HAProxy's
 * none means no service when a shared check breaks. What shared causes do passes 20 % on its way to none within seconds; and of
 * five servers the last one still gets all, instead of nothing but refusals around it.
 *
 * Without fail-open (0) one exception stays: **a service never loses its last endpoints to timeouts alone.** A check that times
 * out often queued behind the very load that the endpoint is serving. So when nobody is in, those whose failures were all
 * timeouts are kept, all of them: sending everything to the one that fell last would finish it.
 *
 * Backups stand in, so the healthy among them count for what is left, but no backup for what should be there; fail-open
 * brings primaries back and leaves a backup that is out where it is. Who among those that are in is preferred is the
 * balancer's. Endpoints of weight 0 get no work, and count for nothing.
 *
 * Pure; O(n) for a service of n endpoints, and only run when one of them changes, or at `againMs`.
 */
import { formatPercentage } from '../kernel/units.ts';
import type { EndpointHealth } from './condition.ts';

export interface Candidate {
  readonly health: EndpointHealth;
  readonly weight: number;
  readonly backup: boolean;
}

export interface EligibilityPolicy {
  /** Share of the primaries' weight, 0 to 1, below which all are used; 0 never. @defaultValue 0.2 */
  readonly failOpenBelow: number;
  /** Whether an endpoint is used before its first check has succeeded. @defaultValue 'optimistic' */
  readonly startup: 'optimistic' | 'cautious';
  /** How long `cautious` waits before an endpoint is used unchecked. @defaultValue 30_000 */
  readonly startupDeadlineMs: number;
}

export const defaultEligibilityPolicy: EligibilityPolicy = {
  failOpenBelow: 0.2,
  startup: 'optimistic',
  startupDeadlineMs: 30_000,
};

/** `kept`: in, against what is known of it, by fail-open or as the last. `waiting`: out until its first success. */
export type Eligibility = 'in' | 'kept' | 'waiting' | 'out';

export interface Decision {
  /** One for each candidate, in the same order. */
  readonly verdicts: readonly Eligibility[];
  /** Why all are used; null while health is believed. Log it loudly. */
  readonly failOpen: string | null;
  /** When time alone would change this; null if it would not. */
  readonly againMs: number | null;
}

export function eligible(candidates: readonly Candidate[], policy: EligibilityPolicy, nowMs: number): Decision {
  const verdicts = candidates.map(({ health }) => verdictOf(health, policy, nowMs));
  const deadlines = candidates.filter((_, index) => verdicts[index] === 'waiting').map(({ health }) => health.sinceMs);
  const againMs = deadlines.length === 0 ? null : Math.min(...deadlines) + policy.startupDeadlineMs;
  const failOpen = failOpenReason(candidates, verdicts, policy);
  const someoneIsIn = candidates.some(({ weight }, index) => weight > 0 && verdicts[index] === 'in');
  const kept = (candidate: Candidate): boolean =>
    failOpen === null ? !someoneIsIn && mayBeAlive(candidate.health) : !candidate.backup;
  return {
    verdicts: verdicts.map((verdict, index) => (verdict === 'out' && kept(candidates[index]!) ? 'kept' : verdict)),
    failOpen,
    againMs,
  };
}

function verdictOf(
  { condition, checked, sinceMs }: EndpointHealth,
  policy: EligibilityPolicy,
  nowMs: number,
): Eligibility {
  if (condition === 'down' || condition === 'ejected') return 'out';
  const waits = condition === 'unknown' && checked && policy.startup === 'cautious';
  return waits && nowMs < sinceMs + policy.startupDeadlineMs ? 'waiting' : 'in';
}

/** An ejection was a preference for others; where there are none it is void. */
function mayBeAlive({ condition, timeoutsOnly }: EndpointHealth): boolean {
  return condition === 'ejected' || timeoutsOnly;
}

function failOpenReason(
  candidates: readonly Candidate[],
  verdicts: readonly Eligibility[],
  { failOpenBelow }: EligibilityPolicy,
): string | null {
  let expected = 0;
  let left = 0;
  let primaries = 0;
  let out = 0;
  for (const [index, { weight, backup }] of candidates.entries()) {
    if (weight === 0 || verdicts[index] === 'waiting') continue;
    if (verdicts[index] === 'in') left += weight;
    if (backup) continue;
    expected += weight;
    primaries += 1;
    if (verdicts[index] === 'out') out += 1;
  }
  if (out === 0 || left >= failOpenBelow * expected) return null;
  const share = formatPercentage(Math.round((left / expected) * 1000) / 1000);
  return `${out} of ${primaries} endpoints are out; ${share} of the weight is left, below ${formatPercentage(failOpenBelow)}: health is ignored and all are used`;
}
