/** What limits have said of a request together: what is counted of it, what it holds, and what its client is told. */
import { limitFields, type Report, retryAfterS } from '../../limit/fields.ts';
import type { Decision } from '../../limit/index.ts';
import type { Lease, Leases } from './leases.ts';
import { leaseOf, type Meter } from './meter.ts';

/** Filled anew for each request. */
export interface Verdict {
  /** Leases that the request holds until it ends. */
  lease: Lease | null;
  /** Names of the limits that refused. */
  refusedBy: readonly string[];
  /** They refused because nobody could count, and not because there was too much. */
  unavailable: boolean;
  /** For `Retry-After`; -1 is none. */
  retryAfterS: number;
  /** Lines for the head of the answer, line breaks included; '' if it gets none. */
  lines: string;
}

export function createVerdict(): Verdict {
  return { lease: null, refusedBy: NOBODY, unavailable: false, retryAfterS: -1, lines: '' };
}

const NOBODY: readonly string[] = [];

export function clearVerdict(verdict: Verdict): void {
  verdict.lease = null;
  verdict.refusedBy = NOBODY;
  verdict.unavailable = false;
  verdict.lines = '';
}

export interface Decided {
  readonly meter: Meter;
  readonly key: string;
  readonly decision: Decision;
}

/** Counts what was decided together, and says in `verdict` what follows from it. */
export function settle(verdict: Verdict, decided: readonly Decided[], allowed: boolean, leases: Leases): void {
  let always = false;
  for (let index = 0; index < decided.length; index++) {
    const { meter, key, decision } = decided[index]!;
    if (!isFloorOfNext(decided, index)) countOnce(decided, index, allowed);
    const lease = allowed ? leaseOf(decision) : 0;
    if (lease !== 0) verdict.lease = leases.hold(meter, key, lease, verdict.lease);
    always ||= meter.plan.fields === 'always';
  }
  if (!allowed) refuse(verdict, decided);
  else if (always) verdict.lines = linesOf(decided, 'always');
}

/** The next is of the same limit, and says what is counted of it. */
function isFloorOfNext(decided: readonly Decided[], index: number): boolean {
  return index + 1 < decided.length && decided[index + 1]!.meter.plan === decided[index]!.meter.plan;
}

/** A limit of two meters is one limit: refused if either refuses. When the request is refused, who would have let it pass is not counted. */
function countOnce(decided: readonly Decided[], index: number, allowed: boolean): void {
  const last = decided[index]!;
  // WHY so: to ask an array for its element −1 is a search for a property of that name.
  const before = index === 0 ? null : decided[index - 1]!;
  const floor = before?.meter.plan === last.meter.plan ? before : null;
  const isFloor = floor !== null && (!floor.decision.allowed || (floor.decision.shadowed && last.decision.allowed));
  const { decision, key } = isFloor ? floor : last;
  if (allowed || !decision.allowed) last.meter.count(decision, key);
}

export function refuse(verdict: Verdict, decided: readonly Pick<Decided, 'meter' | 'decision'>[]): void {
  const refused = decided.filter(({ decision }) => !decision.allowed);
  const over = refused.filter(({ decision }) => decision.source !== 'closed');
  const because = over.length > 0 ? over : refused;
  verdict.unavailable = over.length === 0;
  verdict.refusedBy = [...new Set(because.map(({ meter }) => meter.plan.name))];
  verdict.retryAfterS = Math.max(...refused.map(({ decision }) => retryAfterS(decision) ?? -1));
  verdict.lines = linesOf(decided, 'refused');
}

/** What the client is told of the limits it has met. */
export function linesOf(decided: readonly Pick<Decided, 'meter' | 'decision'>[], when: 'always' | 'refused'): string {
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
