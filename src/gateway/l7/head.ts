/**
 * The head of one HTTP/1.1 message, as offsets into the buffer it arrived in.
 *
 * A `Head` is made once and filled by `parseRequestHead` or `parseResponseHead` for message after message. It owns no bytes:
 * its offsets hold as long as the buffer does, and until the next parse.
 *
 * Invariants (after a verdict of OK): fields are `[0, count)` in the order they came; line i is
 * `[lineStart[i], lineEnd[i])` with its line end, lines follow each other without a gap, and the empty line ends at `end`; so
 * neighbouring fields with `drop` 0 can be forwarded as one slice. There is one reading of where the body ends.
 *
 * Cost: 22 B for each field there is room for; nothing is allocated per message, but for one with more fields than a `FieldRoom`.
 */
import type { FieldRoom } from './field-scan.ts';
import type { Refusal } from '../slots.ts';
import { refusalNumber } from '../slots.ts';
import { hasNewline } from './syntax.ts';

/** Verdicts. Any other is a refusal's place in `refusals`. */
export const OK = -1;
/** Not complete, and nothing wrong so far. */
export const MORE = -2;

/** Where the body ends. A length of 0 is NONE. */
export const NONE = 0;
export const LENGTH = 1;
export const CHUNKED = 2;
/** Responses only: where the connection does. */
export const UNTIL_CLOSE = 3;

export const METHOD_OTHER = 0;
export const METHOD_GET = 1;
export const METHOD_HEAD = 2;
export const METHOD_POST = 3;
export const METHOD_PUT = 4;
export const METHOD_DELETE = 5;
export const METHOD_OPTIONS = 6;
export const METHOD_PATCH = 7;

/** Forms of a request target (RFC 9112 §3.2). Authority-form belongs to CONNECT, which is refused. */
export const ORIGIN_FORM = 0;
export const ABSOLUTE_FORM = 1;
export const ASTERISK_FORM = 2;

export interface ResponseLimits {
  /** The whole head, its empty line included. */
  readonly headerBytesMax: number;
  readonly headerFieldsMax: number;
}

export interface RequestLimits extends ResponseLimits {
  /** With its line end. */
  readonly requestLineBytesMax: number;
  /** What to do with `X_A`, which some servers cannot tell from `X-A`. */
  readonly underscoresInNames: 'reject' | 'drop';
}

const NO_BYTES = new Uint8Array(0);
const FIELDS_FIRST = 32;

export class Head {
  buffer: Uint8Array = NO_BYTES;
  /** Of the start line; one empty line before a request is not part of it. */
  start = 0;
  /** The first byte after the empty line. */
  end = 0;
  /** How far a parse got: where the refused or missing byte is. */
  position = 0;

  // Request line
  methodId: number = METHOD_OTHER;
  methodEnd = 0;
  targetStart = 0;
  targetEnd = 0;
  targetForm: number = ORIGIN_FORM;
  /** Absolute-form only: `https` and not `http`. */
  targetSecure = false;
  /** Empty for asterisk-form, and for absolute-form without a path: forward `/`, or `*` if the method is OPTIONS. */
  pathStart = 0;
  pathEnd = 0;
  /** After the `?`. Without one, both are `pathEnd`. */
  queryStart = 0;
  queryEnd = 0;
  /** The one authority to route by and to forward: the target's if it has one, else Host's. Empty only for HTTP/1.0. */
  hostStart = 0;
  /** End of the host's name or bracketed address. */
  hostNameEnd = 0;
  /** End with the port. */
  hostEnd = 0;
  /** 0 or 1. */
  minorVersion = 1;

  // Status line
  status = 0;
  reasonStart = 0;
  reasonEnd = 0;

  // Fields
  count = 0;
  lineStart!: Int32Array;
  /** The same array as `lineStart`: a line starts with the name. */
  nameStart!: Int32Array;
  nameEnd!: Int32Array;
  valueStart!: Int32Array;
  valueEnd!: Int32Array;
  lineEnd!: Int32Array;
  /** Number in `field`, 0 for any other. */
  id!: Uint8Array;
  /** 1: belongs to this connection, or is otherwise never forwarded. */
  drop!: Uint8Array;

  // What the fields say
  bodyKind: number = NONE;
  /** -1 without the field. */
  contentLength = -1;
  keepAlive = false;
  /** The client waits for a 100. Such an Expect is not dropped by itself; any other, in HTTP/1.0 or without a body, is. */
  expectContinue = false;
  /** HTTP/1.1, no body, one Upgrade field that Connection lists: a candidate for a tunnel. For a 101: the same. */
  upgrade = false;
  /** The field of `upgrade`, -1 if there is none. */
  upgradeIndex = -1;
  /** The client takes trailers. */
  teTrailers = false;
  /** Of an OPTIONS; -1 without. */
  maxForwards = -1;
  viaCount = 0;
  /** Index of the field, -1 if there is none. */
  hostIndex = -1;
  contentLengthIndex = -1;
  expectIndex = -1;
  maxForwardsIndex = -1;
  /** Options of Connection that are not known here and name fields (`isListed` in connection.ts finds them). */
  optionCount = 0;

  /** For a refusal: what exactly, and the rule. */
  problem = '';

  // What the parser keeps between fields and framing; of no use to others.
  connectionCount = 0;
  connectionFirst = -1;
  transferCodingCount = 0;
  transferCodingFirst = -1;
  closeListed = false;
  keepAliveListed = false;
  upgradeListed = false;

  /** Where `field-scan.ts` leaves the fields that it finds; without, it finds none for this head. */
  readonly room: FieldRoom | null;
  /** The last message had more fields than there is room for, so that other arrays are in use. */
  #grown = false;

  constructor(room: FieldRoom | null = null) {
    this.room = room;
    this.#moveIn();
  }

  /** Makes room for more fields; what is there is kept. */
  grow(): void {
    const { nameStart, nameEnd, valueStart, valueEnd, lineEnd, id, drop } = this;
    this.#grown = this.room !== null;
    this.#allot(id.length * 2);
    this.nameStart.set(nameStart);
    this.nameEnd.set(nameEnd);
    this.valueStart.set(valueStart);
    this.valueEnd.set(valueEnd);
    this.lineEnd.set(lineEnd);
    this.id.set(id);
    this.drop.set(drop);
  }

  #allot(fields: number): void {
    const memory = new ArrayBuffer(fields * 22);
    this.nameStart = new Int32Array(memory, 0, fields);
    this.lineStart = this.nameStart;
    this.nameEnd = new Int32Array(memory, fields * 4, fields);
    this.valueStart = new Int32Array(memory, fields * 8, fields);
    this.valueEnd = new Int32Array(memory, fields * 12, fields);
    this.lineEnd = new Int32Array(memory, fields * 16, fields);
    this.id = new Uint8Array(memory, fields * 20, fields);
    this.drop = new Uint8Array(memory, fields * 21, fields);
  }

  #moveIn(): void {
    const { room } = this;
    if (room === null) {
      this.#allot(FIELDS_FIRST);
      return;
    }
    this.#grown = false;
    this.nameStart = room.nameStart;
    this.lineStart = room.nameStart;
    this.nameEnd = room.nameEnd;
    this.valueStart = room.valueStart;
    this.valueEnd = room.valueEnd;
    this.lineEnd = room.lineEnd;
    this.id = room.id;
    this.drop = room.drop;
  }

  /** Forgets the last message. */
  reset(buffer: Uint8Array, start: number): void {
    if (this.#grown) this.#moveIn();
    this.buffer = buffer;
    this.start = start;
    this.end = start;
    this.position = start;
    this.methodId = METHOD_OTHER;
    this.methodEnd = start;
    this.targetStart = start;
    this.targetEnd = start;
    this.targetForm = ORIGIN_FORM;
    this.targetSecure = false;
    this.pathStart = start;
    this.pathEnd = start;
    this.queryStart = start;
    this.queryEnd = start;
    this.hostStart = start;
    this.hostNameEnd = start;
    this.hostEnd = start;
    this.minorVersion = 1;
    this.status = 0;
    this.reasonStart = start;
    this.reasonEnd = start;
    this.count = 0;
    this.bodyKind = NONE;
    this.contentLength = -1;
    this.keepAlive = false;
    this.expectContinue = false;
    this.upgrade = false;
    this.upgradeIndex = -1;
    this.teTrailers = false;
    this.maxForwards = -1;
    this.viaCount = 0;
    this.hostIndex = -1;
    this.contentLengthIndex = -1;
    this.expectIndex = -1;
    this.maxForwardsIndex = -1;
    this.optionCount = 0;
    this.problem = '';
    this.connectionCount = 0;
    this.connectionFirst = -1;
    this.transferCodingCount = 0;
    this.transferCodingFirst = -1;
    this.closeListed = false;
    this.keepAliveListed = false;
    this.upgradeListed = false;
  }

  /** Lets go of the buffer of the last message, so that a pooled head keeps nothing alive. */
  release(): void {
    this.reset(NO_BYTES, 0);
  }

  /** The index of the first field with this number at or after `from`, or -1. */
  find(id: number, from = 0): number {
    for (let i = from; i < this.count; i += 1) {
      if (this.id[i] === id) return i;
    }
    return -1;
  }

  /** Bytes of the head as text, one character a byte: for logs and `explain`, not for the way through. */
  text(from: number, to: number): string {
    const { buffer, byteOffset } = this.buffer;
    return Buffer.from(buffer, byteOffset + from, to - from).toString('latin1');
  }

  /** Notes why, and gives the verdict. */
  refuse(refusal: Refusal, problem: string): number {
    this.problem = problem;
    return refusalNumber(refusal);
  }
}

/**
 * True if parsing again can give another verdict than the MORE that `[start, from)` gave, now that `[from, to)` has arrived:
 * a line was finished, or a limit reached. A sender of single bytes then costs one parse a line and not one a byte; what is
 * wrong within a line is refused when the line ends.
 */
export function isWorthParsing(
  buffer: Uint8Array,
  start: number,
  from: number,
  to: number,
  limits: { readonly headerBytesMax: number; readonly requestLineBytesMax?: number },
): boolean {
  const lineMax = limits.requestLineBytesMax ?? limits.headerBytesMax;
  const had = from - start;
  const have = to - start;
  // An empty line before the request, two bytes, does not count; so a limit is reached up to two bytes late.
  if (have >= lineMax && had < lineMax + 2) return true;
  return have >= limits.headerBytesMax || hasNewline(buffer, from, to);
}
