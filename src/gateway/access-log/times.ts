/** What made a request slow: its time in parts, and the part that took longest. */
import type { Exchange } from '../l7/exchange.ts';
import type { LogRecord } from './record.ts';

/** A request below this is not called slow. */
const SLOW_MS = 500;

/**
 * Where the time went. Each part begins at a mark that the last attempt or the answer has left (0: it never came to that) and
 * lasts until the next mark there is, or until now: taken from the end, the parts add up, whatever is missing among them.
 */
export function splitTime(record: LogRecord, exchange: Exchange, nowMs: number): void {
  const { connectedMs, connectingMs, firstByteMs, handshakeMs } = exchange.attempt;
  const { lastByteMs } = exchange.answer;
  let endMs = nowMs;
  record.clientMs = lastByteMs > 0 ? endMs - lastByteMs : -1;
  if (lastByteMs > 0) endMs = lastByteMs;
  record.bodyMs = firstByteMs > 0 ? endMs - firstByteMs : -1;
  if (firstByteMs > 0) endMs = firstByteMs;
  record.firstByteMs = connectedMs > 0 ? endMs - connectedMs : -1;
  if (connectedMs > 0) endMs = connectedMs;
  record.tlsMs = handshakeMs > 0 ? endMs - handshakeMs : -1;
  if (handshakeMs > 0) endMs = handshakeMs;
  record.connectMs = connectingMs > 0 ? endMs - connectingMs : -1;
  if (connectingMs > 0) endMs = connectingMs;
  record.waitMs = endMs - exchange.startMs;
}

/** The part that took longest, for a request that was slow at all. */
export function verdictOf(record: LogRecord): string {
  if (record.totalMs < SLOW_MS) return 'ok';
  let verdict = 'wait';
  let longest = record.waitMs;
  if (record.connectMs > longest) {
    verdict = 'connect';
    longest = record.connectMs;
  }
  if (record.tlsMs > longest) {
    verdict = 'tls';
    longest = record.tlsMs;
  }
  if (record.firstByteMs > longest) {
    verdict = 'server';
    longest = record.firstByteMs;
  }
  if (record.bodyMs > longest) {
    verdict = 'body';
    longest = record.bodyMs;
  }
  return record.clientMs > longest ? 'client' : verdict;
}
