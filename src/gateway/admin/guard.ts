/**
 * Who may call the admin API. Pure: a request's facts in, a refusal or null out.
 *
 * A path needs a role; a token gives one, and some roles may do what others may (`admin-grants.ts`). What is guarded against:
 * - *DNS rebinding*: a page in the operator's browser whose name suddenly resolves to loopback. Its Host field names
 *   the page's host, so on loopback a request that shows no token must name an IP address, `localhost` or the configured
 *   host.
 * - *Cross-site requests*: a page that asks here, from another origin, or another port of this machine. Browsers say where a request comes
 *   from (Origin, Sec-Fetch-Site): it may not change anything, and since there is no CORS it could not read an answer either, so it
 *   gets none, and cannot use up what others need. A link that somebody follows is no such request.
 * - *Guessing a token*: each is compared by digest, in constant time.
 *
 * `/livez` and `/readyz` need no role: probes of an orchestrator have no token, and the answer is one word.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { adminRoles, type AdminGrant, type AdminRole, mayDo, tokenKeys } from '../config/admin-grants.ts';
import { CLI_AGENT } from './cli-agent.ts';
import type { AdminAddress } from './listen.ts';
import type { Problem } from './problem.ts';

/** Where the admin API is, and who may call it. */
export interface AdminPlace {
  readonly at: AdminAddress;
  readonly policy: AdminPolicy;
}

export interface AdminPolicy {
  readonly grants: readonly AdminGrant[];
  /** The configured host if it is loopback, which a Host field may name; null elsewhere, where no page can be led to. */
  readonly loopbackName: string | null;
  /** The gateway made the token for `write`: in which file it is, or null for memory alone. Null if the config names its tokens. */
  readonly made: { readonly file: string | null } | null;
}

export interface AdminRequest {
  readonly method: string;
  /** Names and values in turn, as received. */
  readonly rawHeaders: readonly string[];
}

export interface AdminAccess {
  /** What the path allows, such as `GET`, `HEAD`. */
  readonly methods: readonly string[];
  /** The least that is needed; null is nothing. */
  readonly role: AdminRole | null;
}

/** The first reason to refuse, or null. */
export function guard(request: AdminRequest, access: AdminAccess, policy: AdminPolicy): Problem | null {
  const { shown, free } = grantsOf(request, policy);
  const known = shown.length > 0 ? 'known' : bearerToken(request) === null ? 'none' : 'unknown';
  return (
    refuseHost(request, shown.length > 0 ? null : policy.loopbackName) ??
    refuseRole(access.role, { held: [...shown, ...free], shown: known, made: policy.made }) ??
    refuseMethod(request, access) ??
    refuseOrigin(request, access)
  );
}

/** The highest role that the request has; null if it has none. */
export function roleOf(request: AdminRequest, policy: AdminPolicy): AdminRole | null {
  const { shown, free } = grantsOf(request, policy);
  const held = new Set([...shown, ...free].map(({ role }) => role));
  return adminRoles.findLast((role) => held.has(role)) ?? null;
}

/** Whether it shows a token that is none of this gateway, or is none any more. */
export function isUnknown(request: AdminRequest, policy: AdminPolicy): boolean {
  return bearerToken(request) !== null && grantsOf(request, policy).shown.length === 0;
}

/** Who asks, for the audit log: by what, as it says of itself, and with which token. */
export function callerOf(request: AdminRequest, policy: AdminPolicy): string {
  const isCli = fieldValues(request, 'user-agent').some((agent) => agent.startsWith(CLI_AGENT));
  const isPage = fieldValues(request, 'sec-fetch-site').some((site) => site.toLowerCase() === 'same-origin');
  const [grant] = grantsOf(request, policy).shown;
  const token =
    grant === undefined
      ? `${isUnknown(request, policy) ? 'unknown' : 'no'} token`
      : policy.made !== null
        ? 'made token'
        : tokenKeys[grant.role];
  return `${isCli ? 'cli' : isPage ? 'dashboard' : 'api'}, ${token}`;
}

/** By the token it shows, and to everybody. */
function grantsOf(request: AdminRequest, { grants }: AdminPolicy): Readonly<Record<'shown' | 'free', AdminGrant[]>> {
  const token = bearerToken(request);
  return {
    shown: grants.filter((grant) => grant.token !== null && token !== null && sameSecret(token, grant.token)),
    free: grants.filter((grant) => grant.token === null),
  };
}

function refuseHost(request: AdminRequest, loopbackName: string | null): Problem | null {
  const hosts = fieldValues(request, 'host');
  const name = hosts.length === 1 ? hostName(hosts[0] ?? '') : null;
  if (name === null) {
    return { status: 400, title: 'Bad Host', detail: 'The Host field must be there once and be host or host:port.' };
  }
  if (loopbackName === null || isIP(name) !== 0 || name === 'localhost' || name === loopbackName) return null;
  const detail = `Without a token this API answers to an IP address or localhost, not to ${JSON.stringify(name)}.`;
  return { status: 421, title: 'Misdirected Request', detail };
}

interface Credentials extends Pick<AdminPolicy, 'made'> {
  readonly held: readonly AdminGrant[];
  /** Whether a token was shown, and one of them is for it. */
  readonly shown: 'none' | 'known' | 'unknown';
}

function refuseRole(needed: AdminRole | null, { held, shown, made }: Credentials): Problem | null {
  if (needed === null || held.some(({ role }) => mayDo(role, needed))) return null;
  if (shown === 'known') {
    const detail = `This token is not for that: it needs one for the role “${needed}”.`;
    return { status: 403, title: 'Forbidden', detail };
  }
  const how = `send “Authorization: Bearer TOKEN”${shown === 'none' ? '' : '; the one that was sent is not it'}`;
  const headers = { 'WWW-Authenticate': 'Bearer realm="spillway"' };
  if (made === null) {
    return { status: 401, title: 'Unauthorized', detail: `This API needs a token of the config: ${how}.`, headers };
  }
  const place = made.file === null ? 'the gateway has in memory alone' : `is in ${made.file}`;
  const detail = `Changing something needs the token that ${place}: ${how}.`;
  return { status: 401, title: 'Unauthorized', detail, headers };
}

function bearerToken(request: AdminRequest): string | null {
  const given = fieldValues(request, 'authorization');
  return given.length === 1 ? (/^bearer +(\S+)$/i.exec(given[0] ?? '')?.[1] ?? null) : null;
}

function refuseMethod(request: AdminRequest, { methods }: AdminAccess): Problem | null {
  if (methods.includes(request.method)) return null;
  const allow = methods.join(', ');
  return { status: 405, title: 'Method Not Allowed', detail: `This path allows ${allow}.`, headers: { Allow: allow } };
}

function refuseOrigin(request: AdminRequest, { role }: AdminAccess): Problem | null {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const of = (name: string): string => fieldValues(request, name).join().toLowerCase();
  const isFollowed = of('sec-fetch-mode') === 'navigate' && of('sec-fetch-dest') === 'document';
  if (isRead && (role === null || isFollowed)) return null;
  const host = (fieldValues(request, 'host')[0] ?? '').toLowerCase();
  const origins = fieldValues(request, 'origin').map((origin) => origin.toLowerCase());
  const foreign = origins.some((origin) => origin !== `http://${host}` && origin !== `https://${host}`);
  const site = fieldValues(request, 'sec-fetch-site').map((value) => value.toLowerCase());
  const crossSite = site.some((value) => value !== 'same-origin' && value !== 'none');
  if (!foreign && !crossSite) return null;
  return { status: 403, title: 'Forbidden', detail: 'A page of another origin may not read or change anything here.' };
}

/** `host[:port]` to host; null for anything else. */
function hostName(value: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::\d{1,5})?$/i.exec(value);
  return (match?.[1] ?? match?.[2])?.toLowerCase() ?? null;
}

/** Equal lengths for `timingSafeEqual`, whatever was sent: digests are compared. */
function sameSecret(left: string, right: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}

function fieldValues({ rawHeaders }: AdminRequest, wanted: string): string[] {
  return rawHeaders.flatMap((name, index) =>
    index % 2 === 0 && name.toLowerCase() === wanted ? [rawHeaders[index + 1] ?? ''] : [],
  );
}
