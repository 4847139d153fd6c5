/**
 * The stage before HTTP on a listener that requires the PROXY protocol: reads the header, then hands the connection on with
 * the client's own address. What is not in form, comes from a peer that is not trusted, or takes too long is closed.
 */
import type net from 'node:net';
import { addressFrom } from '../../kernel/ip-address.ts';
import { Deadline, type Timed } from '../../kernel/timer-wheel.ts';
import type { Guest, Place } from './admission.ts';
import { view } from './buffers.ts';
import type { Plane } from './plane.ts';
import { PROXY_BYTES_MAX, readProxyHeader } from './proxy-protocol.ts';
import type { Peer } from './raw-transport.ts';
import type { Wire, WireOwner } from './wire.ts';

/** The header is the first thing a balancer sends, in one segment. */
export const PROXY_HEADER_MS = 3000;

export interface ProxiedOptions {
  readonly plane: Plane;
  readonly wire: Wire;
  readonly place: Place;
  /** The balancer. */
  readonly peer: Peer;
  readonly onRefused: () => void;
  /**
   * The client is known and the connection begins: its owner has been set when this returns, and is then given what came
   * behind the header. False if it may not come in.
   */
  readonly onClient: (peer: Peer) => boolean;
}

/** Reads the header from a wire. */
export class ProxiedWire implements Guest, WireOwner, Timed {
  readonly deadline = new Deadline(this);
  readonly #options: ProxiedOptions;
  #bytes = new Uint8Array(0);

  constructor(options: ProxiedOptions) {
    this.#options = options;
  }

  begin(): void {
    const { plane, wire, place } = this.#options;
    place.guest = this;
    wire.owner = this;
    plane.wheel.arm(this.deadline, plane.nowMs + PROXY_HEADER_MS);
  }

  onBytes(bytes: Uint8Array, from: number, to: number): void {
    const { plane, wire, peer, onClient } = this.#options;
    // The bytes behind the header can be a whole read; only what may belong to it is kept.
    const joined = Buffer.concat([this.#bytes, view(bytes, from, to)]);
    const header = readProxyHeader(joined);
    if (header.kind === 'bad') this.#refuse();
    else if (header.kind === 'more') this.#bytes = joined;
    else {
      plane.wheel.remove(this.deadline);
      if (!onClient(header.address === null ? peer : { address: addressFrom(header.address) })) this.cut();
      else if (header.end < joined.length) wire.owner.onBytes(joined, header.end, joined.length);
    }
  }

  onEnd(): void {
    this.#refuse();
  }

  onDrain(): void {}

  onClose(): void {
    this.#leave();
  }

  onDeadline(): void {
    this.#refuse();
  }

  drain(idleMs: number): void {
    if (idleMs === 0) this.cut();
  }

  cut(): void {
    this.#leave();
    this.#options.wire.close();
  }

  #refuse(): void {
    // Counted first: who sees the connection close finds it counted.
    this.#options.onRefused();
    this.cut();
  }

  #leave(): void {
    this.#options.plane.wheel.remove(this.deadline);
    this.#options.place.leave();
  }
}

/** Reads the header from a socket that goes on to a TLS handshake. `done` is told null if there is none to believe. */
export function readFromSocket(socket: net.Socket, peer: Peer, done: (client: Peer | null) => void): void {
  let bytes = Buffer.alloc(0);
  const finish = (result: Peer | null): void => {
    socket.off('readable', onReadable);
    socket.off('end', onEnd);
    done(result);
  };
  const onEnd = (): void => finish(null);
  const onReadable = (): void => {
    const more: Buffer | null = socket.read();
    if (more === null) return;
    bytes = Buffer.concat([bytes, more]);
    const header = readProxyHeader(bytes);
    if (header.kind === 'more' && bytes.length <= PROXY_BYTES_MAX) return;
    if (header.kind !== 'done') {
      finish(null);
      return;
    }
    if (header.end < bytes.length) socket.unshift(bytes.subarray(header.end));
    finish(header.address === null ? peer : { address: addressFrom(header.address) });
  };
  socket.on('readable', onReadable);
  socket.on('end', onEnd);
}
