/** What the admin API says of a config that it was asked to put in force. */
import type { ReloadOutcome } from '../gateway/index.ts';
import type { AdminAnswer } from './admin-client.ts';

/** Null if it is none. `cause` is what was asked for. */
export function readOutcome({ status, body }: AdminAnswer, cause: ReloadOutcome['cause']): ReloadOutcome | null {
  const given = (body ?? {}) as Partial<ReloadOutcome> & Partial<RefusedBody>;
  if (status === 200) return given.kind === 'applied' || given.kind === 'unchanged' ? (given as ReloadOutcome) : null;
  const { detail = '', problems = [], version = 0, code } = given;
  const isFrozen = status === 409 && code === 'BUDGET_FROZEN';
  if (status !== 422 && !isFrozen) return null;
  return { kind: 'refused', cause, version, reason: detail, problems, ...(isFrozen ? { code } : {}) };
}

/** Of a problem document with status 422, or 409 if a budget is frozen. */
interface RefusedBody {
  readonly detail: string;
  readonly problems: readonly string[];
  readonly version: number;
  readonly code: 'BUDGET_FROZEN';
}
