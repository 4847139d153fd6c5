/**
 * A request that waits for a store of limits. What is kept of it is its bytes, in the connection's carry, as if they had not been
 * looked at: when the answer is there its head is read again and it goes on, by the config that is then in force and the limits it
 * met when it came.
 *
 * While it waits the connection is busy: what comes behind it is kept and answered after it. A client that goes meanwhile is
 * noticed, and leases that its request would have held are given back.
 *
 * Invariants: it ends once, by the gate's answer, whatever became of its connection; leases that it was granted are its own until an
 * exchange has taken them over, also while its client is waited for to take earlier answers.
 * Cost: this object and the gate's promise; no copy of its bytes but that of the carry.
 */
import type { RemoteGate } from '../limits/remote-gate.ts';
import type { Keyed } from '../limits/request-key.ts';
import { createVerdict, type Verdict } from '../limits/verdict.ts';
import { processSlots } from '../slots.ts';
import type { ClientConnection } from './client.ts';

/** The part of a worker's memory that is reckoned for each: of 256 MB 8192 may wait, which is 80,000 a second at 100 ms a question. */
const PARKED_BYTES = 32 * 1024;

/** Who waits on one worker. */
export class Parking {
  /** How long the request that is being received had waited. */
  waitedMs = 0;
  readonly #max: number;
  #parked = 0;

  constructor(memoryBytesMax: number) {
    this.#max = memoryBytesMax / PARKED_BYTES;
  }

  get full(): boolean {
    return this.#parked >= this.#max;
  }

  change(by: number): number {
    return (this.#parked += by);
  }
}

export class ParkedRequest {
  /** What the limits said, when they have. */
  readonly verdict: Verdict = createVerdict();
  allowed = false;
  readonly sinceMs: number;
  readonly #client: ClientConnection;

  constructor(client: ClientConnection) {
    this.#client = client;
    this.sinceMs = client.plane.nowMs;
  }

  /** Asks the limits of the request that was read last: an answer at once, or null if it is to wait. */
  enter(gate: RemoteGate, request: Keyed): boolean | null {
    const answer = gate.enter(request, this.verdict);
    if (typeof answer === 'boolean') return answer;
    this.#count(1);
    answer.then(
      (allowed) => this.#decided(allowed),
      (error: unknown) => this.#failed(error),
    );
    return null;
  }

  #decided(allowed: boolean): void {
    const client = this.#client;
    const { plane } = client;
    this.allowed = allowed;
    plane.tick();
    this.#count(-1);
    if (client.parked === this) client.unpark();
    // Else its client does not take earlier answers, and it waits on.
    if (client.parked !== this) this.release();
  }

  /** Gives back what no exchange has taken over: the client has left, or the request was answered here. */
  release(): void {
    this.#client.plane.leases.release(this.verdict.lease);
    this.verdict.lease = null;
  }

  /** What may fail is answered as an outage; this is a fault of ours, and nobody is let in by it. */
  #failed(error: unknown): void {
    this.verdict.unavailable = true;
    this.#client.plane.notice(`a limit could not be asked: ${error instanceof Error ? error.message : String(error)}`);
    this.#decided(false);
  }

  #count(change: number): void {
    const { parking, lane } = this.#client.plane;
    lane[processSlots.parked] = parking.change(change);
  }
}
