/** The fast path's ways to a wire: accept, connect, or take over a TLS connection. */
import type net from 'node:net';
import type tls from 'node:tls';
import { getSystemErrorName } from 'node:util';
import { type Address, addressFrom } from '../../kernel/ip-address.ts';
import type { Buffers } from './buffers.ts';
import type { FieldScan } from './field-scan.ts';
import type { Outbox } from './outbox.ts';
import { Insides, isRecord, type StreamHandle, tlsHandle } from './raw-internals.ts';
import { RawSecureWire } from './raw-secure-wire.ts';
import { RawWire } from './raw-wire.ts';
import type { Wire } from './wire.ts';

/** Who is at the other end, as accepted or as a proxy says; null if that has no address that can be read. */
export interface Peer {
  readonly address: Address | null;
}

/** Called with the wire, or with the errno name of why there is none. */
export type Connected = (wire: Wire | null, code: string) => void;

/** One worker's fast path. */
export class RawTransport {
  readonly #insides: Insides;

  constructor(insides: Insides) {
    this.#insides = insides;
  }

  /** Null where this Node does not have the insides that are expected. */
  static detect(buffers: Buffers): RawTransport | null {
    const insides = Insides.find(buffers);
    return insides === null ? null : new RawTransport(insides);
  }

  get outbox(): Outbox {
    return this.#insides.outbox;
  }

  /** Reads heads in the buffer that connections are read into; null where it cannot. */
  get scan(): FieldScan | null {
    return this.#insides.scan;
  }

  /** Takes over the connections a listening server accepts. `accept` gets each with its peer. */
  serve(server: net.Server, accept: (wire: Wire, peer: Peer) => void): boolean {
    const listening: unknown = Reflect.get(server, '_handle');
    if (!isRecord(listening) || typeof listening['onconnection'] !== 'function') return false;
    const name: { address?: string } = {};
    const inherits = inheritsNoDelay(listening);
    listening['onconnection'] = (status: number, handle: StreamHandle | undefined): void => {
      if (status !== 0 || handle === undefined) return; // out of descriptors: libuv has closed it already
      if (handle.getpeername(name) !== 0) {
        handle.close();
        return;
      }
      if (!inherits) handle.setNoDelay(true);
      accept(new RawWire(this.#insides, handle, 'client'), { address: addressFrom(name.address ?? '') });
    };
    return true;
  }

  /**
   * Takes over reading and writing of a connection from a client whose TLS handshake is done just now. Null if its handle is
   * not as expected, or if the socket has begun to read.
   */
  adopt(socket: tls.TLSSocket): Wire | null {
    const handle = tlsHandle(socket);
    if (handle === null || socket.readableLength > 0) return null;
    return new RawSecureWire(this.#insides, handle, socket);
  }

  /** Connects to an IP address. The result can be cancelled, after which `done` is not called. */
  connect(address: string, port: number, done: Connected): { cancel(): void } {
    const { TCP, TCPConnectWrap, socketType } = this.#insides.internals;
    const handle = new TCP(socketType);
    const request = new TCPConnectWrap();
    let report: Connected | null = done;
    const finish = (status: number): void => {
      const told = report;
      report = null;
      if (told === null) return;
      if (status === 0) {
        handle.setNoDelay(true);
        told(new RawWire(this.#insides, handle, 'server'), '');
      } else {
        handle.close();
        told(null, getSystemErrorName(status));
      }
    };
    request.oncomplete = finish;
    const error = address.includes(':')
      ? handle.connect6(request, address, port)
      : handle.connect(request, address, port);
    if (error !== 0) {
      // The caller is still inside `connect`: it hears of it later, as of any other failure.
      queueMicrotask(() => finish(error));
    }
    return {
      cancel() {
        if (report === null) return;
        report = null;
        handle.close();
      },
    };
  }
}

/** On Linux a connection has the options of the socket that accepted it: set there, it is a system call less for each. */
function inheritsNoDelay(listening: Record<string, unknown>): boolean {
  const { setNoDelay } = listening;
  return (
    process.platform === 'linux' &&
    typeof setNoDelay === 'function' &&
    Reflect.apply(setNoDelay, listening, [true]) === 0
  );
}
