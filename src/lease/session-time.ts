/**
 * How long a session of a server may last that leases live by. What a dead holder had is to be another's a ttl and one renewal after its last word. Part of
 * that time is the server's: it looks for what is over only now and then. So it is asked for less where that would not fit, and the lease is then
 * shorter than its ttl, for it must be over before the session is; it is never longer.
 *
 * `lateMs`: how much later than a session's end the server lets go of it at the most.
 */
import type { Instant } from './instant.ts';
import { RENEWALS_PER_TTL } from './store.ts';

/** What is left for telling the next, and for its question: a watch of etcd that began late is served ten times a second. */
const NOTICE_MS = 100;

/** The longest that a session may be asked for; less than nothing, if there is no such session. */
export function sessionMsMax(ttlMs: number, lateMs: number): number {
  return (ttlMs * (RENEWALS_PER_TTL + 1)) / RENEWALS_PER_TTL - lateMs - NOTICE_MS;
}

/** The shortest ttl, in whole milliseconds, that a session of that length is not too long for. */
export function ttlMsFor(sessionMs: number, lateMs: number): number {
  return Math.ceil(((sessionMs + lateMs + NOTICE_MS) * RENEWALS_PER_TTL) / (RENEWALS_PER_TTL + 1));
}

/** From when a ttl must count to be over as soon as what lasts `lastsMs` of it from `since` on. */
export function countedFrom({ nowMs, wallMs }: Instant, ttlMs: number, lastsMs: number): Instant {
  const soonerMs = Math.max(0, ttlMs - lastsMs);
  return { nowMs: nowMs - soonerMs, wallMs: wallMs - soonerMs };
}
