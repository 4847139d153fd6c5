/**
 * The answer on its way to the client: interim heads, the final head as this gateway writes it, and the body, until the client
 * has all of it.
 *
 * Invariants:
 * - What the client is sent ends cleanly only if the server's message did (RFC 9112 §8).
 * - At most one read is in memory: a server whose bytes the client does not take is not read.
 * - The end waits until the last byte has left: it may lie in the upstream connection's own buffer.
 * Deadlines: the server's pause within the body, and the time in which the client takes nothing.
 * Source: RFC 9110 §7.6.1, §15.2; RFC 9112 §6.3, §7, §9.
 */
import { joinBytes } from '../../kernel/bytes.ts';
import { Deadline, type Timed } from '../../kernel/timer-wheel.ts';
import { endpointSlots as slot } from '../slots.ts';
import { Body } from './body.ts';
import { view } from './buffers.ts';
import { listedNames } from './connection.ts';
import type { Exchange } from './exchange.ts';
import { CHUNKED, type Head, NONE, UNTIL_CLOSE } from './head.ts';
import { BULK_BYTES, relay } from './relay.ts';
import {
  CONNECTION_CLOSE,
  CONNECTION_KEEP_ALIVE,
  CONNECTION_NONE,
  CONNECTION_UPGRADE,
  HEAD_EXTRA_BYTES,
  upgradeRequired,
  writeResponseHead,
} from './write-head.ts';

const NOTHING = new Uint8Array(0);

/** Nothing but interim heads so far. */
const IDLE = 0;
const RELAYING = 1;
/** All of it has been handed to the client's wire, which has not taken it yet. */
const FLUSHING = 2;

export class ResponseRelay implements Timed {
  readonly body = new Body();
  /** The last byte from the endpoint; 0 before it. */
  lastByteMs = 0;
  readonly deadline = new Deadline(this);
  readonly #exchange: Exchange;
  #state = IDLE;
  /** What the client had not taken when its deadline was set. */
  #pendingSeen = 0;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  reset(): void {
    this.lastByteMs = 0;
    this.body.begin(NONE, 0, NONE, 0);
  }

  /** 1xx: for whoever can read it (RFC 9110 §15.2). */
  passInterim(head: Head): void {
    const { client, expectsContinue, minorVersion, plane } = this.#exchange;
    if (minorVersion === 0 || (head.status === 100 && !expectsContinue)) return;
    const buffer = plane.buffers.borrow(head.end - head.start + HEAD_EXTRA_BYTES);
    client.wire.give(buffer, writeResponseHead(head, NONE, CONNECTION_NONE, NOTHING, buffer, 0));
  }

  /** The 101 of an upgrade, and what the tunnel has brought with it. */
  passUpgrade(head: Head, bytes: Uint8Array, to: number): void {
    const { client, plane } = this.#exchange;
    const rest = to - head.end;
    const added = this.#exchange.editAnswer(head);
    const buffer = plane.buffers.borrow(head.end - head.start + HEAD_EXTRA_BYTES + added.length + rest);
    const at = writeResponseHead(head, NONE, CONNECTION_UPGRADE, added, buffer, 0);
    buffer.set(view(bytes, head.end, to), at);
    client.wire.give(buffer, at + rest);
  }

  /** The final head; `bytes[head.end, to)` came behind it. Decides how the body is framed for the client. */
  begin(head: Head, bytes: Uint8Array, to: number): void {
    const { body } = this;
    const { attempt, client, minorVersion, plane } = this.#exchange;
    const framed = head.bodyKind === UNTIL_CLOSE || head.bodyKind === CHUNKED;
    const outKind = framed ? (minorVersion === 1 ? CHUNKED : UNTIL_CLOSE) : head.bodyKind;
    const listed = head.bodyKind === CHUNKED ? listedNames(head) : undefined;
    body.begin(head.bodyKind, head.contentLength, outKind, Number.POSITIVE_INFINITY, listed);
    client.keepAlive = outKind !== UNTIL_CLOSE && this.#exchange.mayKeepClient();
    this.#state = RELAYING;
    let from = head.end;
    const together = body.done ? 0 : to - from;
    const added = joinBytes(this.#exchange.editAnswer(head), upgradeRequired(head));
    const headRoom = head.end - head.start + HEAD_EXTRA_BYTES + added.length;
    const buffer = plane.buffers.borrow(headRoom + body.room(together));
    const connection = !client.keepAlive
      ? CONNECTION_CLOSE
      : minorVersion === 0
        ? CONNECTION_KEEP_ALIVE
        : CONNECTION_NONE;
    let at = writeResponseHead(head, outKind, connection, added, buffer, 0);
    if (together > 0) {
      at = body.encode(bytes, from, to, buffer, at);
      from = body.taken;
    }
    if (from < to) attempt.reusable = false;
    const drained = client.wire.give(buffer, at);
    if (body.remaining > BULK_BYTES) attempt.upstream?.wire.bulk();
    this.#relayed(drained);
  }

  onBytes(bytes: Uint8Array, from: number, to: number): void {
    const { body } = this;
    const { attempt, client, plane } = this.#exchange;
    const { upstream } = attempt;
    if (body.done || upstream === null) {
      // Behind the end of the response: nobody's, so the connection is not to be used again (RFC 9112 §9.2).
      attempt.reusable = false;
      return;
    }
    const drained = relay(body, bytes, from, to, upstream.wire.stable, client.wire, plane.buffers);
    if (body.taken < to) attempt.reusable = false;
    this.#relayed(drained);
  }

  /** After bytes of the answer were handed to the client's wire. */
  #relayed(drained: boolean): void {
    const { attempt, plane } = this.#exchange;
    const { body } = this;
    if (body.bad) {
      attempt.protocolFault('a chunked body that is malformed');
      return;
    }
    if (body.done) {
      this.lastByteMs = plane.nowMs;
      attempt.upstream?.wire.bulkOver();
      if (drained) {
        this.#exchange.complete();
        return;
      }
      this.#state = FLUSHING;
    }
    if (drained) this.#arm(this.#exchange.service.plan.timeouts.bodyIdleMs);
    else {
      attempt.upstream?.wire.pause();
      this.waitForClient();
    }
  }

  /** The server sent FIN. That ends a body which ends with the connection; any other is broken off. */
  onUpstreamEnd(): void {
    const { body } = this;
    if (body.done) return;
    if (body.kind !== UNTIL_CLOSE) {
      this.#cut();
      return;
    }
    const { client, plane } = this.#exchange;
    const buffer = plane.buffers.borrow(body.room(0));
    const length = body.finish(buffer, 0);
    this.#relayed(client.wire.give(buffer, length));
  }

  onUpstreamClose(): void {
    if (!this.body.done) this.#cut();
  }

  #cut(): void {
    this.#exchange.attempt.fail('upstream_reset', slot.resets, false);
  }

  onClientDrain(): void {
    const { attempt, plane, service } = this.#exchange;
    if (this.#state === FLUSHING) this.#exchange.complete();
    else if (this.#state === RELAYING) {
      this.#arm(service.plan.timeouts.bodyIdleMs);
      attempt.upstream?.wire.resume();
    } else {
      plane.wheel.disarm(this.deadline);
      this.#exchange.readHeads();
    }
  }

  end(): void {
    this.#state = IDLE;
    this.#exchange.plane.wheel.disarm(this.deadline);
  }

  // — Deadlines

  #arm(afterMs: number): void {
    const { plane } = this.#exchange;
    plane.wheel.arm(this.deadline, plane.nowMs + afterMs);
  }

  /** The client has not taken what was written. */
  waitForClient(): void {
    const { client } = this.#exchange;
    this.#pendingSeen = client.wire.pendingBytes;
    this.#arm(client.listener.plan.timeouts.writeIdleMs);
  }

  onDeadline(nowMs: number): void {
    const exchange = this.#exchange;
    const { wire } = exchange.client;
    exchange.plane.nowMs = nowMs;
    if (!wire.congested) exchange.attempt.fail('upstream_timeout', slot.timeouts, false);
    else if (wire.pendingBytes === this.#pendingSeen) exchange.leaveClient();
    else this.waitForClient(); // slow, but it takes something
  }
}
