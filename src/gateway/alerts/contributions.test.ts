/** When failures began that led to an alert: back through the steps, over short pauses, and no further than its window. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { createSeries } from '../../observe/series/series.ts';
import type { Span } from '../../observe/slo/ledger/entry.ts';
import type { WindowCount } from '../../observe/slo/live/known-window.ts';
import type { Slo } from '../../observe/slo/objective.ts';
import { bucketOf, durationBuckets } from '../durations.ts';
import type { Snapshot } from '../snapshot.ts';
import { beganMs, createContributions } from './contributions.ts';

type Count = (span: Span) => WindowCount;

const MINUTE = 60_000;
const slo = { id: 'shop-up', objective: 0.99 };
const sinceMs = 100 * MINUTE + 700;

/** A hundred requests a second, of which this share fails in these stretches. */
const failing =
  (...stretches: readonly (readonly [fromMs: number, toMs: number, share: number])[]): Count =>
  ({ fromMs, toMs }) => {
    let bad = 0;
    for (let ms = fromMs; ms < toMs; ms += 1000) {
      const found = stretches.find(([from, to]) => ms >= from && ms < to);
      bad += 100 * (found?.[2] ?? 0);
    }
    return { bad, total: (toMs - fromMs) / 10 };
  };

const began = (count: Count, longS = 3600): number | null => beganMs(count, slo, { sinceMs, longS });

test('the first step of ten seconds that failed too much', () => {
  assert.equal(began(failing([95 * MINUTE, 200 * MINUTE, 0.3])), 95 * MINUTE - 9000);
  assert.equal(began(failing([100 * MINUTE, 200 * MINUTE, 1])), 100 * MINUTE - 9000, 'also in the second of the alert');
});

test('a pause of twenty seconds is part of it, one of a minute is not', () => {
  const with_ = (pauseMs: number) =>
    began(failing([90 * MINUTE, 97 * MINUTE, 1], [97 * MINUTE + pauseMs, 200 * MINUTE, 1]));
  assert.ok(with_(20_000)! < 91 * MINUTE);
  assert.ok(with_(60_000)! > 97 * MINUTE);
});

test('what fails within the budget is no beginning, and what fails longer than the window has none that is known', () => {
  assert.equal(began(failing([0, 200 * MINUTE, 0.005])), null);
  assert.equal(began(failing([0, 200 * MINUTE, 1])), null);
  assert.equal(
    began(() => ({ bad: 0, total: 0 })),
    null,
  );
});

function sourcesOf(gateway: object, endpoints: readonly string[] = []) {
  const clock = new SimulatedClock();
  const series = createSeries({ clock });
  const services = [{ name: 'shop', endpoints: endpoints.map((id) => ({ id })) }];
  const snapshot = { routes: [{ name: 'all', service: 0 }], services } as unknown as Snapshot;
  const objective = { service: 'shop', name: 'up', indicator: { kind: 'events', gateway } } as unknown as Slo;
  const contributions = createContributions({ series, snapshot: () => snapshot, objectives: () => [objective] });
  return { clock, series, contributions };
}

const requests = { service: 'shop', route: null };

test('when it began is asked of the objective alone: ten thousand endpoints would be asked hundreds of times', () => {
  const { clock, series, contributions } = sourcesOf({ kind: 'availability', requests });
  const counted = { id: 'shop-up', measures: 'answers of shop' };
  for (const [outcome, events] of [
    ['all', 100],
    ['bad', 30],
  ] as const) {
    series
      .counter({ name: 'spillway_slo_events', labels: { slo: 'shop-up', measures: 'answers of shop', outcome } })
      .add(clock.wallMs(), events);
  }
  series.round(clock.wallMs());
  const since = { sinceMs: clock.wallMs(), longS: 3600 };
  const fromMs = Math.floor(clock.wallMs() / 1000) * 1000 - 9000;
  assert.equal(
    beganMs((span) => contributions.count(counted, span), slo, since),
    fromMs,
  );
  const other = { ...counted, measures: 'answers of shop within 256ms' };
  assert.equal(
    beganMs((span) => contributions.count(other, span), slo, since),
    null,
  );
});

test('where answers are late: routes to their last byte, endpoints until they begin', () => {
  const boundS = 0.25;
  const { clock, series, contributions } = sourcesOf({ kind: 'latency', requests, boundS }, ['a:1', 'b:1']);
  const bounds = durationBuckets.bounds.map((bound) => bound / 1000);
  const add = (name: string, labels: Readonly<Record<string, string>>, ...durationsMs: number[]): void => {
    for (const ms of durationsMs) {
      const step = { buckets: [bucketOf(ms)], counts: [1], sum: ms / 1000 };
      series.histogram({ name, labels, bounds }).add(clock.wallMs(), step);
    }
  };
  const route = 'spillway_request_duration_seconds';
  add(route, { service: 'shop', route: 'search' }, 5, 250, 250.5, 9_999_999);
  add(route, { service: 'shop', route: 'checkout' }, 5);
  add(route, { service: 'other', route: 'x' }, 9000);
  const endpoint = 'spillway_upstream_duration_seconds';
  add(endpoint, { service: 'shop', endpoint: 'a:1' }, 5, 5, 250);
  add(endpoint, { service: 'shop', endpoint: 'b:1' }, 300);
  series.round(clock.wallMs());
  const nowMs = clock.wallMs();
  const found = (fromMs: number, toMs: number) =>
    contributions
      .of('shop-up', { fromMs, toMs })
      .map(({ kind, name, bad, total, what }) => `${kind} ${name}: ${bad} of ${total} ${what}`)
      .toSorted();
  assert.deepEqual(found(nowMs - 60_000, nowMs + 1), [
    ...['endpoint a:1: 0 of 3 late', 'endpoint b:1: 1 of 1 late'],
    ...['route checkout: 0 of 1 late', 'route search: 2 of 4 late'],
  ]);
  assert.deepEqual(
    contributions.of('shop-up', { fromMs: nowMs - 120_000, toMs: nowMs - 60_000 }).map(({ total }) => total),
    [0, 0, 0, 0],
  );
  const one = sourcesOf({ kind: 'latency', requests: { service: 'shop', route: 'search' }, boundS });
  assert.deepEqual(one.contributions.of('shop-up', { fromMs: 0, toMs: nowMs }), [], 'nothing is known');
});
