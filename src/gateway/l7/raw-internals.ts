/**
 * What the fast path knows of Node's insides: libuv's stream handles below `net.Socket`, as Node wraps them. This is the only
 * file that names them. `findInternals` checks their shape on the running version and answers null if anything is not as
 * expected; the gateway then uses `net-wire.ts`. Both run the same tests.
 *
 * What to know about a write: libuv tries it at once. If the kernel took everything, the request object was not used and the
 * memory is free; if not, both belong to libuv until `oncomplete` (`state[wasAsync]` says which). The request stays tied to
 * that write until after `oncomplete` and the microtasks behind it: using it for another aborts the process, so none that
 * was pending is ever used again.
 */
import { READ_BYTES, type Buffers } from './buffers.ts';

/** The part of libuv's stream handle that is used; `null` results are not possible, numbers are 0 or a negative errno. */
export interface StreamHandle {
  onread: ((this: StreamHandle) => Uint8Array | undefined) | null;
  wire?: Receiver;
  readonly writeQueueSize: number;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: Request, bytes: Uint8Array): number;
  shutdown(request: Request): number;
  close(done?: () => void): void;
  reset(done?: () => void): number;
  setNoDelay(on: boolean): number;
  getpeername(out: { address?: string; family?: string; port?: number }): number;
  connect(request: Request, address: string, port: number): number;
  connect6(request: Request, address: string, port: number): number;
}

/** One write, connect or shutdown. */
export interface Request {
  oncomplete: ((this: Request, status: number) => void) | null;
  wire?: Receiver | null;
  /** What libuv reads, kept from the collector. */
  buffer?: Uint8Array | null;
}

/** What libuv's callbacks find on the handle or the request. */
interface Receiver {
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

/** One worker's share of the fast path: the buffer all its wires read into, and the request of the next write. */
export class Insides {
  readonly internals: Internals;
  readonly buffers: Buffers;
  readonly shared: Uint8Array<ArrayBuffer> = Buffer.allocUnsafeSlow(READ_BYTES);
  #request: Request;

  constructor(internals: Internals, buffers: Buffers) {
    this.internals = internals;
    this.buffers = buffers;
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
    const request = this.#request;
    const error = handle.writeBuffer(request, bytes);
    if (error !== 0) return error;
    if (this.internals.state[this.internals.wasAsync] === 0) return DONE;
    request.wire = wire;
    request.buffer = bytes;
    this.#request = this.#newRequest();
    return PENDING;
  }

  #newRequest(): Request {
    const request = new this.internals.WriteWrap();
    request.oncomplete = onWritten;
    request.wire = null;
    request.buffer = null;
    return request;
  }

  /** Sends FIN after what is pending. */
  shutdown(handle: StreamHandle): void {
    const request = new this.internals.ShutdownWrap();
    request.oncomplete = ignoreStatus;
    handle.shutdown(request);
  }
}

function onRead(this: StreamHandle): Uint8Array | undefined {
  return this.wire?.received();
}

function noRead(): undefined {
  return undefined;
}

function onWritten(this: Request, status: number): void {
  const { wire } = this;
  this.wire = null;
  this.buffer = null;
  wire?.written(status);
}

function ignoreStatus(): void {}
