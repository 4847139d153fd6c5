/**
 * Why a connection to an endpoint failed, in words: the same for a health check and for a request. Pure.
 *
 * What a server sent can be part of an error's message, such as the names in a certificate, and the words go to terminals
 * and logs: they are short and printable.
 */

const REASON_CHARACTERS_MAX = 200;

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset before an answer',
  EPIPE: 'connection reset before an answer',
  EHOSTUNREACH: 'host unreachable',
  ENETUNREACH: 'network unreachable',
  ETIMEDOUT: 'no connection within the time of the operating system',
  ENOTFOUND: 'name not found',
  EAI_AGAIN: 'name not resolved: the name server did not answer',
  EMFILE: 'this process has no file descriptor left',
  ENFILE: 'this machine has no file descriptor left',
  EADDRNOTAVAIL: 'this machine has no port left',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from an authority that is not trusted',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate comes from an authority that is not trusted',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate comes from an authority that is not trusted',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
};

/** Out of what only this machine has; nothing that the endpoint did. */
const OURS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

export function isOurs(code: string): boolean {
  return OURS.has(code);
}

/** `code` and `message` are those of the error; a code that is not known leaves the message. */
export function failureReason(code: string, message: string): string {
  const known = reasons[code];
  if (known !== undefined) return known;
  const handshake = /SSL routines:[^:]*:([^:]+)/.exec(message)?.[1];
  if (handshake === 'wrong version number') return 'it does not speak TLS';
  const text = handshake === undefined ? message : `TLS handshake failed: ${handshake}`;
  return text.replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, REASON_CHARACTERS_MAX);
}
