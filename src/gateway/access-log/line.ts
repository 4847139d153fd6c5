/**
 * One line of the access log: a JSON object written as bytes, straight from the head that was sent upstream.
 *
 * Invariants: a line is one valid JSON object whatever the client sent: quotes, backslashes, control bytes and every byte
 * above 0x7e are escaped (as the latin1 character they are), so no byte of a client can end a line, forge a key or drive a
 * terminal. Each key is there once. `Authorization` and `Cookie` are never looked at; values of configured query parameters
 * become `*`, in the Referer too. A line has at most `LINE_BYTES_MAX` bytes: longer texts are cut, and the line says so.
 *
 * Cost: see line.bench.ts; no allocation but for a name that is new.
 */
// WHY: over 400 lines: one format, each part of which is a few lines; a reader of the log finds all of it here.
import { ascii, copyBytes, ownBytes } from '../../kernel/bytes.ts';
import { hexDigit } from '../../kernel/hex.ts';

/** What one line tells; filled anew for each. Durations in ms, -1 for one that did not happen. */
export interface LogRecord {
  wallMs: number;
  /** The request's head, from its request line on; `[from, from)` if it could not be read. */
  head: Uint8Array;
  headFrom: number;
  /** Where the fields end that the client sent. */
  headTo: number;
  /** The path that was asked for, where `head` has another; else empty. */
  askedPath: Uint8Array;
  /** 0 or 1. */
  minorVersion: number;
  host: Uint8Array;
  hostFrom: number;
  hostTo: number;
  /** Where the line of the first of these fields begins, counted from the first field; -1 if there is none. */
  userAgentOffset: number;
  refererOffset: number;
  /** In `head`; both 0 if there is none. */
  requestIdFrom: number;
  requestIdTo: number;
  /** In `head`, of 32 digits; 0 if there is none. */
  traceIdFrom: number;
  status: number;
  bytesIn: number;
  bytesOut: number;
  clientText: Uint8Array;
  clientLength: number;
  listener: string;
  route: string;
  service: string;
  /** Of a split; '' without one. */
  arm: string;
  /** A copy went to another service. */
  mirrored: boolean;
  endpoint: string;
  attempts: number;
  reused: boolean;
  tls: string;
  waitMs: number;
  connectMs: number;
  tlsMs: number;
  firstByteMs: number;
  bodyMs: number;
  clientMs: number;
  totalMs: number;
  /** The biggest part of a slow request, or `ok`. */
  verdict: string;
  /** The refusal's word, or ''. */
  refusal: string;
  /** The limits that refused, or ''. */
  limit: string;
  /** `ok`, `broken` or `aborted`. */
  end: string;
}

/** What a pipe takes from several writers without mixing them (PIPE_BUF), so that workers can share standard output. */
export const LINE_BYTES_MAX = 4096;

// Longest texts, in bytes of the line (an escape is six). Their sum, four names, the numbers and the keys stay below 4,096.
const METHOD_BYTES = 40;
const PATH_BYTES = 900;
const QUERY_BYTES = 500;
const HOST_BYTES = 256;
const FIELD_BYTES = 360;
const REQUEST_ID_BYTES = 132;
const NAME_BYTES = 160;

const QUOTE = 34;
const LF = 10;
const SP = 32;
const PERCENT = 37;
const AMPERSAND = 38;
const ASTERISK = 42;
const DOT = 46;
const ZERO = 48;
const EQUALS = 61;
const QUESTION = 63;
const BACKSLASH = 92;

/** ` HTTP/1.1` and the line end. */
const VERSION_BYTES = 11;

const HEX = ascii('0123456789abcdef');

/** 1 for a byte that a JSON string may hold as it is. */
const plain = new Uint8Array(256).fill(1, 0x20, 0x7f);
plain[QUOTE] = 0;
plain[BACKSLASH] = 0;

const TIME = ascii('{"time":"');
const CLIENT = ascii('","client":"');
const LISTENER = ascii('","listener":');
const METHOD = ascii(',"method":"');
const HOST = ascii('","host":"');
const PATH = ascii('","path":"');
const QUERY = ascii('","query":"');
const PROTOCOL = ascii('","protocol":"HTTP/1.');
const USER_AGENT = ascii(',"userAgent":"');
const REFERER = ascii(',"referer":"');
const STATUS = ascii(',"status":');
const BYTES_IN = ascii(',"bytesIn":');
const BYTES_OUT = ascii(',"bytesOut":');
const ROUTE = ascii(',"route":');
const SERVICE = ascii(',"service":');
const ENDPOINT = ascii(',"endpoint":');
const TLS = ascii(',"tls":');
const ARM = ascii(',"arm":');
const MIRRORED = ascii(',"mirrored":true');
const ATTEMPTS = ascii(',"attempts":');
const REUSED = ascii(',"reused":true');
const REQUEST_ID = ascii(',"requestId":"');
const TRACE_ID = ascii(',"traceId":"');
const TOTAL = ascii(',"ms":{"total":');
const WAIT = ascii(',"wait":');
const CONNECT = ascii(',"connect":');
const TLS_MS = ascii(',"tls":');
const FIRST_BYTE = ascii(',"firstByte":');
const BODY = ascii(',"body":');
const CLIENT_MS = ascii(',"client":');
const VERDICT = ascii('},"verdict":');
const REFUSAL = ascii(',"refusal":');
const LIMIT = ascii(',"limit":');
const END = ascii(',"end":');
const CUT = ascii(',"cut":true');
const CLOSE = ascii('}\n');

const USER_AGENT_NAME = ascii('user-agent:');
const REFERER_NAME = ascii('referer:');

/** Cached names; reached only by a config with thousands of endpoints, which then cost an allocation each. */
const NAMES_MAX = 8192;

/** What leads to an endpoint. */
interface Way {
  readonly route: string;
  readonly service: string;
  readonly bytes: Uint8Array;
}

export class LineWriter {
  readonly #redact: readonly Uint8Array[];
  readonly #redactAll: boolean;
  readonly #names = new Map<string, Uint8Array>();
  readonly #ways = new Map<string, Way>();
  readonly #time = Buffer.from('0000-00-00T00:00:00.000Z', 'latin1');
  #second = Number.NaN;
  #cut = false;

  /** `redactQuery`: names of query parameters whose values are not shown, whatever their case; `*` is all of them. */
  constructor(redactQuery: readonly string[]) {
    this.#redactAll = redactQuery.includes('*');
    this.#redact = redactQuery.map((name) => Buffer.from(name.toLowerCase(), 'utf8'));
  }

  /** Writes the line with its LF at `at`; returns the index after it. `out` has room for `LINE_BYTES_MAX`. */
  write(record: LogRecord, out: Uint8Array, at: number): number {
    this.#cut = false;
    at = copyBytes(TIME, 0, TIME.length, out, at);
    at = this.#timestamp(record.wallMs, out, at);
    at = copyBytes(CLIENT, 0, CLIENT.length, out, at);
    at = copyBytes(record.clientText, 0, record.clientLength, out, at);
    at = this.#name(LISTENER, record.listener, out, at);
    if (record.headTo > record.headFrom) at = this.#request(record, out, at);
    at = integer(STATUS, record.status, out, at);
    at = integer(BYTES_IN, record.bytesIn, out, at);
    at = integer(BYTES_OUT, record.bytesOut, out, at);
    if (record.route !== '') at = this.#way(record, out, at);
    if (record.arm !== '') at = this.#name(ARM, record.arm, out, at);
    if (record.mirrored) at = copyBytes(MIRRORED, 0, MIRRORED.length, out, at);
    if (record.tls !== '') at = this.#name(TLS, record.tls, out, at);
    at = integer(ATTEMPTS, record.attempts, out, at);
    if (record.reused) at = copyBytes(REUSED, 0, REUSED.length, out, at);
    at = this.#durations(record, out, at);
    at = this.#name(VERDICT, record.verdict, out, at);
    if (record.refusal !== '') at = this.#name(REFUSAL, record.refusal, out, at);
    if (record.limit !== '') at = this.#name(LIMIT, record.limit, out, at);
    at = this.#name(END, record.end, out, at);
    if (this.#cut) at = copyBytes(CUT, 0, CUT.length, out, at);
    return copyBytes(CLOSE, 0, 2, out, at);
  }

  #durations(record: LogRecord, out: Uint8Array, at: number): number {
    at = duration(TOTAL, record.totalMs, out, at);
    if (record.waitMs >= 0) at = duration(WAIT, record.waitMs, out, at);
    if (record.connectMs >= 0) at = duration(CONNECT, record.connectMs, out, at);
    if (record.tlsMs >= 0) at = duration(TLS_MS, record.tlsMs, out, at);
    if (record.firstByteMs >= 0) at = duration(FIRST_BYTE, record.firstByteMs, out, at);
    if (record.bodyMs >= 0) at = duration(BODY, record.bodyMs, out, at);
    return record.clientMs >= 0 ? duration(CLIENT_MS, record.clientMs, out, at) : at;
  }

  /** What the client asked for: request line, Host, the two fields people search for, ids. */
  #request(record: LogRecord, out: Uint8Array, at: number): number {
    const { head, headFrom, headTo } = record;
    const methodEnd = indexOf(head, SP, headFrom, headTo);
    let targetEnd = methodEnd + 1;
    let pathEnd = -1;
    for (; targetEnd < headTo && head[targetEnd] !== SP; targetEnd++) {
      if (pathEnd < 0 && head[targetEnd] === QUESTION) pathEnd = targetEnd;
    }
    const hasQuery = pathEnd >= 0;
    at = this.#text(METHOD, METHOD_BYTES, head, headFrom, methodEnd, out, at);
    if (record.hostTo > record.hostFrom) {
      at = this.#text(HOST, HOST_BYTES, record.host, record.hostFrom, record.hostTo, out, at);
    }
    const { askedPath } = record;
    if (askedPath.length > 0) at = this.#text(PATH, PATH_BYTES, askedPath, 0, askedPath.length, out, at);
    else at = this.#text(PATH, PATH_BYTES, head, methodEnd + 1, hasQuery ? pathEnd : targetEnd, out, at);
    if (hasQuery) {
      at = copyBytes(QUERY, 0, QUERY.length, out, at);
      at = this.#query(head, pathEnd + 1, targetEnd, out, at, at + QUERY_BYTES);
    }
    at = copyBytes(PROTOCOL, 0, PROTOCOL.length, out, at);
    out[at] = ZERO + record.minorVersion;
    out[at + 1] = QUOTE;
    at = this.#fields(record, targetEnd + VERSION_BYTES, out, at + 2);
    if (record.requestIdTo > record.requestIdFrom) {
      at = this.#text(REQUEST_ID, REQUEST_ID_BYTES, head, record.requestIdFrom, record.requestIdTo, out, at);
      out[at++] = QUOTE;
    }
    if (record.traceIdFrom > 0) {
      at = copyBytes(TRACE_ID, 0, TRACE_ID.length, out, at);
      at = copyBytes(head, record.traceIdFrom, record.traceIdFrom + 32, out, at);
      out[at++] = QUOTE;
    }
    return at;
  }

  /** User-Agent and Referer, the first of each: a second would be a second key. */
  #fields(record: LogRecord, fields: number, out: Uint8Array, at: number): number {
    const { head, headTo, userAgentOffset, refererOffset } = record;
    if (userAgentOffset >= 0) {
      const line = lineAt(head, fields, fields + userAgentOffset, headTo, USER_AGENT_NAME);
      const value = valueStart(head, line + USER_AGENT_NAME.length, headTo);
      at = this.#text(USER_AGENT, FIELD_BYTES, head, value, valueEnd(head, value, headTo), out, at);
      out[at++] = QUOTE;
    }
    if (refererOffset >= 0) {
      const line = lineAt(head, fields, fields + refererOffset, headTo, REFERER_NAME);
      const value = valueStart(head, line + REFERER_NAME.length, headTo);
      at = this.#reference(head, value, valueEnd(head, value, headTo), out, at);
    }
    return at;
  }

  /** A URL, whose query is redacted like the request's own. */
  #reference(head: Uint8Array, from: number, to: number, out: Uint8Array, at: number): number {
    const query = indexOf(head, QUESTION, from, to);
    const limit = at + REFERER.length + FIELD_BYTES;
    at = this.#text(REFERER, FIELD_BYTES, head, from, query, out, at);
    if (query < to) {
      if (at + 6 <= limit) {
        out[at++] = QUESTION;
        at = this.#query(head, query + 1, to, out, at, limit);
      } else this.#cut = true;
    }
    out[at++] = QUOTE;
    return at;
  }

  /** `a=1&b=2` with the values of some names replaced. */
  #query(head: Uint8Array, from: number, to: number, out: Uint8Array, at: number, limit: number): number {
    if (this.#redact.length === 0) return this.#escape(head, from, to, out, at, limit);
    for (;;) {
      const end = indexOf(head, AMPERSAND, from, to);
      const equals = indexOf(head, EQUALS, from, end);
      if (equals < end && this.#isRedacted(head, from, equals)) {
        at = this.#escape(head, from, equals + 1, out, at, limit);
        if (at < limit) out[at++] = ASTERISK;
      } else at = this.#escape(head, from, end, out, at, limit);
      if (end >= to) return at;
      if (at >= limit) {
        this.#cut = true;
        return at;
      }
      out[at++] = AMPERSAND;
      from = end + 1;
    }
  }

  /** Whether a parameter's name, percent-decoded as a server would, is one of those to hide. */
  #isRedacted(head: Uint8Array, from: number, to: number): boolean {
    if (this.#redactAll) return true;
    for (const name of this.#redact) if (isSameName(head, from, to, name)) return true;
    return false;
  }

  /** A key, which ends in a quote, and a text of the client in at most `max` bytes. The closing quote is the next key's. */
  #text(
    key: Uint8Array,
    max: number,
    from: Uint8Array,
    start: number,
    end: number,
    out: Uint8Array,
    at: number,
  ): number {
    at = copyBytes(key, 0, key.length, out, at);
    return this.#escape(from, start, end, out, at, at + max);
  }

  #escape(from: Uint8Array, start: number, end: number, out: Uint8Array, at: number, limit: number): number {
    for (; start < end; start++) {
      const byte = from[start]!;
      if (plain[byte] === 1 && at < limit) {
        out[at++] = byte;
        continue;
      }
      if (at + 6 > limit) {
        this.#cut = true;
        return at;
      }
      out[at] = BACKSLASH;
      if (byte === QUOTE || byte === BACKSLASH) {
        out[at + 1] = byte;
        at += 2;
        continue;
      }
      out[at + 1] = 117; // u
      out[at + 2] = ZERO;
      out[at + 3] = ZERO;
      out[at + 4] = HEX[byte >> 4]!;
      out[at + 5] = HEX[byte & 15]!;
      at += 6;
    }
    return at;
  }

  #timestamp(wallMs: number, out: Uint8Array, at: number): number {
    const second = Math.floor(wallMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#time.write(new Date(second * 1000).toISOString(), 'latin1');
    }
    thousandths(Math.floor(wallMs - second * 1000), this.#time, 20);
    return copyBytes(this.#time, 0, 24, out, at);
  }

  /** Route, service and endpoint, as one cached piece: they are the same for request after request. */
  #way(record: LogRecord, out: Uint8Array, at: number): number {
    const { route, service, endpoint } = record;
    let way = this.#ways.get(endpoint);
    if (way === undefined || way.route !== route || way.service !== service) {
      let length = this.#name(ROUTE, route, out, at);
      if (service !== '') length = this.#name(SERVICE, service, out, length);
      if (endpoint !== '') length = this.#name(ENDPOINT, endpoint, out, length);
      // An endpoint that two routes lead to changes hands: it is then written in parts, which is slower and no more.
      if (way !== undefined || this.#ways.size >= NAMES_MAX) return length;
      way = { route, service, bytes: ownBytes(out, at, length) };
      this.#ways.set(endpoint, way);
    }
    return copyBytes(way.bytes, 0, way.bytes.length, out, at);
  }

  /** A key and a name from the config or from a fixed list. There are as many as the config has names. */
  #name(key: Uint8Array, name: string, out: Uint8Array, at: number): number {
    at = copyBytes(key, 0, key.length, out, at);
    let bytes = this.#names.get(name);
    if (bytes === undefined) {
      const characters = Array.from(name.slice(0, NAME_BYTES));
      // Cut by whole characters: half of one would not be UTF-8.
      do {
        bytes = Buffer.from(JSON.stringify(characters.join('')), 'utf8');
        characters.pop();
      } while (bytes.length > NAME_BYTES);
      if (this.#names.size < NAMES_MAX) this.#names.set(name, bytes);
    }
    return copyBytes(bytes, 0, bytes.length, out, at);
  }
}

/**
 * Where the line with this name begins: at `guess`, if it is there, else the first behind `fields`, else `to`. A guess is
 * wrong where the head that was sent has a line in front that the client's had not.
 */
function lineAt(head: Uint8Array, fields: number, guess: number, to: number, name: Uint8Array): number {
  if (head[guess - 1] === LF && startsWith(head, guess, to, name)) return guess;
  for (let line = fields; line < to; line = indexOf(head, LF, line, to) + 1) {
    if (startsWith(head, line, to, name)) return line;
  }
  return to;
}

/** Where `byte` is in `[from, to)`, or `to`. */
function indexOf(head: Uint8Array, byte: number, from: number, to: number): number {
  while (from < to && head[from] !== byte) from++;
  return from;
}

function valueStart(head: Uint8Array, from: number, to: number): number {
  while (from < to && (head[from] === SP || head[from] === 9)) from++;
  return from;
}

/** Before the CR of the line that `from` is in. */
function valueEnd(head: Uint8Array, from: number, to: number): number {
  return indexOf(head, 13, from, to);
}

/** Without regard to case, for a lower-case name. */
function startsWith(head: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  if (to - from < name.length) return false;
  for (let index = 0; index < name.length; index++) {
    const byte = head[from + index]!;
    if ((byte >= 65 && byte <= 90 ? byte | 32 : byte) !== name[index]) return false;
  }
  return true;
}

/** Whether `[from, to)` is `name` (lower case) after percent-decoding. */
function isSameName(head: Uint8Array, from: number, to: number, name: Uint8Array): boolean {
  let index = 0;
  for (; from < to; from++, index++) {
    let byte = head[from]!;
    if (byte === PERCENT && from + 2 < to) {
      const high = hexDigit(head[from + 1]!);
      const low = hexDigit(head[from + 2]!);
      if (high >= 0 && low >= 0) {
        byte = high * 16 + low;
        from += 2;
      }
    }
    if ((byte >= 65 && byte <= 90 ? byte | 32 : byte) !== name[index]) return false;
  }
  return index === name.length;
}

function integer(key: Uint8Array, value: number, out: Uint8Array, at: number): number {
  return digits(value, out, copyBytes(key, 0, key.length, out, at));
}

/** Milliseconds with three decimals. */
function duration(key: Uint8Array, ms: number, out: Uint8Array, at: number): number {
  const micros = Math.round(ms * 1000);
  const whole = Math.floor(micros / 1000);
  at = digits(whole, out, copyBytes(key, 0, key.length, out, at));
  out[at] = DOT;
  thousandths(micros - whole * 1000, out, at + 1);
  return at + 4;
}

/** Three digits. */
function thousandths(value: number, out: Uint8Array, at: number): void {
  out[at] = ZERO + ((value / 100) | 0);
  out[at + 1] = ZERO + (((value / 10) | 0) % 10);
  out[at + 2] = ZERO + (value % 10);
}

/** A whole number from 0 to 2^53 - 1. */
function digits(value: number, out: Uint8Array, at: number): number {
  let count = 1;
  for (let power = 10; power <= value && count < 16; power *= 10) count++;
  for (let index = at + count - 1; index >= at; index--) {
    out[index] = ZERO + (value % 10);
    value = Math.floor(value / 10);
  }
  return at + count;
}
