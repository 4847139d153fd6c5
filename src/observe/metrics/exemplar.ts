/**
 * The trace of one value in each shown bucket, so that from "p99 is slow" one click leads to a request that was. Kept in the record of
 * a histogram: the owner writes, others read, and what is read while it is written is left out (a sequence lock: odd while
 * writing).
 *
 *     after the counts and the sum: sequence, and for each shown bound and +Infinity: value, Unix seconds, trace id (2 slots)
 */
import type { Buckets } from '../../kernel/buckets.ts';
import type { Exemplar } from '../prometheus.ts';
import type { Arena } from './arena.ts';

const SLOTS_EACH = 4;

/** Slots that the exemplars of `shown` bounds and +Infinity take. */
export function exemplarSlots(shown: number): number {
  return 1 + SLOTS_EACH * (shown + 1);
}

/** `base` is the slot of the sequence, `at` the place among the shown bounds. What is no trace id is not kept. */
export function writeExemplar(arena: Arena, base: number, at: number, exemplar: Exemplar): void {
  const { numbers, words } = arena;
  const { traceId } = exemplar;
  if (!/^[0-9a-f]{32}$/.test(traceId)) return;
  const slot = base + 1 + SLOTS_EACH * at;
  // Odd already if a thread before this one died while it wrote.
  const sequence = Atomics.load(words, 2 * base) | 1;
  Atomics.store(words, 2 * base, sequence);
  numbers[slot] = exemplar.value;
  numbers[slot + 1] = exemplar.timeS;
  for (let part = 0; part < 4; part++) {
    words[2 * slot + 4 + part] = Number.parseInt(traceId.slice(8 * part, 8 * part + 8), 16);
  }
  Atomics.store(words, 2 * base, (sequence + 1) | 0);
}

/** Null if there is none, or it is just being written. */
function readExemplar(arena: Arena, base: number, at: number): Exemplar | null {
  const { numbers, words } = arena;
  const slot = base + 1 + SLOTS_EACH * at;
  const sequence = Atomics.load(words, 2 * base);
  const value = numbers[slot]!;
  const timeS = numbers[slot + 1]!;
  // Most buckets have none, and a page asks for all.
  if (timeS === 0) return null;
  const id = Array.from(words.subarray(2 * slot + 4, 2 * slot + 8), (part) =>
    (part >>> 0).toString(16).padStart(8, '0'),
  );
  const isWhole = sequence % 2 === 0 && Atomics.load(words, 2 * base) === sequence;
  return isWhole ? { traceId: id.join(''), value, timeS } : null;
}

/** Of all threads, each of which has a line; in the bucket of the shown bound `at`. */
export function newestExemplar(arena: Arena, buckets: Buckets, lines: readonly number[], at: number): Exemplar | null {
  let newest: Exemplar | null = null;
  for (const line of lines) {
    const exemplar = readExemplar(arena, arena.slotOf(line) + buckets.bounds.length + 1, at);
    if (exemplar !== null && (newest === null || exemplar.timeS > newest.timeS)) newest = exemplar;
  }
  return newest;
}
