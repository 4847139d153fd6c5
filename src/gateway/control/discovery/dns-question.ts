/**
 * One question to DNS over time: what its answer is, and when it is asked again. Pure.
 *
 *     records ──▶ they are the answer; again when their TTL is over, within the bounds
 *     none    ──▶ there are none; again after a pause that doubles
 *     failure ──▶ the answer stays; again after a pause that doubles
 *
 * Invariants: a failure never changes the answer; never asked sooner than `minMs`, nor later than `maxMs`.
 */
import type { DnsRecord } from '../../../drivers/dns/message.ts';
import type { Random } from '../../../kernel/random.ts';

export interface QuestionState {
  /** Null before the first answer. */
  readonly records: readonly DnsRecord[] | null;
  /** Replies in a row that brought no records. */
  readonly misses: number;
  /** Why the last reply brought no answer; null if it did. */
  readonly failure: string | null;
  /** Whether there is no such name at all. */
  readonly isMissing: boolean;
  /** On the clock: when it is asked again. */
  readonly dueMs: number;
}

export type Reply =
  | { readonly kind: 'records'; readonly records: readonly DnsRecord[]; readonly ttlMs: number }
  | { readonly kind: 'none'; readonly exists: boolean }
  | { readonly kind: 'failure'; readonly reason: string };

export interface RefreshPolicy {
  readonly minMs: number;
  readonly maxMs: number;
}

/** Long enough to spare a server that is down, short enough that nobody waits for a name that has come. */
const MISS_MS_MAX = 30_000;
/** Gateways that were started together drift apart. Late and not early: a cache that is asked early has nothing new yet. */
const LATE_SHARE_MAX = 0.1;

export function newQuestion(nowMs: number): QuestionState {
  return { records: null, misses: 0, failure: null, isMissing: false, dueMs: nowMs };
}

export function replied(
  before: QuestionState,
  reply: Reply,
  { minMs, maxMs }: RefreshPolicy,
  { nowMs, random }: { readonly nowMs: number; readonly random: Random },
): QuestionState {
  if (reply.kind === 'records') {
    const holdsMs = Math.max(minMs, reply.ttlMs * (1 + LATE_SHARE_MAX * random.unit()));
    const dueMs = nowMs + Math.min(maxMs, holdsMs);
    return { records: reply.records, misses: 0, failure: null, isMissing: false, dueMs };
  }
  const misses = before.misses + 1;
  const longestMs = Math.min(maxMs, Math.max(minMs, MISS_MS_MAX));
  // A double holds 2^1023; long before that the bound counts.
  const pauseMs = Math.min(longestMs, minMs * 2 ** Math.min(misses, 60)) * (0.5 + 0.5 * random.unit());
  const dueMs = nowMs + Math.max(minMs, pauseMs);
  if (reply.kind === 'failure') return { ...before, misses, failure: reply.reason, dueMs };
  return { records: [], misses, failure: null, isMissing: !reply.exists, dueMs };
}
