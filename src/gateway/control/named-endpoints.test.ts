import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Cell, cellHeader, cellLane, createCell } from '../../kernel/cells.ts';
import { atOnce } from '../../kernel/steps.ts';
import {
  CLOSED,
  DRAIN,
  ENDPOINT_GAUGES,
  ENDPOINT_SLOTS,
  endpointSlots,
  HEALTH,
  HEALTH_DOWN,
  SERVING,
} from '../slots.ts';
import type { EndpointPlan, Snapshot } from '../snapshot.ts';
import type { EndpointState } from './gateway-state.ts';
import { type EndpointSeries, NamedEndpoints } from './named-endpoints.ts';
import { reader } from './read-cell.ts';
import { readDurations } from './read-durations.ts';

const LANES = 2;
type Changes = EndpointState['changes'];

/** A config of these services with their endpoints, whose cells stay while they are there. */
class Fleet {
  readonly #cells = new Map<string, Cell>();
  /** Those with this have work that does not end: their cells stay when they leave. */
  readonly #atWork: readonly string[];
  readonly changes = new Map<string, Changes>();
  nowMs = 1000;
  snapshot = this.of({});

  constructor(...atWork: readonly string[]) {
    this.#atWork = atWork;
  }

  of(services: Readonly<Record<string, readonly string[]>>): Snapshot {
    const names = new Set(Object.entries(services).flatMap(([service, ids]) => ids.map((id) => `${service} ${id}`)));
    for (const name of this.#cells.keys()) {
      if (names.has(name)) continue;
      if (!this.#atWork.some((id) => name.endsWith(` ${id}`))) this.#cells.delete(name);
      this.changes.delete(name);
    }
    const plans = Object.entries(services).map(([name, ids]) => ({
      name,
      endpoints: ids.map((id): Pick<EndpointPlan, 'id' | 'cell'> => ({ id, cell: this.cell(name, id) })),
    }));
    this.snapshot = { services: plans } as unknown as Snapshot;
    return this.snapshot;
  }

  cell(service: string, id: string): Cell {
    const name = `${service} ${id}`;
    const cell = this.#cells.get(name) ?? createCell(LANES, ENDPOINT_SLOTS, this.nowMs);
    this.#cells.set(name, cell);
    return cell;
  }

  add(service: string, id: string, slot: keyof typeof endpointSlots, value: number, lane = 1): void {
    cellLane(this.cell(service, id), ENDPOINT_SLOTS, lane)[endpointSlots[slot]]! += value;
  }

  readonly named = new NamedEndpoints((service, id) => this.changes.get(`${service} ${id}`) ?? [], {
    wallMs: () => this.nowMs,
  });

  /** And tells it, as a page does. */
  read(max: number): EndpointSeries {
    const series = atOnce(this.named.read(this.snapshot, max));
    for (const { service, endpoint, told } of series.named) {
      const count = reader(endpoint.cell, ENDPOINT_SLOTS);
      told.tellNumbers(count, this.changes.get(`${service} ${endpoint.id}`) ?? []);
      told.tellDurations(readDurations([endpoint.cell], ENDPOINT_SLOTS, endpointSlots));
    }
    return series;
  }

  /** Whether it has a cell: it is there, or has work that does not end. */
  counts(name: string): boolean {
    return this.#cells.has(name);
  }
}

const namesOf = ({ named }: EndpointSeries): string[] =>
  named.map(({ service, endpoint }) => `${service} ${endpoint.id}`);

function othersOf({ others }: EndpointSeries, service: string) {
  const found = others.find((one) => one.service === service);
  assert.ok(found !== undefined, `${service} has no others`);
  return found;
}

test('while there is room each endpoint is named, and nobody is among the others', () => {
  const fleet = new Fleet();
  fleet.of({ shop: ['a', 'b'], api: ['c'] });
  const series = fleet.read(3);
  assert.deepEqual(namesOf(series), ['shop a', 'shop b', 'api c']);
  assert.deepEqual(series.others, []);
});

test('room goes round the services: one with many leaves some to the others', () => {
  const fleet = new Fleet();
  fleet.of({ big: ['1', '2', '3', '4', '5'], small: ['a', 'b'], one: ['x'] });
  const series = fleet.read(4);
  assert.deepEqual(namesOf(series), ['big 1', 'big 2', 'small a', 'one x']);
  assert.deepEqual(
    series.others.map(({ service }) => service),
    ['big', 'small'],
  );
});

test('the others of a service are one: sums over all threads, out if one is, at work if none drains, changes by kind', () => {
  const fleet = new Fleet();
  fleet.of({ shop: ['named', 'a', 'b'] });
  fleet.add('shop', 'named', 'responses2xx', 100);
  fleet.add('shop', 'a', 'responses2xx', 1, 0);
  fleet.add('shop', 'a', 'responses2xx', 2, 1);
  fleet.add('shop', 'b', 'responses2xx', 4);
  fleet.add('shop', 'b', 'inFlight', 3);
  fleet.changes.set('shop a', [
    { to: 'down', cause: 'status', count: 2 },
    { to: 'up', cause: 'check', count: 1 },
  ]);
  fleet.changes.set('shop b', [{ to: 'down', cause: 'status', count: 5 }]);
  const before = othersOf(fleet.read(1), 'shop');
  assert.deepEqual([before.counts[endpointSlots.responses2xx], before.counts[endpointSlots.inFlight]], [7, 3]);
  assert.deepEqual([before.isDown, before.isServing, before.sinceMs], [false, true, 1000]);
  assert.deepEqual(before.changes, [
    { to: 'down', cause: 'status', count: 7 },
    { to: 'up', cause: 'check', count: 1 },
  ]);
  Atomics.store(cellHeader(fleet.cell('shop', 'a')), HEALTH, HEALTH_DOWN);
  Atomics.store(cellHeader(fleet.cell('shop', 'b')), DRAIN, CLOSED);
  const after = othersOf(fleet.read(1), 'shop');
  assert.deepEqual([after.isDown, after.isServing], [true, false]);
  Atomics.store(cellHeader(fleet.cell('shop', 'b')), DRAIN, SERVING);
  assert.equal(othersOf(fleet.read(1), 'shop').isServing, true);
});

test('who leaves the others leaves its counts and none of its gauges; they stay when nobody is left, and go with the service', () => {
  const fleet = new Fleet();
  fleet.of({ shop: ['named', 'a'], api: ['c'] });
  fleet.add('shop', 'a', 'responses5xx', 9);
  fleet.add('shop', 'a', 'inFlight', 2);
  fleet.changes.set('shop a', [{ to: 'down', cause: 'status', count: 1 }]);
  fleet.read(2);
  fleet.add('shop', 'a', 'responses5xx', 1);
  fleet.of({ shop: ['named'], api: ['c'] });
  const left = othersOf(fleet.read(2), 'shop');
  assert.deepEqual([left.counts[endpointSlots.responses5xx], left.counts[endpointSlots.inFlight]], [10, 0]);
  assert.deepEqual(left.changes, [{ to: 'down', cause: 'status', count: 1 }]);
  assert.deepEqual([left.isDown, left.isServing], [false, true]);
  fleet.of({ api: ['c'] });
  assert.deepEqual(fleet.read(2).others, []);
});

test('more or less room has its effect at once, and brings no old counts to the others', () => {
  const fleet = new Fleet();
  fleet.of({ shop: ['a', 'b', 'c'] });
  for (const id of ['a', 'b', 'c']) fleet.add('shop', id, 'connects', 10);
  assert.deepEqual(namesOf(fleet.read(1)), ['shop a']);
  assert.deepEqual(namesOf(fleet.read(2)), ['shop a', 'shop b']);
  const less = fleet.read(0);
  assert.deepEqual(namesOf(less), []);
  assert.equal(othersOf(less, 'shop').counts[endpointSlots.connects], 20, 'b once, and c; never a');
  fleet.add('shop', 'a', 'connects', 1);
  assert.equal(othersOf(fleet.read(0), 'shop').counts[endpointSlots.connects], 21);
});

test('who is named no more brings the others what it has counted since it was last told, changes of health too, and nothing twice', () => {
  const fleet = new Fleet();
  const down = { to: 'down', cause: 'status' } as const;
  fleet.of({ shop: ['a'] });
  fleet.add('shop', 'a', 'responses2xx', 100);
  fleet.add('shop', 'a', 'buckets', 100);
  fleet.add('shop', 'a', 'durationSumMs', 1000);
  fleet.changes.set('shop a', [{ ...down, count: 3 }]);
  fleet.read(1);
  fleet.add('shop', 'a', 'responses2xx', 7);
  fleet.add('shop', 'a', 'buckets', 7);
  fleet.add('shop', 'a', 'durationSumMs', 70);
  fleet.changes.set('shop a', [{ ...down, count: 5 }]);
  const { responses2xx, buckets, durationSumMs } = endpointSlots;
  for (let round = 0; round < 2; round += 1) {
    const { changes, counts } = othersOf(fleet.read(0), 'shop');
    assert.deepEqual([counts[responses2xx], counts[buckets], counts[durationSumMs]], [7, 7, 70]);
    assert.deepEqual(changes, [{ ...down, count: 2 }]);
  }
});

test('what is counted of work under way after its endpoint has left is told when that comes again among the others', () => {
  const fleet = new Fleet('a');
  const told = (): number => othersOf(fleet.read(1), 'shop').counts[endpointSlots.responses2xx]!;
  fleet.of({ shop: ['a'] });
  fleet.add('shop', 'a', 'responses2xx', 50);
  fleet.changes.set('shop a', [{ to: 'down', cause: 'status', count: 2 }]);
  fleet.read(1);
  fleet.add('shop', 'a', 'responses2xx', 1);
  fleet.of({ shop: ['b'] });
  fleet.read(1);
  fleet.add('shop', 'a', 'responses2xx', 2);
  fleet.of({ shop: ['b', 'a'] });
  fleet.changes.set('shop a', [{ to: 'down', cause: 'status', count: 2 }]);
  assert.equal(told(), 3);
  assert.deepEqual(othersOf(fleet.read(1), 'shop').changes, [{ to: 'down', cause: 'status', count: 2 }], 'known anew');
  fleet.of({ shop: ['b'] });
  assert.equal(told(), 3);
  fleet.add('shop', 'a', 'responses2xx', 4);
  fleet.of({ shop: ['b', 'a'] });
  assert.equal(told(), 7);
});

test('who leaves with work under way and comes again counts on where it was: nothing of it is told twice', () => {
  const fleet = new Fleet('a', 'b');
  fleet.of({ shop: ['b', 'a'] });
  fleet.add('shop', 'a', 'responses2xx', 50);
  fleet.add('shop', 'b', 'responses2xx', 900);
  assert.deepEqual(namesOf(fleet.read(1)), ['shop b']);
  fleet.of({ shop: ['c'] });
  assert.equal(othersOf(fleet.read(1), 'shop').counts[endpointSlots.responses2xx], 50);
  fleet.of({ shop: ['c', 'a', 'b'] });
  fleet.add('shop', 'a', 'responses2xx', 1);
  fleet.read(1);
  fleet.add('shop', 'a', 'responses2xx', 3);
  assert.equal(othersOf(fleet.read(1), 'shop').counts[endpointSlots.responses2xx], 54);
});

test('changes of health are not fewer once an endpoint is known anew, or no more while its page is made', () => {
  const fleet = new Fleet();
  fleet.of({ shop: ['a', 'b'] });
  const down = { to: 'down', cause: 'status' } as const;
  const told = (): number => othersOf(fleet.read(0), 'shop').changes.reduce((sum, { count }) => sum + count, 0);
  fleet.changes.set('shop a', [{ ...down, count: 5 }]);
  assert.equal(told(), 5);
  // A reload that has begun to count has another config than the page.
  fleet.changes.delete('shop a');
  assert.equal(told(), 5);
  fleet.changes.set('shop a', [{ ...down, count: 2 }]);
  assert.equal(told(), 7);
  fleet.of({ shop: ['b'] });
  assert.equal(told(), 7);
});

test('since when the others count stays, whoever comes: another start would be another counter', () => {
  const fleet = new Fleet();
  fleet.of({ shop: ['old'] });
  fleet.read(9);
  fleet.nowMs = 5000;
  fleet.of({ shop: ['old', 'new'], api: ['x'] });
  fleet.nowMs = 7000;
  assert.equal(othersOf(fleet.read(2), 'shop').sinceMs, 5000);
  const less = fleet.read(0);
  assert.equal(othersOf(less, 'shop').sinceMs, 5000);
  assert.equal(othersOf(less, 'api').sinceMs, 7000, 'what it counted before was told by its name');
});

test('a step is work with one endpoint, so that a page of very many may stop between any two, also after a reload', () => {
  const fleet = new Fleet();
  fleet.of({ shop: Array.from({ length: 500 }, (_, n) => String(n)) });
  const steps = (): number => {
    const reading = fleet.named.read(fleet.snapshot, 100);
    let count = 0;
    while (reading.next().done !== true) count += 1;
    return count;
  };
  assert.ok(steps() >= 3 * 500 + 400);
  assert.equal(steps(), 400);
});

const services = ['one', 'two', 'three'];
const places = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const config = fc.record(
  Object.fromEntries(services.map((name) => [name, fc.uniqueArray(fc.constantFrom(...places), { maxLength: 6 })])),
  { requiredKeys: [] },
);
const round = fc.record({
  config: fc.option(config),
  max: fc.option(fc.nat(8)),
  counted: fc.array(fc.tuple(fc.constantFrom(...services), fc.constantFrom(...places), fc.integer({ min: 1, max: 9 }))),
});

test('whoever comes, leaves and comes again: as many are named as fit, they stay, and what others counted only grows, by what they counted', () => {
  const property = fc.property(fc.array(round, { maxLength: 20 }), (rounds) => {
    const fleet = new Fleet('a', 'b', 'c');
    const told = new Map<string, Float64Array>();
    let max = 3;
    let present = new Set<string>();
    let named = new Set<string>();
    let others = new Set<string>();
    let wanted = new Map<string, number>();
    const news = new Map<string, number>();
    for (const { config: next, max: nextMax, counted } of rounds) {
      for (const [service, id, count] of counted) {
        const name = `${service} ${id}`;
        if (!fleet.counts(name)) continue;
        fleet.add(service, id, 'bytesSent', count);
        fleet.add(service, id, 'durationSumMs', count / 7);
        news.set(name, (news.get(name) ?? 0) + count);
      }
      // Others that go away, or are named, take nothing with them.
      const grown = (names: Iterable<string>): void => {
        for (const name of names) {
          const service = name.split(' ')[0]!;
          if (wanted.has(service)) wanted.set(service, wanted.get(service)! + (news.get(name) ?? 0));
        }
      };
      grown(others);
      for (const name of others) news.delete(name);
      if (next !== null) {
        fleet.of(next as Record<string, string[]>);
        wanted = new Map([...wanted].filter(([service]) => service in next));
        present = new Set(Object.entries(next).flatMap(([service, ids]) => ids!.map((id) => `${service} ${id}`)));
        for (const name of news.keys()) if (!fleet.counts(name)) news.delete(name);
      }
      const room = nextMax ?? max;
      const series = fleet.read(room);
      const nowNamed = new Set(namesOf(series));
      assert.equal(nowNamed.size, Math.min(room, present.size));
      const stay = [...named].filter((name) => present.has(name));
      assert.equal(stay.filter((name) => nowNamed.has(name)).length, Math.min(room, stay.length), 'who is named stays');
      const nowOthers = new Set([...present].filter((name) => !nowNamed.has(name)));
      for (const name of nowOthers) {
        const service = name.split(' ')[0]!;
        if (!wanted.has(service)) wanted.set(service, 0);
        // All that it counted if it is new, else what was not told of it by its name.
        if (!others.has(name)) grown([name]);
      }
      assert.deepEqual(
        new Map(series.others.map(({ service, counts }) => [service, counts[endpointSlots.bytesSent]])),
        wanted,
      );
      for (const name of told.keys()) if (!wanted.has(name)) told.delete(name);
      for (const { service, counts } of series.others) {
        const before = told.get(service) ?? new Float64Array(ENDPOINT_SLOTS);
        assert.ok(counts.every((count, slot) => slot < ENDPOINT_GAUGES || count >= before[slot]!));
        told.set(service, counts);
      }
      [max, named, others] = [room, nowNamed, nowOthers];
      for (const name of present) news.delete(name);
    }
  });
  fc.assert(property, { numRuns: 300 });
});

test('of two who read, the slower misses what an endpoint that is named no more counted between the last pages of both, and no more', () => {
  const fleet = new Fleet();
  fleet.of({ shop: ['stays', 'goes'] });
  const page = (max: number, counted: number): { readonly goes: number | null; readonly others: number } => {
    fleet.add('shop', 'goes', 'requests', counted);
    const { named, others } = fleet.read(max);
    const told = named.find(({ endpoint }) => endpoint.id === 'goes')?.told.counts[endpointSlots.requests];
    return { goes: told ?? null, others: others[0]?.counts[endpointSlots.requests] ?? 0 };
  };
  assert.deepEqual(page(2, 5), { goes: 5, others: 0 }, 'the last by name of the slower');
  assert.deepEqual(page(2, 3), { goes: 8, others: 0 }, 'one that only the other has read');
  assert.deepEqual(page(1, 2), { goes: null, others: 2 }, 'the same for both from now on');
});
