import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { operationOf, withoutValues } from './sql-text.ts';

const shown: Readonly<Record<string, string>> = {
  "SELECT * FROM users WHERE name = 'O''Brien' AND age > 42": 'SELECT * FROM users WHERE name = ? AND age > ?',
  'select $1, t1.c2 from "t 1" as t1 limit 10': 'select $1, t1.c2 from "t 1" as t1 limit ?',
  "SELECT E'it\\'s secret', 1": 'SELECT ?, ?',
  "SELECT U&'d\\0061t', x'1f'": 'SELECT U&?',
  'SELECT $$secret$$, $a$secret $$ too$a$ FROM t': 'SELECT ?, ? FROM t',
  "SELECT 1 -- secret 'x\nFROM t /* also 'secret */ WHERE a=-1.5e3": 'SELECT ? FROM t WHERE a=-?',
  "SELECT 'never ends": 'SELECT ?',
  'SELECT $$ never ends': 'SELECT ?',
  "SELECT 'a\\', secret FROM t": 'SELECT ?',
  'SELECT "a""b\'c" FROM t': 'SELECT "a""b\'c" FROM t',
  'INSERT INTO t(a)\n  VALUES (1,\t2)': 'INSERT INTO t(a) VALUES (?, ?)',
};

for (const [sql, expected] of Object.entries(shown)) {
  test(JSON.stringify(sql), () => assert.equal(withoutValues(sql), expected));
}

test('no text in quotes is shown, whatever is in it and around it', () => {
  const around = fc.constantFrom('SELECT ', ' , ', ' FROM t WHERE a = ', '"q" ', ' /* c */ ', ' 5 ', '\n', " ''");
  const value = fc.string({
    unit: fc.constantFrom('a', '"', '$', '-', '/', '*', ' ', '\n', "''", '1', '\\'),
    maxLength: 8,
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(around, value), { maxLength: 8 }), (parts) => {
      const sql = parts.map(([before, text]) => `${before}'SECRET${text}SECRET'`).join(' ');
      assert.doesNotMatch(withoutValues(sql), /SECRET/, sql);
    }),
    { numRuns: 2000 },
  );
});

test('a statement of any length takes bounded work, and what begins it is its operation', () => {
  assert.ok(withoutValues(`SELECT ${'1,'.repeat(100_000)}`).length <= 4000);
  for (const hostile of [
    '('.repeat(100_000),
    '-- \n'.repeat(50_000),
    '/**/'.repeat(50_000),
    "'".repeat(100_001),
    '$a'.repeat(50_000),
  ]) {
    withoutValues(hostile);
    operationOf(hostile);
  }
  assert.deepEqual(
    ['  select 1', '-- c\n/* d */ (SELECT 1)', 'DELETE FROM t', 'secret', '', 'WITH a AS (SELECT 1) SELECT'].map(
      operationOf,
    ),
    ['SELECT', 'SELECT', 'DELETE', '_OTHER', '_OTHER', 'WITH'],
  );
});
