/**
 * What a response tells a client of limits: `RateLimit` and `RateLimit-Policy`, the forms that came before them, `Retry-After`, and
 * the body of a refusal. Pure: decisions and policies go in, text comes out.
 *
 * - `Retry-After` and `t` are rounded up: who waits that long is granted what was refused, if nobody else takes meanwhile.
 *   Nothing is said where waiting does not help (`retryAfterMs` is `Infinity`).
 * - `t` is a time in which a client may use what is left (`r`) and will be granted all of it. Of a window that is the time to its end;
 *   of a bucket, the time at its steady rate, so that `r` / `t` is never a rate that will be refused. Leases end whenever
 *   their holders are done, so there is no `t` and no `w`.
 * - `w` is rounded up, because the field has no fractions of a second.
 * - Nothing is said of what nobody counted: the decisions of an outage that is answered `open` or `closed`.
 *
 * Sources: draft-ietf-httpapi-ratelimit-headers-11 (May 2026) and its -06 and -07, RFC 9651 (structured fields), RFC 9457 (problem
 * details), RFC 9110 §10.2.3 (`Retry-After`).
 */
import type { Algorithm } from './algorithm.ts';
import type { Decision } from './decision.ts';
import { checkParts, invalid, textOfGiven } from './options.ts';

/** What is said of a limit whoever asks; a limiter is one. */
export interface Policy {
  readonly name: string;
  readonly algorithm: Algorithm;
}

/** A policy, and what it decided; null or left out if it was not asked. */
export interface Report {
  readonly policy: Policy;
  readonly decision?: Decision | null;
  /**
   * Whose quota it is (`pk`), for clients that act for several; a hash and not the key itself, since responses are logged and cached.
   */
  readonly partition?: Uint8Array;
}

/**
 * Which fields tell a client how much is left:
 *
 * - `draft`: `RateLimit` and `RateLimit-Policy` as in the current draft, all policies by name.
 * - `draft-7`: `RateLimit: limit=…, remaining=…, reset=…`, as in draft 7.
 * - `draft-6`: `RateLimit-Limit`, `RateLimit-Remaining` and `RateLimit-Reset`, as in draft 6 and before.
 * - `x-ratelimit`: the same names with `X-` before them; the reset is a time, in seconds since 1970.
 *
 * All but the first know one limit: the one that refused and takes longest, or else has least left.
 */
export type FieldForm = 'draft' | 'draft-7' | 'draft-6' | 'x-ratelimit';

/** The name and value of a header field. */
export type HeaderField = readonly [name: string, value: string];

/** A String of RFC 9651 §4.1.6. */
function quoted(text: string): string {
  if (!/^[ -~]*$/.test(text)) throw invalid(`“${text}” cannot be the name of a policy in a field: it is not ASCII.`);
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

function partitionKey(partition: Uint8Array | undefined): string {
  return partition === undefined ? '' : `;pk=:${Buffer.from(partition).toString('base64')}:`;
}

function secondsOf(ms: number): number {
  return Math.ceil(ms / 1000);
}

/** What `Retry-After` says of a refusal: whole seconds, at least 1; null if it was none, or if waiting does not help. */
export function retryAfterS(decision: Decision): number | null {
  checkParts('The decision', decision, 'what a limiter decided', ['allowed', 'retryAfterMs']);
  const { allowed, retryAfterMs } = decision;
  return allowed || retryAfterMs === Infinity ? null : secondsOf(retryAfterMs);
}

/** In how many seconds what remains may be used; null if that says nothing. */
function effectiveWindowS({ kind, windowMs }: Algorithm, decision: Decision): number | null {
  if (kind === 'concurrency') return null;
  const retryS = retryAfterS(decision);
  if (retryS !== null) return retryS;
  if (kind !== 'token-bucket') return secondsOf(decision.resetAfterMs);
  return secondsOf((Math.max(1, decision.remaining) * windowMs) / decision.limit);
}

function checkList(what: string, given: readonly unknown[]): void {
  if (!Array.isArray(given)) throw invalid(`${what} is ${textOfGiven(given)}; expected a list of them.`);
}

function counted({ source }: Decision): boolean {
  return source !== 'open' && source !== 'closed';
}

/** One member of `RateLimit-Policy`. */
export function policyItem({ policy: { name, algorithm }, partition }: Report): string {
  const span = algorithm.kind === 'concurrency' ? ';qu="concurrent-requests"' : `;w=${secondsOf(algorithm.windowMs)}`;
  return `${quoted(name)};q=${algorithm.limit}${span}${partitionKey(partition)}`;
}

/** One member of `RateLimit`; null if nothing was counted. */
export function limitItem({ policy: { name, algorithm }, decision, partition }: Report): string | null {
  if (decision === undefined || decision === null || !counted(decision)) return null;
  const windowS = effectiveWindowS(algorithm, decision);
  const within = windowS === null ? '' : `;t=${windowS}`;
  return `${quoted(name)};r=${decision.remaining}${within}${partitionKey(partition)}`;
}

interface Told {
  readonly limit: number;
  readonly remaining: number;
  readonly resetS: number;
  readonly windowS: number | null;
}

/** Of several limits the one that a form for one limit tells of. */
function governing(reports: readonly Report[]): Told | null {
  let best: { readonly algorithm: Algorithm; readonly decision: Decision } | null = null;
  for (const { policy, decision } of reports) {
    if (decision === undefined || decision === null || !counted(decision)) continue;
    if (best === null || isTighter(decision, best.decision)) best = { algorithm: policy.algorithm, decision };
  }
  if (best === null) return null;
  const { algorithm, decision } = best;
  return {
    limit: decision.limit,
    remaining: decision.remaining,
    resetS: effectiveWindowS(algorithm, decision) ?? retryAfterS(decision) ?? 0,
    windowS: algorithm.kind === 'concurrency' ? null : secondsOf(algorithm.windowMs),
  };
}

function isTighter(a: Decision, b: Decision): boolean {
  if (a.allowed !== b.allowed) return !a.allowed;
  return a.allowed ? a.remaining < b.remaining : a.retryAfterMs > b.retryAfterMs;
}

/** The fields of one form. `wallMs` is the time now, since 1970; only `x-ratelimit` tells the time. */
export function limitFields(form: FieldForm, reports: readonly Report[], wallMs: number): HeaderField[] {
  checkList('reports', reports);
  if (form === 'draft') {
    const items = reports.map(limitItem).filter((item) => item !== null);
    const fields: HeaderField[] = [];
    if (reports.length > 0) fields.push(['RateLimit-Policy', reports.map(policyItem).join(', ')]);
    if (items.length > 0) fields.push(['RateLimit', items.join(', ')]);
    return fields;
  }
  const told = governing(reports);
  if (told === null) return [];
  const { limit, remaining, resetS, windowS } = told;
  if (form === 'draft-7') {
    return [
      ['RateLimit-Policy', windowS === null ? `${limit}` : `${limit};w=${windowS}`],
      ['RateLimit', `limit=${limit}, remaining=${remaining}, reset=${resetS}`],
    ];
  }
  const prefix = form === 'draft-6' ? 'RateLimit' : 'X-RateLimit';
  const reset = form === 'draft-6' ? resetS : secondsOf(wallMs) + resetS;
  return [
    [`${prefix}-Limit`, `${limit}`],
    [`${prefix}-Remaining`, `${remaining}`],
    [`${prefix}-Reset`, `${reset}`],
  ];
}

/** A refusal as a response. */
export interface Refusal {
  /** 429: too many requests; 503: the limits could not be checked, and the limiter's `outage` says `closed`. */
  readonly status: 429 | 503;
  /** `Retry-After`, unless waiting does not help, and `Content-Type`. */
  readonly fields: readonly HeaderField[];
  /** JSON, as RFC 9457 has it. */
  readonly body: string;
}

const PROBLEMS = 'https://iana.org/assignments/http-problem-types';

function detailOf(names: string, status: number, retryS: number | null): string {
  if (status === 503) return `The limits ${names} cannot be checked at the moment.`;
  if (retryS === null) return `This request needs more than ${names} ever allows: it will not be granted later either.`;
  return `The quota of ${names} is used up; the same request can be granted in ${retryS} s.`;
}

/**
 * The refusal that these decisions make together, or null if none of them refuses. The type of the problem is `quota-exceeded` or, when
 * nobody could count, `temporary-reduced-capacity`: a client can tell its own fault from ours.
 */
export function refusalOf(decisions: readonly (Decision | null)[]): Refusal | null {
  checkList('decisions', decisions);
  const refused = decisions.filter((decision) => decision?.allowed === false) as Decision[];
  if (refused.length === 0) return null;
  const over = refused.filter(counted);
  const status = over.length > 0 ? 429 : 503;
  const because = over.length > 0 ? over : refused;
  const waitsMs = refused.map(({ retryAfterMs }) => retryAfterMs);
  const retryS = retryAfterS({ ...refused[0]!, retryAfterMs: Math.max(...waitsMs) });
  const names = because.map(({ policy }) => policy);
  const problem = {
    type: status === 429 ? `${PROBLEMS}#quota-exceeded` : `${PROBLEMS}#temporary-reduced-capacity`,
    title: status === 429 ? 'Quota Exceeded' : 'Temporary Reduced Capacity',
    status,
    detail: detailOf(names.map((name) => `“${name}”`).join(' and '), status, retryS),
    'violated-policies': names,
  };
  const fields: HeaderField[] = [['Content-Type', 'application/problem+json']];
  if (retryS !== null) fields.push(['Retry-After', `${retryS}`]);
  return { status, fields, body: `${JSON.stringify(problem)}\n` };
}
