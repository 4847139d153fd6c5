/**
 * One line of the access log: a JSON object written as bytes, straight from the head that was sent upstream.
 *
 * Here is which keys a line has and in what order; how each kind of value is written is beside it: what a client sent
 * (client-text.ts), names (names.ts), numbers (numbers.ts).
 *
 * Invariants: a line is one valid JSON object whatever the client sent. Each key is there once. `Authorization` and `Cookie` are
 * never looked at; values of configured query parameters are not shown, in the Referer neither. A line has at most
 * `LINE_BYTES_MAX` bytes: longer texts are cut, and the line says so.
 *
 * Cost: see line.bench.ts; no allocation but for a name that is new.
 */
import { ascii, copyBytes } from '../../kernel/bytes.ts';
import { writeHexWord } from '../../kernel/hex.ts';
import { ClientText } from './client-text.ts';
import { indexOf, lineAt, valueEnd, valueStart } from './head-text.ts';
import { Names } from './names.ts';
import { duration, integer, thousandths } from './numbers.ts';
import type { LogRecord } from './record.ts';

/** What a pipe takes from several writers without mixing them (PIPE_BUF), so that workers can share standard output. */
export const LINE_BYTES_MAX = 4096;

// Longest texts, in bytes of the line (an escape is six). Their sum, four names, the numbers and the keys stay below 4,096.
const METHOD_BYTES = 40;
const PATH_BYTES = 900;
const QUERY_BYTES = 500;
const HOST_BYTES = 256;
const FIELD_BYTES = 360;
const REQUEST_ID_BYTES = 132;

const QUOTE = 34;
const SP = 32;
const ZERO = 48;
const QUESTION = 63;

/** ` HTTP/1.1` and the line end. */
const VERSION_BYTES = 11;

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
const TLS = ascii(',"tls":');
const ARM = ascii(',"arm":');
const MIRRORED = ascii(',"mirrored":true');
const ATTEMPTS = ascii(',"attempts":');
const REUSED = ascii(',"reused":true');
const REQUEST_ID = ascii(',"requestId":"');
const TRACE_ID = ascii(',"traceId":"');
const SPAN_ID = ascii('","spanId":"');
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

export class LineWriter {
  readonly #client: ClientText;
  readonly #names = new Names();
  readonly #time = Buffer.from('0000-00-00T00:00:00.000Z', 'latin1');
  #second = Number.NaN;

  /** `redactQuery`: names of query parameters whose values are not shown, whatever their case; `*` is all of them. */
  constructor(redactQuery: readonly string[]) {
    this.#client = new ClientText(redactQuery);
  }

  /** Writes the line with its LF at `at`; returns the index after it. `out` has room for `LINE_BYTES_MAX`. */
  write(record: LogRecord, out: Uint8Array, at: number): number {
    this.#client.cut = false;
    at = copyBytes(TIME, 0, TIME.length, out, at);
    at = this.#timestamp(record.wallMs, out, at);
    at = copyBytes(CLIENT, 0, CLIENT.length, out, at);
    at = copyBytes(record.clientText, 0, record.clientLength, out, at);
    at = this.#names.name(LISTENER, record.listener, out, at);
    if (record.headTo > record.headFrom) at = this.#request(record, out, at);
    at = integer(STATUS, record.status, out, at);
    at = integer(BYTES_IN, record.bytesIn, out, at);
    at = integer(BYTES_OUT, record.bytesOut, out, at);
    if (record.route !== '') at = this.#names.way(record, out, at);
    if (record.arm !== '') at = this.#names.name(ARM, record.arm, out, at);
    if (record.mirrored) at = copyBytes(MIRRORED, 0, MIRRORED.length, out, at);
    if (record.tls !== '') at = this.#names.name(TLS, record.tls, out, at);
    at = integer(ATTEMPTS, record.attempts, out, at);
    if (record.reused) at = copyBytes(REUSED, 0, REUSED.length, out, at);
    at = this.#durations(record, out, at);
    at = this.#names.name(VERDICT, record.verdict, out, at);
    if (record.refusal !== '') at = this.#names.name(REFUSAL, record.refusal, out, at);
    if (record.limit !== '') at = this.#names.name(LIMIT, record.limit, out, at);
    at = this.#names.name(END, record.end, out, at);
    if (this.#client.cut) at = copyBytes(CUT, 0, CUT.length, out, at);
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
      at = this.#client.query(head, pathEnd + 1, targetEnd, out, at, at + QUERY_BYTES);
    }
    at = copyBytes(PROTOCOL, 0, PROTOCOL.length, out, at);
    out[at] = ZERO + record.minorVersion;
    out[at + 1] = QUOTE;
    at = this.#fields(record, targetEnd + VERSION_BYTES, out, at + 2);
    if (record.requestIdTo > record.requestIdFrom) {
      at = this.#text(REQUEST_ID, REQUEST_ID_BYTES, head, record.requestIdFrom, record.requestIdTo, out, at);
      out[at++] = QUOTE;
    }
    const { trace, traceFrom } = record;
    if (traceFrom >= 0) {
      at = copyBytes(TRACE_ID, 0, TRACE_ID.length, out, at);
      at = copyBytes(trace, traceFrom, traceFrom + 32, out, at);
      at = copyBytes(SPAN_ID, 0, SPAN_ID.length, out, at);
      at = writeHexWord(record.spanLow, out, writeHexWord(record.spanHigh, out, at));
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
      at = copyBytes(REFERER, 0, REFERER.length, out, at);
      at = this.#client.url(head, value, valueEnd(head, value, headTo), out, at, at + FIELD_BYTES);
      out[at++] = QUOTE;
    }
    return at;
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
    return this.#client.text(from, start, end, out, at, at + max);
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
}
