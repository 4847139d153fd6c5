/**
 * Whether a request whose attempt has failed may go out once more. Safe is what has not been sent at all, whatever it is, and
 * what may be done twice (RFC 9110 §9.2.2) if all of it is still here. Something else decides whether it is worth it: where,
 * and whether an answer had begun.
 */
import { METHOD_DELETE, METHOD_GET, METHOD_HEAD, METHOD_OPTIONS, METHOD_PUT } from './head.ts';

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

function isIdempotent(methodId: number): boolean {
  return (
    methodId === METHOD_GET ||
    methodId === METHOD_HEAD ||
    methodId === METHOD_PUT ||
    methodId === METHOD_DELETE ||
    methodId === METHOD_OPTIONS
  );
}
