/**
 * Gives up root once everything that needs it is open. All threads of the process change together (POSIX set*id), and so do
 * those started later: a worker that is replaced cannot bind a port that the new user may not bind.
 *
 * Order matters: supplementary groups and the group go first, because only root may change them.
 */
import { readFileSync } from 'node:fs';
import { SpillwayError } from '../../kernel/errors.ts';
import type { ListenerPlan } from '../snapshot.ts';

export type DropOutcome =
  | { readonly kind: 'dropped'; readonly user: string }
  /** The process is not root, so there is nothing to give up. */
  | { readonly kind: 'not-root' };

/** Throws `USER_FAILED` if it cannot: going on as root against the config would be worse than not going on. */
export function dropRoot(user: string): DropOutcome {
  if (process.getuid?.() !== 0) return { kind: 'not-root' };
  const account = findAccount(user, read('/etc/passwd'));
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
  const advice = 'let it bind with the sysctl net.ipv4.ip_unprivileged_port_start';
  const message = `As ${user}, a worker that is replaced cannot bind port ${low.port} again: ${advice}.`;
  return [done, { level: 'warn', message }];
}

/** Missing in the published types. */
interface ProcessWithGroups {
  initgroups?(user: string, group: number): void;
}

interface Account {
  /** Null for a number that no user has. */
  readonly name: string | null;
  readonly uid: number;
  readonly gid: number;
}

/** By name or number, in the text of a passwd(5) file. A number that no user has stands for user and group alike. */
export function findAccount(user: string, passwd: string): Account | null {
  const rows = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .filter((row) => row.length >= 4);
  const row = rows.find(([name]) => name === user) ?? rows.find(([, , uid]) => uid === user);
  if (row !== undefined) return { name: row[0] ?? null, uid: Number(row[2]), gid: Number(row[3]) };
  return /^\d{1,10}$/.test(user) ? { name: null, uid: Number(user), gid: Number(user) } : null;
}

/** Whether this machine lets only root bind the port; 0 is any free one, which is never such. */
export function isPrivileged(port: number): boolean {
  const first = Number(read('/proc/sys/net/ipv4/ip_unprivileged_port_start') || 1024);
  return port !== 0 && port < first;
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
