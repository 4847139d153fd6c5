import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { applyChange, changeOf, type LiveState, rowsOf, type TableName, tableKeys, tableOf } from './live-model.ts';

// Few names, so that rows come, go and change places, and strings that JSON could trip over.
const name = fc.constantFrom('a', 'b', '__proto__', '', '\u2028"<');
const cell = fc.oneof(fc.nat(3), name, fc.boolean(), fc.constant(null));

const table = (keys: readonly string[]): fc.Arbitrary<unknown> =>
  fc
    .uniqueArray(fc.tuple(fc.tuple(...keys.map(() => name)), cell, cell), {
      selector: ([key]) => JSON.stringify(key),
      maxLength: 5,
    })
    .map((rows) =>
      tableOf(
        [...keys, 'x', 'y'],
        rows.map(([key, x, y]) => ({ ...named(keys, key), x, y }) as never),
      ),
    );

function named(keys: readonly string[], values: readonly unknown[]): object {
  return Object.fromEntries(keys.map((key, at) => [key, values[at]]));
}

const tables = fc.record(
  Object.fromEntries(Object.entries(tableKeys).map(([each, keys]) => [each, table(keys as readonly string[])])),
);

const state = fc.record({
  atMs: fc.nat(),
  gateway: fc.record({ phase: name, lastChange: fc.nat(3) }),
  problems: fc.array(fc.record({ what: name }), { maxLength: 2 }),
  tables,
}) as unknown as fc.Arbitrary<LiveState>;

test('the news of two states lead from the one to the other, over the wire too', () => {
  fc.assert(
    fc.property(state, state, (before, after) => {
      const change = JSON.parse(JSON.stringify(changeOf(before, after))) as ReturnType<typeof changeOf>;
      const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
      assert.deepEqual(plain(applyChange(before, change)), plain(after));
    }),
  );
});

test('without news there is nothing but the time', () => {
  fc.assert(
    fc.property(state, fc.nat(), (before, atMs) => {
      assert.deepEqual(changeOf(before, { ...before, atMs }), { atMs, tables: {} });
    }),
  );
});

test('only the cells that changed are told', () => {
  const of = (requests: number[], names = ['a', 'b', 'c']) =>
    ({ atMs: 0, gateway: {}, problems: [], tables: tablesWith({ name: names, requests }) }) as unknown as LiveState;
  assert.deepEqual(changeOf(of([1, 2, 3]), of([1, 5, 3])).tables, { routes: { columns: { requests: [[1], [5]] } } });
  const other = changeOf(of([1, 2, 3]), of([1, 2, 3], ['a', 'c', 'b'])).tables.routes;
  assert.deepEqual(other, { all: { name: ['a', 'c', 'b'], requests: [1, 2, 3] } });
});

function tablesWith(routes: object): object {
  const empty = (keys: readonly string[]) => Object.fromEntries(keys.map((key) => [key, []]));
  const all = (Object.keys(tableKeys) as TableName[]).map((each) => [each, empty(tableKeys[each])]);
  return { ...Object.fromEntries(all), routes };
}

test('rows and columns are the same in two shapes', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ a: cell, b: cell })), (rows) => {
      assert.deepEqual(
        rowsOf(tableOf(['a', 'b'], rows)),
        rows.map(({ a, b }) => ({ a, b })),
      );
    }),
  );
});
