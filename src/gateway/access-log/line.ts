/**
 * One line of the access log: a JSON object written as bytes, straight from the head that was sent upstream.
 *
 * Invariants: a line is one valid JSON object whatever the client sent: control bytes, quotes, backslashes and every byte
 * above 0x7e are escaped (as the latin1 character they are), so no byte of a client can end a line or drive a terminal.
 * `Authorization` and `Cookie` are never looked at; values of configured query parameters become `*`. Text is cut at
 * `TEXT_BYTES_MAX`, so a line is bounded.
 * Cost: about 1 µs, no allocation but for numbers beyond the cache (access-log.bench.ts).
 */
import { ascii, copyBytes } from '../../kernel/bytes.ts';

/** What one line tells; filled anew for each. Durations in ms, -1 for one that did not happen. */
export interface LogRecord {
  wallMs: number;
  /** The request's head, from its request line on; `[from, from)` if it could not be read. */
  head: Uint8Array;
  headFrom: number;
  headTo: number;
  status: number;
  bytesIn: number;
  bytesOut: number;
  clientText: Uint8Array;
  clientLength: number;
  listener: string;
  route: string;
  service: string;
  endpoint: string;
  attempts: number;
  reused: boolean;
  tls: string;
  waitMs: number;
  connectMs: number;
  firstByteMs: number;
  bodyMs: number;
  clientMs: number;
  totalMs: number;
  /** The biggest part of a slow request, or `ok`. */
  verdict: string;
  /** The refusal's word, or ''. */
  refusal: string;
  /** `ok`, `broken` or `aborted`. */
  end: string;
}

/** Longest text taken from a request. A target can have 8 KiB, of which the first is what people read. */
const TEXT_BYTES_MAX = 1024;
/** Texts of a request in a line: method, target, host, user agent, referer, request id, trace id. Escaping makes six of one. */
export const LINE_BYTES_MAX = 7 * 6 * TEXT_BYTES_MAX + 4096;

const QUOTE = 34;
const BACKSLASH = 92;
const LF = 10;
const SP = 32;
const COLON = 58;
const QUESTION = 63;
const AMPERSAND = 38;
const EQUALS = 61;

const HEX = ascii('0123456789abcdef');

/** 1 for a byte that a JSON string may hold as it is. */
const plain = new Uint8Array(256).fill(1, 0x20, 0x7f);
plain[QUOTE] = 0;
plain[BACKSLASH] = 0;

/** The header fields a line shows: name with its colon, and the key of the line. */
const shown = [
  { name: ascii('host:'), key: ascii(',"host":"') },
  { name: ascii('user-agent:'), key: ascii(',"userAgent":"') },
  { name: ascii('referer:'), key: ascii(',"referer":"') },
  { name: ascii('x-request-id:'), key: ascii(',"requestId":"') },
] as const;
const TRACEPARENT = ascii('traceparent:');
const TRACE_KEY = ascii(',"traceId":"');
const firstLetters = new Uint8Array(256);
for (const letter of 'hHuUrRxXtT') firstLetters[letter.charCodeAt(0)] = 1;

export class LineWriter {
  readonly #redact: readonly Uint8Array[];
  readonly #redactAll: boolean;
  #second = -1;
  readonly #time = Buffer.from('0000-00-00T00:00:00.000Z', 'latin1');
  readonly #words = new Map<string, Uint8Array>();

  /** `redactQuery`: names of query parameters whose values are not shown; `*` is all of them. */
  constructor(redactQuery: readonly string[]) {
    this.#redactAll = redactQuery.includes('*');
    this.#redact = redactQuery.map((name) => ascii(name));
  }

  /** Writes the line with its LF at `at`; returns the index after it. `out` has room for `LINE_BYTES_MAX`. */
  write(record: LogRecord, out: Uint8Array, at: number): number {
    at = this.#word(out, at, '{"time":"');
    at = this.#timestamp(record.wallMs, out, at);
    at = this.#word(out, at, '"');
    if (record.headTo > record.headFrom) at = this.#request(record, out, at);
    at = this.#number(out, at, ',"status":', record.status);
    at = this.#number(out, at, ',"bytesIn":', record.bytesIn);
    at = this.#number(out, at, ',"bytesOut":', record.bytesOut);
    at = this.#word(out, at, ',"client":"');
    at = copyBytes(record.clientText, 0, record.clientLength, out, at);
    at = this.#text(out, at, '","listener":', record.listener);
    if (record.route !== '') at = this.#text(out, at, ',"route":', record.route);
    if (record.service !== '') at = this.#text(out, at, ',"service":', record.service);
    if (record.endpoint !== '') at = this.#text(out, at, ',"endpoint":', record.endpoint);
    if (record.tls !== '') at = this.#text(out, at, ',"tls":', record.tls);
    at = this.#number(out, at, ',"attempts":', record.attempts);
    at = this.#word(out, at, record.reused ? ',"reused":true' : ',"reused":false');
    at = this.#word(out, at, ',"ms":{');
    at = this.#duration(out, at, '"total":', record.totalMs);
    if (record.waitMs >= 0) at = this.#duration(out, at, ',"wait":', record.waitMs);
    if (record.connectMs >= 0) at = this.#duration(out, at, ',"connect":', record.connectMs);
    if (record.firstByteMs >= 0) at = this.#duration(out, at, ',"firstByte":', record.firstByteMs);
    if (record.bodyMs >= 0) at = this.#duration(out, at, ',"body":', record.bodyMs);
    if (record.clientMs >= 0) at = this.#duration(out, at, ',"client":', record.clientMs);
    at = this.#text(out, at, '},"verdict":', record.verdict);
    if (record.refusal !== '') at = this.#text(out, at, ',"refusal":', record.refusal);
    at = this.#text(out, at, ',"end":', record.end);
    return this.#word(out, at, '}\n');
  }

  /** Method, target and the shown fields: one pass over the head. */
  #request(record: LogRecord, out: Uint8Array, at: number): number {
    const { head, headFrom, headTo } = record;
    let line = head.indexOf(LF, headFrom);
    if (line < 0 || line >= headTo) line = headTo;
    const methodEnd = indexOf(head, SP, headFrom, line);
    const targetEnd = indexOf(head, SP, methodEnd + 1, line);
    const pathEnd = indexOf(head, QUESTION, methodEnd + 1, targetEnd);
    at = this.#word(out, at, ',"method":"');
    at = escape(head, headFrom, methodEnd, out, at);
    at = this.#word(out, at, '","path":"');
    at = escape(head, methodEnd + 1, pathEnd, out, at);
    if (pathEnd < targetEnd) {
      at = this.#word(out, at, '","query":"');
      at = this.#query(head, pathEnd + 1, Math.min(targetEnd, pathEnd + 1 + TEXT_BYTES_MAX), out, at);
    }
    out[at++] = QUOTE;
    for (let from = line + 1; from < headTo; from = line + 1) {
      line = head.indexOf(LF, from);
      if (line < 0) break;
      if (firstLetters[head[from]!] === 1) at = field(head, from, line, out, at);
    }
    return at;
  }

  /** `a=1&b=2` with the values of some names replaced. */
  #query(head: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
    if (this.#redact.length === 0) return escape(head, from, to, out, at);
    while (from < to) {
      const end = indexOf(head, AMPERSAND, from, to);
      const equals = indexOf(head, EQUALS, from, end);
      if (equals < end && this.#isRedacted(head, from, equals)) {
        at = escape(head, from, equals + 1, out, at);
        out[at++] = 42; // *
      } else at = escape(head, from, end, out, at);
      if (end < to) out[at++] = AMPERSAND;
      from = end + 1;
    }
    return at;
  }

  #isRedacted(head: Uint8Array, from: number, to: number): boolean {
    if (this.#redactAll) return true;
    return this.#redact.some((name) => startsWith(head, from, to, name) && to - from === name.length);
  }

  #timestamp(wallMs: number, out: Uint8Array, at: number): number {
    const second = Math.floor(wallMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#time.write(new Date(second * 1000).toISOString(), 'latin1');
    }
    const ms = Math.floor(wallMs - second * 1000);
    this.#time[20] = 48 + ((ms / 100) | 0);
    this.#time[21] = 48 + (((ms / 10) | 0) % 10);
    this.#time[22] = 48 + (ms % 10);
    return copyBytes(this.#time, 0, 24, out, at);
  }

  /** Constant text. */
  #word(out: Uint8Array, at: number, word: string): number {
    let bytes = this.#words.get(word);
    if (bytes === undefined) {
      bytes = ascii(word);
      this.#words.set(word, bytes);
    }
    return copyBytes(bytes, 0, bytes.length, out, at);
  }

  /** A key and a name from the config, as one cached piece. There are as many as the config has names. */
  #text(out: Uint8Array, at: number, key: string, value: string): number {
    let bytes = this.#words.get(`${key}${value}`);
    if (bytes === undefined) {
      bytes = Buffer.from(`${key}${JSON.stringify(value)}`, 'utf8');
      if (this.#words.size < WORDS_MAX) this.#words.set(`${key}${value}`, bytes);
    }
    return copyBytes(bytes, 0, bytes.length, out, at);
  }

  #number(out: Uint8Array, at: number, key: string, value: number): number {
    return writeInteger(value, out, this.#word(out, at, key));
  }

  /** Milliseconds with three decimals. */
  #duration(out: Uint8Array, at: number, key: string, ms: number): number {
    const micros = Math.max(0, Math.round(ms * 1000));
    const whole = Math.floor(micros / 1000);
    const rest = micros - whole * 1000;
    at = writeInteger(whole, out, this.#word(out, at, key));
    out[at] = 46;
    out[at + 1] = 48 + ((rest / 100) | 0);
    out[at + 2] = 48 + (((rest / 10) | 0) % 10);
    out[at + 3] = 48 + (rest % 10);
    return at + 4;
  }
}

/** Names and keys together; reached only by a config with thousands of endpoints, which then cost an allocation each. */
const WORDS_MAX = 8192;

function field(head: Uint8Array, from: number, line: number, out: Uint8Array, at: number): number {
  for (const { name, key } of shown) {
    if (!startsWith(head, from, line, name)) continue;
    at = copyBytes(key, 0, key.length, out, at);
    at = escape(head, valueStart(head, from + name.length), valueEnd(head, from, line), out, at);
    out[at++] = QUOTE;
    return at;
  }
  if (!startsWith(head, from, line, TRACEPARENT)) return at;
  const trace = valueStart(head, from + TRACEPARENT.length) + 3; // after the version
  at = copyBytes(TRACE_KEY, 0, TRACE_KEY.length, out, at);
  at = escape(head, trace, Math.min(trace + 32, valueEnd(head, from, line)), out, at);
  out[at++] = QUOTE;
  return at;
}

function valueStart(head: Uint8Array, from: number): number {
  while (head[from] === SP) from++;
  return from;
}

/** Before the CR. */
function valueEnd(head: Uint8Array, from: number, line: number): number {
  return Math.max(from, line - 1);
}

/** Without regard to case, for a lower-case name. */
function startsWith(head: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  if (to - from < name.length) return false;
  for (let index = 0; index < name.length; index++) {
    const byte = head[from + index]!;
    const lower = byte >= 65 && byte <= 90 ? byte | 32 : byte;
    if (lower !== name[index]) return false;
  }
  return name[name.length - 1] === COLON || to - from >= name.length;
}

/** Where `byte` is in `[from, to)`, or `to`. */
function indexOf(head: Uint8Array, byte: number, from: number, to: number): number {
  while (from < to && head[from] !== byte) from++;
  return from;
}

function escape(from: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  const stop = Math.min(end, start + TEXT_BYTES_MAX);
  for (; start < stop; start++) {
    const byte = from[start]!;
    if (plain[byte] === 1) {
      out[at++] = byte;
      continue;
    }
    out[at++] = BACKSLASH;
    if (byte === QUOTE || byte === BACKSLASH) {
      out[at++] = byte;
      continue;
    }
    out[at] = 117; // u
    out[at + 1] = 48;
    out[at + 2] = 48;
    out[at + 3] = HEX[byte >> 4]!;
    out[at + 4] = HEX[byte & 15]!;
    at += 5;
  }
  return at;
}

function writeInteger(value: number, out: Uint8Array, at: number): number {
  let digits = 1;
  for (let power = 10; power <= value && digits < 16; power *= 10) digits++;
  for (let index = at + digits - 1; index >= at; index--) {
    out[index] = 48 + (value % 10);
    value = Math.floor(value / 10);
  }
  return at + digits;
}
