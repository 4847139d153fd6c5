/**
 * Small writes of one turn of the event loop, held back and sent one right behind the other: when enough have gathered, and at
 * the end of the turn whatever is there. What is to be closed behind its last write waits here as well.
 *
 * Why: a write to a socket whose reader sleeps wakes it, and the writer pays for the wake-up, as much as for the parsing of a
 * request. Between two writes of a turn lies the work for a request, time enough for the reader to finish and sleep again.
 * Close together they find it awake (docs/adr/0007). In a turn with one write, it leaves when that turn's one callback is done.
 *
 * Invariants: what is held for one wire leaves in the order in which it was written; nothing is held beyond the turn; never
 * more than `BURST` buffers.
 */
import { type Buffers, view } from './buffers.ts';

/** More than this goes at once: it is worth a wake-up, and need not be copied. */
export const HELD_BYTES_MAX = 8 * 1024;
/** Enough to keep a reader awake; more would only make the first wait for the last. */
const BURST = 32;

/** A wire that leaves things here. */
export interface Held {
  /** Something of it is held; set here. */
  held: boolean;
  /** Sends `buffer[0, length)` now, and gives the buffer back when done with it. Calls no owner back. */
  sendHeld(buffer: Uint8Array<ArrayBuffer>, length: number): void;
}

/** Something that waits for the end of the turn: told at the end of the one in which it asks. */
export interface Turned {
  /** It has come, and nothing is held. May call owners back. */
  turned(): void;
}

export class Outbox {
  readonly #buffers: Buffers;
  readonly #wires: (Held | null)[] = new Array<Held | null>(BURST).fill(null);
  readonly #held: (Uint8Array<ArrayBuffer> | null)[] = new Array<Uint8Array<ArrayBuffer> | null>(BURST).fill(null);
  readonly #lengths = new Uint32Array(BURST);
  #count = 0;
  #turning: Turned[] = [];
  /** The end of the turn will call. */
  isDue = false;
  /** Of those that ended so. */
  turns = 0;

  constructor(buffers: Buffers) {
    this.#buffers = buffers;
  }

  /** Holds a copy. */
  write(wire: Held, bytes: Uint8Array): void {
    if (this.#append(wire, bytes)) return;
    const buffer = this.#buffers.borrow(bytes.length);
    buffer.set(bytes);
    this.#hold(wire, buffer, bytes.length);
  }

  /** Holds a borrowed buffer. */
  give(wire: Held, buffer: Uint8Array<ArrayBuffer>, length: number): void {
    // The view is made only where it is needed: nearly always a wire has one write a turn.
    if (wire.held && this.#append(wire, view(buffer, 0, length))) this.#buffers.giveBack(buffer);
    else this.#hold(wire, buffer, length);
  }

  /** Sends what is held of this wire. What is of others stays: their connections may not have been read in this turn. */
  flushFor(wire: Held): void {
    if (!wire.held) return;
    wire.held = false;
    const count = this.#count;
    this.#count = 0;
    for (let at = 0; at < count; at++) {
      const holder = this.#wires[at];
      const buffer = this.#held[at];
      this.#wires[at] = null;
      this.#held[at] = null;
      if (!holder || !buffer) continue;
      const length = this.#lengths[at] ?? 0;
      if (holder === wire) wire.sendHeld(buffer, length);
      else this.#put(holder, buffer, length);
    }
  }

  /** What follows for the wire that was the last goes along: answers to requests that came together leave together. */
  #append(wire: Held, bytes: Uint8Array): boolean {
    const at = this.#count - 1;
    // To read at -1 is to look for a property of that name, 100 ns.
    if (at < 0 || this.#wires[at] !== wire) return false;
    const buffer = this.#held[at];
    const length = this.#lengths[at] ?? 0;
    if (!buffer || length + bytes.length > buffer.length) return false;
    buffer.set(bytes, length);
    this.#lengths[at] = length + bytes.length;
    return true;
  }

  #hold(wire: Held, buffer: Uint8Array<ArrayBuffer>, length: number): void {
    this.#put(wire, buffer, length);
    wire.held = true;
    if (this.#count === BURST) this.flush();
    else this.#endTurn();
  }

  #put(wire: Held, buffer: Uint8Array<ArrayBuffer>, length: number): void {
    const at = this.#count++;
    this.#wires[at] = wire;
    this.#held[at] = buffer;
    this.#lengths[at] = length;
  }

  /** Tells `who` of the end of the turn; at the end, of that of the next. */
  tell(who: Turned): void {
    this.#turning.push(who);
    this.#endTurn();
  }

  #endTurn(): void {
    if (this.isDue) return;
    this.isDue = true;
    setImmediate(endOfTurn, this);
  }

  /** Sends what is held. */
  flush(): void {
    const count = this.#count;
    this.#count = 0;
    for (let at = 0; at < count; at++) {
      const wire = this.#wires[at];
      const buffer = this.#held[at];
      this.#wires[at] = null;
      this.#held[at] = null;
      if (!wire || !buffer) continue;
      wire.held = false;
      wire.sendHeld(buffer, this.#lengths[at] ?? 0);
    }
  }

  turned(): void {
    this.isDue = false;
    this.turns = (this.turns + 1) | 0;
    this.flush();
    const turning = this.#turning;
    if (turning.length === 0) return;
    this.#turning = [];
    for (const who of turning) who.turned();
    // What they wrote, as a request that waited for its connection, is not to lie there for all that the next turn does.
    this.flush();
  }
}

function endOfTurn(outbox: Outbox): void {
  outbox.turned();
}
