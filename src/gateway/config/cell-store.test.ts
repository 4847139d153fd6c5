/** Places for endpoints: those of a config that is replaced keep theirs until the next one is in force. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { snapshotOf } from '../../../test/engine/plans.ts';
import { Loads } from '../../balance/index.ts';
import type { SpillwayError } from '../../kernel/errors.ts';
import type { Snapshot } from '../snapshot.ts';
import { CellStore, ENDPOINTS_MAX } from './cell-store.ts';

/** A config whose one service has endpoints of these names. */
function named(ids: readonly string[]): Snapshot {
  const snapshot = snapshotOf([1]);
  const [service] = snapshot.services;
  const [endpoint] = service!.endpoints;
  return { ...snapshot, services: [{ ...service!, name: 'shop', endpoints: ids.map((id) => ({ ...endpoint!, id })) }] };
}

function place(store: CellStore, ids: readonly string[]): number[] {
  return ids.map((id) => store.loadSlot('shop', id));
}

const namesOf = (generation: string, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `${generation}${at}`);

test('more endpoints than have room beside those before are refused, and it is said how many have', () => {
  const store = new CellStore(2);
  const before = namesOf('old', 40_000);
  const [first] = place(store, before);
  store.retain(named(before));
  const isFull = (error: SpillwayError): boolean => {
    assert.equal(error.code, 'ENDPOINTS_FULL');
    assert.match(
      error.message,
      /^There is room for 65536 endpoints.*: 40000 do\. 0 that .* So 25536 new ones can come now/,
    );
    return !error.retryable;
  };
  assert.throws(() => place(store, namesOf('new', 40_000)), isFull);
  // What was refused holds nothing.
  store.retain(named(before));
  const half = namesOf('new', ENDPOINTS_MAX - 40_000);
  place(store, half);
  assert.throws(() => place(store, ['one more']), isFull);
  // In two steps; one that has left and has a request still keeps its place.
  new Loads(store.loads, 1).started(first!, 0);
  store.retain(named(half));
  const isAlmost = (error: SpillwayError): boolean => {
    assert.match(error.message, /: 25536 do\. 1 that .* So 39999 new ones/);
    return error.retryable;
  };
  assert.throws(() => place(store, namesOf('newer', 40_000)), isAlmost);
  new Loads(store.loads, 1).finished(first!);
  assert.equal(place(store, ['newer39999']).length, 1);
});
