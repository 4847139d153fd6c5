/**
 * Two wires joined after a 101: bytes go through as they are, both ways, until both sides have ended or neither has said
 * anything for `tunnelIdleMs`. A half-close is passed on; the end of one side by error is the end of both, by reset.
 *
 * When a drain has no more time, the tunnel leaves: each side is told by a Close frame 1001 that the other is going away, as
 * soon as the frame that is on its way to it has ended. What is said after that is read and forgotten, because nothing may
 * follow a Close, until both sides have said theirs. A side to which no boundary of frames is known is cut.
 *
 * Cost: one write per read, and some ns for each frame; nothing is buffered beyond one read a side.
 * Source: RFC 6455 §5.5.1, §7.1, §7.4.1.
 */
import { Deadline, type Timed } from '../../kernel/timer-wheel.ts';
import { endpointSlots as slot } from '../slots.ts';
import { view } from './buffers.ts';
import type { ClientConnection } from './client.ts';
import type { Endpoint } from './endpoint.ts';
import type { Exchange } from './exchange.ts';
import type { Plane } from './plane.ts';
import type { UpstreamConnection } from './upstream.ts';
import { closeOfClient, closeOfServer, FrameCursor } from './web-socket-frames.ts';
import type { Wire, WireOwner } from './wire.ts';

/** Large enough to save copies for bulk, small enough that chat-like tunnels keep the shared buffer. */
const BULK_BYTES = 256 * 1024;
/** Both sides have this long to say goodbye: a round trip, also over a bad line. Then they are cut. */
export const LEAVE_MS = 2000;

/** What a side says is passed on. */
const OPEN = 0;
/** Only the rest of the frame that has begun. */
const ENDING = 1;
/** Nothing; its peer is owed a Close. */
const OWING = 2;
/** Nothing more: its peer has had the Close. */
const LEFT = 3;

class Side implements WireOwner {
  readonly tunnel: Tunnel;
  readonly wire: Wire;
  peer!: Side;
  ended = false;
  bytes = 0;
  /** Of what this side says. */
  readonly frames: FrameCursor;
  #stage = OPEN;
  /** Before its peer was owed a Close, it had said goodbye itself: that was passed on. */
  #goodbyePassed = false;

  constructor(tunnel: Tunnel, wire: Wire, isClient: boolean) {
    this.tunnel = tunnel;
    this.wire = wire;
    this.frames = new FrameCursor(isClient);
  }

  onBytes(bytes: Uint8Array, from: number, to: number): void {
    this.tunnel.plane.tick();
    this.pass(bytes, from, to, this.wire.stable);
  }

  /** `stable`: the bytes stay as they are while this wire is paused. */
  pass(bytes: Uint8Array, from: number, to: number, stable: boolean): void {
    this.tunnel.touch();
    this.bytes += to - from;
    const end = this.#goesOn(bytes, from, to);
    if (end > from && !this.#send(bytes, from, end, stable)) this.wire.pause();
    if (this.#stage !== OPEN) this.sayClose();
  }

  /** Follows the frames in `bytes[from, to)`. Returns up to where they are for the peer. */
  #goesOn(bytes: Uint8Array, from: number, to: number): number {
    const { frames } = this;
    let end = from;
    if (this.#stage === OPEN) end = to;
    else if (this.#stage === ENDING) {
      end = frames.toBoundary(bytes, from, to);
      if (frames.atBoundary) this.#owe();
      frames.advance(bytes, end, to);
      return end;
    }
    frames.advance(bytes, from, to);
    return end;
  }

  #send(bytes: Uint8Array, from: number, to: number, stable: boolean): boolean {
    const { plane } = this.tunnel;
    const target = this.peer.wire;
    if (stable) return target.write(view(bytes, from, to));
    const buffer = plane.buffers.borrow(to - from);
    buffer.set(view(bytes, from, to));
    const drained = target.give(buffer, to - from);
    if (this.bytes > BULK_BYTES) this.wire.bulk();
    return drained;
  }

  /** Nothing of this side is passed on any more, from the next boundary on; its peer gets a Close instead. */
  leave(): void {
    if (this.#stage !== OPEN) return;
    if (this.frames.atBoundary) this.#owe();
    else this.#stage = ENDING;
    this.sayClose();
  }

  #owe(): void {
    this.#stage = OWING;
    this.#goodbyePassed = this.frames.closed;
  }

  /** Pays what is owed, if the peer takes it now. */
  sayClose(): void {
    const { peer, tunnel } = this;
    if (this.#stage === OWING && !peer.wire.congested) {
      this.#stage = LEFT;
      if (!this.#goodbyePassed && !this.ended) peer.wire.write(tunnel.closeFor(peer));
    }
    tunnel.closeIfSaid();
  }

  /** Its peer has had a Close, and it has said its own or will say nothing more. */
  get said(): boolean {
    return this.#stage === LEFT && (this.frames.closed || this.ended);
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
    this.peer.sayClose();
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

export class Tunnel implements Timed {
  readonly plane: Plane;
  readonly deadline = new Deadline(this);
  readonly #exchange: Exchange;
  readonly #upstream: UpstreamConnection;
  readonly #idleMs: number;
  readonly #client: Side;
  readonly #server: Side;
  #leaving = false;
  #closed = false;

  constructor(exchange: Exchange, upstream: UpstreamConnection) {
    const { plane, client } = exchange;
    this.plane = plane;
    this.#exchange = exchange;
    this.#upstream = upstream;
    this.#idleMs = exchange.route.plan.tunnelIdleMs;
    this.#client = new Side(this, client.wire, true);
    this.#server = new Side(this, upstream.wire, false);
    this.#client.peer = this.#server;
    this.#server.peer = this.#client;
    client.wire.owner = this.#client;
    upstream.wire.owner = this.#server;
    client.listener.tunnels(1);
    this.#count(slot.tunnels, 1);
    plane.tunnels.add(this);
    this.touch();
    client.wire.resume();
    upstream.wire.resume();
  }

  #count(which: number, change: number): void {
    const { lane } = this.endpoint;
    lane[which] = (lane[which] ?? 0) + change;
  }

  get client(): ClientConnection {
    return this.#exchange.client;
  }

  get endpoint(): Endpoint {
    return this.#upstream.endpoint;
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

  /** Tells both sides that the other is going away, and gives them `LEAVE_MS` to say goodbye. */
  leave(): void {
    if (this.#leaving || this.#closed) return;
    this.#leaving = true;
    this.plane.wheel.arm(this.deadline, this.plane.nowMs + LEAVE_MS);
    this.#server.leave();
    this.#client.leave();
    // Neither can be told: there is nothing to wait for.
    if (this.#client.frames.lost && this.#server.frames.lost) this.close(true);
  }

  /** The frame that tells `side` so. */
  closeFor(side: Side): Uint8Array {
    return side === this.#client ? closeOfServer : closeOfClient(this.plane.random.int32());
  }

  /** Both have said goodbye: the end, in good order, once the server has taken the last of it. The client's wire sees to its own. */
  closeIfSaid(): void {
    if (!this.#client.said || !this.#server.said) return;
    this.#server.wire.end();
    if (this.#server.flushed) this.close(false);
  }

  /** Something moved. */
  touch(): void {
    if (!this.#leaving) this.plane.wheel.arm(this.deadline, this.plane.nowMs + this.#idleMs);
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
    this.plane.wheel.remove(this.deadline);
    client.listener.tunnels(-1);
    this.#count(slot.tunnels, -1);
    if (reset && this.#leaving) this.#count(slot.tunnelsCut, 1);
    this.plane.tunnels.delete(this);
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
