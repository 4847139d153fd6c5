/**
 * Who may do what on the admin API, as a list: each grant is a role and the token that gives it, or none if nobody needs one.
 */
import type { FileSet } from './pem.ts';
import type { Admin } from './schema.ts';
import { readSecret, type Secret } from './secret.ts';

/** From the least to the most. */
export const adminRoles = ['push', 'metrics', 'read', 'write'] as const;

export type AdminRole = (typeof adminRoles)[number];

/** What each role may do besides its own: who reads must not make up what others read, so `push` is for `push` and `write` alone. */
const alsoMay: Readonly<Record<AdminRole, readonly AdminRole[]>> = {
  push: [],
  metrics: [],
  read: ['metrics'],
  write: ['push', 'metrics', 'read'],
};

export function mayDo(role: AdminRole, needed: AdminRole): boolean {
  return role === needed || alsoMay[role].includes(needed);
}

export interface AdminGrant {
  readonly role: AdminRole;
  /** Null: whoever reaches the address has the role. */
  readonly token: string | null;
}

/** The tokens that a config sets, by role. */
export function adminSecrets({
  token,
  readToken,
  metricsToken,
  pushToken,
}: Admin): readonly (readonly [AdminRole, Secret | 'none'])[] {
  const all = [
    ['write', token] as const,
    ['read', readToken] as const,
    ['metrics', metricsToken] as const,
    ['push', pushToken] as const,
  ];
  return all.flatMap(([role, secret]) => (secret === undefined ? [] : [[role, secret] as const]));
}

/** Of a valid config. Without a single token the address itself is the guard: it is loopback or a socket. */
export function adminGrants(
  admin: Admin | undefined,
  files: FileSet,
  environment: NodeJS.ProcessEnv,
): readonly AdminGrant[] {
  const secrets = admin === undefined ? [] : adminSecrets(admin);
  if (secrets.length === 0) return [{ role: 'write', token: null }];
  return secrets.flatMap(([role, secret]): AdminGrant[] => {
    if (secret === 'none') return [{ role, token: null }];
    const read = readSecret(secret, files, environment);
    return read.ok ? [{ role, token: read.text }] : [];
  });
}
