/**
 * One step of a body on its way through: what came in one read goes out in one write. Lent where the framing stays as it is
 * and the bytes stay where they are; else framed anew in a borrowed buffer. Who may not write on then pauses the source.
 */
import type { Body } from './body.ts';
import { view, type Buffers } from './buffers.ts';
import type { Wire } from './wire.ts';

/** A longer body is read into a buffer of its own, which need not be copied. */
export const BULK_BYTES = 64 * 1024;

/**
 * Passes what of `bytes[from, to)` belongs to `body` on to `target`; `body.taken` is where that ends. `stable`: the bytes stay
 * as they are while their wire is paused. Returns whether `target` has taken them.
 */
// WHY seven parameters: once a read of each body; an object for them would be made as often.
export function relay(
  body: Body,
  bytes: Uint8Array,
  from: number,
  to: number,
  stable: boolean,
  target: Wire,
  buffers: Buffers,
): boolean {
  if (body.unframed && stable) {
    const end = from + body.pass(from, to);
    body.taken = end;
    return target.write(view(bytes, from, end));
  }
  const buffer = buffers.borrow(body.room(to - from));
  const length = body.encode(bytes, from, to, buffer, 0);
  return target.give(buffer, length);
}
