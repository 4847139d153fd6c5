/**
 * Two wires joined after a 101: bytes go through as they are, both ways, until both sides have ended or neither has said
 * anything for `tunnelIdleMs`. A half-close is passed on; the end of one side by error is the end of both, by reset.
 *
 * Cost: one write per read; nothing is buffered beyond one read a side.
 */
import type { Deadline } from '../../kernel/timer-wheel.ts';
import { view } from './buffers.ts';
import type { ClientConnection } from './client.ts';
import type { Exchange } from './exchange.ts';
import type { Plane } from './plane.ts';
import type { UpstreamConnection } from './upstream.ts';
import type { Wire, WireOwner } from './wire.ts';

/** Large enough to save copies for bulk, small enough that chat-like tunnels keep the shared buffer. */
const BULK_BYTES = 256 * 1024;

class Side implements WireOwner {
  readonly tunnel: Tunnel;
  readonly wire: Wire;
  peer!: Side;
  ended = false;
  bytes = 0;

  constructor(tunnel: Tunnel, wire: Wire) {
    this.tunnel = tunnel;
    this.wire = wire;
  }

  onBytes(bytes: Uint8Array, from: number, to: number): void {
    this.tunnel.plane.tick();
    this.pass(bytes, from, to, this.wire.stable);
  }

  /** `stable`: the bytes stay as they are while this wire is paused. */
  pass(bytes: Uint8Array, from: number, to: number, stable: boolean): void {
    const { plane } = this.tunnel;
    this.tunnel.touch();
    this.bytes += to - from;
    const target = this.peer.wire;
    let drained: boolean;
    if (stable) drained = target.write(view(bytes, from, to));
    else {
      const buffer = plane.buffers.borrow(to - from);
      buffer.set(view(bytes, from, to));
      drained = target.give(buffer, to - from);
      if (this.bytes > BULK_BYTES) this.wire.bulk();
    }
    if (!drained) this.wire.pause();
  }

  onEnd(): void {
    this.tunnel.plane.tick();
    this.ended = true;
    this.peer.wire.end();
    this.tunnel.closeIfFlushed();
  }

  onDrain(): void {
    this.tunnel.plane.tick();
    this.tunnel.touch();
    this.peer.wire.resume();
    this.tunnel.closeIfFlushed();
  }

  onClose(code: string): void {
    this.tunnel.plane.tick();
    // A wire that ended both ways closes by itself, while the other may still have bytes to send.
    if (code === '' && this.ended && this.peer.ended) this.tunnel.closeIfFlushed();
    else this.tunnel.close(true);
  }

  get flushed(): boolean {
    return this.wire.closed || !this.wire.congested;
  }
}

export class Tunnel implements Deadline {
  readonly plane: Plane;
  deadlineMs = Number.POSITIVE_INFINITY;
  wheelSlot = -1;
  wheelNext: Deadline | null = null;
  wheelPrevious: Deadline | null = null;
  readonly #exchange: Exchange;
  readonly #upstream: UpstreamConnection;
  readonly #idleMs: number;
  readonly #client: Side;
  readonly #server: Side;
  #closed = false;

  constructor(exchange: Exchange, upstream: UpstreamConnection) {
    const { plane, client } = exchange;
    this.plane = plane;
    this.#exchange = exchange;
    this.#upstream = upstream;
    this.#idleMs = exchange.route.plan.tunnelIdleMs;
    this.#client = new Side(this, client.wire);
    this.#server = new Side(this, upstream.wire);
    this.#client.peer = this.#server;
    this.#server.peer = this.#client;
    client.wire.owner = this.#client;
    upstream.wire.owner = this.#server;
    client.listener.tunnels(1);
    this.touch();
    client.wire.resume();
    upstream.wire.resume();
  }

  get client(): ClientConnection {
    return this.#exchange.client;
  }

  /** What the client sent before the tunnel was open. */
  fromClient(bytes: Uint8Array, from: number, to: number): void {
    this.#client.pass(bytes, from, to, false);
  }

  /** The client's FIN came before the tunnel was open. */
  clientEnded(): void {
    this.#client.onEnd();
  }

  /** Both sides have said all they will: the end, as soon as the last of it has left. */
  closeIfFlushed(): void {
    if (this.#client.ended && this.#server.ended && this.#client.flushed && this.#server.flushed) this.close(false);
  }

  /** Something moved. */
  touch(): void {
    this.plane.wheel.arm(this, this.plane.nowMs + this.#idleMs);
  }

  onDeadline(nowMs: number): void {
    this.plane.nowMs = nowMs;
    this.close(true);
  }

  /** Ends it from our side, at the end of a drain. */
  cut(): void {
    this.close(true);
  }

  close(reset: boolean): void {
    if (this.#closed) return;
    this.#closed = true;
    const { client } = this.#exchange;
    this.plane.wheel.remove(this);
    client.listener.tunnels(-1);
    client.tunnel = null;
    client.wire.owner = client;
    this.#upstream.wire.owner = this.#upstream;
    if (reset) this.#upstream.abandon();
    else this.#upstream.close();
    this.#exchange.tunnelClosed(this.#client.bytes, this.#server.bytes, reset);
  }
}

/** Joins the wires of an exchange whose upgrade was accepted. */
export function openTunnel(exchange: Exchange, upstream: UpstreamConnection): void {
  const { client } = exchange;
  const tunnel = new Tunnel(exchange, upstream);
  client.handOver(tunnel);
}
