import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { memoryOf } from '../../test/limit/shared-memory.ts';
import type { TakeJob, TakeReport } from '../../test/limit/take-thread.ts';
import { halfSipHash } from '../kernel/half-sip-hash.ts';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import {
  allOf,
  concurrency,
  createLimiter,
  createSharedMemory,
  fixedWindow,
  sharedMemoryStore,
  slidingLog,
  tokenBucket,
} from './index.ts';
import { type Hold, layoutOf, secretFor, SharedTable } from './shared-table.ts';

/** Runs the same job in some threads at once. */
async function inThreads(
  threads: number,
  job: Omit<TakeJob, 'gate'>,
  keysOf: (thread: number) => readonly string[] = () => job.keys,
): Promise<TakeReport[]> {
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const workers = Array.from({ length: threads }, (_, thread) => {
    const workerData: TakeJob = { ...job, keys: keysOf(thread), gate };
    return new Worker(new URL('../../test/limit/take-thread.ts', import.meta.url), { workerData });
  });
  try {
    await Promise.all(workers.map((worker) => once(worker, 'online')));
    const reports = workers.map(async (worker) => ((await once(worker, 'message')) as [TakeReport])[0]);
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    // One that comes to the gate later finds it open.
    return await Promise.all(reports);
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

test('eight threads on one key are never granted one too many, and each has its turn', async () => {
  const takes = 30_000;
  const limit = 100_000;
  const reports = await inThreads(8, { memory: createSharedMemory(), limit, keys: ['hot'], takes, both: false });
  assert.equal(sum(reports.map(({ granted }) => granted[0]!)), limit);
  for (const { granted, refused } of reports) assert.equal(granted[0]! + refused, takes);
});

test('four threads on a thousand new keys: every key has one row, and its limit is kept', async () => {
  const keys = Array.from({ length: 1000 }, (_, id) => `user:${id}`);
  const memory = createSharedMemory({ keysMax: 4000 });
  const reports = await inThreads(4, { memory, limit: 7, keys, takes: 5000, both: false });
  for (const index of keys.keys()) {
    assert.equal(sum(reports.map(({ granted }) => granted[index]!)), 7, keys[index]);
  }
  assert.equal(new SharedTable(memory).count(), keys.length);
});

test('four threads that drive out each other’s keys: nobody takes from a key of another', async () => {
  // All in one set, so that rows change hands all the time. Each key is asked for as often as it may be, by one thread.
  const keysOf = (thread: number): string[] => Array.from({ length: 20_000 }, (_, id) => `${thread}:${id >> 2}`);
  const job = { memory: memoryOf(1), limit: 4, keys: [], takes: 20_000, both: false };
  const reports = await inThreads(4, job, keysOf);
  assert.deepEqual(
    reports.map(({ refused }) => refused),
    [0, 0, 0, 0],
    'forgetting only admits more',
  );
});

test('a row that becomes another key’s between finding and locking it is not taken for one’s own', () => {
  const memory = memoryOf(1);
  const algorithm = fixedWindow({ limit: 9, per: '366d' });
  const api = createLimiter({ name: 'api', algorithm, store: sharedMemoryStore(memory) });
  const other = createLimiter({ name: 'api', algorithm, store: sharedMemoryStore(memory) });
  const names = Array.from({ length: 64 }, (_, id) => `other:${id}`);
  api.takeSync('ann');
  const { load } = Atomics;
  let loads = 0;
  try {
    // The version, the word on finding, and then, before the word on locking, another thread fills the table several times over.
    Atomics.load = ((array: Int32Array, index: number) => {
      loads += 1;
      if (loads === 3) for (const key of names) other.takeSync(key);
      return load(array, index);
    }) as typeof Atomics.load;
    assert.equal(api.takeSync('ann').remaining, 8, 'ann was forgotten, and begins anew');
  } finally {
    Atomics.load = load;
  }
  assert.ok(loads > 3);
  for (const key of names)
    assert.ok(other.peekSync(key).remaining >= 8, `${key} took once, and nobody else took from it`);
});

test('a row that was free and becomes the same key’s before it is taken is not taken from it', () => {
  const memory = memoryOf(1);
  const [one, other] = [0, 1].map(() =>
    createLimiter({ name: 'api', algorithm: fixedWindow({ limit: 9, per: '366d' }), store: sharedMemoryStore(memory) }),
  );
  const { load, compareExchange } = Atomics;
  let [loads, isOver] = [0, false];
  const overtake = (): void => {
    if (isOver) return;
    isOver = true;
    other!.takeSync('ann');
  };
  try {
    // The version, twice, and the word that says that the row is free; then, before anything else, another thread makes it the key's.
    Atomics.load = ((array: Int32Array, index: number) => {
      loads += 1;
      if (loads === 4) overtake();
      return load(array, index);
    }) as typeof Atomics.load;
    Atomics.compareExchange = ((array: Int32Array, index: number, from: number, to: number) => {
      overtake();
      return compareExchange(array, index, from, to);
    }) as typeof Atomics.compareExchange;
    assert.equal(one!.takeSync('ann').remaining, 7);
  } finally {
    Object.assign(Atomics, { load, compareExchange });
  }
  assert.equal(new SharedTable(memory).count(), 1);
});

test('rows of several keys are locked in one order, whatever the order they are named in', () => {
  const store = sharedMemoryStore(createSharedMemory());
  const limiters = ['a', 'b', 'c', 'd', 'e'].map((name) =>
    createLimiter({ name, algorithm: fixedWindow({ limit: 9, per: '366d' }), store }),
  );
  const orders: string[] = [];
  const hold = Object.getOwnPropertyDescriptor(SharedTable.prototype, 'hold')!;
  try {
    for (const some of [limiters, limiters.toReversed(), [2, 0, 4, 1, 3].map((index) => limiters[index]!)]) {
      const order: number[] = [];
      SharedTable.prototype.hold = function (this: SharedTable, upper, lower, create, into) {
        order.push(upper, lower);
        return (hold.value as typeof this.hold).call(this, upper, lower, create, into);
      };
      allOf(...(some as [(typeof limiters)[0]])).takeSync('key');
      orders.push(order.join(' '));
    }
  } finally {
    Object.defineProperty(SharedTable.prototype, 'hold', hold);
  }
  assert.equal(new Set(orders).size, 1);
});

test('four threads that take from two limiters at once: both or none, and nobody waits for ever', async () => {
  const keys = ['a', 'b', 'c'];
  const memory = createSharedMemory();
  const reports = await inThreads(4, { memory, limit: 5000, keys, takes: 20_000, both: true });
  const store = sharedMemoryStore(memory);
  for (const [index, key] of keys.entries()) {
    assert.equal(sum(reports.map(({ granted }) => granted[index]!)), 5000);
    for (const [name, of] of [
      ['first', key],
      ['second', `other ${key}`],
    ] as const) {
      const limiter = createLimiter({ name, algorithm: fixedWindow({ limit: 5000, per: '366d' }), store });
      assert.equal(limiter.peekSync(of).remaining, 0);
    }
  }
});

function hashOf(table: SharedTable, name: string, key: string): readonly [number, number] {
  const hash = new Int32Array(2);
  halfSipHash(key, secretFor(table, name), hash);
  return [hash[0]!, hash[1]!];
}

test('a thread that died with a row locked does not wedge the key, and what it had begun is as if it had not been', () => {
  const memory = createSharedMemory({ keysMax: 100, clock: new SimulatedClock() });
  const store = sharedMemoryStore(memory, { clock: new SimulatedClock() });
  const algorithm = tokenBucket({ capacity: 10, refillPerSecond: 1 });
  const api = createLimiter({ name: 'api', algorithm, store });
  api.takeSync('ann', 4);
  const table = new SharedTable(memory);
  const dead: Hold = { row: -1, word: 0, numbers: new Float64Array(3) };
  const [upper, lower] = hashOf(table, 'api\ntoken-bucket', 'ann');
  assert.equal(table.hold(upper, lower, false, dead), true);
  dead.numbers.fill(1);
  assert.equal(api.takeSync('ann').remaining, 5, 'what was counted still is');
  assert.equal(api.takeSync('bob').remaining, 9);
  // It only slept: what it wrote does not count, and it is told so.
  assert.equal(table.letGo(dead, true), false);
  assert.equal(api.takeSync('ann').remaining, 4);
  assert.equal(table.count(), 2, 'the key has one row');
});

test('who takes over from the dead and is thought dead itself before it has done so loses nothing', () => {
  const clock = new SimulatedClock();
  const memory = createSharedMemory({ keysMax: 100, clock });
  const store = sharedMemoryStore(memory, { clock });
  const api = createLimiter({ name: 'api', algorithm: tokenBucket({ capacity: 10, refillPerSecond: 1 }), store });
  api.takeSync('ann', 4);
  const table = new SharedTable(memory);
  const dead: Hold = { row: -1, word: 0, numbers: new Float64Array(3) };
  assert.equal(table.hold(...hashOf(table, 'api\ntoken-bucket', 'ann'), false, dead), true);
  const { add, compareExchange } = Atomics;
  let giveUp = (): void => assert.fail('no row was made');
  let times = 0;
  try {
    Atomics.compareExchange = ((array: Int32Array, index: number, from: number, to: number) => {
      // As who waited for it in vain: the row that was made last.
      if (from === 0) giveUp = () => void compareExchange(array, index, to, -1);
      return compareExchange(array, index, from, to);
    }) as typeof Atomics.compareExchange;
    Atomics.add = ((array: Int32Array, index: number, value: number) => {
      times += 1;
      if (times === 1) giveUp();
      return add(array, index, value);
    }) as typeof Atomics.add;
    assert.equal(api.takeSync('ann').remaining, 5, 'what was counted still is');
  } finally {
    Object.assign(Atomics, { add, compareExchange });
  }
  assert.equal(times, 2);
  assert.equal(table.count(), 1, 'the key has one row');
});

test('a thread that died while it made a row does not wedge the key either', () => {
  const memory = createSharedMemory({ keysMax: 100 });
  const table = new SharedTable(memory);
  const dead: Hold = { row: -1, word: 0, numbers: new Float64Array(3) };
  const [upper, lower] = hashOf(table, 'api\ntoken-bucket', 'ann');
  assert.equal(table.hold(upper, lower, true, dead), true);
  const algorithm = tokenBucket({ capacity: 10, refillPerSecond: 0.001 });
  const api = createLimiter({ name: 'api', algorithm, store: sharedMemoryStore(memory) });
  assert.equal(api.takeSync('ann', 4).remaining, 6);
  assert.equal(table.letGo(dead, true), false);
  assert.equal(api.takeSync('ann', 4).remaining, 2);
});

test('a set survives more deaths than it has rows', () => {
  const memory = memoryOf(1);
  const table = new SharedTable(memory);
  const api = createLimiter({
    name: 'api',
    algorithm: fixedWindow({ limit: 1000, per: '366d' }),
    store: sharedMemoryStore(memory),
  });
  const [upper, lower] = hashOf(table, 'api\nfixed-window', 'ann');
  for (let death = 1; death <= 20; death++) {
    assert.equal(api.takeSync('ann').remaining, 1000 - death);
    table.hold(upper, lower, false, { row: -1, word: 0, numbers: new Float64Array(2) });
  }
});

test('a set whose rows are all locked by the dead has room again for a key that none of them was', () => {
  const memory = memoryOf(1);
  const table = new SharedTable(memory);
  const dead = Array.from({ length: 16 }, (_, id): Hold => {
    const hold: Hold = { row: -1, word: 0, numbers: new Float64Array(2) };
    table.hold(...hashOf(table, 'api\nfixed-window', `dead:${id}`), true, hold);
    return hold;
  });
  const algorithm = fixedWindow({ limit: 3, per: '366d' });
  const api = createLimiter({ name: 'api', algorithm, store: sharedMemoryStore(memory) });
  assert.equal(api.takeSync('ann').remaining, 2);
  // One of the dead only slept, and the row it held is held by a second one by now.
  const second: Hold = { row: -1, word: 0, numbers: new Float64Array(2) };
  table.hold(...hashOf(table, 'api\nfixed-window', 'ann'), false, second);
  const sleeper = dead.find(({ row }) => row === second.row)!;
  assert.equal(table.letGo(sleeper, true), false);
  assert.equal(table.letGo(second, false), true);
  assert.equal(api.takeSync('ann').remaining, 1);
});

test('a table for one key has rows in several sets, if that costs next to nothing', () => {
  const bytes = (options: Parameters<typeof createSharedMemory>[0]) => createSharedMemory(options).byteLength;
  assert.equal(bytes({ keysMax: 1 }), layoutOf(16, 3).bytes);
  assert.equal(bytes({ keysMax: 1, algorithms: [concurrency({ limit: 1000, lease: 1 })] }), layoutOf(1, 2000).bytes);
});

test('a full table forgets what was not used lately, and never what is held', () => {
  const memory = createSharedMemory({ keysMax: 64 });
  const table = new SharedTable(memory);
  const api = createLimiter({
    name: 'api',
    algorithm: fixedWindow({ limit: 1e6, per: '366d' }),
    store: sharedMemoryStore(memory),
  });
  const held: Hold = { row: -1, word: 0, numbers: new Float64Array(2) };
  table.hold(...hashOf(table, 'api\nfixed-window', 'held'), true, held);
  held.numbers.set([7, 7]);
  const hot = ['a', 'b', 'c', 'd', 'e'];
  for (let id = 0; id < 5000; id++) {
    api.takeSync(`cold:${id}`);
    for (const key of hot) api.takeSync(key);
  }
  for (const key of hot) assert.equal(api.peekSync(key).remaining, 1e6 - 5000);
  assert.equal(table.letGo(held, true), true);
  assert.ok(table.count() <= 16 * 16);
});

test('limiters of different names and kinds are apart in one memory, and of one name together in two stores', () => {
  const memory = createSharedMemory({ algorithms: [slidingLog({ limit: 20, per: '1m' })] });
  const [here, there] = [sharedMemoryStore(memory), sharedMemoryStore(memory)];
  const algorithm = fixedWindow({ limit: 2, per: '366d' });
  const a = createLimiter({ name: 'a', algorithm, store: here });
  const b = createLimiter({ name: 'b', algorithm, store: here });
  const again = createLimiter({ name: 'a', algorithm, store: there });
  const log = createLimiter({ name: 'a', algorithm: slidingLog({ limit: 20, per: '1m' }), store: here });
  a.takeSync('x', 2);
  assert.equal(again.takeSync('x').allowed, false);
  assert.equal(b.takeSync('x').allowed, true);
  assert.equal(log.takeSync('x', 20).remaining, 0);
  again.refundSync('x');
  assert.equal(a.peekSync('x').remaining, 1);
  again.resetSync('x');
  assert.equal(a.peekSync('x').remaining, 2);
});

test('memory of its own for each limiter: keys that are invented for one push out nobody of another', async () => {
  const memory = { first: createSharedMemory({ keysMax: 64 }), second: createSharedMemory({ keysMax: 64 }) };
  const store = sharedMemoryStore(memory);
  const algorithm = fixedWindow({ limit: 1000, per: '366d' });
  const [first, second] = ['first', 'second'].map((name) => createLimiter({ name, algorithm, store }));
  first!.takeSync('kept', 7);
  for (let id = 0; id < 5000; id++) second!.takeSync(`invented ${id}`);
  assert.equal(first!.peekSync('kept').remaining, 993);
  assert.ok(new SharedTable(memory.second).count() <= 16 * 16);
  assert.throws(() => createLimiter({ name: 'third', algorithm, store }), {
    code: 'OPTIONS_INVALID',
    message: /no memory for limiter “third”; there is some for first, second/,
  });
  // All or none, over both.
  const keys = ['a', 'b', 'c'];
  const apart = { first: createSharedMemory({ keysMax: 64 }), second: createSharedMemory({ keysMax: 64 }) };
  const reports = await inThreads(4, { memory: apart, limit: 5000, keys, takes: 20_000, both: true });
  for (const index of keys.keys()) assert.equal(sum(reports.map(({ granted }) => granted[index]!)), 5000);
});

test('memory that is none, or too small, is refused with what to do', () => {
  assert.throws(() => sharedMemoryStore(new SharedArrayBuffer(8)), {
    code: 'OPTIONS_INVALID',
    message: /made by createSharedMemory/,
  });
  assert.throws(() => sharedMemoryStore(new SharedArrayBuffer(4096)), { code: 'OPTIONS_INVALID' });
  assert.throws(() => sharedMemoryStore(new ArrayBuffer(8) as never), { code: 'OPTIONS_INVALID' });
  assert.throws(() => sharedMemoryStore({}), { code: 'OPTIONS_INVALID' });
  assert.throws(() => sharedMemoryStore({ api: new ArrayBuffer(8) as never }), { code: 'OPTIONS_INVALID' });
  assert.throws(() => createSharedMemory({ keysMax: 0 }), { code: 'OPTIONS_INVALID' });
  assert.throws(() => createSharedMemory({ keysMax: 4e6, algorithms: [slidingLog({ limit: 9999, per: 1 })] }), {
    message: /bytes/,
  });
  const store = sharedMemoryStore(createSharedMemory());
  const algorithm = slidingLog({ limit: 5, per: '1s' });
  assert.throws(() => createLimiter({ name: 'log', algorithm, store }), {
    code: 'OPTIONS_INVALID',
    message: /needs 7 numbers.*option algorithms/,
  });
});
