/**
 * The connections of several workers to an endpoint with a limit over all of them: never more than that, whatever they do, and whoever waits
 * has a turn although no worker can wake another.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Step, World } from '../../../test/engine/endpoint-world.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { createCell } from '../../kernel/cells.ts';
import { ENDPOINT_SLOTS } from '../slots.ts';

const WORKERS = 3;

class Fleet {
  readonly clock = new ManualClock();
  readonly connectionsMax: number;
  readonly workers: readonly World[];

  constructor(connectionsMax: number, count = WORKERS) {
    const shared = { cell: createCell(WORKERS + 1, ENDPOINT_SLOTS), connectionsMax };
    this.connectionsMax = connectionsMax;
    this.workers = Array.from({ length: count }, (_, at) => new World({ lane: at + 1, clock: this.clock, shared }));
  }

  get open(): number {
    return this.workers.reduce((sum, { open, opening }) => sum + open.length + opening.size, 0);
  }

  take(worker: number, step: Step): void {
    this.workers[worker]!.take(step);
    this.#check();
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 5) this.clock.pass(5);
    for (const worker of this.workers) worker.check();
    this.#check();
  }

  #check(): void {
    assert.ok(this.open <= this.connectionsMax, `${this.open} of ${this.connectionsMax}`);
  }
}

const anyTurn = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      worker: fc.nat(WORKERS - 1),
      step: fc.record({ kind: fc.constant('ask' as const), reuse: fc.boolean() }),
    }),
  },
  {
    weight: 14,
    arbitrary: fc.record({
      worker: fc.nat(WORKERS - 1),
      step: fc.record({
        kind: fc.constantFrom('opened', 'opened', 'refused', 'answered', 'answered', 'broken', 'lost', 'left' as const),
        which: fc.nat(20),
      }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ passMs: fc.integer({ min: 5, max: 200 }) }) },
);

test('workers together never have more connections than there may be, and nobody who waits is left behind', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), fc.array(anyTurn, { maxLength: 150, size: 'max' }), (max, turns) => {
      const fleet = new Fleet(max);
      for (const turn of turns) {
        if ('passMs' in turn) fleet.pass(turn.passMs);
        else fleet.take(turn.worker, turn.step);
      }
      for (let round = 0; fleet.workers.some(({ requests }) => requests.length > 0); round++) {
        assert.ok(round < 200, 'somebody is left behind');
        for (const [at, worker] of fleet.workers.entries()) {
          fleet.take(at, { kind: 'opened', which: 0 });
          fleet.take(at, { kind: 'answered', which: 0 });
          worker.forgetFailed();
        }
        fleet.pass(20);
      }
    }),
    { numRuns: 300 },
  );
});

/** `busy` has more to do than it has places for, at all times, until a request of `other` has a turn. */
function waitForTurn(busy: World, other: World, clock: ManualClock): void {
  const ask: Step = { kind: 'ask', reuse: true };
  for (let i = 0; i < 4; i++) busy.take(ask);
  other.take(ask);
  assert.equal(other.line.length, 1);
  for (let passedMs = 0; other.line.length > 0; passedMs += 5) {
    assert.ok(passedMs < 200, `it waits for ${passedMs} ms`);
    busy.take({ kind: 'opened', which: 0 });
    if (busy.served.length > 0) {
      busy.take({ kind: 'answered', which: 0 });
      busy.take(ask);
    }
    clock.pass(5);
    assert.ok(busy.open.length + busy.opening.size + other.opening.size <= busy.endpoint.plan.connectionsMax!);
  }
  assert.ok(busy.line.length > 0);
}

test('a worker that is busy without a pause gives up a place for one that has less than its share', () => {
  for (const connectionsMax of [1, 2]) {
    const { clock, workers } = new Fleet(connectionsMax, 2);
    waitForTurn(workers[0]!, workers[1]!, clock);
  }
});

test('a config on trial has a turn where the one in force is busy without a pause, in the same worker', () => {
  for (const connectionsMax of [1, 2]) {
    const clock = new ManualClock();
    const shared = { cell: createCell(2, ENDPOINT_SLOTS), connectionsMax };
    const [inForce, onTrial] = [0, 1].map(() => new World({ clock, shared, isLaneShared: true }));
    waitForTurn(inForce!, onTrial!, clock);
  }
});

test('a connection that is not in use is closed for a worker whose requests wait', () => {
  const fleet = new Fleet(1, 2);
  fleet.take(0, { kind: 'ask', reuse: true });
  fleet.take(0, { kind: 'opened', which: 0 });
  fleet.take(0, { kind: 'answered', which: 0 });
  assert.equal(fleet.open, 1, 'it is kept');
  fleet.take(1, { kind: 'ask', reuse: true });
  fleet.pass(50);
  assert.deepEqual(
    fleet.workers.map(({ open, opening }) => open.length + opening.size),
    [0, 1],
  );
});

test('a connection that is not in use is closed for one that waits at the same worker and must have a fresh one', () => {
  const fleet = new Fleet(3, 2);
  const more: Step = { kind: 'limits', connectionsMax: 3, idleConnectionsMax: 3 };
  const ask = (reuse: boolean): Step => ({ kind: 'ask', reuse });
  fleet.take(0, more);
  for (const kind of ['opened', 'answered'] as const) {
    for (let i = 0; i < 3 && kind === 'opened'; i++) fleet.take(0, ask(true));
    for (let i = 0; i < 3; i++) fleet.take(0, { kind, which: 0 });
  }
  const [mine, other] = fleet.workers as [World, World];
  fleet.take(1, ask(true));
  while (other.line.length > 0) fleet.pass(5);
  // What this worker has given up it leaves to others for a while, and they take what it closes for itself as well.
  fleet.take(0, ask(false));
  fleet.take(1, ask(true));
  assert.deepEqual([mine.open.length, mine.line.length, fleet.open], [1, 1, 3]);
  fleet.pass(100);
  assert.deepEqual([mine.open.length, mine.line.length, mine.opening.size], [0, 0, 1]);
});

test('a place that became free is for the one who waits, and not for one who comes before the worker has looked', () => {
  const fleet = new Fleet(1, 2);
  const ask: Step = { kind: 'ask', reuse: true };
  fleet.take(0, ask);
  fleet.take(1, ask);
  fleet.take(0, { kind: 'refused', which: 0 });
  fleet.take(1, ask);
  const { line, opening, requests } = fleet.workers[1]!;
  assert.deepEqual([line, opening.size], [[requests[1]], 1]);
});
