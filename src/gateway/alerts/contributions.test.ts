/** When failures began that led to an alert: back through the steps, over short pauses, and no further than its window. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Contributions } from './contributions.ts';
import { beganMs, createContributions } from './contributions.ts';
import type { Slo } from '../../observe/slo/objective.ts';
import type { Snapshot } from '../snapshot.ts';

const MINUTE = 60_000;
const slo = { id: 'shop-up', objective: 0.99 };
const sinceMs = 100 * MINUTE + 700;

/** A hundred requests a second, of which this share fails in these stretches. */
const failing =
  (...stretches: readonly (readonly [fromMs: number, toMs: number, share: number])[]): Contributions =>
  (_, { fromMs, toMs }) => {
    let bad = 0;
    for (let ms = fromMs; ms < toMs; ms += 1000) {
      const found = stretches.find(([from, to]) => ms >= from && ms < to);
      bad += 100 * (found?.[2] ?? 0);
    }
    return [{ kind: 'route', name: 'all', bad, total: (toMs - fromMs) / 10 }];
  };

const began = (contributions: Contributions, longS = 3600): number | null =>
  beganMs(contributions, slo, { sinceMs, longS });

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
    began(() => []),
    null,
  );
});

test('when it began is asked of routes alone: ten thousand endpoints would be asked hundreds of times', () => {
  const asked = new Map<string, number>();
  const series = {
    counter: ({ name }: { readonly name: string }) => ({
      add: () => {},
      firstMs: () => null,
      total: () => {
        asked.set(name, (asked.get(name) ?? 0) + 1);
        return 1;
      },
    }),
  };
  const endpoints = Array.from({ length: 100 }, (_, at) => ({ id: `10.0.0.${at}:80` }));
  const snapshot = { routes: [{ name: 'all', service: 0 }], services: [{ name: 'shop', endpoints }] };
  const requests = { service: 'shop', route: null };
  const objective = {
    service: 'shop',
    name: 'up',
    indicator: { kind: 'events', gateway: { kind: 'availability', requests } },
  };
  const contributions = createContributions({
    series,
    snapshot: () => snapshot as unknown as Snapshot,
    objectives: () => [objective as unknown as Slo],
  });
  beganMs(contributions, slo, { sinceMs, longS: 3600 });
  assert.equal(asked.get('spillway_requests_broken_total'), 360);
  assert.equal(asked.get('spillway_endpoint_requests_total'), undefined);
  assert.equal(contributions('shop-up', { fromMs: 0, toMs: sinceMs }).length, 101);
});
