/**
 * The fast path: a wire straight on libuv's stream handle, below `net.Socket`.
 *
 * What it saves per message against the public path (bench/gateway, `SPILLWAY_TRANSPORT=net` shows the other): the Writable
 * state machine, a `WriteWrap` and a next-tick callback per write, and a fresh 64 KiB buffer per read. A write that the
 * kernel takes at once, which is nearly every one, allocates nothing here.
 *
 * This is the only file that touches Node's internals. `detectRaw` checks their shape on the running version and answers
 * null if anything is not as expected; the gateway then uses `net-wire.ts`. Both run the same tests (wire.test.ts).
 *
 * Invariants: the shared buffer is never lent to a write; a `WriteWrap` is reused only if its write did not go on after the
 * call; after `close` no callback reaches the owner.
 */
import { getSystemErrorName } from 'node:util';
import type net from 'node:net';
import type tls from 'node:tls';
import { LARGE_BYTES, READ_BYTES, view, type Buffers } from './buffers.ts';
import { nobody, type Wire, type WireOwner } from './wire.ts';

/** The part of libuv's stream handle that is used; `null` results are not possible, numbers are 0 or a negative errno. */
interface StreamHandle {
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

interface Request {
  oncomplete: ((this: Request, status: number) => void) | null;
  wire?: Receiver | null;
  /** Of a TLS write. */
  bytes?: number;
  buffer?: Uint8Array | null;
  transport?: RawTransport;
  pending?: PendingConnect | null;
}

/** What libuv's callbacks find on the handle or the request. */
interface Receiver {
  received(): Uint8Array | undefined;
  written(status: number, bytes: number): void;
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

/** Address of a peer as accepted. */
export interface Peer {
  readonly address: string;
  readonly port: number;
}

const END_OF_FILE = -4095; // UV_EOF

/** Write requests kept for reuse; more are in use only while as many writes are pending. */
const SPARE_MAX = 1024;

// The versions whose internals were read and tested. Another one takes the public path until somebody has looked.
const KNOWN_MAJORS = new Set([24, 26]);

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function internals(): Internals | null {
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

/** Called with the wire, or with the errno name of why there is none. */
export type Connected = (wire: Wire | null, code: string) => void;

class PendingConnect {
  readonly handle: StreamHandle;
  done: Connected | null;
  constructor(handle: StreamHandle, done: Connected) {
    this.handle = handle;
    this.done = done;
  }
}

/** One worker's raw transport: its shared read buffer and its write requests. */
export class RawTransport {
  readonly buffers: Buffers;
  readonly shared: Uint8Array<ArrayBuffer> = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly internals: Internals;
  readonly #spare: Request[] = [];

  constructor(found: Internals, buffers: Buffers) {
    this.internals = found;
    this.buffers = buffers;
  }

  /** A write request to use once; `giveBack` it when it is done. */
  request(): Request {
    const spare = this.#spare.pop();
    if (spare !== undefined) return spare;
    const request = new this.internals.WriteWrap();
    request.oncomplete = onWritten;
    request.transport = this;
    request.wire = null;
    request.bytes = 0;
    return request;
  }

  giveBack(request: Request): void {
    if (this.#spare.length < SPARE_MAX) this.#spare.push(request);
  }

  /** Takes over the connections a listening server accepts. `accept` gets each with its peer. */
  serve(server: net.Server, accept: (wire: Wire, peer: Peer) => void): boolean {
    const listening: unknown = Reflect.get(server, '_handle');
    if (!isRecord(listening) || typeof listening['onconnection'] !== 'function') return false;
    listening['onconnection'] = (status: number, handle: StreamHandle | undefined): void => {
      if (status !== 0 || handle === undefined) return; // out of descriptors: libuv has closed it already
      const name: { address?: string; port?: number } = {};
      if (handle.getpeername(name) !== 0) {
        handle.close();
        return;
      }
      handle.setNoDelay(true);
      accept(new RawWire(this, handle), { address: name.address ?? '', port: name.port ?? 0 });
    };
    return true;
  }

  /**
   * Takes over reading and writing of a TLS connection whose handshake is done. The socket stays in charge of closing, and of
   * errors of the TLS layer. Null if its handle is not as expected.
   */
  adopt(socket: tls.TLSSocket): Wire | null {
    const handle: unknown = Reflect.get(socket, '_handle');
    if (!isStreamHandle(handle)) return null;
    return new RawSecureWire(this, handle, socket);
  }

  /** Connects to an IP address. The result can be cancelled, after which `done` is not called. */
  connect(address: string, port: number, done: Connected): { cancel(): void } {
    const { TCP, TCPConnectWrap, socketType } = this.internals;
    const handle = new TCP(socketType);
    const request = new TCPConnectWrap();
    const pending = new PendingConnect(handle, done);
    request.pending = pending;
    request.oncomplete = (status) => {
      const report = pending.done;
      pending.done = null;
      if (report === null) return;
      if (status !== 0) {
        handle.close();
        report(null, getSystemErrorName(status));
        return;
      }
      handle.setNoDelay(true);
      report(new RawWire(this, handle), '');
    };
    const error = address.includes(':')
      ? handle.connect6(request, address, port)
      : handle.connect(request, address, port);
    if (error !== 0) {
      // The caller is still inside `connect`: it hears of it later, as of any other failure.
      queueMicrotask(() => request.oncomplete?.(error));
    }
    return {
      cancel() {
        if (pending.done === null) return;
        pending.done = null;
        handle.close();
      },
    };
  }
}

/** The raw transport, or null where this Node does not have the expected insides. */
export function detectRaw(buffers: Buffers): RawTransport | null {
  const found = internals();
  return found === null ? null : new RawTransport(found, buffers);
}

/** The usual case, shared by all wires: nothing pending. */
const none: Uint8Array<ArrayBuffer>[] = [];

class RawWire implements Wire {
  owner: WireOwner = nobody;
  closed = false;
  readonly #transport: RawTransport;
  readonly #handle: StreamHandle;
  #reading = false;
  #pending = 0;
  /** A buffer of this wire's own, once it carries bulk; in use from the read after. */
  #own: Uint8Array<ArrayBuffer> | null = null;
  stable = false;
  /** Borrowed buffers that a pending write still reads. */
  #given: Uint8Array<ArrayBuffer>[] = none;
  #finishing = false;

  constructor(transport: RawTransport, handle: StreamHandle) {
    this.#transport = transport;
    this.#handle = handle;
    handle.wire = this;
    handle.useUserBuffer(transport.shared);
    handle.onread = onRead;
    this.resume();
  }

  get congested(): boolean {
    return this.#pending > 0;
  }

  get pendingBytes(): number {
    return this.closed ? 0 : this.#handle.writeQueueSize;
  }

  write(bytes: Uint8Array): boolean {
    if (this.closed) return false;
    const transport = this.#transport;
    const request = transport.request();
    const error = this.#handle.writeBuffer(request, bytes);
    if (error !== 0) {
      transport.giveBack(request);
      this.#failSoon(error);
      return false;
    }
    if (transport.internals.state[transport.internals.wasAsync] === 0) {
      transport.giveBack(request);
      return true;
    }
    // libuv has the request now, and the request holds on to `bytes`.
    request.wire = this;
    this.#pending++;
    return false;
  }

  give(buffer: Uint8Array<ArrayBuffer>, length: number): boolean {
    if (this.write(view(buffer, 0, length))) {
      this.#transport.buffers.giveBack(buffer);
      return true;
    }
    if (this.closed) this.#transport.buffers.giveBack(buffer);
    else if (this.#given === none) this.#given = [buffer];
    else this.#given.push(buffer);
    return false;
  }

  pause(): void {
    if (!this.#reading || this.closed) return;
    this.#reading = false;
    this.#handle.readStop();
  }

  resume(): void {
    if (this.#reading || this.closed) return;
    this.#reading = true;
    const error = this.#handle.readStart();
    if (error !== 0) this.#failSoon(error);
  }

  bulk(): void {
    if (this.#own === null && !this.#transport.buffers.tight) this.#own = this.#transport.buffers.borrow(LARGE_BYTES);
  }

  end(): void {
    if (this.closed) return;
    const request = new this.#transport.internals.ShutdownWrap();
    request.oncomplete = ignoreStatus;
    this.#handle.shutdown(request);
  }

  finish(): void {
    if (this.closed) return;
    if (this.#pending === 0) {
      this.#destroy();
      queueMicrotask(() => this.owner.onClose(''));
    } else this.#finishing = true;
  }

  close(): void {
    this.owner = nobody;
    this.#destroy();
  }

  reset(): void {
    this.owner = nobody;
    if (this.closed) return;
    this.#release();
    this.#handle.reset();
  }

  /** libuv has something to read, or an error. The answer is the buffer for the next read, if it changes. */
  received(): Uint8Array | undefined {
    const { internals: insides, shared } = this.#transport;
    const count = insides.state[insides.readBytes] ?? 0;
    if (count > 0) {
      const own = this.#own;
      this.owner.onBytes(this.stable && own !== null ? own : shared, 0, count);
      if (this.stable || this.#own === null) return undefined;
      this.stable = true;
      return view(this.#own, 0, READ_BYTES);
    }
    if (count === END_OF_FILE) {
      this.#reading = false;
      this.owner.onEnd();
    } else if (count < 0) this.#fail(count);
    return undefined;
  }

  written(status: number): void {
    this.#pending--;
    if (this.closed) return;
    if (status !== 0) {
      this.#fail(status);
      return;
    }
    if (this.#pending > 0) return;
    this.#giveAllBack();
    if (this.#finishing) {
      this.#destroy();
      this.owner.onClose('');
    } else this.owner.onDrain();
  }

  #fail(status: number): void {
    if (this.closed) return;
    this.#destroy();
    this.owner.onClose(getSystemErrorName(status));
  }

  /** For an error found inside a call of the owner, who must not be called back before it returns. */
  #failSoon(status: number): void {
    process.nextTick(() => this.#fail(status));
  }

  #destroy(): void {
    if (this.closed) return;
    this.#release();
    this.#handle.close();
  }

  #release(): void {
    this.closed = true;
    this.#handle.onread = noRead;
    // A closing handle starts no system call any more, so what it was reading from or into is free at once.
    this.#giveAllBack();
    if (this.#own !== null) this.#transport.buffers.giveBack(this.#own);
    this.#own = null;
  }

  #giveAllBack(): void {
    if (this.#given === none) return;
    for (const buffer of this.#given) this.#transport.buffers.giveBack(buffer);
    this.#given = none;
  }
}

/** More than this encrypted but not sent, and a source is told to wait. */
const SECURE_PENDING_MAX = 128 * 1024;

/**
 * The same above TLS. OpenSSL encrypts into memory of its own, so what is written is free at once; every write ends later,
 * so each has a request of its own and backpressure is counted in bytes.
 */
class RawSecureWire implements Wire {
  owner: WireOwner = nobody;
  readonly stable = false;
  closed = false;
  congested = false;
  pendingBytes = 0;
  readonly #transport: RawTransport;
  readonly #handle: StreamHandle;
  readonly #socket: tls.TLSSocket;
  #reading = false;
  #ended = false;
  #code = '';

  constructor(transport: RawTransport, handle: StreamHandle, socket: tls.TLSSocket) {
    this.#transport = transport;
    this.#handle = handle;
    this.#socket = socket;
    handle.wire = this;
    handle.useUserBuffer(transport.shared);
    handle.onread = onRead;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#code = error.code ?? 'ERR_TLS';
    });
    socket.on('close', () => this.#gone());
    this.resume();
  }

  write(bytes: Uint8Array): boolean {
    if (this.closed || this.#ended) return false;
    const request = this.#transport.request();
    request.wire = this;
    request.bytes = bytes.length;
    this.pendingBytes += bytes.length;
    const error = this.#handle.writeBuffer(request, bytes);
    if (error !== 0) {
      process.nextTick(() => this.#fail(error));
      return false;
    }
    if (this.pendingBytes > SECURE_PENDING_MAX) this.congested = true;
    return !this.congested;
  }

  give(buffer: Uint8Array<ArrayBuffer>, length: number): boolean {
    const drained = this.write(view(buffer, 0, length));
    this.#transport.buffers.giveBack(buffer);
    return drained;
  }

  pause(): void {
    if (!this.#reading || this.closed) return;
    this.#reading = false;
    this.#handle.readStop();
  }

  resume(): void {
    if (this.#reading || this.closed) return;
    this.#reading = true;
    this.#handle.readStart();
  }

  bulk(): void {
    // TLS records are at most 16 KiB and have been copied once anyway.
  }

  end(): void {
    if (this.closed || this.#ended) return;
    this.#ended = true;
    const request = new this.#transport.internals.ShutdownWrap();
    request.oncomplete = ignoreStatus;
    this.#handle.shutdown(request);
  }

  finish(): void {
    if (this.closed) return;
    this.#finishing = true;
    if (this.pendingBytes === 0) this.#finish();
  }

  close(): void {
    this.owner = nobody;
    if (this.closed) return;
    // close_notify would have to wait behind what a client does not take.
    if (this.pendingBytes === 0) this.#finish();
    else this.#socket.destroy();
    this.closed = true;
  }

  reset(): void {
    this.owner = nobody;
    this.closed = true;
    this.#socket.resetAndDestroy();
  }

  received(): undefined {
    const { internals: insides, shared } = this.#transport;
    const count = insides.state[insides.readBytes] ?? 0;
    if (this.closed) return;
    if (count > 0) this.owner.onBytes(shared, 0, count);
    else if (count === END_OF_FILE) {
      this.#reading = false;
      this.owner.onEnd();
    } else if (count < 0) this.#fail(count);
  }

  written(status: number, bytes: number): void {
    this.pendingBytes -= bytes;
    if (this.closed) return;
    if (status !== 0) {
      this.#fail(status);
      return;
    }
    if (this.pendingBytes > 0) return;
    if (this.#finishing) this.#finish();
    else if (this.congested) {
      this.congested = false;
      this.owner.onDrain();
    }
  }

  #finishing = false;

  #finish(): void {
    // close_notify goes out with FIN; what was written before it has left already.
    this.#socket.destroySoon();
  }

  #fail(status: number): void {
    this.#code = getSystemErrorName(status);
    this.#socket.destroy();
  }

  #gone(): void {
    if (this.closed) return;
    this.closed = true;
    this.owner.onClose(this.#code);
  }
}

function isStreamHandle(value: unknown): value is StreamHandle {
  if (!isRecord(value)) return false;
  const wanted = ['useUserBuffer', 'readStart', 'readStop', 'writeBuffer', 'shutdown'];
  return wanted.every((name) => typeof value[name] === 'function');
}

function onRead(this: StreamHandle): Uint8Array | undefined {
  return this.wire?.received();
}

function noRead(): undefined {
  return undefined;
}

function onWritten(this: Request, status: number): void {
  const { wire, bytes, transport } = this;
  this.wire = null;
  this.buffer = null; // what it wrote, which Node hung on it
  transport?.giveBack(this);
  wire?.written(status, bytes ?? 0);
}

function ignoreStatus(): void {}
