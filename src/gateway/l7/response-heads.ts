/**
 * The heads of one answer as they come from a server: any number of interim ones, then the final one; whole, or in pieces.
 *
 * A head that comes in one read is parsed where it lies. What is incomplete, or has to wait, is kept in a borrowed buffer.
 *
 * Invariants: no head is read while the taker takes none; behind the final head nothing is read here; there are `INTERIM_MAX` interim ones at most.
 * Cost: a head that drips is parsed once a line, not once a byte, and the buffer it is kept in doubles.
 * Source: RFC 9110 §15.2, RFC 9112 §4.
 */
import { type Buffers, view } from './buffers.ts';
import { type Head, isWorthParsing, MORE, OK, type ResponseLimits } from './head.ts';
import { parseResponseHead } from './response-head.ts';

/** One a second for a quarter of an hour, of a server that reports how far it is. What they may have in bytes, the limits of a head say for each. */
export const INTERIM_MAX = 1000;

export interface HeadTaker {
  /** False: heads have to wait, until `readOn`. */
  readonly takesHeads: boolean;
  /** A whole head in `bytes[…, to)`, valid during the call. False: it was the last. */
  onHead(head: Head, bytes: Uint8Array, to: number): boolean;
  protocolFault(problem: string): void;
}

export class ResponseHeads {
  readonly #head: Head;
  readonly #buffers: Buffers;
  readonly #taker: HeadTaker;
  #limits: ResponseLimits = { headerBytesMax: 0, headerFieldsMax: 0 };
  /** They answer a HEAD. */
  #toHead = false;
  #interim = 0;
  #kept: Uint8Array<ArrayBuffer> | null = null;
  #keptBytes = 0;

  /** `head` is scratch, filled anew for each head. */
  constructor(head: Head, buffers: Buffers, taker: HeadTaker) {
    this.#head = head;
    this.#buffers = buffers;
    this.#taker = taker;
  }

  begin(limits: ResponseLimits, toHead: boolean): void {
    this.#limits = limits;
    this.#toHead = toHead;
    this.#interim = 0;
  }

  read(bytes: Uint8Array, from: number, to: number): void {
    if (this.#kept === null) {
      const rest = this.#parse(bytes, from, to);
      if (rest < to) this.#keep(bytes, rest, to);
      return;
    }
    const before = this.#keptBytes;
    const kept = this.#keep(bytes, from, to);
    if (isWorthParsing(kept, 0, before, this.#keptBytes, this.#limits)) this.readOn();
  }

  /** Looks at what is kept. */
  readOn(): void {
    const kept = this.#kept;
    if (kept === null) return;
    const length = this.#keptBytes;
    this.#kept = null;
    this.#keptBytes = 0;
    const rest = this.#parse(kept, 0, length);
    if (rest < length) this.#keep(kept, rest, length);
    this.#buffers.giveBack(kept);
  }

  /** Gives back what is kept. */
  end(): void {
    if (this.#kept !== null) this.#buffers.giveBack(this.#kept);
    this.#kept = null;
    this.#keptBytes = 0;
  }

  /** Returns where what must be kept begins. */
  #parse(bytes: Uint8Array, from: number, to: number): number {
    const head = this.#head;
    while (from < to && this.#taker.takesHeads) {
      const verdict = parseResponseHead(head, bytes, from, to, this.#limits, this.#toHead);
      if (verdict === MORE) return from;
      if (verdict !== OK) {
        this.#taker.protocolFault(head.problem);
        return to;
      }
      from = head.end;
      if (head.status < 200 && head.status !== 101 && ++this.#interim > INTERIM_MAX) {
        this.#taker.protocolFault(`more than ${INTERIM_MAX} interim responses before the answer`);
        return to;
      }
      if (!this.#taker.onHead(head, bytes, to)) return to;
    }
    return from;
  }

  #keep(bytes: Uint8Array, from: number, to: number): Uint8Array {
    const buffers = this.#buffers;
    const length = this.#keptBytes + to - from;
    let kept = this.#kept;
    if (kept === null || kept.length < length) {
      const larger = buffers.borrow(kept === null ? length : Math.max(length, 2 * kept.length));
      if (kept !== null) {
        larger.set(view(kept, 0, this.#keptBytes));
        buffers.giveBack(kept);
      }
      kept = larger;
      this.#kept = kept;
    }
    kept.set(view(bytes, from, to), this.#keptBytes);
    this.#keptBytes = length;
    return kept;
  }
}
