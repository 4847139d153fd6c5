/**
 * How the tests read HTTP/1.1: a second, slow and strict reading of RFC 9112, which shares nothing with the engine's.
 * Anything it cannot read exactly is an error, so a message that the engine garbles fails the test that receives it.
 */
import assert from 'node:assert/strict';

export interface Message {
  /** Request line or status line. */
  readonly line: string;
  readonly fields: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  readonly trailers: readonly (readonly [name: string, value: string])[];
  readonly framing: 'none' | 'length' | 'chunked' | 'close';
  /** Sizes of the chunks, if it is chunked. */
  readonly chunks: readonly number[];
  /** Of a response: 1xx before it, as `100 Continue` with their fields. */
  readonly interim: readonly Message[];
  /** Of a response. */
  readonly status: number;
  /** Of a request. */
  readonly method: string;
  readonly target: string;
}

export interface ReadOptions {
  readonly kind: 'request' | 'response';
  /** The response is to a HEAD. */
  readonly toHead?: boolean;
  /** No more bytes come: the end of a body that ends with the connection. */
  readonly ended?: boolean;
}

type Fields = (readonly [string, string])[];

/** The value of a field, undefined without it; several are an error. */
export function fieldOf(message: Pick<Message, 'fields'>, name: string): string | undefined {
  const found = valuesOf(message, name);
  assert.ok(found.length < 2, `${name} is there ${found.length} times`);
  return found[0];
}

export function valuesOf({ fields }: Pick<Message, 'fields'>, name: string): string[] {
  return fields.filter(([each]) => each.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
}

function readFields(lines: readonly string[]): Fields {
  return lines.map((line) => {
    const match = /^([!#$%&'*+.^`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    assert.ok(match !== null && !/[\0\r\n]/.test(line), `a field line: ${JSON.stringify(line)}`);
    return [match[1]!, match[2]!] as const;
  });
}

interface Framed {
  readonly body: Buffer;
  readonly trailers: Fields;
  readonly chunks: number[];
  readonly end: number;
}

function readChunked(bytes: Buffer, from: number): Framed | null {
  const parts: Buffer[] = [];
  let at = from;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const line = bytes.toString('latin1', at, lineEnd);
    assert.match(line, /^[0-9a-fA-F]{1,16}$/, 'a chunk size, and no extension, since we frame anew');
    const size = Number.parseInt(line, 16);
    at = lineEnd + 2;
    if (size === 0) break;
    if (bytes.length < at + size + 2) return null;
    parts.push(bytes.subarray(at, at + size));
    at += size;
    assert.equal(bytes.toString('latin1', at, at + 2), '\r\n', 'a line end behind a chunk');
    at += 2;
  }
  const lines: string[] = [];
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const line = bytes.toString('latin1', at, lineEnd);
    at = lineEnd + 2;
    if (line === '') break;
    lines.push(line);
  }
  return {
    body: Buffer.concat(parts),
    trailers: readFields(lines),
    chunks: parts.map(({ length }) => length),
    end: at,
  };
}

/** The first message in `bytes` and where it ends, or null if it is not complete. */
export function readMessage(bytes: Buffer, options: ReadOptions): { message: Message; end: number } | null {
  const interim: Message[] = [];
  for (let at = 0; ;) {
    const one = readOne(bytes, at, options);
    if (one === null) return null;
    if (one.message.status < 100 || one.message.status >= 200 || one.message.status === 101) {
      return { message: { ...one.message, interim }, end: one.end };
    }
    interim.push(one.message);
    at = one.end;
  }
}

function readOne(bytes: Buffer, from: number, options: ReadOptions): { message: Message; end: number } | null {
  const headEnd = bytes.indexOf('\r\n\r\n', from);
  if (headEnd < 0) return null;
  const [line = '', ...lines] = bytes.toString('latin1', from, headEnd).split('\r\n');
  const fields = readFields(lines);
  const head = { line, fields };
  const start = headEnd + 4;
  const isRequest = options.kind === 'request';
  const parts = isRequest ? /^(\S+) (\S+) HTTP\/1\.1$/.exec(line) : /^HTTP\/1\.1 ([1-5]\d\d)(?: .*)?$/.exec(line);
  assert.ok(parts !== null, `a start line: ${JSON.stringify(line)}`);
  const status = isRequest ? 0 : Number(parts[1]);
  const length = fieldOf(head, 'content-length');
  const coding = fieldOf(head, 'transfer-encoding');
  assert.ok(length === undefined || coding === undefined, 'one framing (RFC 9112 §6.2)');
  assert.ok(coding === undefined || coding === 'chunked');
  const common = {
    ...head,
    interim: [],
    status,
    method: isRequest ? parts[1]! : '',
    target: isRequest ? parts[2]! : '',
  };
  const plain = { trailers: [], chunks: [] };
  const bodiless = !isRequest && (options.toHead === true || status < 200 || status === 204 || status === 304);
  if (bodiless || (isRequest && length === undefined && coding === undefined)) {
    assert.ok(!bodiless || status === 304 || status >= 200 || length === undefined, 'no length in 1xx (RFC 9110 §8.6)');
    return { message: { ...common, ...plain, body: Buffer.alloc(0), framing: 'none' }, end: start };
  }
  if (coding !== undefined) {
    const read = readChunked(bytes, start);
    if (read === null) return null;
    const { body, trailers, chunks, end } = read;
    return { message: { ...common, body, trailers, chunks, framing: 'chunked' }, end };
  }
  if (length !== undefined) {
    const end = start + Number(length);
    if (bytes.length < end) return null;
    return { message: { ...common, ...plain, body: bytes.subarray(start, end), framing: 'length' }, end };
  }
  if (options.ended !== true) return null;
  return { message: { ...common, ...plain, body: bytes.subarray(start), framing: 'close' }, end: bytes.length };
}
