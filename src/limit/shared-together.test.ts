/** Several limits in shared memory at once, in a thread that is stopped in the middle. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryOf } from '../../test/limit/shared-memory.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import {
  allOf,
  concurrency,
  createLimiter,
  createSharedMemory,
  fixedWindow,
  type LeaseAlgorithm,
  type LocalStore,
  type RateAlgorithm,
  sharedMemoryStore,
} from './index.ts';
import { SharedTable } from './shared-table.ts';

/** Two limiters of one each, in a store whose thread can be stopped while it holds rows; and the same ones of another thread. */
function stoppable(algorithm: RateAlgorithm | LeaseAlgorithm) {
  const memory = memoryOf(16);
  let meanwhile = (): void => {};
  const clock: Clock = {
    ...systemClock,
    // It is read as soon as all rows are held.
    nowMs() {
      const run = meanwhile;
      meanwhile = () => {};
      run();
      return systemClock.nowMs();
    },
  };
  const limitersIn = (store: LocalStore) => ['a', 'b'].map((name) => createLimiter({ name, algorithm, store }));
  const [own, others] = [limitersIn(sharedMemoryStore(memory, { clock })), limitersIn(sharedMemoryStore(memory))];
  return {
    both: allOf(own[0]!, own[1]!),
    others,
    whileStopped: (run: () => void) => (meanwhile = run),
    remaining: () => others.map((limiter) => limiter.peekSync('key').remaining),
  };
}

const ones = [fixedWindow({ limit: 1, per: '366d' }), concurrency({ limit: 1, lease: '1h' })];

test('a thread that was thought dead while it held two rows takes from neither if the other is used up by then', () => {
  for (const algorithm of ones) {
    for (const lost of [[0], [1], [0, 1]]) {
      const { both, others, whileStopped, remaining } = stoppable(algorithm);
      whileStopped(() => lost.forEach((index) => assert.equal(others[index]!.takeSync('key').allowed, true)));
      assert.equal(both.takeSync('key').allowed, false);
      assert.deepEqual(
        remaining(),
        [0, 1].map((index) => (lost.includes(index) ? 0 : 1)),
      );
    }
  }
});

test('a thread that loses a row without harm takes all the same, once, and gives nothing back for it', () => {
  const nine = fixedWindow({ limit: 9, per: '366d' });
  let refunds = 0;
  const algorithm: RateAlgorithm = {
    kind: nine.kind,
    layout: nine.layout,
    limit: nine.limit,
    windowMs: nine.windowMs,
    width: nine.width,
    parameters: nine.parameters,
    take: nine.take.bind(nine),
    peek: nine.peek.bind(nine),
    idle: nine.idle.bind(nine),
    share: nine.share.bind(nine),
    refund: () => (refunds += 1),
  };
  for (const lost of [[0], [1], [0, 1]]) {
    const { both, others, whileStopped, remaining } = stoppable(algorithm);
    whileStopped(() => lost.forEach((index) => others[index]!.takeSync('key')));
    assert.equal(both.takeSync('key').allowed, true);
    assert.deepEqual(
      remaining(),
      [0, 1].map((index) => (lost.includes(index) ? 7 : 8)),
    );
  }
  assert.equal(refunds, 0);
});

test('a thread that was thought dead between its first row and its second gives back what it took', () => {
  const letGo = Object.getOwnPropertyDescriptor(SharedTable.prototype, 'letGo')!;
  for (const algorithm of ones) {
    const { both, others, remaining } = stoppable(algorithm);
    const granted: boolean[] = [];
    try {
      SharedTable.prototype.letGo = function (this: SharedTable, hold, changed) {
        const done = (letGo.value as typeof this.letGo).call(this, hold, changed);
        Object.defineProperty(SharedTable.prototype, 'letGo', letGo);
        for (const other of others) granted.push(other.takeSync('key').allowed);
        return done;
      };
      assert.equal(both.takeSync('key').allowed, false);
    } finally {
      Object.defineProperty(SharedTable.prototype, 'letGo', letGo);
    }
    assert.deepEqual(
      granted.toSorted((a, b) => Number(a) - Number(b)),
      [false, true],
      'the first row was taken from, the second not yet',
    );
    assert.deepEqual(
      remaining().toSorted((a, b) => a - b),
      [0, 1],
    );
  }
});

test('a thread that loses its rows again and again takes in turn, and what one refuses costs the others nothing', () => {
  const holds = Object.getOwnPropertyDescriptor(SharedTable.prototype, 'holds')!;
  const store = sharedMemoryStore(createSharedMemory());
  const algorithm = fixedWindow({ limit: 2, per: '366d' });
  const limiters = ['a', 'b', 'c'].map((name) => createLimiter({ name, algorithm, store }));
  const all = allOf(limiters[0]!, limiters[1]!, limiters[2]!);
  try {
    SharedTable.prototype.holds = () => false;
    assert.equal(all.takeSync('key').allowed, true);
    for (const limiter of limiters) {
      limiter.takeSync('key');
      assert.equal(all.takeSync('key').policy, limiter.name);
      limiter.refundSync('key');
    }
  } finally {
    Object.defineProperty(SharedTable.prototype, 'holds', holds);
  }
  assert.deepEqual(
    limiters.map((limiter) => limiter.peekSync('key').remaining),
    [1, 1, 1],
  );
});

test('more limiters at once than a set has rows are taken from without waiting for oneself', () => {
  const store = sharedMemoryStore(memoryOf(1));
  const algorithm = fixedWindow({ limit: 3, per: '366d' });
  const [first, ...others] = Array.from({ length: 17 }, (_, id) =>
    createLimiter({ name: `limit-${id}`, algorithm, store }),
  );
  assert.equal(allOf(first!, ...others).takeSync('key').allowed, true);
});
