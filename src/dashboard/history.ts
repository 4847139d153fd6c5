/**
 * What the last two minutes were, second by second, from the counters of the live feed: rates for sparklines and tables. Kept in the page,
 * in rings of fixed length, for the rows that there are; what the page did not see of it is filled in by past.ts.
 *
 * Invariants: a slot is a second of the gateway's clock, however many events came in it; a counter that fell, or a process that began anew,
 * is a gap and never a spike; rows that are gone are forgotten.
 * Cost: `SECONDS` × 4 B for each number that is remembered of a row, so 1.4 MB for 1,000 endpoints.
 */
import { signal } from '@preact/signals';
import type { LiveState, TableName } from '../gateway/admin/live-model.ts';
import { tableKeys } from '../gateway/admin/live-model.ts';

export const SECONDS = 120;
/** Seconds without news that are shown as their mean; more are a gap. */
const BRIDGED_MAX = 5;

/** Per second. */
export interface Rates {
  readonly requests: number;
  readonly errors: number;
}

interface Memory {
  readonly rings: Readonly<Record<keyof Rates, Float32Array>>;
  requests: number;
  errors: number;
  seen: number;
}

/** Counts up with each second that was remembered; whatever draws history reads it. */
export const beat = signal(0);

export type Remembered = Extract<TableName, 'listeners' | 'routes' | 'arms' | 'endpoints' | 'limits'>;
/** Whose sum is what is remembered of a row. */
const remembered: Readonly<Record<Remembered, Readonly<Record<keyof Rates, readonly string[]>>>> = {
  listeners: { requests: ['requests'], errors: ['s5xx'] },
  routes: { requests: ['requests'], errors: ['s5xx', 'broken'] },
  arms: { requests: ['requests'], errors: ['errors'] },
  endpoints: { requests: ['requests'], errors: ['s5xx'] },
  limits: { requests: ['allowed', 'refused', 'shadowed'], errors: ['refused', 'shadowed'] },
};
/** Between parts of a key: in no name. */
const PART = '\u0000';

/** Of which the last slot is. */
let last: LiveState | null = null;
const memories = new Map<string, Memory>();

export function rowKey(table: Remembered, ...names: readonly string[]): string {
  return [table, ...names].join(PART);
}

/** The mean of the last `seconds` of which something is known; null if nothing is. */
export function meanOf(key: string, of: keyof Rates, seconds: number): number | null {
  const ring = memories.get(key)?.rings[of];
  return ring === undefined ? null : lastOf(ring, seconds);
}

/** The same of a history. */
export function lastOf(history: Float32Array, seconds: number): number | null {
  let [sum, known] = [0, 0];
  for (let at = SECONDS - seconds; at < SECONDS; at++) {
    if (Number.isNaN(history[at])) continue;
    sum += history[at]!;
    known += 1;
  }
  return known === 0 ? null : sum / known;
}

/** The last `SECONDS`, oldest first; NaN where nothing is known. */
export function historyOf(key: string, of: keyof Rates): Float32Array | null {
  return memories.get(key)?.rings[of] ?? null;
}

/** Of several together, oldest first; NaN where nothing is known of any. */
export function sumOf(keys: readonly string[], of: keyof Rates): Float32Array {
  const sum = new Float32Array(SECONDS).fill(NaN);
  for (const key of keys) {
    const ring = historyOf(key, of);
    // No call for each of 120,000 numbers, once a second.
    for (let at = 0; at < (ring?.length ?? 0); at++) {
      if (!Number.isNaN(ring![at])) sum[at] = (Number.isNaN(sum[at]) ? 0 : sum[at]!) + ring![at]!;
    }
  }
  return sum;
}

export function remember(after: LiveState): void {
  const before = last;
  const isSame = before !== null && before.gateway.startedAt === after.gateway.startedAt;
  const seconds = isSame ? (after.atMs - before.atMs) / 1000 : NaN;
  const passed = before === null ? 1 : secondOf(after) - secondOf(before);
  // Another event of the same second: its news are those of the next. A clock that was set back begins anew.
  if (isSame && passed === 0) return;
  const slots = passed < 0 ? SECONDS : Math.min(SECONDS, passed);
  last = after;
  const now = beat.peek() + 1;
  for (const name of Object.keys(remembered) as Remembered[]) {
    const table = after.tables[name] as unknown as Readonly<Record<string, readonly (string | number)[]>>;
    const keys = tableKeys[name] as readonly string[];
    const { requests, errors } = remembered[name];
    const total = (columns: readonly string[], row: number): number =>
      columns.reduce((sum, column) => sum + Number(table[column]![row]), 0);
    table[keys[0]!]!.forEach((_, row) => {
      const key = rowKey(name, ...keys.map((column) => String(table[column]![row])));
      note(key, { requests: total(requests, row), errors: total(errors, row), seconds, slots, now });
    });
  }
  for (const [key, { seen }] of memories) if (seen !== now) memories.delete(key);
  beat.value = now;
}

function secondOf({ atMs }: LiveState): number {
  return Math.round(atMs / 1000);
}

interface News extends Rates {
  /** Since the news before; NaN if it was of another process. */
  readonly seconds: number;
  readonly slots: number;
  readonly now: number;
}

function note(key: string, { requests, errors, seconds, slots, now }: News): void {
  let memory = memories.get(key);
  if (memory === undefined) {
    const ring = () => new Float32Array(SECONDS).fill(NaN);
    memory = { rings: { requests: ring(), errors: ring() }, requests: NaN, errors: NaN, seen: now };
    memories.set(key, memory);
  }
  const isKnown = seconds > 0 && slots <= BRIDGED_MAX;
  const rate = (value: number, old: number): number => (value >= old && isKnown ? (value - old) / seconds : NaN);
  push(memory.rings.requests, rate(requests, memory.requests), slots);
  push(memory.rings.errors, rate(errors, memory.errors), slots);
  memory.requests = requests;
  memory.errors = errors;
  memory.seen = now;
}

/** A copy of 480 B is cheaper than an index that every reader has to know. */
function push(ring: Float32Array, value: number, slots: number): void {
  ring.copyWithin(0, slots);
  ring.fill(value, SECONDS - slots);
}

/** Of a row that is remembered, the seconds of which nothing is known: `rateAt` is asked with the wall time of their middle. */
export function fillGaps(key: string, of: keyof Rates, rateAt: (wallMs: number) => number | null): void {
  const ring = memories.get(key)?.rings[of];
  if (ring === undefined || last === null) return;
  const endMs = secondOf(last) * 1000;
  ring.forEach((value, at) => {
    if (Number.isNaN(value)) ring[at] = rateAt(endMs - (SECONDS - at) * 1000 + 500) ?? NaN;
  });
}
