/**
 * Where a piece of work belongs among all that is traced: `traceparent`, read and written. Of another version than 00 only what 00 has is read.
 *
 * Invariant: what `parseTraceparent` returns has ids of lower-case digits, neither all zeros, so it can go into a header field, a log line or
 * a URL as it is. Cost: some 100 ns and one object.
 * Source: W3C Trace Context level 2, §3.2. What it is not: `tracestate`, which is in trace-state.ts.
 */
import { writeHexWord } from '../../kernel/hex.ts';
import type { Random } from '../../kernel/random.ts';

/** A span by its name, whoever made it: the one that runs here, or the caller's. Immutable. */
export interface TraceContext {
  /** 32 hexadecimal digits, the same for all that one request causes. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** Bit 0 (`SAMPLED`): whoever began the trace wants it kept. Bit 1 (`RANDOM`): the last 56 bits of the trace id are random. */
  readonly flags: number;
  /** `tracestate`: what other tracing systems add, passed on as it came; empty if there is none. */
  readonly state: string;
}

export const SAMPLED = 1;
export const RANDOM = 2;

const LENGTH = 55;
/** A later version may add fields; what is longer is no field of a request any more. */
const LENGTH_MAX = 512;
const FORM = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/;
const TRACE_ID = /^(?!0+$)[0-9a-f]{32}$/;
const SPAN_ID = /^(?!0+$)[0-9a-f]{16}$/;
const ZEROS = '0'.repeat(32);

/** Null if it is none that may be used: then a trace begins here. */
export function parseTraceparent(text: string): TraceContext | null {
  if (text.length > LENGTH_MAX || !FORM.test(text) || text.startsWith('ff')) return null;
  if (text.length !== LENGTH && text.startsWith('00')) return null;
  const traceId = text.slice(3, 35);
  const spanId = text.slice(36, 52);
  if (traceId === ZEROS || ZEROS.startsWith(spanId)) return null;
  return { traceId, spanId, flags: Number.parseInt(text.slice(53, 55), 16) & (SAMPLED | RANDOM), state: '' };
}

export function formatTraceparent({ traceId, spanId, flags }: TraceContext): string {
  return `00-${traceId}-${spanId}-0${flags & (SAMPLED | RANDOM)}`;
}

export function isTraceId(text: unknown): text is string {
  return typeof text === 'string' && TRACE_ID.test(text);
}

export function isSpanId(text: unknown): text is string {
  return typeof text === 'string' && SPAN_ID.test(text);
}

/** The same if it is one, looked at once: plain JavaScript makes contexts of its own. */
export function traceContextOf(given: unknown): TraceContext | null {
  if (typeof given !== 'object' || given === null) return null;
  try {
    const { traceId, spanId, flags, state } = given as { readonly [name in keyof TraceContext]?: unknown };
    if (!isTraceId(traceId) || !isSpanId(spanId) || !isInteger(flags) || typeof state !== 'string') return null;
    return { traceId, spanId, flags, state };
  } catch {
    // WHY nothing is said: as of whatever else of somebody's work does not let itself be looked at (plain-text.ts).
    return null;
  }
}

function isInteger(given: unknown): given is number {
  return Number.isInteger(given);
}

const digits = Buffer.alloc(32);

/** A new trace's. All of it is random, as `RANDOM` says. */
export function newTraceId(random: Random): string {
  return newId(random, 4);
}

export function newSpanId(random: Random): string {
  return newId(random, 2);
}

function newId(random: Random, words: number): string {
  let any = 0;
  for (let word = 0; word < words; word += 1) {
    const bits = random.int32();
    any |= bits;
    writeHexWord(bits, digits, 8 * word);
  }
  // All zeros is no id.
  return any === 0 ? newId(random, words) : digits.toString('latin1', 0, 8 * words);
}
