/**
 * TLS session tickets: one secret for all workers (each listener's keys are derived from it when the config is compiled), so that a client resumes on whichever takes its connection, and a new
 * one each hour, because whoever learns the secret can read every session resumed under it (RFC 5077 §5.5, RFC 9325 §3.4).
 * After a change, tickets under the old secret are not resumed: their clients shake hands in full once.
 */
import { randomBytes } from 'node:crypto';
import type { Snapshot } from '../snapshot.ts';

export const TICKET_SECRET_LIFE_MS = 3_600_000;

export function newTicketSecret(): Uint8Array {
  return new Uint8Array(randomBytes(32));
}

/** False if no listener is encrypted, so that there is nothing to rotate. */
export function hasTls(snapshot: Snapshot): boolean {
  return snapshot.listeners.some((listener) => listener.tls !== null);
}
