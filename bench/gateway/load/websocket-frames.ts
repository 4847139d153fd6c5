/** The little of RFC 6455 that an echo needs: frames of one small size, whole messages, no extensions. */
import { createHash } from 'node:crypto';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // §1.3

export function acceptOf(key: string): string {
  return createHash('sha1')
    .update(key + GUID)
    .digest('base64');
}

/** A final binary frame with fewer than 126 bytes; `mask` makes it a client's. */
export function frameOf(payload: Buffer, mask: Buffer | null): Buffer {
  const head = Buffer.from([0x82, payload.length | (mask === null ? 0 : 0x80)]);
  if (mask === null) return Buffer.concat([head, payload]);
  return Buffer.concat([head, mask, Buffer.from(payload.map((byte, at) => byte ^ (mask[at & 3] ?? 0)))]);
}
