/**
 * Who holds and who waits for one key, as a server keeps it: the arithmetic of every store that keeps rows of its own. Pure: the memory and the
 * SQLite store run it; what Redis and PostgreSQL run in their own languages is held equal to it by the same random questions.
 *
 * - A claim is granted if nobody waits before it and what is held leaves room for its share.
 * - What has not been renewed within its ttl is not there any more, holders and places alike: they are forgotten at the next question.
 * - After each change, `next` names the one that may now ask: the first in the queue, if there is room for it.
 *
 * Cost: O(holders + places of the key) a question.
 */
import { type Claim, type Holding, RENEWALS_PER_TTL } from './store.ts';

export interface HeldRow extends Holding {
  readonly id: string;
  readonly untilMs: number;
}

export interface PlaceRow {
  readonly id: string;
  readonly share: number;
  readonly of: number;
  readonly untilMs: number;
}

export interface KeyRows {
  readonly held: readonly HeldRow[];
  readonly queue: readonly PlaceRow[];
}

export const noRows: KeyRows = { held: [], queue: [] };

export type Verdict =
  | { readonly granted: true; readonly token: bigint; readonly rows: KeyRows }
  /** In `againMs` it can be different although nobody releases: a holder's time is over, or the place needs to be kept. */
  | { readonly granted: false; readonly againMs: number; readonly rows: KeyRows };

/** Without what is over. */
export function live({ held, queue }: KeyRows, nowMs: number): KeyRows {
  return {
    held: held.filter(({ untilMs }) => untilMs > nowMs),
    queue: queue.filter(({ untilMs }) => untilMs > nowMs),
  };
}

/** `token` is the one that a new lease gets. */
export function tryClaim(given: KeyRows, claim: Claim, nowMs: number, token: bigint): Verdict {
  const { held, queue } = live(given, nowMs);
  const { id, holder, share, of, ttlMs } = claim;
  const untilMs = nowMs + ttlMs;
  const mine = held.find((row) => row.id === id);
  if (mine !== undefined) {
    return {
      granted: true,
      token: mine.token,
      rows: { held: held.map((row) => (row === mine ? { ...row, untilMs } : row)), queue },
    };
  }
  const place = queue.findIndex((row) => row.id === id);
  const before = place < 0 ? queue.length : place;
  if (before === 0 && hasRoom(held, share, of)) {
    const row = { id, holder, share, token, untilMs };
    return { granted: true, token, rows: { held: [...held, row], queue: queue.filter((other) => other.id !== id) } };
  }
  // Only the first can do anything with what a holder forgets to give back.
  const soonestMs = before > 0 ? Infinity : Math.min(...held.map((row) => row.untilMs)) - nowMs;
  if (!claim.queue) return { granted: false, againMs: soonestMs, rows: { held, queue } };
  const kept = { id, share, of, untilMs };
  return {
    granted: false,
    againMs: Math.min(soonestMs, ttlMs / RENEWALS_PER_TTL),
    rows: { held, queue: place < 0 ? [...queue, kept] : queue.with(place, kept) },
  };
}

/** Null if the claim holds nothing any more. */
export function renewClaim(given: KeyRows, { id, ttlMs }: Claim, nowMs: number): KeyRows | null {
  const { held, queue } = live(given, nowMs);
  const at = held.findIndex((row) => row.id === id);
  return at < 0 ? null : { held: held.with(at, { ...held[at]!, untilMs: nowMs + ttlMs }), queue };
}

export function releaseClaim(given: KeyRows, { id }: Claim, nowMs: number): KeyRows {
  const { held, queue } = live(given, nowMs);
  return { held: held.filter((row) => row.id !== id), queue: queue.filter((row) => row.id !== id) };
}

/** The id of the first in the queue, if it would be granted. */
export function nextOf({ held, queue }: KeyRows): string | null {
  const [first] = queue;
  return first !== undefined && hasRoom(held, first.share, first.of) ? first.id : null;
}

/** The token after `last`: the clock's microseconds, so that a server that forgot the last one does not give it again. */
export function nextToken(last: bigint, wallMs: number): bigint {
  const byClock = BigInt(Math.floor(wallMs * 1000));
  return byClock > last ? byClock : last + 1n;
}

/** Whether what is taken leaves room for a share. */
export function hasRoom(held: readonly Pick<Holding, 'share'>[], share: number, of: number): boolean {
  let sum = share;
  for (const row of held) sum += row.share;
  return sum <= of;
}

/** The last of those before a claim that leaves no room for it by itself: until that is gone, nothing else matters. Undefined: none, there are too many. */
export function blockerOf<R extends Pick<Holding, 'share'>>(
  before: readonly R[],
  share: number,
  of: number,
): R | undefined {
  return before.findLast((row) => row.share + share > of);
}

/** Who holds, of rows in the order of their coming that do not say who waits: those that have room behind all before them. */
export function holding<R extends Pick<PlaceRow, 'share' | 'of'>>(rows: readonly R[]): readonly R[] {
  let taken = 0;
  const waits = rows.findIndex(({ share, of }) => (taken += share) > of);
  return waits < 0 ? rows : rows.slice(0, waits);
}
