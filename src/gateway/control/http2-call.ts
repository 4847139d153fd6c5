/**
 * One unary call over HTTP/2, the client's side, as a pure machine: bytes come in, bytes to send and the answer come out.
 *
 * WHY not `node:http2`: what a server sends it can end the process (native assertions, such as that a session's memory is 0 when it
 * goes), and here that would be the gateway. One call on one connection needs little of the protocol: no pushes, no dynamic
 * table (hpack.ts), no flow control beyond the first window, which is larger than all that is read.
 *
 * Invariants: after an outcome nothing is looked at any more; at most `CALL_BYTES_MAX` are read, whatever they are, and a frame is
 * held only until it is whole. Source: RFC 9113.
 */
import { decodeFields, encodeFields, type Field } from './hpack.ts';

/** Of everything: a head and trailers of 16 kB together, an answer of 4 kB, and as much again in settings and pings. */
const CALL_BYTES_MAX = 40_960;
/** Of head and trailers together, each name and value counted. */
const HEAD_BYTES_MAX = 16_384;

export interface CallAnswer {
  readonly status: number;
  readonly fields: ReadonlyMap<string, string>;
  /** Those behind the body; of an answer without one, those of its head. */
  readonly trailers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

export type CallOutcome =
  | { readonly kind: 'answer'; readonly answer: CallAnswer }
  /** `reason` begins with what the server did. */
  | { readonly kind: 'broken'; readonly reason: string };

export interface CallStep {
  /** Null: nothing. */
  readonly send: Buffer | null;
  /** Null: more must be read. */
  readonly outcome: CallOutcome | null;
}

const types = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  push: 5,
  ping: 6,
  goAway: 7,
  continuation: 9,
} as const;
const flags = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const;
const FRAME_BYTES_MAX = 16_384; // SETTINGS_MAX_FRAME_SIZE is left as it is
const FRAME_HEAD_BYTES = 9;
/** Of the only call. */
const STREAM = 1;

const errors = [
  ...['NO_ERROR', 'PROTOCOL_ERROR', 'INTERNAL_ERROR', 'FLOW_CONTROL_ERROR', 'SETTINGS_TIMEOUT', 'STREAM_CLOSED'],
  ...['FRAME_SIZE_ERROR', 'REFUSED_STREAM', 'CANCEL', 'COMPRESSION_ERROR', 'CONNECT_ERROR', 'ENHANCE_YOUR_CALM'],
  ...['INADEQUATE_SECURITY', 'HTTP_1_1_REQUIRED'],
];

export interface CallOptions {
  /** In lower case, the pseudo-fields first. */
  readonly fields: readonly Field[];
  readonly body: Uint8Array;
  /** A longer answer is none. */
  readonly bodyBytesMax: number;
}

/** Everything that the client has to say but for acknowledgements. */
export function callBytes({ fields, body }: CallOptions): Buffer {
  const settings = Buffer.alloc(18);
  // HEADER_TABLE_SIZE 0, ENABLE_PUSH 0, MAX_HEADER_LIST_SIZE.
  for (const [index, [id, value]] of [[1, 0] as const, [2, 0] as const, [6, HEAD_BYTES_MAX] as const].entries()) {
    settings.writeUInt16BE(id, index * 6);
    settings.writeUInt32BE(value, index * 6 + 2);
  }
  return Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(types.settings, 0, 0, settings),
    ...headFrames(encodeFields(fields)),
    frame(types.data, flags.endStream, STREAM, body),
  ]);
}

function headFrames(block: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at === 0 || at < block.length; at += FRAME_BYTES_MAX) {
    const end = at + FRAME_BYTES_MAX >= block.length ? flags.endHeaders : 0;
    const type = at === 0 ? types.headers : types.continuation;
    frames.push(frame(type, end, STREAM, block.subarray(at, at + FRAME_BYTES_MAX)));
  }
  return frames;
}

function frame(type: number, flagBits: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flagBits, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

interface Frame {
  readonly type: number;
  readonly flagBits: number;
  readonly stream: number;
  readonly payload: Buffer;
}

const NO_BYTES: Buffer = Buffer.alloc(0);

export class Http2Call {
  readonly #bodyBytesMax: number;
  #held = NO_BYTES;
  #bytes = 0;
  #outcome: CallOutcome | null = null;
  #send: Buffer[] = [];
  #isGreeted = false;
  /** The parts of a head that is not whole, and whether the stream ends with it. */
  #block: { readonly parts: Buffer[]; readonly ends: boolean } | null = null;
  #head: ReadonlyMap<string, string> | null = null;
  #headBytes = 0;
  #body: Buffer[] = [];
  #bodyBytes = 0;

  constructor({ bodyBytesMax }: Pick<CallOptions, 'bodyBytesMax'>) {
    this.#bodyBytesMax = bodyBytesMax;
  }

  /** Whether the answer has begun. */
  get isAnswering(): boolean {
    return this.#head !== null;
  }

  push(chunk: Uint8Array): CallStep {
    this.#send = [];
    this.#bytes += chunk.length;
    this.#held = Buffer.concat([this.#held, chunk]);
    while (this.#outcome === null) {
      const next = this.#takeFrame();
      if (next === null) break;
      this.#take(next);
    }
    if (this.#outcome === null && this.#bytes > CALL_BYTES_MAX) this.#break(`it sent over ${CALL_BYTES_MAX} bytes`);
    const send = this.#send.length === 0 || this.#outcome !== null ? null : Buffer.concat(this.#send);
    return { send, outcome: this.#outcome };
  }

  #takeFrame(): Frame | null {
    const held = this.#held;
    if (!this.#isGreeted && held.subarray(0, 5).toString('latin1') === 'HTTP/') {
      this.#break('it speaks HTTP/1 and not HTTP/2');
      return null;
    }
    if (held.length < FRAME_HEAD_BYTES) return null;
    const length = held.readUIntBE(0, 3);
    const [type, flagBits] = [held.readUInt8(3), held.readUInt8(4)];
    if (length > FRAME_BYTES_MAX || (!this.#isGreeted && (type !== types.settings || (flagBits & flags.ack) !== 0))) {
      this.#break('its answer is not valid HTTP/2');
      return null;
    }
    const end = FRAME_HEAD_BYTES + length;
    if (held.length < end) return null;
    this.#held = held.subarray(end);
    this.#isGreeted = true;
    return { type, flagBits, stream: held.readUInt32BE(5) & 0x7fffffff, payload: held.subarray(FRAME_HEAD_BYTES, end) };
  }

  #take(next: Frame): void {
    const { type, flagBits, stream, payload } = next;
    const continues = type === types.continuation;
    const isOfCall = continues || type === types.headers || type === types.data || type === types.reset;
    if ((this.#block !== null) !== continues || (isOfCall && stream !== STREAM) || type === types.push) {
      return this.#break('its answer is not valid HTTP/2: a frame out of place');
    }
    switch (type) {
      case types.settings:
        if ((flagBits & flags.ack) === 0) this.#send.push(frame(types.settings, flags.ack, 0, NO_BYTES));
        break;
      case types.ping:
        if ((flagBits & flags.ack) === 0) this.#send.push(frame(types.ping, flags.ack, 0, payload));
        break;
      case types.goAway:
        // One that lets the call end is how a server says that it goes.
        if (payload.length < 8 || payload.readUInt32BE(0) < STREAM || payload.readUInt32BE(4) !== 0) {
          this.#break(`it ended the HTTP/2 connection: ${errorName(payload, 4)}`);
        }
        break;
      case types.reset:
        this.#break(`it broke off the call: ${errorName(payload, 0)}`);
        break;
      case types.headers:
      case types.continuation:
        this.#takeHead(next);
        break;
      case types.data:
        this.#takeBody(next);
        break;
      // Windows, priorities, and what later versions bring.
    }
  }

  #takeHead({ type, flagBits, payload }: Frame): void {
    const part = type === types.headers ? unpadded(payload, flagBits) : payload;
    if (part === null) return this.#break('its answer is not valid HTTP/2: a frame with more padding than bytes');
    this.#block ??= { parts: [], ends: (flagBits & flags.endStream) !== 0 };
    this.#block.parts.push(part);
    if ((flagBits & flags.endHeaders) === 0) return;
    const { parts, ends } = this.#block;
    this.#block = null;
    const fields = decodeFields(Buffer.concat(parts));
    if (fields === null) return this.#break('the head of its answer cannot be decoded');
    for (const [name, value] of fields) this.#headBytes += name.length + value.length;
    if (this.#headBytes > HEAD_BYTES_MAX) return this.#break(`the head of its answer is over ${HEAD_BYTES_MAX} bytes`);
    const map = new Map(fields);
    if (this.#head !== null) return this.#end(map);
    const status = Number(map.get(':status'));
    if (status >= 100 && status < 200 && !ends) return;
    this.#head = map;
    if (ends) this.#end(map);
  }

  #takeBody({ flagBits, payload }: Frame): void {
    const part = unpadded(payload, flagBits & ~flags.priority);
    if (part === null || this.#head === null) {
      return this.#break('its answer is not valid HTTP/2: a frame out of place');
    }
    this.#bodyBytes += part.length;
    if (this.#bodyBytes > this.#bodyBytesMax) return this.#break(`its answer is over ${this.#bodyBytesMax} bytes`);
    this.#body.push(part);
    if ((flagBits & flags.endStream) !== 0) this.#end(new Map());
  }

  #end(trailers: ReadonlyMap<string, string>): void {
    const fields = this.#head!;
    const status = Number(fields.get(':status') ?? Number.NaN);
    if (!Number.isInteger(status)) return this.#break('its answer is not valid HTTP/2: it has no status');
    this.#outcome = { kind: 'answer', answer: { status, fields, trailers, body: Buffer.concat(this.#body) } };
  }

  #break(reason: string): void {
    this.#outcome = { kind: 'broken', reason };
  }
}

/** Without padding and priority; null if there is more of them than there are bytes. */
function unpadded(payload: Buffer, flagBits: number): Buffer | null {
  const isPadded = (flagBits & flags.padded) !== 0;
  const start = (isPadded ? 1 : 0) + ((flagBits & flags.priority) === 0 ? 0 : 5);
  const end = payload.length - (isPadded ? (payload[0] ?? 0) : 0);
  return start > end ? null : payload.subarray(start, end);
}

function errorName(payload: Buffer, at: number): string {
  const code = payload.length < at + 4 ? 1 : payload.readUInt32BE(at);
  return errors[code] ?? `error ${code}`;
}
