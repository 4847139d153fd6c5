/** What is sampled of a gateway's cells, in simulated time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellLane, createCell } from '../../kernel/cells.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { createSeries } from '../../observe/series/series.ts';
import { resolveSlos } from '../../observe/slo/load.ts';
import type { Slo } from '../../observe/slo/objective.ts';
import { CellStore, compileSnapshot, type ConfigInput, resolveConfig } from '../config/index.ts';
import { bucketOf } from '../durations.ts';
import { ENDPOINT_SLOTS, endpointSlots, ROUTE_SLOTS, routeSlots } from '../slots.ts';
import type { Snapshot } from '../snapshot.ts';
import { ProbeMaker } from './probes.ts';
import { Sampler, type SamplerOptions } from './sampler.ts';
import { ServiceLevels } from './service-levels.ts';

const LANES = 3;

class Gateway {
  readonly clock = new SimulatedClock();
  readonly cells = new CellStore(LANES);
  readonly series = createSeries({ clock: this.clock });
  readonly levels = new ServiceLevels({ clock: this.clock, series: this.series });
  readonly sampler: Sampler;
  snapshot: Snapshot;
  #version = 0;

  constructor(input: Partial<ConfigInput> = {}, objectives: readonly Slo[] = []) {
    const { clock, series, levels } = this;
    this.snapshot = this.compile(input);
    levels.replace({ slos: ['slo.yaml'], objectives });
    const onRound: SamplerOptions['onRound'] = (routes) => {
      levels.count(routes);
      levels.evaluate();
    };
    this.sampler = new Sampler({ clock, series, snapshot: () => this.snapshot, onRound });
    this.sampler.start();
  }

  compile(input: Partial<ConfigInput>): Snapshot {
    const { config, mistakes } = resolveConfig({
      listeners: [{ name: 'web', address: '127.0.0.1:0' }],
      services: [{ name: 'shop', endpoints: ['127.0.0.1:9001', '127.0.0.1:9002'] }],
      routes: [{ name: 'all', service: 'shop' }],
      ...input,
    });
    assert.ok(config, JSON.stringify(mistakes));
    const found = () => [];
    return compileSnapshot(config, {
      version: ++this.#version,
      cells: this.cells,
      ticketSecret: '',
      pseudonym: 'g',
      found,
    } as never);
  }

  /** Requests of the first route, by one worker. */
  answer(status: 2 | 5, count: number, ms = 10, lane = 0): void {
    const { cell } = this.snapshot.routes[0]!;
    const slots = cellLane(cell, ROUTE_SLOTS, lane);
    slots[routeSlots.responses1xx + status - 1]! += count;
    slots[routeSlots.requests]! += count;
    slots[routeSlots.buckets + bucketOf(ms)]! += count;
    slots[routeSlots.durationSumMs]! += count * ms;
  }

  values(name: string, labels: Readonly<Record<string, string>> = {}): number[] {
    const toMs = this.clock.wallMs() + 1000;
    const range = this.series.range({ name, labels, fromMs: toMs - 5000, toMs, stepMs: 1000, merged: true });
    const [row] = range.rows;
    if (row === undefined) return [];
    if (row.kind === 'counter') return [...row.values];
    return row.kind === 'gauge' ? [...row.last] : row.steps.map((step) => step?.counts.reduce((a, b) => a + b, 0) ?? 0);
  }
}

/** Whose alerts wait for no more than that one failure is allowed. */
function slos(...sli: object[]): readonly Slo[] {
  const policy = { history: '0s' } as const;
  const given = sli.map((each, at) => ({ name: `n${at}`, objective: '99%' as const, policy, sli: each }));
  const { slos, mistakes } = resolveSlos({ service: 'shop', slos: given });
  assert.deepEqual(mistakes, []);
  return slos!.slos;
}

test('each second what all workers counted is added to the series that /metrics has', () => {
  const gateway = new Gateway();
  for (let second = 0; second < 5; second++) {
    gateway.answer(2, 10 * second);
    gateway.answer(5, 1, 20, 1);
    gateway.clock.pass(1000);
  }
  assert.deepEqual(gateway.values('spillway_requests_total', { code_class: '2xx' }), [0, 10, 20, 30, 40]);
  assert.deepEqual(gateway.values('spillway_requests_total', { route: 'all', service: 'shop' }), [1, 11, 21, 31, 41]);
  assert.deepEqual(gateway.values('spillway_request_duration_seconds'), [1, 11, 21, 31, 41]);
  assert.deepEqual(gateway.values('spillway_requests_in_flight'), []);
});

test('a gauge reads as it was at the end of each second, zero too', () => {
  const gateway = new Gateway();
  const lane = cellLane(gateway.snapshot.services[0]!.endpoints[1]!.cell, ENDPOINT_SLOTS, 0);
  for (const inFlight of [0, 3, 7, 0, 2]) {
    lane[endpointSlots.inFlight] = inFlight;
    gateway.clock.pass(1000);
  }
  assert.deepEqual(gateway.values('spillway_endpoint_in_flight', { endpoint: '127.0.0.1:9002' }), [0, 3, 7, 0, 2]);
});

test('a reload counts nothing twice and loses nothing of what stays; what is new begins at its own zero', () => {
  const gateway = new Gateway();
  gateway.answer(2, 100);
  gateway.clock.pass(1000);
  gateway.answer(2, 5);
  const services = [{ name: 'shop', endpoints: ['127.0.0.1:9001', '127.0.0.1:9003'] }];
  gateway.snapshot = gateway.compile({ services });
  const added = gateway.snapshot.services[0]!.endpoints[1]!;
  cellLane(added.cell, ENDPOINT_SLOTS, 0)[endpointSlots.responses1xx + 1]! += 4;
  gateway.clock.pass(1000);
  assert.deepEqual(gateway.values('spillway_requests_total').slice(-2), [100, 5]);
  assert.deepEqual(gateway.values('spillway_endpoint_requests_total', { endpoint: '127.0.0.1:9003' }).at(-1), 4);
  // The same route, to another service: what came before is the old one's.
  const other = [...services, { name: 'other', endpoints: ['127.0.0.1:9009'] }];
  gateway.snapshot = gateway.compile({ services: other, routes: [{ name: 'all', service: 'other' }] });
  gateway.answer(2, 7);
  gateway.clock.pass(1000);
  assert.deepEqual(gateway.values('spillway_requests_total', { service: 'shop' }).at(-1), 0);
  assert.equal(gateway.values('spillway_requests_total', { service: 'other' }).at(-1), 7);
});

test('what a reload removes is counted to its end: its last second, and for a minute what was under way', () => {
  const routes = [
    { name: 'old', service: 'shop', match: { path: '/old' } },
    { name: 'all', service: 'shop' },
  ];
  const gateway = new Gateway({ routes }, slos({ availability: {} }));
  gateway.answer(2, 100);
  gateway.clock.pass(1000);
  const old = cellLane(gateway.snapshot.routes[0]!.cell, ROUTE_SLOTS, 0);
  const count = (number: number): void => void (old[routeSlots.responses1xx + 1]! += number);
  count(5);
  gateway.snapshot = gateway.compile({ services: [{ name: 'shop', endpoints: ['127.0.0.1:9002'] }] });
  gateway.cells.retain(gateway.snapshot);
  gateway.clock.pass(1000);
  count(3);
  gateway.clock.pass(1000);
  assert.deepEqual(gateway.values('spillway_requests_total', { route: 'old' }), [0, 0, 100, 5, 3]);
  assert.equal(gateway.levels.statuses![0]!.good, 108);
  gateway.clock.pass(60_000);
  count(1);
  gateway.clock.pass(5000);
  assert.deepEqual(gateway.values('spillway_requests_total', { route: 'old' }), [0, 0, 0, 0, 0], 'not for ever');
});

test('of endpoints that are found anew each second only so many are counted to their end', () => {
  const { series, snapshot } = new Gateway();
  const maker = new ProbeMaker(series);
  const [service] = snapshot.services;
  const [endpoint] = service!.endpoints;
  const madeOf = (count: number, nowMs: number): number => {
    const cells = Array.from({ length: count }, () => createCell(1, ENDPOINT_SLOTS));
    const endpoints = cells.map((cell, at) => ({ ...endpoint!, id: `10.0.0.1:${at}`, cell }));
    return maker.make({ ...snapshot, services: [{ ...service!, endpoints }] }, nowMs).all.length;
  };
  const others = madeOf(0, 0);
  const made = [0, 1, 2, 3].map((second) => madeOf(4000, second * 1000) - others);
  assert.deepEqual(made, [4000, 8000, 12_000, 14_000]);
  assert.deepEqual([madeOf(0, 4000) - others, madeOf(0, 64_000) - others], [10_000, 0], 'a minute after the last');
});

test('ten thousand endpoints are sampled in turns, briefly and without durations, all at the time the round began', () => {
  const endpoints = Array.from({ length: 10_000 }, (_, at) => `10.0.${at >> 8}.${at & 255}:80` as const);
  const gateway = new Gateway({ services: [{ name: 'shop', endpoints }] });
  let reads = 0;
  // A clock that goes on as it is read: a turn is over after some looks at it.
  const { clock } = gateway;
  const startMs = clock.nowMs();
  clock.nowMs = () => startMs + reads++ * 0.5;
  for (const { cell } of gateway.snapshot.services[0]!.endpoints) {
    const lane = cellLane(cell, ENDPOINT_SLOTS, 0);
    lane[endpointSlots.responses1xx + 1]! += 2;
    lane[endpointSlots.buckets + 9]! += 2;
  }
  gateway.clock.pass(1000);
  assert.ok(reads > 600, `${reads} looks at the clock`);
  const { series } = gateway;
  const range = series.range({
    name: 'spillway_endpoint_requests_total',
    fromMs: clock.wallMs() - 5000,
    toMs: clock.wallMs() + 1,
    merged: true,
  });
  const [row] = range.rows;
  assert.ok(row?.kind === 'counter');
  assert.equal(
    row.values.reduce((a, b) => a + b),
    20_000,
  );
  assert.equal(range.stepMs, 10_000, 'ten seconds are the finest that is kept of so many');
  assert.deepEqual(gateway.values('spillway_upstream_duration_seconds'), []);
});

test('a sampler that is stopped in the middle of a round ends it: what that had seen of a route is counted', () => {
  const endpoints = Array.from({ length: 1000 }, (_, at) => `10.0.${at >> 8}.${at & 255}:80` as const);
  const gateway = new Gateway({ services: [{ name: 'shop', endpoints }] }, slos({ availability: {} }));
  const { clock } = gateway;
  let nowMs = clock.nowMs();
  clock.nowMs = () => (nowMs += 0.5);
  gateway.answer(2, 5);
  let turns = 0;
  clock.after = () => ({ clear: () => void turns++ });
  clock.pass(1000);
  gateway.answer(2, 2);
  gateway.sampler.stop();
  assert.equal(turns, 1, 'it was under way');
  assert.equal(gateway.levels.statuses![0]!.good, 7);
});

test('objectives are counted as their rules count: bad answers and broken ones, slow ones by the exact bound, by service and route', () => {
  const gateway = new Gateway(
    {
      routes: [
        { name: 'all', service: 'shop' },
        { name: 'api', service: 'shop', match: { path: '/api/*' } },
      ],
    },
    slos(
      { availability: {} },
      { latency: { under: '200ms' } },
      { availability: { route: 'api' } },
      { availability: { service: 'other' } },
    ),
  );
  gateway.answer(2, 90, 200);
  gateway.answer(5, 10, 201);
  cellLane(gateway.snapshot.routes[0]!.cell, ROUTE_SLOTS, 2)[routeSlots.broken]! += 3;
  gateway.clock.pass(1000);
  assert.deepEqual(
    gateway.levels.statuses!.map(({ id, good, bad }) => [id, good, bad]),
    [
      ['shop-n0', 87, 13],
      ['shop-n1', 90, 10],
      ['shop-n2', 0, 0],
      ['shop-n3', 0, 0],
    ],
  );
  // 13 % of them, where 14.4 and 6 times the budget are 14.4 % and 6 %.
  const states = gateway.levels.statuses![0]!.alerts.slice(0, 2).map(({ state }) => state);
  assert.deepEqual(states, ['inactive', 'firing']);
});

test('an objective of other counters is left to Prometheus, and a sampler that is stopped takes a last round', () => {
  const gateway = new Gateway({}, slos({ events: { bad: 'a_total', total: 'b_total' } }, { availability: {} }));
  gateway.answer(2, 1);
  gateway.clock.pass(1000);
  assert.deepEqual(
    gateway.levels.statuses!.map(({ id }) => id),
    ['shop-n1'],
  );
  gateway.answer(2, 1);
  gateway.sampler.stop();
  gateway.sampler.stop();
  gateway.answer(2, 1);
  gateway.clock.pass(5000);
  assert.equal(gateway.levels.statuses![0]!.good, 2);
  assert.equal(gateway.clock.timers, 0);
});
