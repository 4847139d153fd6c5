/**
 * What a trusted proxy in front of this one said about the request, as far as it is fit to be passed on.
 *
 * Invariant: a field is passed on only if it is there once and has the right form; else this gateway's own takes its place.
 * Chains are continued (forwarding-chain.ts).
 */
import { copyBytes } from '../../kernel/bytes.ts';
import { type FieldTest, isHost, isPort, isRequestId, isScheme, isTraceparent } from './forwarding-values.ts';
import type { ClientFinder } from '../../kernel/client-address.ts';
import { field, fieldNames } from './fields.ts';
import { Chain } from './forwarding-chain.ts';
import type { Head } from './head.ts';

const CR = 13;
const LF = 10;

const NONE = -1;
const REPEATED = -2;

/** By field number: the only field with it, `NONE` or `REPEATED`. Valid during one `read`. */
const places = new Int16Array(fieldNames.length);

/** Indexes of fields in the head, -1 for those to be written anew. */
export class PassedOn {
  readonly forwardedFor = new Chain();
  readonly forwarded = new Chain();
  proto = -1;
  host = -1;
  port = -1;
  requestId = -1;
  traceparent = -1;
  /** Of all that is passed on. */
  bytes = 0;

  /** Reads the head. The finder has been started; it follows `Forwarded` if `byForwarded` is true. */
  read(head: Head, finder: ClientFinder, byForwarded: boolean): void {
    this.bytes = 0;
    this.#index(head);
    this.forwardedFor.clear(head);
    this.forwarded.clear(head);
    if (places[field.xForwardedFor] !== NONE) this.forwardedFor.readForwardedFor(head, byForwarded ? null : finder);
    if (places[field.forwarded] !== NONE) this.forwarded.readForwarded(head, byForwarded ? finder : null);
    this.proto = this.#single(head, field.xForwardedProto, isScheme);
    this.host = this.#single(head, field.xForwardedHost, isHost);
    this.port = this.#single(head, field.xForwardedPort, isPort);
    this.requestId = this.#single(head, field.xRequestId, isRequestId);
    this.traceparent = this.#single(head, field.traceparent, isTraceparent);
    this.bytes += this.forwardedFor.bytes + this.forwarded.bytes;
  }

  /** Where each field is: one pass over all, in place of a search for each. */
  #index(head: Head): void {
    const { id, count } = head;
    places.fill(NONE);
    for (let index = 0; index < count; index += 1) {
      const number = id[index]!;
      places[number] = places[number] === NONE ? index : REPEATED;
    }
  }

  #single(head: Head, id: number, isFit: FieldTest): number {
    const index = places[id]!;
    if (index < 0 || !isFit(head.buffer, head.valueStart[index]!, head.valueEnd[index]!)) return -1;
    this.bytes += head.lineEnd[index]! - head.nameStart[index]!;
    return index;
  }
}

/** The line of a field as it came, blanks after the value left out. */
export function writeLine(head: Head, index: number, out: Uint8Array, at: number): number {
  at = copyBytes(head.buffer, head.nameStart[index]!, head.valueEnd[index]!, out, at);
  out[at] = CR;
  out[at + 1] = LF;
  return at + 2;
}
