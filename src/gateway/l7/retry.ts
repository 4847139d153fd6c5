/**
 * Whether a request whose attempt has failed may go out once more. Safe is what has not been sent at all, whatever it is, and
 * what may be done twice (RFC 9110 §9.2.2) if all of it is still here. Something else decides whether it is worth it: where,
 * and whether an answer had begun.
 */
import type { Random } from '../../kernel/random.ts';
import type { Refusal } from '../slots.ts';
import type { RetryPlan } from '../snapshot.ts';
import { field } from './fields.ts';
import { type Head, METHOD_DELETE, METHOD_GET, METHOD_HEAD, METHOD_OPTIONS, METHOD_PUT } from './head.ts';

/** Why an attempt beyond the first was made, as the access log says it; `budget`: why it was not. */
export type RetryReason = '' | Refusal | 'stale_connection' | 'hedge' | 'budget';

/** What is known of a request when an attempt has failed. */
export interface Repeatable {
  readonly methodId: number;
  /** Every byte of it is still here. */
  readonly whole: boolean;
  /** Attempts so far. */
  readonly attempts: number;
}

/** `sent`: some of it was handed to the connection that failed. A body that was not is waiting in the client's wire still. */
export function mayRetry(request: Repeatable, sent: boolean, attemptsMax: number): boolean {
  if (request.attempts >= attemptsMax) return false;
  return !sent || (request.whole && isIdempotent(request.methodId));
}

export function isIdempotent(methodId: number): boolean {
  return (
    methodId === METHOD_GET ||
    methodId === METHOD_HEAD ||
    methodId === METHOD_PUT ||
    methodId === METHOD_DELETE ||
    methodId === METHOD_OPTIONS
  );
}

/** How long to wait before the `retries`-th retry: any time up to a bound that doubles (full jitter), so that clients drift apart. */
export function backoffMs(retries: number, { backoffBaseMs, backoffMaxMs }: RetryPlan, random: Random): number {
  return random.unit() * Math.min(backoffMaxMs, backoffBaseMs * 2 ** (retries - 1));
}

/** The statuses of a server's answer that are asked for again. */
export function isRetriedStatus(status: number, { statuses }: RetryPlan): boolean {
  for (const { from, to } of statuses) if (status >= from && status <= to) return true;
  return false;
}

/**
 * What an answer's `Retry-After` asks to wait, in ms (RFC 9110 §10.2.3): 0 if it asks nothing, `Infinity` if it is a date or cannot
 * be read. A gateway does not hold a request as long as a date is far.
 */
export function retryAfterMs(head: Head): number {
  const index = head.find(field.retryAfter);
  if (index < 0) return 0;
  const text = head.text(head.valueStart[index]!, head.valueEnd[index]!);
  return /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Number.POSITIVE_INFINITY;
}
