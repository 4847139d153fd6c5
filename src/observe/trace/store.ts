/**
 * Recent traces in memory, to look at without a collector. When it is full, the oldest that nobody will ask for goes first: traces that failed or
 * were slow outlive the others, but never take all of it, so that there is always something ordinary to compare with.
 *
 * Invariants: at most `memoryBytes` of spans, as they are estimated, a trace at most an eighth of it; whatever is put in, nothing throws.
 * Cost: adding O(spans); finding O(traces), a text O(bytes).
 */
import { checkDuration, checkKeys, invalid } from '../../kernel/options.ts';
import { parseSize } from '../../kernel/units.ts';
import type { AttributeValue, SpanRecord } from './span-record.ts';
import { StoredTrace, type TraceSummary } from './stored-trace.ts';

export type { TraceSummary } from './stored-trace.ts';

export interface TraceStoreOptions {
  /** As `'16mb'` or in bytes, from 64 KB to 1 GB. @defaultValue '16mb' */
  readonly memoryBytes?: string | number;
  /** A trace whose first span took as long outlives others, as one that failed does. @defaultValue '1s' */
  readonly slow?: string | number;
}

/** Each narrows; none means all. */
export interface TraceQuery {
  readonly traceId?: string;
  /** One of whose spans is of this service, or of the gateway on its behalf. */
  readonly service?: string;
  /** One of whose spans has this `http.route`. */
  readonly route?: string;
  readonly status?: 'ok' | 'error';
  readonly minMs?: number;
  readonly maxMs?: number;
  /** In a name, a message or a value of any span, in either case. */
  readonly text?: string;
  /** @defaultValue 'newest' */
  readonly order?: 'newest' | 'slowest';
  /** @defaultValue 50 */
  readonly limit?: number;
}

export interface FoundTraces {
  readonly traces: readonly TraceSummary[];
  /** How many there are beyond `limit`. */
  readonly more: number;
}

/** Of memory; the rest is for the others. */
const NOTABLE_SHARE = 0.75;
const TRACE_SHARE = 1 / 8;
const LIMIT = 50;

export class TraceStore {
  readonly #bytesMax: number;
  readonly #slowMs: number;
  /** Both in the order in which they came to be what they are. */
  readonly #ordinary = new Map<string, StoredTrace>();
  readonly #notable = new Map<string, StoredTrace>();
  #notableBytes = 0;
  #ordinaryBytes = 0;
  #evicted = 0;

  constructor(bytesMax: number, slowMs: number) {
    this.#bytesMax = bytesMax;
    this.#slowMs = slowMs;
  }

  get size(): number {
    return this.#ordinary.size + this.#notable.size;
  }

  get bytes(): number {
    return this.#ordinaryBytes + this.#notableBytes;
  }

  /** Traces that had to go. */
  get evicted(): number {
    return this.#evicted;
  }

  add(spans: readonly SpanRecord[]): void {
    for (const span of spans) this.#add(span);
    while (this.bytes > this.#bytesMax) this.#evict();
  }

  /** Whether anything of it is kept. */
  has(traceId: string): boolean {
    return this.#ordinary.has(traceId) || this.#notable.has(traceId);
  }

  /** Null if it was never here, or is no longer. */
  trace(
    traceId: string,
  ): { readonly traceId: string; readonly spans: readonly SpanRecord[]; readonly dropped: number } | null {
    const stored = this.#ordinary.get(traceId) ?? this.#notable.get(traceId);
    return stored === undefined ? null : { traceId, spans: stored.spans(), dropped: stored.dropped };
  }

  /** All that are kept, one trace after the other; not to be held while spans are added. */
  *spans(): Generator<SpanRecord> {
    for (const traces of [this.#ordinary, this.#notable]) {
      for (const stored of traces.values()) yield* stored.values();
    }
  }

  find(query: TraceQuery = {}): FoundTraces {
    const { order = 'newest', limit = LIMIT } = query;
    const isWanted = testOf(query);
    const found = [...this.#ordinary.values(), ...this.#notable.values()].filter(isWanted);
    found.sort((a, b) => (order === 'slowest' ? b.durationMs - a.durationMs : b.startMs - a.startMs));
    const shown = found.slice(0, Math.max(0, limit));
    return { traces: shown.map((stored) => stored.summary()), more: found.length - shown.length };
  }

  #add(span: SpanRecord): void {
    const { traceId } = span;
    const notable = this.#notable.get(traceId);
    const stored = notable ?? this.#ordinary.get(traceId) ?? new StoredTrace(traceId);
    const before = stored.bytes;
    stored.add(span, this.#bytesMax * TRACE_SHARE);
    // What had no room from the start is no trace.
    if (stored.size === 0) return;
    if (notable !== undefined) this.#notableBytes += stored.bytes - before;
    else if (stored.errors === 0 && stored.durationMs < this.#slowMs) {
      this.#ordinary.set(traceId, stored);
      this.#ordinaryBytes += stored.bytes - before;
    } else {
      if (this.#ordinary.delete(traceId)) this.#ordinaryBytes -= before;
      this.#notable.set(traceId, stored);
      this.#notableBytes += stored.bytes;
    }
  }

  #evict(): void {
    const hasTooMany = this.#notableBytes > NOTABLE_SHARE * this.#bytesMax;
    const from = hasTooMany || this.#ordinary.size === 0 ? this.#notable : this.#ordinary;
    for (const [traceId, { bytes }] of from) {
      from.delete(traceId);
      if (from === this.#notable) this.#notableBytes -= bytes;
      else this.#ordinaryBytes -= bytes;
      this.#evicted += 1;
      return;
    }
  }
}

function testOf(query: TraceQuery): (stored: StoredTrace) => boolean {
  const { traceId, service, route, status, minMs = 0, maxMs = Infinity } = query;
  const text = query.text?.toLowerCase() ?? '';
  return (stored) =>
    (traceId === undefined || stored.traceId === traceId) &&
    (status === undefined || stored.errors > 0 === (status === 'error')) &&
    stored.durationMs >= minMs &&
    stored.durationMs <= maxMs &&
    (service === undefined || stored.some((span) => isOf(span, service))) &&
    (route === undefined || stored.some(({ attributes }) => attributes['http.route'] === route)) &&
    (text === '' || stored.some((span) => hasText(span, text)));
}

/** Its own, or one that the gateway asked for it. */
function isOf({ service, attributes }: SpanRecord, wanted: string): boolean {
  return service === wanted || attributes['spillway.service'] === wanted;
}

function hasText({ name, statusMessage, service, attributes, events }: SpanRecord, text: string): boolean {
  const has = (value: AttributeValue): boolean => String(value).toLowerCase().includes(text);
  return (
    [name, statusMessage, service].some(has) ||
    Object.values(attributes).some(has) ||
    events.some((event) => has(event.name) || Object.values(event.attributes).some(has))
  );
}

/** A store of its own, or for several collections of traces; and for what comes by OTLP. */
export function createTraceStore(options: TraceStoreOptions = {}): TraceStore {
  checkKeys('createTraceStore', options, ['memoryBytes', 'slow']);
  const { memoryBytes = '16mb', slow = '1s' } = options;
  const parsed = typeof memoryBytes === 'number' ? { ok: true as const, value: memoryBytes } : parseSize(memoryBytes);
  if (!parsed.ok || !(parsed.value >= 2 ** 16 && parsed.value <= 2 ** 30)) {
    throw invalid(`createTraceStore: memoryBytes is ${memoryBytes}; expected from 64kb to 1gb, or as many bytes.`);
  }
  return new TraceStore(parsed.value, checkDuration('createTraceStore: slow', slow, 0, 86_400_000));
}
