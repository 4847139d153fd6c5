import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMistake, MistakeList } from './mistakes.ts';

const listOf = () => new MistakeList('a.yaml', () => ({ line: 1, column: 1 }));
const tell = (list: MistakeList, severity: 'error' | 'warning', count: number): void => {
  for (let n = 0; n < count; n++) list[severity]([], { message: `${severity} ${n}` });
};

test('an error behind a thousand warnings is told, and keeps the file from being used', () => {
  const list = listOf();
  tell(list, 'warning', 1000);
  assert.equal(list.hasErrors, false);
  tell(list, 'error', 1);
  assert.equal(list.hasErrors, true);
  const all = list.toArray();
  assert.deepEqual(
    all.filter(({ severity }) => severity === 'error').map(({ message }) => message),
    ['error 0'],
  );
  assert.deepEqual([all.length, formatMistake(all.at(-1)!)], [202, 'a.yaml:1:1: warning: and 800 more.']);
});

test('of a thousand errors the first are told, and how many more there are; no warning is lost for them', () => {
  const list = listOf();
  tell(list, 'error', 1000);
  tell(list, 'warning', 1);
  const all = list.toArray();
  assert.deepEqual([all.length, formatMistake(all.at(-1)!)], [202, 'a.yaml:1:1: and 800 more.']);
  assert.equal(all.filter(({ severity }) => severity === 'warning').length, 1);
});
