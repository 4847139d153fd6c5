/**
 * The last log lines in memory, to be looked at without a system for logs: of one process, or of all that send theirs.
 *
 * A ring of bytes: a line is written behind the one before, over the oldest, never across the end. In front of each is what it is mostly
 * searched by, so that looking for a trace reads the lines of that trace, and few others, as text.
 *
 * Invariants: `bytes` are all the memory there is, whatever is added; lines are found newest first, and the newest are always there.
 * Cost: `add` a serialisation; `find` looks at each line there is, by id or level at two numbers of it, by text at all of it: some
 * milliseconds for 8 MB.
 */
import { checkInteger, checkKeys, invalid } from '../../kernel/options.ts';
import { parseSize } from '../../kernel/units.ts';
import type { WorkContext } from '../context/work-context.ts';
import { levelOf, type LogLevel, numberOf, thresholdOf } from './levels.ts';

/** One line, as it is found. A text is '' if there is none. */
export interface LogRecord {
  /** Milliseconds since 1970. */
  readonly timeMs: number;
  readonly level: LogLevel;
  readonly message: string;
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly correlationId: string;
  /** All else, as JSON can hold it. */
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** What is given each line as it is written: recent lines, or whoever sends them on. It must not throw. */
export interface LineKeeper {
  addLine(line: string, level: LogLevel, context: WorkContext | null): void;
}

export interface LogQuery {
  readonly traceId?: string;
  readonly correlationId?: string;
  /** This grave, or graver. */
  readonly level?: LogLevel;
  /** Anywhere in the line, in names of attributes too, whatever the case. */
  readonly text?: string;
  /** The most that is returned, from 1 to 10,000. @defaultValue 100 */
  readonly limit?: number;
}

export interface RecentLogsOptions {
  /** Memory, as `'8mb'` or in bytes, from 64 KB to 1 GB: some 25,000 lines. @defaultValue '8mb' */
  readonly bytes?: number | string;
}

const BYTES_DEFAULT = '8mb';
const BYTES_MIN = 64 * 1024;
const BYTES_MAX = 2 ** 30;
const LIMIT_DEFAULT = 100;
const LIMIT_MAX = 10_000;
/** One line takes at most such a part of the memory. */
const PART = 2;

// The places in front of a line: its size with them, where the line before begins, hashes of its ids, level, kind.
const SIZE = 0;
const BEFORE = 4;
const TRACE = 8;
const CORRELATION = 12;
const LEVEL = 16;
const KIND = 17;
const HEADER = 18;

/** A line of `createLogs`, or a `LogRecord`. */
const LINE = 0;
const RECORD = 1;

export class RecentLogs implements LineKeeper {
  readonly #ring: Buffer;
  #count = 0;
  #newest = 0;
  #oldest = 0;
  #end = 0;
  /** Where the lines end that were written before the ring began anew, while there are any. */
  #turn = -1;

  constructor(options: RecentLogsOptions = {}) {
    checkKeys('RecentLogs', options, ['bytes']);
    this.#ring = Buffer.allocUnsafeSlow(checkBytes(options.bytes ?? BYTES_DEFAULT));
  }

  /** How many there are. */
  get size(): number {
    return this.#count;
  }

  /** False if it is too large, or nothing that JSON can hold. */
  add(record: LogRecord): boolean {
    try {
      return this.#push(JSON.stringify(record), RECORD, record);
    } catch {
      return false;
    }
  }

  /** A line as `createLogs` writes it. */
  addLine(line: string, level: LogLevel, context: WorkContext | null): void {
    this.#push(line, LINE, {
      level,
      traceId: context?.trace?.traceId ?? '',
      correlationId: context?.correlationId ?? '',
    });
  }

  /** Newest first. */
  find(query: LogQuery = {}): LogRecord[] {
    checkKeys('RecentLogs.find', query, ['traceId', 'correlationId', 'level', 'text', 'limit']);
    const limit = checkInteger('RecentLogs.find: limit', query.limit ?? LIMIT_DEFAULT, 1, LIMIT_MAX);
    const { traceId = '', correlationId = '' } = query;
    const ring = this.#ring;
    const [trace, correlation] = [hashOf(traceId), hashOf(correlationId)];
    const level = query.level === undefined ? 0 : thresholdOf('RecentLogs.find: level', query.level);
    const text = JSON.stringify(query.text ?? '')
      .slice(1, -1)
      .toLowerCase();
    const found: LogRecord[] = [];
    let at = this.#newest;
    for (let left = this.#count; left > 0 && found.length < limit; left--) {
      const isCandidate =
        ring[at + LEVEL]! >= level &&
        (traceId === '' || ring.readUInt32LE(at + TRACE) === trace) &&
        (correlationId === '' || ring.readUInt32LE(at + CORRELATION) === correlation);
      if (isCandidate) {
        const line = ring.toString('utf8', at + HEADER, at + ring.readUInt32LE(at + SIZE));
        if (text === '' || line.toLowerCase().includes(text)) {
          const record = ring[at + KIND] === RECORD ? (JSON.parse(line) as LogRecord) : recordOf(line);
          const isSame =
            (traceId === '' || record.traceId === traceId) &&
            (correlationId === '' || record.correlationId === correlationId);
          if (isSame) found.push(record);
        }
      }
      at = ring.readUInt32LE(at + BEFORE);
    }
    return found;
  }

  #push(line: string, kind: number, about: Pick<LogRecord, 'level' | 'traceId' | 'correlationId'>): boolean {
    const ring = this.#ring;
    const size = HEADER + Buffer.byteLength(line);
    if (size > ring.length / PART) return false;
    const at = this.#makeRoom(size);
    ring.writeUInt32LE(size, at + SIZE);
    ring.writeUInt32LE(this.#newest, at + BEFORE);
    ring.writeUInt32LE(hashOf(about.traceId), at + TRACE);
    ring.writeUInt32LE(hashOf(about.correlationId), at + CORRELATION);
    ring[at + LEVEL] = numberOf(about.level);
    ring[at + KIND] = kind;
    ring.write(line, at + HEADER);
    if (this.#count === 0) this.#oldest = at;
    this.#count++;
    this.#newest = at;
    this.#end = at + size;
    return true;
  }

  /** Where a line of this size goes; what was there is gone. */
  #makeRoom(size: number): number {
    if (this.#end + size > this.#ring.length) {
      while (this.#count > 0 && this.#oldest >= this.#end) this.#forget();
      this.#turn = this.#end;
      this.#end = 0;
    }
    const [from, to] = [this.#end, this.#end + size];
    while (this.#count > 0 && this.#oldest >= from && this.#oldest < to) this.#forget();
    return from;
  }

  #forget(): void {
    this.#oldest += this.#ring.readUInt32LE(this.#oldest + SIZE);
    this.#count--;
    if (this.#oldest !== this.#turn) return;
    this.#oldest = 0;
    this.#turn = -1;
  }
}

function checkBytes(given: number | string): number {
  const parsed = typeof given === 'number' ? { ok: true as const, value: given } : parseSize(given);
  if (parsed.ok && Number.isInteger(parsed.value) && parsed.value >= BYTES_MIN && parsed.value <= BYTES_MAX)
    return parsed.value;
  throw invalid(`RecentLogs: bytes is ${String(given)}; expected from 64kb to 1gb, or as many bytes.`);
}

/** FNV-1a, 32 bits: what is equal must still be compared. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

export function recordOf(line: string): LogRecord {
  const { time, level, msg, service, trace_id, span_id, trace_flags, correlation_id, ...attributes } = JSON.parse(
    line,
  ) as Record<string, unknown>;
  return {
    timeMs: Date.parse(textOf(time)),
    level: levelOf(numberOf(level)),
    message: textOf(msg),
    service: textOf(service),
    traceId: textOf(trace_id),
    spanId: textOf(span_id),
    correlationId: textOf(correlation_id),
    attributes,
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
