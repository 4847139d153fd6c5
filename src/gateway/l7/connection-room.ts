/**
 * The places for connections to an endpoint that says how many it takes, from all workers together (`connectionsMax` of an endpoint).
 *
 * Whoever opens a connection counts it with all others (`ConnectionCount`), so there are never more than there may be, and those of a worker
 * that died are free when its lane is cleared. What a worker has by itself, and who waits there, is in its lane of the endpoint's cell.
 *
 * No worker can wake another. One whose requests wait looks again each `LOOK_MS`, and so does one that keeps a connection unused, which it
 * closes if others wait. One that is busy closes a connection that it has beyond its share now and then, if another has less than its own.
 * Cost: where no such limit is set, nothing; else a look at the count for each connection, and at the lanes where requests wait.
 */
import { type Cell, cellLanes, type Lane, sumSlot } from '../../kernel/cells.ts';
import { Deadline, type Timed } from '../../kernel/timer-wheel.ts';
import { ENDPOINT_SLOTS, endpointSlots as slot } from '../slots.ts';
import type { ConnectionCount } from '../connection-count.ts';
import type { Plane } from './plane.ts';

/** Little beside the time that a connection takes to open over a network, and no load. */
const LOOK_MS = 10;
/** How long a place that was given up is left to those who wait: until each has looked. */
const LEAVE_MS = 3 * LOOK_MS;
/** A place changes hands so often at most: each time costs a connection and up to `LOOK_MS` of an unused place. */
const GIVE_UP_MS = 100;

export interface ConnectionRoomOptions {
  readonly plane: Plane;
  readonly count: ConnectionCount;
  /** The endpoint's. */
  readonly cell: Cell;
  readonly connectionsMax: number;
  /** Looks after those who wait and what is unused; true if there are such still. */
  readonly look: () => boolean;
}

export class ConnectionRoom implements Timed {
  readonly connectionsMax: number;
  readonly deadline = new Deadline(this);
  readonly #plane: Plane;
  readonly #count: ConnectionCount;
  readonly #lanes: readonly Lane[];
  readonly #look: () => boolean;
  #gaveUpMs = Number.NEGATIVE_INFINITY;

  constructor({ plane, count, cell, connectionsMax, look }: ConnectionRoomOptions) {
    this.connectionsMax = connectionsMax;
    this.#plane = plane;
    this.#count = count;
    this.#lanes = cellLanes(cell, ENDPOINT_SLOTS);
    this.#look = look;
  }

  /** There is a place, and it is not left to another worker. */
  get isFree(): boolean {
    return this.#plane.nowMs >= this.#gaveUpMs + LEAVE_MS && !this.#isFull();
  }

  /** There are more connections than places: it had more before. */
  get isOver(): boolean {
    return this.#count.total > this.connectionsMax;
  }

  /** All places are taken, and requests wait: at another worker, or of another config, if asked where none do. */
  get isWanted(): boolean {
    return sumSlot(this.#lanes, slot.queued) > 0 && this.#isFull();
  }

  /**
   * Somebody else waits who has less than a fair share, this worker has `open`, which is more, and it has not given up one just now. Or requests
   * wait beside the `waiting` ones in this worker, by another config, which has no connection at all.
   */
  mustShare(open: number, waiting: number): boolean {
    if (this.#plane.nowMs < this.#gaveUpMs + GIVE_UP_MS) return false;
    const own = this.#lanes[this.#plane.laneNumber]!;
    if (own[slot.connections] === open && own[slot.queued]! > waiting) return true;
    const lanes = this.#lanes.filter((lane) => lane[slot.connections]! > 0 || lane[slot.queued]! > 0);
    const share = this.connectionsMax / lanes.length;
    return open > share && lanes.some((lane) => lane[slot.queued]! > 0 && lane[slot.connections]! < share);
  }

  /** The connection that is closed next is for another worker. */
  giveUp(): void {
    this.#gaveUpMs = this.#plane.nowMs;
  }

  /** Somebody waits, or something is unused. */
  watch(): void {
    if (this.deadline.atMs === Number.POSITIVE_INFINITY)
      this.#plane.shortWaits.arm(this.deadline, this.#plane.nowMs + LOOK_MS);
  }

  /** Nobody will use it again. */
  discard(): void {
    this.#plane.shortWaits.remove(this.deadline);
  }

  onDeadline(nowMs: number): void {
    this.#plane.nowMs = nowMs;
    if (this.#look()) this.watch();
  }

  #isFull(): boolean {
    return this.#count.total >= this.connectionsMax;
  }
}
