/**
 * One connection to an endpoint. It passes what happens on its wire to the attempt it carries; while it is idle, anything
 * that arrives ends it: a byte nobody asked for can only be the start of a response that would be taken for the next one's
 * (RFC 9112 §9.2; a socket with surplus bytes is destroyed, never pooled).
 * When an answer has ended it *settles* first, to the end of that turn of the event loop: a request that stands ready, behind the last in its
 * client's pipeline or in the queue, would else be sent before anybody could see that the server goes on talking. And bytes that come before
 * anything of a request has left are as little an answer to it: it goes out elsewhere, and so it does if the server goes away by then. For that
 * nothing leaves on a connection that was idle before the end of the turn, when all has been read that had come by its beginning: small requests
 * the wire holds back itself (outbox.ts), others are held back here.
 */
import { Deadline, type Timed } from '../../kernel/timer-wheel.ts';
import { endpointSlots as slot } from '../slots.ts';
import type { Endpoint } from './endpoint.ts';
import type { Turned } from './outbox.ts';
import type { Wire, WireOwner } from './wire.ts';

/** Whose answer a connection carries, and who is told what becomes of it. */
export interface Sender {
  onUpstreamBytes(bytes: Uint8Array, from: number, to: number): void;
  /** The server sent FIN. */
  onUpstreamEnd(): void;
  /** The connection is gone; it has left its endpoint already. `sent`: some of the request may have left. */
  onUpstreamClose(sent: boolean): void;
  onUpstreamDrain(): void;
  /** The drain of the endpoint has no more time. */
  cut(): void;
}

/** Whose request it is to carry. */
export interface Requester extends Sender {
  /** The request may go out: told once, within `carry` or at the end of the turn, unless it is over by then. */
  send(wire: Wire): void;
}

export class UpstreamConnection implements WireOwner, Turned, Timed {
  readonly endpoint: Endpoint;
  readonly wire: Wire;
  /** An attempt of an exchange, or a mirrored request. */
  attempt: Sender | null = null;
  /** Requests sent on it. */
  requests = 0;
  readonly deadline = new Deadline(this);
  /** An answer has ended on it, and it is not given back yet. */
  isSettling = false;
  #gone = false;
  /** Its socket was looked at since the last answer on it ended, and it has not been idle since; so it is with one that is new. */
  #isPolled = true;
  /** Has a request for it that waits for the end of the turn. */
  #unsent: Requester | null = null;
  /** What its wire had sent when it was given back; nothing of the next request has left while that is so. */
  #sendsBefore = -1;

  constructor(endpoint: Endpoint, wire: Wire) {
    this.endpoint = endpoint;
    this.wire = wire;
    wire.owner = this;
  }

  /** Nothing to do until it is woken: wait for `idleMs`, then close. */
  rest(): void {
    const { plane, service } = this.endpoint;
    this.#isPolled = false;
    plane.wheel.arm(this.deadline, plane.nowMs + service.plan.timeouts.idleMs);
  }

  /** It is `requester`'s from now on, whose first write has `bytes`, if others may follow within the turn as many as there are. */
  carry(requester: Requester, bytes: number): void {
    this.attempt = requester;
    this.requests++;
    if (this.#isPolled || bytes <= this.wire.heldBytesMax) requester.send(this.wire);
    else {
      this.#unsent = requester;
      this.endpoint.plane.outbox.tell(this);
    }
  }

  /** An answer has just ended on it: it is given back to its endpoint, unless more comes. */
  settle(): void {
    this.isSettling = true;
    this.#isPolled = false;
    this.endpoint.plane.outbox.tell(this);
  }

  turned(): void {
    if (this.#gone) return;
    if (this.#unsent !== null) {
      const requester = this.#unsent;
      this.#unsent = null;
      requester.send(this.wire);
      return;
    }
    const { endpoint } = this;
    // Of this turn the kernel had been asked before the answer ended. Who waits would go along before it is asked again.
    if (endpoint.isAwaited && !this.#isPolled) {
      this.#isPolled = true;
      endpoint.plane.outbox.tell(this);
      return;
    }
    this.isSettling = false;
    this.#sendsBefore = this.wire.sends;
    // Whoever waited begins now; to rest, the time at which this turn began will do.
    if (endpoint.isAwaited) endpoint.plane.tick();
    endpoint.settled(this);
  }

  /** There is work for it, for as long as that takes: a tunnel may take days. */
  wake(): void {
    this.endpoint.plane.wheel.disarm(this.deadline);
  }

  /** Ends the connection without telling the attempt, which has done with it. */
  close(): void {
    this.attempt = null;
    this.wire.close();
    this.#left();
  }

  /** The same by reset, so that the server cannot take what it has for the whole. */
  abandon(): void {
    this.attempt = null;
    this.wire.reset();
    this.#left();
  }

  onBytes(bytes: Uint8Array, from: number, to: number): void {
    this.endpoint.plane.tick();
    if (this.attempt !== null && this.#hasSent()) {
      this.attempt.onUpstreamBytes(bytes, from, to);
      return;
    }
    const { lane } = this.endpoint;
    lane[slot.protocolErrors] = (lane[slot.protocolErrors] ?? 0) + 1;
    this.#endUnsent();
  }

  onEnd(): void {
    this.endpoint.plane.tick();
    if (this.attempt !== null && this.#hasSent()) this.attempt.onUpstreamEnd();
    else this.#endUnsent();
  }

  onDrain(): void {
    this.attempt?.onUpstreamDrain();
  }

  onClose(): void {
    this.endpoint.plane.tick();
    const { attempt } = this;
    this.attempt = null;
    this.#left();
    attempt?.onUpstreamClose(this.#hasSent());
  }

  onDeadline(): void {
    this.close();
  }

  /** Some of the request that it carries may have left. */
  #hasSent(): boolean {
    return this.wire.sends !== this.#sendsBefore;
  }

  /** It is of no use, and nobody's request has left on it. */
  #endUnsent(): void {
    const { attempt } = this;
    if (attempt === null) this.close();
    else {
      // What waits to be sent is not.
      this.abandon();
      attempt.onUpstreamClose(false);
    }
  }

  #left(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.endpoint.plane.wheel.remove(this.deadline);
    this.endpoint.closed(this);
  }
}
