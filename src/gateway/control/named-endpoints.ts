/**
 * Which endpoints have series of their own in `/metrics`, and what the others of each service count together: where they are discovered they come by
 * themselves, so how many are named has a bound, and no sum over a service lacks any.
 *
 * Invariants:
 *   - as many are named as there is room for. Whoever is stays so until it leaves, or until there is less room; room is given to the services in turn, so
 *     that a large one does not take all of it;
 *   - what the others of a service have counted never becomes less, for that is read as a counter that began anew: whoever leaves them leaves its counts
 *     with them, and whoever was told before, by name or among them, brings none along. Since when they count stays, too.
 *
 * One reading at a time, or one that is older could be told after one that is newer. Cost: a pass over all endpoints after a reload; and in each reading, for
 * each of the others, a pass over its slots: some 7 to 10 µs with four workers (`npm run bench -- observe --only gateway-page`).
 */
import { type Cell, cellBornMs, cellHeader, cellLanes } from '../../kernel/cells.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Steps } from '../../kernel/steps.ts';
import { DRAIN, ENDPOINT_GAUGES, ENDPOINT_SLOTS, endpointSlots, HEALTH, HEALTH_DOWN, SERVING } from '../slots.ts';
import type { EndpointPlan, Snapshot } from '../snapshot.ts';
import type { EndpointState } from './gateway-state.ts';

/** After so long of adding up, others have their turn. */
export const SUMS_TURN_MS = 1;

type Changes = EndpointState['changes'];

export interface EndpointOf {
  readonly service: string;
  readonly endpoint: EndpointPlan;
}

/** What the endpoints of a service that are not named have in common. */
export interface OtherEndpoints {
  readonly service: string;
  /** Since when they count, in milliseconds since the Unix epoch. */
  readonly sinceMs: number;
  /** A sum for each slot of their cells. */
  readonly counts: Float64Array;
  /** Whether one of them is out. */
  readonly isDown: boolean;
  /** Whether none of them drains or is drained. */
  readonly isServing: boolean;
  readonly changes: Changes;
}

export interface EndpointSeries {
  /** In the order of the config. */
  readonly named: readonly EndpointOf[];
  readonly others: readonly OtherEndpoints[];
}

export class NamedEndpoints {
  readonly #changesOf: (service: string, endpoint: string) => Changes;
  readonly #clock: Pick<Clock, 'wallMs'>;
  /** Whose counts were told once. One that leaves with work under way keeps its cell, and may come again with it. */
  readonly #told = new WeakSet<Cell>();
  #seated: { readonly snapshot: Snapshot; readonly max: number } | null = null;
  #named: ReadonlySet<Cell> = new Set();
  #shown: readonly EndpointOf[] = [];
  #others = new Map<string, Others>();

  constructor(changesOf: (service: string, endpoint: string) => Changes, clock: Pick<Clock, 'wallMs'>) {
    this.#changesOf = changesOf;
    this.#clock = clock;
  }

  /** Of at most `max` endpoints by name. A step is some work with one endpoint; nothing else may be read before the last. */
  *read(snapshot: Snapshot, max: number): Steps<EndpointSeries> {
    if (this.#seated?.snapshot !== snapshot || this.#seated.max !== max) yield* this.#seat(snapshot, max);
    const others: OtherEndpoints[] = [];
    for (const together of this.#others.values()) others.push(yield* together.read());
    return { named: this.#shown, others };
  }

  *#seat(snapshot: Snapshot, max: number): Steps<void> {
    const all = yield* inTurn(snapshot);
    const present = new Set<Cell>();
    for (const { endpoint } of all) {
      present.add(endpoint.cell);
      yield;
    }
    const named = new Set<Cell>();
    for (const cell of this.#named) {
      if (named.size < max && present.has(cell)) named.add(cell);
      yield;
    }
    for (const { endpoint } of all) {
      if (named.size >= max) break;
      named.add(endpoint.cell);
      yield;
    }

    const shown: EndpointOf[] = [];
    const others = new Map<string, Others>();
    for (const { name: service, endpoints } of snapshot.services) {
      const rest: EndpointPlan[] = [];
      for (const endpoint of endpoints) {
        if (named.has(endpoint.cell)) {
          shown.push({ service, endpoint });
          this.#told.add(endpoint.cell);
        } else rest.push(endpoint);
        yield;
      }
      // Where none is left, what they counted stays as long as the service.
      const before = this.#others.get(service);
      if (rest.length === 0 && before === undefined) continue;
      const together = before ?? new Others(service, this.#changesOf, this.#clock.wallMs());
      others.set(service, together);
      yield* together.become(rest, this.#told);
    }
    this.#named = named;
    this.#shown = shown;
    this.#others = others;
    this.#seated = { snapshot, max };
  }
}

/** The first of each service, then the second of each, and so on. */
function* inTurn({ services }: Snapshot): Steps<EndpointOf[]> {
  const all: EndpointOf[] = [];
  let open = services.filter(({ endpoints }) => endpoints.length > 0);
  for (let place = 0; open.length > 0; place += 1) {
    for (const { name: service, endpoints } of open) all.push({ service, endpoint: endpoints[place]! });
    open = open.filter(({ endpoints }) => endpoints.length > place + 1);
    yield;
  }
  return all;
}

/** Of one service. */
class Others {
  readonly #service: string;
  readonly #changesOf: (service: string, endpoint: string) => Changes;
  /** Each with its changes as they were last read: of one that is gone nothing is known any more. */
  readonly #members = new Map<Cell, { readonly id: string; changes: Changes }>();
  /** What those counted that have left, without what others had counted before they came. */
  readonly #kept = new Float64Array(ENDPOINT_SLOTS);
  readonly #keptChanges = new ChangeCounts();
  #sinceMs: number;
  #hasBegun = false;
  #durationSumMs = 0;

  constructor(service: string, changesOf: (service: string, endpoint: string) => Changes, nowMs: number) {
    this.#service = service;
    this.#changesOf = changesOf;
    this.#sinceMs = nowMs;
  }

  /** These are the others from now on, and told. */
  *become(endpoints: readonly EndpointPlan[], told: WeakSet<Cell>): Steps<void> {
    const present = new Set<Cell>();
    for (const { cell } of endpoints) {
      present.add(cell);
      yield;
    }
    for (const [cell, { changes }] of this.#members) {
      if (present.has(cell)) continue;
      this.#members.delete(cell);
      this.#keep(cell, changes, 1);
      yield;
    }
    for (const { cell, id } of endpoints) {
      if (this.#members.has(cell)) continue;
      const changes = this.#changesOf(this.#service, id);
      this.#members.set(cell, { id, changes });
      if (told.has(cell)) this.#keep(cell, changes, -1);
      else if (!this.#hasBegun) this.#sinceMs = Math.min(this.#sinceMs, cellBornMs(cell));
      told.add(cell);
      yield;
    }
    this.#hasBegun = true;
  }

  *read(): Steps<OtherEndpoints> {
    const counts = Float64Array.from(this.#kept);
    const changes = new ChangeCounts();
    let [isDown, isServing] = [false, true];
    for (const [cell, member] of this.#members) {
      const known = this.#changesOf(this.#service, member.id);
      // A reload has come between: it is known anew, or no more.
      if (isLess(known, member.changes)) this.#keptChanges.add(member.changes, 1);
      member.changes = known;
      changes.add(known, 1);
      addSums(counts, cell, 1);
      isDown ||= endpointIsDown(cell);
      isServing &&= endpointIsServing(cell);
      yield;
    }
    changes.add(this.#keptChanges.list, 1);
    // The last digit of a sum of fractions depends on their order.
    this.#durationSumMs = Math.max(this.#durationSumMs, counts[endpointSlots.durationSumMs]!);
    counts[endpointSlots.durationSumMs] = this.#durationSumMs;
    return { service: this.#service, sinceMs: this.#sinceMs, counts, isDown, isServing, changes: changes.list };
  }

  #keep(cell: Cell, changes: Changes, times: 1 | -1): void {
    addSums(this.#kept, cell, times);
    this.#kept.fill(0, 0, ENDPOINT_GAUGES);
    this.#keptChanges.add(changes, times);
  }
}

/** Whether some of it counts less than before. */
function isLess(changes: Changes, before: Changes): boolean {
  return before.some((was) =>
    changes.every(({ to, cause, count }) => to !== was.to || cause !== was.cause || count < was.count),
  );
}

class ChangeCounts {
  readonly #counts = new Map<string, Changes[number]>();

  add(changes: Changes, times: 1 | -1): void {
    for (const { to, cause, count } of changes) {
      const key = `${to} ${cause}`;
      this.#counts.set(key, { to, cause, count: (this.#counts.get(key)?.count ?? 0) + times * count });
    }
  }

  get list(): Changes {
    return [...this.#counts.values()];
  }
}

/** From the last slot of a lane to its first: a part is counted after the whole and has a later slot, so it is never more than the whole. */
function addSums(into: Float64Array, cell: Cell, times: 1 | -1): void {
  for (const lane of cellLanes(cell, ENDPOINT_SLOTS)) {
    for (let slot = ENDPOINT_SLOTS - 1; slot >= 0; slot -= 1) into[slot]! += times * lane[slot]!;
  }
}

export function endpointIsDown(cell: Cell): boolean {
  return Atomics.load(cellHeader(cell), HEALTH) === HEALTH_DOWN;
}

/** Whether it neither drains nor is drained. */
export function endpointIsServing(cell: Cell): boolean {
  return Atomics.load(cellHeader(cell), DRAIN) === SERVING;
}
