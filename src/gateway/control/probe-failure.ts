/** What an error met by a check says about the endpoint: a code and a reason, or nothing if the cause is this machine's. Pure. */
import type { CheckResult } from '../../health/index.ts';
import { failureReason, isOurs } from '../connection-failure.ts';

/** Of the head of an answer; over it the check has failed. */
export const PROBE_HEAD_BYTES_MAX = 16_384;

const CUT: CheckResult = { kind: 'failure', code: 'connection', reason: 'connection closed within the answer' };
const NO_ANSWER: CheckResult = { kind: 'failure', code: 'connection', reason: 'connection closed before an answer' };

/** Null: no descriptor, port or memory was left here. */
export function failed(error: unknown): CheckResult | null {
  const { code = '', message } = error as NodeJS.ErrnoException;
  if (isOurs(code)) return null;
  const reason = (text: string): string => failureReason(code, text);
  if (code === 'ETIMEDOUT') return { kind: 'failure', code: 'timeout', reason: reason(message) };
  if (code === 'HPE_HEADER_OVERFLOW') {
    return notSpoken(`the head of its answer is over ${PROBE_HEAD_BYTES_MAX} bytes`);
  }
  if (code.startsWith('HPE_')) return notSpoken('its answer is not valid HTTP');
  return { kind: 'failure', code: isOfTls(code, message) ? 'tls' : 'connection', reason: reason(message) };
}

export function notSpoken(reason: string): CheckResult {
  return { kind: 'failure', code: 'protocol', reason };
}

/** The connection was closed, by nobody's error. */
export function closed(answering: boolean): CheckResult {
  return answering ? CUT : NO_ANSWER;
}

/** What Node and OpenSSL call the faults of certificates and handshakes. */
function isOfTls(code: string, message: string): boolean {
  return /CERT|SIGNATURE|^ERR_TLS_|^ERR_SSL_|^EPROTO$/.test(code) || message.includes('SSL routines:');
}
