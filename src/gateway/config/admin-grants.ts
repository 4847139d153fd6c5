/**
 * Who may do what on the admin API, as a list: each grant is a role and the token that gives it, or none if nobody needs one.
 */
import type { FileSet } from './pem.ts';
import type { Admin } from './schema.ts';
import { readSecret, type Secret } from './secret.ts';

/** From the least to the most. */
export const adminRoles = ['push', 'metrics', 'read', 'write'] as const;

export type AdminRole = (typeof adminRoles)[number];

/** Which key of `admin` holds the token of a role. */
export const tokenKeys = {
  write: 'token',
  read: 'readToken',
  metrics: 'metricsToken',
  push: 'pushToken',
} as const satisfies Record<AdminRole, string>;

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

/** Whether the gateway makes the token for changes itself, because the config names none of any kind. */
export function makesToken(admin: Admin): boolean {
  return adminSecrets(admin).length === 0;
}

/**
 * Of a valid config. Without a single token the address is loopback or a socket: whoever reaches it may look and push, and the token
 * that the gateway makes comes beside these.
 */
export function adminGrants(
  admin: Admin | undefined,
  files: FileSet,
  environment: NodeJS.ProcessEnv,
): readonly AdminGrant[] {
  const secrets = admin === undefined ? [] : adminSecrets(admin);
  if (secrets.length === 0)
    return [
      { role: 'read', token: null },
      { role: 'push', token: null },
    ];
  return secrets.flatMap(([role, secret]): AdminGrant[] => {
    if (secret === 'none') return [{ role, token: null }];
    const read = readSecret(secret, files, environment);
    return read.ok ? [{ role, token: read.text }] : [];
  });
}
