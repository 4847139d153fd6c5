import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveReader } from '../../../test/live-reader.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { LiveFeed } from './live-feed.ts';
import { type LiveState, tableKeys } from './live-model.ts';

function feed() {
  const clock = new SimulatedClock();
  let reads = 0;
  const faults: unknown[] = [];
  const tables = Object.fromEntries(
    Object.entries(tableKeys).map(([name, keys]) => [name, Object.fromEntries(keys.map((key) => [key, []]))]),
  );
  const state = { isBroken: false };
  const read = (): LiveState => {
    if (state.isBroken) throw new Error('no state');
    return { atMs: ++reads, gateway: {}, problems: [], tables } as unknown as LiveState;
  };
  return { clock, faults, live: new LiveFeed(clock, read, (error) => faults.push(error)), reads: () => reads, state };
}

test('tells the whole at once, then the news each second, and reads nothing while nobody looks', () => {
  const { clock, live, reads } = feed();
  clock.pass(10_000);
  assert.equal(reads(), 0);
  const reader = new LiveReader();
  live.add(reader, reader.stream);
  assert.deepEqual(reader.events(), ['whole']);
  clock.pass(3000);
  assert.deepEqual(reader.events(), ['whole', 'change', 'change', 'change']);
  reader.emit('close');
  const before = reads();
  clock.pass(10_000);
  assert.equal(reads(), before);
  assert.equal(live.clients, 0);
  // What it knew is of an hour ago: whoever looks next is told of now.
  const next = new LiveReader();
  live.add(next, next.stream);
  assert.equal(reads(), before + 1);
  assert.deepEqual(next.events(), ['whole']);
});

test('reads once a second, however many look', () => {
  const { clock, live, reads } = feed();
  const readers = Array.from({ length: 64 }, () => new LiveReader());
  for (const reader of readers) live.add(reader, reader.stream);
  assert.equal(live.isFull, true);
  assert.equal(reads(), 1);
  clock.pass(1000);
  assert.equal(reads(), 2);
  for (const reader of readers) assert.deepEqual(reader.events(), ['whole', 'change']);
  readers[0]!.emit('close');
  assert.equal(live.isFull, false);
});

test('of one that reads too slowly nothing is kept: it misses what it cannot take, and is told the whole then', () => {
  const { clock, live } = feed();
  const [slow, quick] = [new LiveReader(), new LiveReader()];
  live.add(slow, slow.stream);
  live.add(quick, quick.stream);
  slow.takes = false;
  clock.pass(1000);
  assert.deepEqual(slow.events(), ['whole', 'change']);
  clock.pass(20_000);
  assert.equal(slow.texts.length, 2);
  assert.equal(quick.texts.length, 22);
  slow.takes = true;
  slow.emit('drain');
  clock.pass(2000);
  assert.deepEqual(slow.events().slice(2), ['whole', 'change']);
  assert.match(slow.texts.at(-1)!, /"atMs":24/);
  assert.equal(
    quick
      .events()
      .slice(1)
      .every((event) => event === 'change'),
    true,
  );
});

test('more than fits into a buffer at once is no reason to tell the whole again', () => {
  const { clock, live } = feed();
  const reader = new LiveReader();
  reader.takes = false;
  live.add(reader, reader.stream);
  for (let second = 0; second < 3; second++) {
    reader.emit('drain');
    clock.pass(1000);
  }
  assert.deepEqual(reader.events(), ['whole', 'change', 'change', 'change']);
});

test('one that takes nothing any more is cut, and its place is free', () => {
  const { clock, live } = feed();
  const reader = new LiveReader();
  reader.takes = false;
  live.add(reader, reader.stream);
  clock.pass(29_000);
  assert.equal(live.clients, 1);
  clock.pass(1000);
  assert.equal(live.clients, 0);
  assert.equal(reader.texts.length, 1);
});

test('a state that cannot be read ends the watching and not the thread, and is told; whoever comes later is told the whole', () => {
  const { clock, faults, live, state } = feed();
  const readers = [new LiveReader(), new LiveReader()];
  for (const reader of readers) live.add(reader, reader.stream);
  state.isBroken = true;
  clock.pass(1000);
  assert.equal(live.clients, 0);
  assert.match(String(faults), /^Error: no state$/);
  assert.throws(() => live.add(new LiveReader(), 'a'), /no state/);
  assert.equal(live.clients, 0);
  state.isBroken = false;
  const next = new LiveReader();
  live.add(next, next.stream);
  clock.pass(1000);
  assert.deepEqual(next.events(), ['whole', 'change']);
});
