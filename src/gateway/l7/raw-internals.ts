/**
 * What is known here of Node's insides: libuv's stream handles below `net.Socket`, as Node wraps them. This is the only file that
 * names them. For the fast path, `findInternals` checks their shape on the running version and answers null if anything is not as
 * expected; the gateway then uses `net-wire.ts`. Both run the same tests.
 *
 * What to know about a write: libuv tries it at once. If the kernel took everything, the request object was not used and the
 * memory is free; if not, both belong to libuv until `oncomplete` (`state[wasAsync]` says which). The request stays tied to
 * that write until after `oncomplete` and the microtasks behind it: using it for another aborts the process. It is used again
 * from the next read on that is not reported within another call from libuv: then all calls before it have returned.
 */
import net from 'node:net';
import { constants } from 'node:os';
import type tls from 'node:tls';
import { READ_BYTES, type Buffers } from './buffers.ts';
import { FieldScan } from './field-scan.ts';
import { Outbox } from './outbox.ts';

/** The part of libuv's stream handle that is used; `null` results are not possible, numbers are 0 or a negative errno. */
export interface StreamHandle {
  onread: ((this: StreamHandle) => Uint8Array | undefined) | null;
  wire?: Receiver;
  readonly writeQueueSize: number;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: Request, bytes: Uint8Array): number;
  writev(request: Request, all: readonly Uint8Array[], isAllBytes: true): number;
  shutdown(request: Request): number;
  close(done?: () => void): void;
  reset(done?: () => void): number;
  setNoDelay(on: boolean): number;
  getpeername(out: { address?: string; family?: string; port?: number }): number;
  connect(request: Request, address: string, port: number): number;
  connect6(request: Request, address: string, port: number): number;
}

/** The handle that TLS puts above another one; it takes one write at a time and aborts the process on a second. */
export interface TlsHandle extends StreamHandle {
  readonly _parent: StreamHandle;
  /** The socket below. */
  readonly _parentWrap: net.Socket;
}

/** One write, connect or shutdown. */
export interface Request {
  oncomplete: ((this: Request, status: number) => void) | null;
  wire?: Receiver | null;
  /** With what it ended, if it ended within the call that began it; only a failed TLS write does. */
  status?: number;
  /** Whose it is again when its write has ended; a write's only. */
  insides?: Insides;
  /** What libuv reads, kept from the collector. */
  buffer?: Uint8Array | null;
}

/** What libuv's callbacks find on the handle or the request. */
interface Receiver {
  readonly insides: Insides;
  received(): Uint8Array | undefined;
  written(status: number): void;
}

interface Internals {
  readonly TCP: new (type: number) => StreamHandle;
  readonly TCPConnectWrap: new () => Request;
  readonly WriteWrap: new () => Request;
  readonly ShutdownWrap: new () => Request;
  readonly socketType: number;
  readonly state: Int32Array;
  readonly readBytes: number;
  readonly wasAsync: number;
}

/** `UV_EOF`. */
export const END_OF_FILE = -4095;

/** Of `Insides.write`: the kernel has all of it. */
export const DONE = 0;
/** Of `Insides.write`: `written` follows, and the memory is libuv's until then. */
export const PENDING = 1;

// The versions whose internals were read and tested. Another one takes the public path until somebody has looked.
const KNOWN_MAJORS = new Set([24, 26]);

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function findInternals(): Internals | null {
  if (!KNOWN_MAJORS.has(Number.parseInt(process.versions.node, 10))) return null;
  const binding: unknown = Reflect.get(process, 'binding');
  if (typeof binding !== 'function') return null;
  try {
    const tcp: unknown = Reflect.apply(binding, process, ['tcp_wrap']);
    const stream: unknown = Reflect.apply(binding, process, ['stream_wrap']);
    if (!isRecord(tcp) || !isRecord(stream) || !isRecord(tcp['constants'])) return null;
    const found = {
      TCP: tcp['TCP'],
      TCPConnectWrap: tcp['TCPConnectWrap'],
      WriteWrap: stream['WriteWrap'],
      ShutdownWrap: stream['ShutdownWrap'],
      socketType: tcp['constants']['SOCKET'],
      state: stream['streamBaseState'],
      readBytes: stream['kReadBytesOrError'],
      wasAsync: stream['kLastWriteWasAsync'],
    };
    const classes = [found.TCP, found.TCPConnectWrap, found.WriteWrap, found.ShutdownWrap];
    const numbers = [found.socketType, found.readBytes, found.wasAsync];
    if (!classes.every((each) => typeof each === 'function') || !numbers.every((each) => typeof each === 'number')) {
      return null;
    }
    if (!(found.state instanceof Int32Array)) return null;
    return found as Internals;
  } catch {
    return null;
  }
}

/** The handle of a TLS socket, or null if it is not as expected. */
export function tlsHandle(socket: tls.TLSSocket): TlsHandle | null {
  const handle: unknown = Reflect.get(socket, '_handle');
  if (!isRecord(handle)) return null;
  const below = handle['_parent'];
  const wanted = ['useUserBuffer', 'readStart', 'readStop', 'writeBuffer', 'writev'];
  if (!wanted.every((name) => typeof handle[name] === 'function')) return null;
  if (!isRecord(below) || typeof below['writeQueueSize'] !== 'number' || !(handle['_parentWrap'] instanceof net.Socket))
    return null;
  return handle as unknown as TlsHandle;
}

/**
 * Closes a TLS socket at once, and the connection below by RST; Node itself refuses to reset where there is TLS. It is the TLS
 * socket that is closed and takes the other one along: the other way round, OpenSSL's memory is freed while libuv still writes
 * from it. Not to be called while a FIN waits behind pending bytes: libuv refuses then.
 */
export function resetSecure(socket: tls.TLSSocket, handle: TlsHandle): void {
  Reflect.set(handle._parentWrap, 'resetAndClosing', true);
  socket.destroy();
}

/** Requests kept for reuse, of some 200 B. More writes than this are under way at once only where clients do not read. */
const FREE_REQUESTS_MAX = 1024;

/** One worker's share of the fast path: the buffer all its wires read into, what they hold back, and the requests of writes. */
export class Insides {
  readonly internals: Internals;
  readonly buffers: Buffers;
  /** Null where WebAssembly has no vector instructions. */
  readonly scan = FieldScan.create();
  readonly shared: Uint8Array<ArrayBuffer> = this.scan?.bytes ?? Buffer.allocUnsafeSlow(READ_BYTES);
  readonly outbox: Outbox;
  /** Of the next write. */
  #request: Request;
  readonly #free: Request[] = [];
  /** Their writes have ended, and maybe only just now. */
  readonly #ended: Request[] = [];
  /** Calls from libuv that have not returned. */
  #calls = 0;

  constructor(internals: Internals, buffers: Buffers) {
    this.internals = internals;
    this.buffers = buffers;
    this.outbox = new Outbox(buffers);
    this.#request = this.#newRequest();
  }

  /** Null where this Node is not as expected. */
  static find(buffers: Buffers): Insides | null {
    const internals = findInternals();
    return internals === null ? null : new Insides(internals, buffers);
  }

  /** Reads of `handle` go to `receiver`, through the shared buffer until it answers with another. */
  attach(handle: StreamHandle, receiver: Receiver): void {
    handle.wire = receiver;
    handle.useUserBuffer(this.shared);
    handle.onread = onRead;
  }

  detach(handle: StreamHandle): void {
    handle.onread = noRead;
  }

  /** Bytes of the read that is being reported, `END_OF_FILE`, or another negative errno. */
  get readCount(): number {
    return this.internals.state[this.internals.readBytes] ?? 0;
  }

  /** `DONE`, `PENDING`, or a negative errno. */
  write(handle: StreamHandle, wire: Receiver, bytes: Uint8Array): number {
    const error = handle.writeBuffer(this.#request, bytes);
    return this.#begun(error, wire, bytes);
  }

  /** The same for several, as one write. Only for TLS, which copies them: they are not kept from the collector. */
  writeAll(handle: StreamHandle, wire: Receiver, all: readonly Uint8Array[]): number {
    const error = handle.writev(this.#request, all, true);
    return this.#begun(error, wire, null);
  }

  #begun(error: number, wire: Receiver, bytes: Uint8Array | null): number {
    if (error !== 0) return error;
    if (this.internals.state[this.internals.wasAsync] === 0) return DONE;
    const request = this.#request;
    this.#request = this.#free.pop() ?? this.#newRequest();
    if (request.status !== undefined && request.status !== 0) return request.status;
    request.wire = wire;
    request.buffer = bytes;
    return PENDING;
  }

  #newRequest(): Request {
    const request = new this.internals.WriteWrap();
    request.oncomplete = onWritten;
    request.wire = null;
    request.buffer = null;
    request.status = 0;
    request.insides = this;
    return request;
  }

  /** libuv has something to read for `receiver`. */
  read(receiver: Receiver): Uint8Array | undefined {
    if (this.#calls === 0 && this.#ended.length > 0) this.#reuse();
    this.#calls++;
    const buffer = receiver.received();
    this.#calls--;
    return buffer;
  }

  /** The write of `request` has ended. */
  ended(request: Request, status: number): void {
    const { wire } = request;
    request.wire = null;
    request.buffer = null;
    // Without a wire it ended within the call that began it, which looks at the status and forgets the request.
    if (wire === null || wire === undefined) {
      request.status = status;
      return;
    }
    this.#calls++;
    wire.written(status);
    this.#calls--;
    this.#ended.push(request);
  }

  #reuse(): void {
    const free = this.#free;
    for (let request = this.#ended.pop(); request !== undefined; request = this.#ended.pop()) {
      if (free.length < FREE_REQUESTS_MAX) free.push(request);
    }
  }

  /** Sends FIN after what is pending. */
  shutdown(handle: StreamHandle): void {
    const request = new this.internals.ShutdownWrap();
    request.oncomplete = ignoreStatus;
    handle.shutdown(request);
  }
}

function onRead(this: StreamHandle): Uint8Array | undefined {
  const { wire } = this;
  return wire?.insides.read(wire);
}

function noRead(): undefined {
  return undefined;
}

function onWritten(this: Request, status: number): void {
  this.insides?.ended(this, status);
}

function ignoreStatus(): void {}

const ALREADY_READING = -constants.errno.EALREADY;

/**
 * At the moment at which the stream of a TLS socket ends: whether the connection below is being read still. To begin to read
 * what is being read is refused (EALREADY), which says it. False where handles are not as expected.
 */
export function isReadBelow(socket: tls.TLSSocket): boolean {
  const handle: unknown = Reflect.get(socket, '_handle');
  // Reading was stopped from above, so the connection below cannot have ended just now.
  if (property(handle, 'reading') === false) return true;
  const below = property(handle, '_parent');
  const readStart = property(below, 'readStart');
  return typeof readStart === 'function' && Reflect.apply(readStart, below, []) === ALREADY_READING;
}

function property(of: unknown, name: string): unknown {
  return typeof of === 'object' && of !== null ? Reflect.get(of, name) : undefined;
}
