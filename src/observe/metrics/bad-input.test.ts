/** Whatever a caller without types gives: a refusal with a code, or something counted as refused, and never an error of the language. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from './metrics.ts';

const bare: unknown = Object.create(null);
const round: { self?: unknown } = {};
round.self = round;
const atoms = [Symbol('s'), null, 5n, {}, bare, round, (): number => 1, Number.NaN, -1, '', 'x', true];
const given: readonly unknown[] = [...atoms, ...atoms.map((one) => [one]), [1, Symbol('s')]];

/** Any method with anything for an argument. */
type Loose = Record<string, (...all: readonly unknown[]) => Loose>;

function tried(what: string, call: () => unknown): void {
  try {
    call();
  } catch (error) {
    assert.equal((error as { readonly code?: string }).code, 'OPTIONS_INVALID', `${what}: ${String(error)}`);
  }
}

const options = {
  counter: { name: 'x_total', help: 'H.', labels: ['a'] },
  gauge: { name: 'x', help: 'H.', labels: ['a'] },
  histogram: { name: 'x', help: 'H.', labels: ['a'] },
  rows: { name: 'x', help: 'H.', labels: ['a'], rowsMax: 3 },
};
const keys = ['name', 'help', 'labels', 'seriesMax', 'bounds', 'range', 'rowsMax', 'shown'];

for (const [type, right] of Object.entries(options)) {
  test(`metrics.${type}: any option of any type is taken or refused with a code`, () => {
    const define = (wrong: unknown) => (): unknown => (createMetrics() as unknown as Loose)[type]!(wrong);
    for (const [at, value] of given.entries()) {
      tried(`in place of options, ${at}`, define(value));
      for (const key of keys) tried(`${key}, ${at}`, define({ ...right, [key]: value }));
    }
  });
}

for (const [type, method] of [
  ['counter', 'add'],
  ['gauge', 'set'],
  ['gauge', 'add'],
  ['histogram', 'observe'],
] as const) {
  test(`a ${type} is never thrown out of ${method}, and its labels are refused with a code`, () => {
    const family = (createMetrics() as unknown as Loose)[type]!(options[type]);
    const bound = family['bind']!({ a: 'b' });
    for (const [at, value] of given.entries()) {
      bound[method]!(value);
      tried(`labels, ${at}`, () => family['bind']!(value));
      tried(`a label, ${at}`, () => family['bind']!({ a: value }));
    }
  });
}

test('rows: no value throws, and labels are cut to what there is room for or refused with a code', () => {
  const rows = (createMetrics() as unknown as Loose)['rows']!(options.rows);
  const row = rows['open']!({ a: 'b' }, 1);
  for (const [at, value] of given.entries()) {
    row['set']!(value);
    assert.equal(rows['open']!({ a: 'b' }, value), null);
    tried(`labels, ${at}`, () => rows['open']!(value, 1)?.['close']!());
    rows['open']!({ a: value }, 1)['close']!();
  }
});

test('createMetrics, expose and watch: any option of any type is taken or refused with a code', () => {
  const create = createMetrics as unknown as (wrong: unknown) => Loose;
  for (const [at, value] of given.entries()) {
    tried(`in place of options, ${at}`, () => create(value));
    for (const key of ['memoryBytes', 'clock']) tried(`${key}, ${at}`, () => create({ [key]: value }));
    tried(`accept, ${at}`, () => create({})['expose']!(value));
    tried(`a worker, ${at}`, () => create({})['watch']!(value));
  }
});
