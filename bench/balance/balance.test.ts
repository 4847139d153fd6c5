/** The simulator against theory and against itself, and the guide against the simulator. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { seededRandom } from '../../src/kernel/random.ts';
import { chart } from './chart.ts';
import { noWaiting, quantile, results } from './results.ts';
import { createScenario, DEFAULTS, type Scenario, type Server } from './scenario.ts';
import { simulate } from './simulation.ts';
import { markdownTable } from './table.ts';

const read = (path: string): string => readFileSync(new URL(`../../docs/guides/${path}`, import.meta.url), 'utf8');
const run = 'npm run --silent bench -- balance --markdown --svg docs/guides/load-balancing.svg';

test('table and picture in the guide are what the simulation says', () => {
  const scenario = createScenario(DEFAULTS);
  const [least, found] = [noWaiting(scenario), results(scenario)];
  assert.ok(read('load-balancing.md').includes(markdownTable(least, found)), `paste what this prints: ${run}`);
  assert.equal(read('load-balancing.svg'), chart(least, found), `not as drawn; run: ${run}`);
});

function server(changes: Partial<Server> = {}): Server {
  const steady = { speed: () => 1, downMs: () => Number.POSITIVE_INFINITY, seemsUp: () => true };
  return { name: `${Math.trunc(changes.weight ?? 1)}`, weight: 1, slots: 1, ...steady, ...changes };
}

/** Requests by chance at a rate, each of 10 ms. */
function constantWork(servers: readonly Server[], requests: number, everyMs: number): Scenario {
  const random = seededRandom(5);
  let nowMs = 0;
  return {
    servers,
    arrivalsMs: Float64Array.from({ length: requests }, () => (nowMs -= Math.log(1 - random.unit()) * everyMs)),
    workMs: new Float64Array(requests).fill(10),
    keyHashes: Int32Array.from({ length: requests }, () => random.int32()),
    workers: new Uint8Array(requests),
    workerCount: 1,
    seed: 5,
  };
}

test('one server and constant work: the mean wait is that of the M/D/1 queue, ρ / 2 (1 − ρ) of the work', () => {
  for (const busy of [0.5, 0.8]) {
    const { answeredMs } = simulate('round-robin', constantWork([server()], 300_000, 10 / busy));
    const mean = answeredMs.reduce((a, b) => a + b, 0) / answeredMs.length;
    const expected = 10 + (10 * busy) / (2 * (1 - busy));
    assert.ok(Math.abs(mean / expected - 1) < 0.03, `${mean} ms, expected ${expected}`);
  }
});

test('a server that is down refuses, loses what it had, and gets nothing once it is noticed', () => {
  const downMs = (nowMs: number): number => (nowMs < 2000 ? 1000 : Number.POSITIVE_INFINITY);
  const seemsUp = (nowMs: number): boolean => nowMs < 1500 || nowMs >= 2000;
  const scenario = constantWork(
    [server({ downMs, seemsUp, slots: 10 }), server({ slots: 10, weight: 1.5, name: 'b' })],
    3000,
    1,
  );
  const { answeredMs, failed } = simulate('round-robin', scenario);
  assert.equal(answeredMs.length + failed, 3000);
  // 0.4 of the requests of half a second, and some that it was at.
  assert.ok(failed > 170 && failed < 240, `${failed}`);
});

test('what comes faster than it can be done waits until it is given up', () => {
  const { answeredMs, failed } = simulate('random', constantWork([server()], 4000, 5));
  assert.equal(answeredMs.length + failed, 4000);
  assert.ok(
    failed > 100 && answeredMs.at(-1)! <= 10_010,
    `${failed} failed, the last answer took ${answeredMs.at(-1)}`,
  );
});

test('a day is the same for its seed, another for another, and as busy as it is meant to be', () => {
  const once = createScenario({ requests: 100_000, seed: 1 });
  const again = createScenario({ requests: 100_000, seed: 1 });
  assert.deepEqual(again, once);
  assert.notDeepEqual(createScenario({ requests: 100_000, seed: 2 }).workMs, once.workMs);
  const slots = once.servers.reduce((sum, each) => sum + each.slots, 0);
  const busy = once.workMs.reduce((a, b) => a + b, 0) / (once.arrivalsMs.at(-1)! * slots);
  assert.ok(Math.abs(busy - 0.6) < 0.03, `${busy}`);
});

test('a quantile is the smallest value that enough are not above', () => {
  const values = Float64Array.of(1, 2, 3, 4);
  assert.deepEqual(
    [0, 0.25, 0.5, 0.51, 1].map((share) => quantile(values, share)),
    [1, 1, 2, 3, 4],
  );
  assert.ok(Number.isNaN(quantile(new Float64Array(0), 0.5)));
});
