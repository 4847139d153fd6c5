/**
 * What became of the attempts of one exchange before the one that counts, for its trace: retries, hedges, connections that failed. An exchange
 * that had only one attempt has none, so the ordinary request pays nothing; one that had more keeps it for the next request.
 *
 * At most `ATTEMPTS_MAX` are kept, 0.7 KB; of more, how many there were is known still.
 */
import type { Attempt } from '../l7/attempt.ts';

/** More than `retries.attempts` of a sensible config. */
const ATTEMPTS_MAX = 8;

/** One attempt, as a trace tells it. Times are of the worker's clock, 0 for what did not happen. */
export interface AttemptRecord {
  /** 1 is the first. */
  number: number;
  endpoint: string;
  /** Why it was made: '' for the first. */
  reason: string;
  /** A status, the refusal it would have been, or `overtaken`. */
  outcome: number | string;
  startMs: number;
  connectingMs: number;
  handshakeMs: number;
  connectedMs: number;
  firstByteMs: number;
  endMs: number;
  /** It had a connection that had served others. */
  reused: boolean;
  /** It went where affinity says. */
  pinned: boolean;
}

export class AttemptLog {
  readonly records: readonly AttemptRecord[] = Array.from({ length: ATTEMPTS_MAX }, emptyRecord);
  count = 0;

  /** `attempt` is over and another one counts, or will. */
  note(attempt: Attempt, outcome: number | string, nowMs: number): void {
    if (attempt.endpoint === null) return;
    const record = this.records[this.count];
    if (record === undefined) return;
    this.count++;
    fillRecord(record, attempt, outcome, nowMs);
  }
}

export function emptyRecord(): AttemptRecord {
  return {
    number: 0,
    endpoint: '',
    reason: '',
    outcome: 0,
    startMs: 0,
    connectingMs: 0,
    handshakeMs: 0,
    connectedMs: 0,
    firstByteMs: 0,
    endMs: 0,
    reused: false,
    pinned: false,
  };
}

// WHY four parameters: one record is filled again and again.
export function fillRecord(
  record: AttemptRecord,
  attempt: Attempt,
  outcome: number | string,
  endMs: number,
): AttemptRecord {
  record.number = attempt.number;
  record.endpoint = attempt.endpoint?.plan.id ?? '';
  record.reason = attempt.reason;
  record.outcome = outcome;
  record.startMs = attempt.startMs;
  record.connectingMs = attempt.connectingMs;
  record.handshakeMs = attempt.handshakeMs;
  record.connectedMs = attempt.connectedMs;
  record.firstByteMs = attempt.firstByteMs;
  record.endMs = endMs;
  record.reused = attempt.reused;
  record.pinned = attempt.pinned;
  return record;
}
