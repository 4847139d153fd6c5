import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';
import { type Queued, S3Fifo, USES_MAX } from './s3-fifo.ts';

class Item implements Queued {
  readonly key: string;
  weight: number;
  uses = 0;
  queue: Queued['queue'] = null;
  newer: Queued | null = null;
  older: Queued | null = null;

  constructor(key: string, weight: number) {
    this.key = key;
    this.weight = weight;
  }
}

interface Plain {
  readonly key: string;
  weight: number;
  uses: number;
}

/** Algorithm 1 of the paper, on arrays whose first is the oldest. */
class Naive {
  readonly small: Plain[] = [];
  readonly main: Plain[] = [];
  ghosts: string[] = [];
  readonly #countMax: number;
  readonly #weightMax: number;

  constructor(countMax: number, weightMax: number) {
    this.#countMax = countMax;
    this.#weightMax = weightMax;
  }

  get all(): Plain[] {
    return [...this.small, ...this.main];
  }

  find(key: string): Plain | undefined {
    return this.all.find((entry) => entry.key === key);
  }

  add(key: string, weight: number): string[] {
    const gone = this.#makeRoom(1, weight);
    const known = this.ghosts.includes(key);
    this.ghosts = this.ghosts.filter((ghost) => ghost !== key);
    (known ? this.main : this.small).push({ key, weight, uses: 0 });
    return gone;
  }

  reweigh(key: string, weight: number): string[] {
    this.find(key)!.weight = weight;
    return this.#makeRoom(0, 0);
  }

  remove(key: string): void {
    for (const queue of [this.small, this.main]) {
      const at = queue.findIndex((entry) => entry.key === key);
      if (at >= 0) queue.splice(at, 1);
    }
  }

  #makeRoom(count: number, weight: number): string[] {
    const gone: string[] = [];
    const weightOf = (queue: readonly Plain[]): number => queue.reduce((sum, entry) => sum + entry.weight, 0);
    while (this.all.length + count > this.#countMax || weightOf(this.all) + weight > this.#weightMax) {
      const isSmallFull =
        this.small.length > this.#countMax / 10 ||
        weightOf(this.small) > this.#weightMax / 10 ||
        this.main.length === 0;
      if (isSmallFull && this.small.length > 0) {
        const entry = this.small.shift()!;
        if (entry.uses >= 2) this.main.push({ ...entry, uses: 0 });
        else {
          gone.push(entry.key);
          this.ghosts = [...this.ghosts.filter((ghost) => ghost !== entry.key), entry.key];
          const max = Math.max(this.main.length, Math.ceil(this.#countMax / 10));
          const weight = (): number => 2 * this.ghosts.join('').length;
          const isMore = (share: number): boolean =>
            this.ghosts.length > Math.ceil(share * max) || weight() > (share * this.#weightMax) / 10;
          if (isMore(1))
            do this.ghosts.shift();
            while (isMore(7 / 8));
        }
      } else {
        const entry = this.main.shift()!;
        if (entry.uses > 0) this.main.push({ ...entry, uses: entry.uses - 1 });
        else gone.push(entry.key);
      }
    }
    return gone;
  }
}

const WEIGHT_MAX = 600;
const operation = fc.record({
  verb: fc.constantFrom('ask', 'ask', 'ask', 'ask', 'remove', 'reweigh'),
  key: fc.nat(24).map(String),
  weight: fc.integer({ min: 10, max: 120 }),
});

test('any series of requests: the same entries leave, in the same order, as in the algorithm on plain arrays', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.array(operation, { maxLength: 200, size: 'max' }),
      (countMax, operations) => {
        const policy = new S3Fifo<Item>(countMax, WEIGHT_MAX);
        const naive = new Naive(countMax, WEIGHT_MAX);
        const items = new Map<string, Item>();
        for (const { verb, key, weight } of operations) {
          const item = items.get(key);
          const gone: string[] = [];
          let expected: string[] = [];
          const leaves = (evicted: Item): void => {
            items.delete(evicted.key);
            gone.push(evicted.key);
          };
          if (item === undefined) {
            if (verb !== 'ask') continue;
            const added = new Item(key, weight);
            policy.add(added, leaves);
            items.set(key, added);
            expected = naive.add(key, weight);
          } else if (verb === 'ask') {
            item.uses = Math.min(USES_MAX, item.uses + 1);
            naive.find(key)!.uses = item.uses;
          } else if (verb === 'remove') {
            policy.remove(item);
            items.delete(key);
            naive.remove(key);
          } else {
            policy.reweigh(item, weight, leaves);
            expected = naive.reweigh(key, weight);
          }
          assert.deepEqual(gone, expected);
          assert.deepEqual([...items.keys()].toSorted(), naive.all.map((entry) => entry.key).toSorted());
          assert.equal(policy.count, naive.all.length);
          assert.equal(
            policy.weight,
            naive.all.reduce((sum, entry) => sum + entry.weight, 0),
          );
          assert.equal(policy.ghosts, naive.ghosts.length);
          assert.ok(policy.count <= countMax && policy.weight <= WEIGHT_MAX);
        }
      },
    ),
  );
});

test('what is asked for once, however much, drives nothing out that is asked for twice', () => {
  const policy = new S3Fifo<Item>(100, 1e9);
  const there = new Set<string>();
  const add = (key: string): Item => {
    const item = new Item(key, 1);
    policy.add(item, (evicted) => there.delete(evicted.key));
    there.add(key);
    return item;
  };
  for (let nth = 0; nth < 50; nth++) add(`busy-${nth}`).uses = 2;
  for (let nth = 0; nth < 10_000; nth++) add(`scan-${nth}`);
  for (let nth = 0; nth < 50; nth++) assert.ok(there.has(`busy-${nth}`), String(nth));
  assert.ok(policy.ghosts <= 100);
});

test('keys that are remembered are bounded by what they take, however few entries there is room for', () => {
  const policy = new S3Fifo<Item>(10_000, 64e6);
  const letters = 100_000;
  for (let nth = 0; nth < 1000; nth++) policy.add(new Item(String(nth).padEnd(letters, 'x'), 2 * letters), () => {});
  assert.ok(policy.ghosts > 10 && policy.ghosts * 2 * letters <= 6.4e6, `${policy.ghosts} ghosts`);
});
