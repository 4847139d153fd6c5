/** The users of this machine, as passwd(5) lists them. Those of a directory service are not in it; a number does for them. */
import { readFileSync } from 'node:fs';

export interface Account {
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

/** The text of the machine's own file; empty where there is none. */
export function readAccounts(): string {
  try {
    return readFileSync('/etc/passwd', 'utf8');
  } catch {
    return '';
  }
}
