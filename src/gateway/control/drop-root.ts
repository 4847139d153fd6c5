/**
 * Gives up root once everything that needs it is open. All threads of the process change together (POSIX set*id), and so do
 * those started later: a worker that is replaced cannot bind a port that the new user may not bind.
 *
 * Order matters: supplementary groups and the group go first, because only root may change them.
 */
import { readFileSync } from 'node:fs';
import { SpillwayError } from '../../kernel/errors.ts';
import type { ListenerPlan } from '../snapshot.ts';
import { findAccount, readAccounts } from '../user-account.ts';

export type DropOutcome =
  | { readonly kind: 'dropped'; readonly user: string }
  /** The process is not root, so there is nothing to give up. */
  | { readonly kind: 'not-root' };

/** Throws `USER_FAILED` if it cannot: going on as root against the config would be worse than not going on. */
export function dropRoot(user: string): DropOutcome {
  if (process.getuid?.() !== 0) return { kind: 'not-root' };
  const account = findAccount(user, readAccounts());
  if (account === null) throw new SpillwayError('USER_FAILED', `Cannot become ${user}: this machine has no such user.`);
  if (account.uid === 0) throw new SpillwayError('USER_FAILED', `User ${user} is root: name one that is not.`);
  try {
    if (account.name === null) process.setgroups?.([account.gid]);
    else (process as ProcessWithGroups).initgroups?.(account.name, account.gid);
    process.setgid?.(account.gid);
    process.setuid?.(account.uid);
  } catch (error) {
    throw new SpillwayError('USER_FAILED', `Cannot become ${user}: ${(error as Error).message}.`, { cause: error });
  }
  return { kind: 'dropped', user };
}

/** What the operator should know of it, a line each. */
export function dropNotices(
  outcome: DropOutcome,
  user: string,
  listeners: readonly Pick<ListenerPlan, 'port'>[],
): { readonly level: 'info' | 'warn'; readonly message: string }[] {
  if (outcome.kind === 'not-root') {
    return [{ level: 'info', message: `Not started as root, so user ${user} has no effect.` }];
  }
  const done = { level: 'info', message: `Root was given up: the process runs as ${user}.` } as const;
  const low = listeners.find(({ port }) => isPrivileged(port));
  if (low === undefined) return [done];
  const advice = `Start as ${user} with the capability CAP_NET_BIND_SERVICE instead, or lower net.ipv4.ip_unprivileged_port_start`;
  const message = `As ${user}, a worker that is replaced cannot bind port ${low.port} again. ${advice}.`;
  return [done, { level: 'warn', message }];
}

/** Missing in the published types. */
interface ProcessWithGroups {
  initgroups?(user: string, group: number): void;
}

/** Whether this machine lets only root bind the port; 0 is any free one, which is never such. */
function isPrivileged(port: number): boolean {
  return port !== 0 && port < firstUnprivilegedPort();
}

function firstUnprivilegedPort(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8'));
  } catch {
    return 1024; // what it is everywhere else
  }
}
