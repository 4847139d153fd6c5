/**
 * The last stage of a client's connection: the last answer is on its way, and then it closes.
 *
 * A client that may still be sending gets FIN and is read on for a while: what arrives at a closed socket is answered with a
 * reset, which destroys what the client has not read yet (RFC 9112 §9.6). One that sends more than is read on is kept waiting
 * until the while is over, so that it looks at its answer. One that expects the close gets it at once.
 *
 * Invariants: nothing that is read here is a request; bounded in time and bytes; the place is given back at the end.
 */
import { Deadline, type Timed } from '../../kernel/timer-wheel.ts';
import type { Guest, Place } from './admission.ts';
import type { Listener } from './listener.ts';
import type { Wire, WireOwner } from './wire.ts';

/** How long a client may go on sending after our last answer: several round trips, after which who reads has read it. */
const LINGER_MS = 2000;
/** And how much. Many read no answer before all is sent; what is forgotten costs a read for each 64 KiB. */
const LINGER_BYTES_MAX = 64 * 1024 * 1024;

export class LingeringClose implements Guest, WireOwner, Timed {
  readonly deadline = new Deadline(this);
  readonly #listener: Listener;
  readonly #wire: Wire;
  readonly #place: Place;
  /** Bytes that came and were forgotten. */
  #bytes = 0;
  /** All is said, and what is written is being flushed. */
  #finishing = false;

  constructor(listener: Listener, wire: Wire, place: Place) {
    this.#listener = listener;
    this.#wire = wire;
    this.#place = place;
    place.guest = this;
    wire.owner = this;
  }

  /** For a client that may be sending still. */
  linger(): void {
    this.#arm(LINGER_MS);
    this.#wire.end();
    this.#wire.resume();
  }

  /** For a client that expects the close. */
  finish(): void {
    this.#finishing = true;
    this.#arm(this.#listener.plan.timeouts.writeIdleMs);
    this.#wire.finish();
  }

  onBytes(_bytes: Uint8Array, from: number, to: number): void {
    this.#bytes += to - from;
    if (this.#bytes > LINGER_BYTES_MAX) this.#wire.pause();
  }

  onEnd(): void {
    if (!this.#finishing) this.#leaveWhenTaken();
  }

  onDrain(): void {}

  onClose(): void {
    this.#leave(false);
  }

  onDeadline(nowMs: number): void {
    this.#listener.plane.nowMs = nowMs;
    if (this.#finishing) this.#leave(true);
    else this.#leaveWhenTaken();
  }

  #leaveWhenTaken(): void {
    if (this.#wire.congested) this.finish(); // it may still be reading our answer
    else this.#leave(false);
  }

  /** It is as short as it can be. */
  drain(): void {}

  cut(): void {
    this.#leave(true);
  }

  #arm(afterMs: number): void {
    const { plane } = this.#listener;
    plane.wheel.arm(this.deadline, plane.nowMs + afterMs);
  }

  #leave(reset: boolean): void {
    this.#listener.plane.wheel.remove(this.deadline);
    if (reset) this.#wire.reset();
    else this.#wire.close();
    this.#place.leave();
  }
}
