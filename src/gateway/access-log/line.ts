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
import { FixedText, type LineOut, outOver } from './fixed-text.ts';
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

const CLIENT = new FixedText('Z","client":"');
const LISTENER = new FixedText('","listener":');
const METHOD = new FixedText(',"method":"');
const HOST = new FixedText('","host":"');
const PATH = new FixedText('","path":"');
const QUERY = new FixedText('","query":"');
const PROTOCOL = new FixedText('","protocol":"HTTP/1.');
const USER_AGENT = new FixedText(',"userAgent":"');
const REFERER = new FixedText(',"referer":"');
const STATUS = new FixedText(',"status":');
const BYTES_IN = new FixedText(',"bytesIn":');
const BYTES_OUT = new FixedText(',"bytesOut":');
const TLS = new FixedText(',"tls":');
const ARM = new FixedText(',"arm":');
const MIRRORED = new FixedText(',"mirrored":true');
const ATTEMPTS = new FixedText(',"attempts":');
const REUSED = new FixedText(',"reused":true');
const CORRELATION_ID = new FixedText(',"correlation_id":"');
const TRACE_ID = new FixedText(',"trace_id":"');
const SPAN_ID = new FixedText('","span_id":"');
const TOTAL = new FixedText(',"ms":{"total":');
const WAIT = new FixedText(',"wait":');
const CONNECT = new FixedText(',"connect":');
const TLS_MS = new FixedText(',"tls":');
const FIRST_BYTE = new FixedText(',"firstByte":');
const BODY = new FixedText(',"body":');
const CLIENT_MS = new FixedText(',"client":');
const VERDICT = new FixedText('},"verdict":');
const REFUSAL = new FixedText(',"refusal":');
const LIMIT = new FixedText(',"limit":');
const END = new FixedText(',"end":');
/** How nearly every request ends. */
const ALL_WELL = new FixedText('},"verdict":"ok","end":"ok"');
const CUT = new FixedText(',"cut":true');
const CLOSE = ascii('}\n');

const USER_AGENT_NAME = ascii('user-agent:');
const REFERER_NAME = ascii('referer:');

export class LineWriter {
  readonly #client: ClientText;
  readonly #names = new Names();
  /** From the beginning of a line to the dot of its time. */
  #upToMs = new FixedText('');
  #second = Number.NaN;
  #out = outOver(new Uint8Array(0));

  /** `redactQuery`: names of query parameters whose values are not shown, whatever their case; `*` is all of them. */
  constructor(redactQuery: readonly string[]) {
    this.#client = new ClientText(redactQuery);
  }

  /** Writes the line with its LF at `at`; returns the index after it. `memory` has room for `LINE_BYTES_MAX`, all of which is ours. */
  write(record: LogRecord, memory: Uint8Array, at: number): number {
    const out = this.#over(memory);
    this.#client.cut = false;
    at = this.#time(record.wallMs, out, at);
    at = CLIENT.write(out, at);
    at = copyBytes(record.clientText, 0, record.clientLength, out.bytes, at);
    at = this.#names.name(LISTENER, record.listener, out, at);
    if (record.headTo > record.headFrom) at = this.#request(record, out, at);
    at = integer(STATUS, record.status, out, at);
    at = integer(BYTES_IN, record.bytesIn, out, at);
    at = integer(BYTES_OUT, record.bytesOut, out, at);
    if (record.route !== '') at = this.#names.way(record, out, at);
    if (record.arm !== '') at = this.#names.name(ARM, record.arm, out, at);
    if (record.mirrored) at = MIRRORED.write(out, at);
    if (record.tls !== '') at = this.#names.name(TLS, record.tls, out, at);
    at = integer(ATTEMPTS, record.attempts, out, at);
    if (record.reused) at = REUSED.write(out, at);
    at = this.#durations(record, out, at);
    const { end, limit, refusal, verdict } = record;
    if (verdict === 'ok' && end === 'ok' && refusal === '' && limit === '') at = ALL_WELL.write(out, at);
    else at = this.#ending(record, out, at);
    if (this.#client.cut) at = CUT.write(out, at);
    return copyBytes(CLOSE, 0, 2, out.bytes, at);
  }

  #ending({ end, limit, refusal, verdict }: LogRecord, out: LineOut, at: number): number {
    at = this.#names.name(VERDICT, verdict, out, at);
    if (refusal !== '') at = this.#names.name(REFUSAL, refusal, out, at);
    if (limit !== '') at = this.#names.name(LIMIT, limit, out, at);
    return this.#names.name(END, end, out, at);
  }

  /** A log has two buffers, which take turns after hundreds of lines. */
  #over(memory: Uint8Array): LineOut {
    if (this.#out.bytes !== memory) this.#out = outOver(memory);
    return this.#out;
  }

  #durations(record: LogRecord, out: LineOut, at: number): number {
    at = duration(TOTAL, record.totalMs, out, at);
    if (record.waitMs >= 0) at = duration(WAIT, record.waitMs, out, at);
    if (record.connectMs >= 0) at = duration(CONNECT, record.connectMs, out, at);
    if (record.tlsMs >= 0) at = duration(TLS_MS, record.tlsMs, out, at);
    if (record.firstByteMs >= 0) at = duration(FIRST_BYTE, record.firstByteMs, out, at);
    if (record.bodyMs >= 0) at = duration(BODY, record.bodyMs, out, at);
    return record.clientMs >= 0 ? duration(CLIENT_MS, record.clientMs, out, at) : at;
  }

  /** What the client asked for: request line, Host, the two fields people search for, ids. */
  #request(record: LogRecord, out: LineOut, at: number): number {
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
      at = QUERY.write(out, at);
      at = this.#client.query(head, pathEnd + 1, targetEnd, out.bytes, at, at + QUERY_BYTES);
    }
    at = PROTOCOL.write(out, at);
    out.bytes[at] = ZERO + record.minorVersion;
    out.bytes[at + 1] = QUOTE;
    at = this.#fields(record, targetEnd + VERSION_BYTES, out, at + 2);
    if (record.requestIdTo > record.requestIdFrom) {
      at = this.#text(CORRELATION_ID, REQUEST_ID_BYTES, head, record.requestIdFrom, record.requestIdTo, out, at);
      out.bytes[at++] = QUOTE;
    }
    const { trace, traceFrom } = record;
    if (traceFrom >= 0) {
      at = TRACE_ID.write(out, at);
      at = copyBytes(trace, traceFrom, traceFrom + 32, out.bytes, at);
      at = SPAN_ID.write(out, at);
      at = writeHexWord(record.spanLow, out.bytes, writeHexWord(record.spanHigh, out.bytes, at));
      out.bytes[at++] = QUOTE;
    }
    return at;
  }

  /** User-Agent and Referer, the first of each: a second would be a second key. */
  #fields(record: LogRecord, fields: number, out: LineOut, at: number): number {
    const { head, headTo, userAgentOffset, refererOffset } = record;
    if (userAgentOffset >= 0) {
      const line = lineAt(head, fields, fields + userAgentOffset, headTo, USER_AGENT_NAME);
      const value = valueStart(head, line + USER_AGENT_NAME.length, headTo);
      at = this.#text(USER_AGENT, FIELD_BYTES, head, value, valueEnd(head, value, headTo), out, at);
      out.bytes[at++] = QUOTE;
    }
    if (refererOffset >= 0) {
      const line = lineAt(head, fields, fields + refererOffset, headTo, REFERER_NAME);
      const value = valueStart(head, line + REFERER_NAME.length, headTo);
      at = REFERER.write(out, at);
      at = this.#client.url(head, value, valueEnd(head, value, headTo), out.bytes, at, at + FIELD_BYTES);
      out.bytes[at++] = QUOTE;
    }
    return at;
  }

  /** A key, which ends in a quote, and a text of the client in at most `max` bytes. The closing quote is the next key's. */
  #text(key: FixedText, max: number, from: Uint8Array, start: number, end: number, out: LineOut, at: number): number {
    at = key.write(out, at);
    return this.#client.text(from, start, end, out.bytes, at, at + max);
  }

  /** The time and its key. */
  #time(wallMs: number, out: LineOut, at: number): number {
    const second = Math.floor(wallMs / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#upToMs = new FixedText(`{"time":"${new Date(second * 1000).toISOString().slice(0, 20)}`);
    }
    at = this.#upToMs.write(out, at);
    thousandths(Math.floor(wallMs - second * 1000), out.bytes, at);
    return at + 3;
  }
}
