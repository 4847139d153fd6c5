/**
 * Which endpoints have series of their own in `/metrics`, and what the others of each service count together: where they are discovered they come by
 * themselves, so how many are named has a bound, and no sum over a service lacks any.
 *
 * Invariants:
 *   - as many are named as there is room for. Whoever is stays so until it leaves, or until there is less room; room is given to the services in turn, so
 *     that a large one does not take all of it;
 *   - what the others of a service have counted never becomes less, for that is read as a counter that began anew: whoever leaves them leaves its counts
 *     with them, and whoever was told before, by name or among them, brings along what it has counted since. Since when they count stays, too.
 *
 * One reading at a time, or one that is older could be told after one that is newer. Cost: a pass over all endpoints after a reload; and in each reading, for
 * each of the others, a pass over its slots: some 7 to 10 µs with four workers (`npm run bench -- observe --only gateway-page`). 3.8 KB for each that was told.
 */
import { type Cell, cellBornMs, cellHeader, cellLanes } from '../../kernel/cells.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Steps } from '../../kernel/steps.ts';
import type { HistogramReading } from '../../observe/metrics/reading.ts';
import { DRAIN, ENDPOINT_GAUGES, ENDPOINT_SLOTS, endpointSlots, HEALTH, HEALTH_DOWN, SERVING } from '../slots.ts';
import type { EndpointPlan, Snapshot } from '../snapshot.ts';
import type { EndpointState } from './gateway-state.ts';

/** After so long of adding up, others have their turn. */
export const SUMS_TURN_MS = 1;

type Changes = EndpointState['changes'];

export interface EndpointOf {
  readonly service: string;
  readonly endpoint: EndpointPlan;
  /** Whoever makes a page of it says here what that tells. */
  readonly told: ToldCounts;
}

/** What was told of an endpoint last. What it counts from then on is the others' to tell, if it comes among them. */
export class ToldCounts {
  readonly counts = new Float64Array(ENDPOINT_SLOTS);
  changes: Changes = [];

  /** All but its durations, which are read by themselves. */
  tellNumbers(count: (slot: number) => number, changes: Changes): void {
    for (let slot = ENDPOINT_GAUGES; slot < endpointSlots.buckets; slot += 1) {
      if (slot !== endpointSlots.durationSumMs) this.counts[slot] = count(slot);
    }
    this.changes = changes;
  }

  tellDurations({ counts, sum }: HistogramReading): void {
    this.counts.set(counts, endpointSlots.buckets);
    this.counts[endpointSlots.durationSumMs] = sum;
  }
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
  /** Of whom counts were told once. One that leaves with work under way keeps its cell, and may come again with it. */
  readonly #told: Told = new WeakMap();
  /** All that there were, named or not. */
  #present: ReadonlySet<Cell> = new Set();
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
    for (const { cell } of all) {
      present.add(cell);
      yield;
    }
    const named = new Set<Cell>();
    for (const cell of this.#named) {
      if (named.size < max && present.has(cell)) named.add(cell);
      yield;
    }
    for (const { cell } of all) {
      if (named.size >= max) break;
      named.add(cell);
      yield;
    }

    const shown: EndpointOf[] = [];
    const others = new Map<string, Others>();
    for (const { name: service, endpoints } of snapshot.services) {
      const rest: EndpointPlan[] = [];
      for (const endpoint of endpoints) {
        if (named.has(endpoint.cell)) {
          shown.push({ service, endpoint, told: toldOf(this.#told, endpoint.cell) });
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
    for (const [service, together] of this.#others) {
      if (!others.has(service)) yield* together.become([], this.#told);
    }
    for (const cell of this.#present) {
      // Its changes of health are known anew when it comes again.
      const told = present.has(cell) ? undefined : this.#told.get(cell);
      if (told !== undefined) told.changes = [];
      yield;
    }
    this.#present = present;
    this.#named = named;
    this.#shown = shown;
    this.#others = others;
    this.#seated = { snapshot, max };
  }
}

type Told = WeakMap<Cell, ToldCounts>;

function toldOf(all: Told, cell: Cell): ToldCounts {
  const told = all.get(cell) ?? new ToldCounts();
  all.set(cell, told);
  return told;
}

/** The first of each service, then the second of each, and so on. */
function* inTurn({ services }: Snapshot): Steps<EndpointPlan[]> {
  const all: EndpointPlan[] = [];
  let open = services.filter(({ endpoints }) => endpoints.length > 0);
  for (let place = 0; open.length > 0; place += 1) {
    for (const { endpoints } of open) all.push(endpoints[place]!);
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
  /** What those counted that have left, without what was told of others before they came. */
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

  /** These are the others from now on. */
  *become(endpoints: readonly EndpointPlan[], told: Told): Steps<void> {
    const present = new Set<Cell>();
    for (const { cell } of endpoints) {
      present.add(cell);
      yield;
    }
    for (const [cell, { changes }] of this.#members) {
      if (present.has(cell)) continue;
      this.#members.delete(cell);
      const left = toldOf(told, cell);
      left.counts.fill(0);
      addSums(left.counts, cell);
      left.changes = changes;
      this.#keep(left, 1);
      yield;
    }
    for (const { cell, id } of endpoints) {
      if (this.#members.has(cell)) continue;
      const changes = this.#changesOf(this.#service, id);
      this.#members.set(cell, { id, changes });
      const before = told.get(cell);
      if (before !== undefined) {
        if (isLess(changes, before.changes)) before.changes = [];
        this.#keep(before, -1);
      } else if (!this.#hasBegun) this.#sinceMs = Math.min(this.#sinceMs, cellBornMs(cell));
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
      addSums(counts, cell);
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

  #keep({ counts, changes }: ToldCounts, times: 1 | -1): void {
    for (let slot = ENDPOINT_GAUGES; slot < ENDPOINT_SLOTS; slot += 1) this.#kept[slot]! += times * counts[slot]!;
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
function addSums(into: Float64Array, cell: Cell): void {
  for (const lane of cellLanes(cell, ENDPOINT_SLOTS)) {
    for (let slot = ENDPOINT_SLOTS - 1; slot >= 0; slot -= 1) into[slot]! += lane[slot]!;
  }
}

export function endpointIsDown(cell: Cell): boolean {
  return Atomics.load(cellHeader(cell), HEALTH) === HEALTH_DOWN;
}

/** Whether it neither drains nor is drained. */
export function endpointIsServing(cell: Cell): boolean {
  return Atomics.load(cellHeader(cell), DRAIN) === SERVING;
}
