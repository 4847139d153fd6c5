/**
 * The rest of an answer that nobody is given, because another endpoint is asked instead. It is read and thrown away if it is short,
 * since a connection costs more than the end of an error page; a long one, or one that ends with the connection, is cut.
 *
 * Invariant: the connection carries no other request before the end of this answer was seen (RFC 9112 §9.3).
 */
import { Deadline, type Timed } from '../../kernel/timer-wheel.ts';
import { Body } from './body.ts';
import { listedNames } from './connection.ts';
import { CHUNKED, type Head, NONE, UNTIL_CLOSE } from './head.ts';
import type { Sender, UpstreamConnection } from './upstream.ts';

/** About what a new connection with TLS costs to open, in bytes and in time. */
const REST_BYTES_MAX = 16 * 1024;
const REST_MS_MAX = 1000;

/** Gives `upstream` back to its endpoint once the answer with this `head` is over; `bytes[head.end, to)` came behind it. */
export function discardRest(upstream: UpstreamConnection, head: Head, bytes: Uint8Array, to: number): void {
  const { bodyKind, contentLength } = head;
  const isShort = bodyKind === NONE || bodyKind === CHUNKED || contentLength <= REST_BYTES_MAX;
  if (!head.keepAlive || bodyKind === UNTIL_CLOSE || !isShort || upstream.wire.congested) upstream.close();
  else new DiscardedAnswer(upstream, head).read(bytes, head.end, to);
}

class DiscardedAnswer implements Sender, Timed {
  readonly #upstream: UpstreamConnection;
  readonly #body = new Body();
  readonly deadline = new Deadline(this);

  constructor(upstream: UpstreamConnection, head: Head) {
    const { plane } = upstream.endpoint;
    const { bodyKind, contentLength } = head;
    this.#upstream = upstream;
    upstream.attempt = this;
    const outKind = bodyKind === NONE ? NONE : UNTIL_CLOSE;
    const listed = bodyKind === CHUNKED ? listedNames(head) : undefined;
    this.#body.begin(bodyKind, contentLength, outKind, REST_BYTES_MAX, listed);
    plane.wheel.arm(this.deadline, plane.nowMs + REST_MS_MAX);
  }

  /** Takes `bytes[from, to)` of the body, and what is behind it ends the connection (RFC 9112 §9.2). */
  read(bytes: Uint8Array, from: number, to: number): void {
    const { buffers } = this.#upstream.endpoint.plane;
    const body = this.#body;
    let taken = from;
    if (!body.done) {
      const scratch = buffers.borrow(body.room(to - from));
      body.encode(bytes, from, to, scratch, 0);
      buffers.giveBack(scratch);
      taken = body.taken;
    }
    if (body.bad || body.tooLarge || taken < to) this.cut();
    else if (body.done) this.#over();
  }

  onUpstreamBytes(bytes: Uint8Array, from: number, to: number): void {
    this.read(bytes, from, to);
  }

  onUpstreamEnd(): void {
    this.cut();
  }

  onUpstreamClose(): void {
    this.#leave();
  }

  onUpstreamDrain(): void {}

  onDeadline(): void {
    this.cut();
  }

  #over(): void {
    const upstream = this.#upstream;
    this.#leave();
    upstream.attempt = null;
    upstream.endpoint.release(upstream);
  }

  cut(): void {
    this.#leave();
    this.#upstream.close();
  }

  #leave(): void {
    this.#upstream.endpoint.plane.wheel.remove(this.deadline);
  }
}
