/**
 * The end of a TLS stream is said by an alert, close_notify, and not by the FIN of the connection below: anyone on the way can
 * send a FIN. Where only the end of the stream tells that a message is whole, an end without the alert is a cut
 * (RFC 8446 §6.1, RFC 9112 §9.8). Node reports both alike; here they are told apart.
 *
 * How: OpenSSL reports the alert while the connection below is being read still; after a FIN libuv has stopped reading it. Where
 * the handles below a `tls.TLSSocket` are not as expected, every end counts as a cut.
 */
import type tls from 'node:tls';
import { isReadBelow } from '../l7/raw-internals.ts';

/** Has `socket` fail with `ERR_TLS_TRUNCATED` in place of ending, once all that came was read, if it is cut. */
export function requireCloseNotify(socket: tls.TLSSocket): void {
  const push = socket.push.bind(socket);
  let ended = false;
  let notified = false;
  socket.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (chunk === null && !ended) {
      ended = true;
      notified = isReadBelow(socket);
    }
    return push(chunk, encoding);
  };
  socket.on('end', () => {
    if (!notified) socket.destroy(truncated());
  });
}

function truncated(): NodeJS.ErrnoException {
  return Object.assign(new Error('the TLS stream ended without close_notify'), { code: 'ERR_TLS_TRUNCATED' });
}
