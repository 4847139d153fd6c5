/**
 * `checkLockHistory`: what a lock let happen to that which it protects, by the resource's own view: its log of accesses, in its own order.
 * No clock has a part in it, so no pause or skew can blur it. O(n) for n accesses.
 *
 * What it is not: a check of who held the lock when. A holder that overslept its ttl does no harm until it touches something.
 */
import type { Token } from './register-models.ts';

/** One access, in the order in which the resource took them. */
export interface Access {
  readonly process: number | string;
  /** Of the lease that it was done under. */
  readonly token: Token;
  readonly op: 'read' | 'write';
  /** False if the resource refused it as stale. @defaultValue true */
  readonly accepted?: boolean;
}

export interface LockFault {
  /**
   * - `two-holders`: a token came back after another had been there, so both were in their critical section;
   * - `lost-update`: a write replaced what its writer had not read;
   * - `token-back`: an access was accepted after one with a higher token.
   */
  readonly kind: 'two-holders' | 'lost-update' | 'token-back';
  /** Of the access that shows it, in the list. */
  readonly at: number;
  readonly text: string;
}

/**
 * All faults of a log, in its order; none if it is empty. Refused accesses did nothing and are passed over.
 *
 * @example
 * const faults = checkLockHistory([
 *   { process: 'a', token: 1, op: 'read' },
 *   { process: 'b', token: 2, op: 'read' },
 *   { process: 'b', token: 2, op: 'write' },
 *   { process: 'a', token: 1, op: 'write' },
 * ]);
 * console.log(faults.map(({ kind }) => kind).join(' ')); // token-back two-holders lost-update
 */
export function checkLockHistory(accesses: readonly Access[]): LockFault[] {
  const faults: LockFault[] = [];
  /** Of each token: how many writes there were when its holder last saw the value. */
  const seen = new Map<Token, number>();
  let writes = 0;
  let before: Access | null = null;
  let highest: Access | null = null;
  for (const [at, access] of accesses.entries()) {
    if (access.accepted === false) continue;
    const { token, op } = access;
    const fault = (kind: LockFault['kind'], what: string): void =>
      void faults.push({ kind, at, text: `Access ${at}, a ${op} by ${access.process} with token ${token}: ${what}.` });
    if (highest !== null && token < highest.token)
      fault('token-back', `accepted after token ${highest.token} of ${highest.process}`);
    if (before !== null && token !== before.token && seen.has(token))
      fault('two-holders', `it was there before, and ${before.process} with token ${before.token} came between`);
    const basis = seen.get(token);
    if (op === 'write') {
      if (basis !== undefined && basis < writes)
        fault(
          'lost-update',
          `it replaces ${writes - basis} ${writes - basis === 1 ? 'write' : 'writes'} that it had not read`,
        );
      writes++;
    }
    seen.set(token, writes);
    if (highest === null || token > highest.token) highest = access;
    before = access;
  }
  return faults;
}
