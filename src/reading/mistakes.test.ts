import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMistake, MistakeList, type Path } from './mistakes.ts';

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

test('of ten thousand misread values no more are looked up, kept or compared than are told', () => {
  let [located, found, compared] = [0, 0, 0];
  const list = new MistakeList('a.yaml', () => {
    located += 1;
    return { line: 1, column: 1 };
  });
  const finding = () => {
    found += 1;
    return { message: 'wrong' };
  };
  for (let n = 0; n < 10_000; n += 1) list.misread(['services', n, 'weight'], finding);
  const whole: Path = new Proxy<Path>(['services', 0], {
    get: (path, key) => {
      compared += 1;
      return Reflect.get(path, key) as unknown;
    },
  });
  for (let n = 0; n < 100; n += 1) list.error(whole, finding);
  assert.deepEqual([located, found, compared], [200, 200, 0]);
  assert.equal(list.isMisread(['services', 9999, 'weight']), true);
  assert.equal(formatMistake(list.toArray().at(-1)!), 'a.yaml:1:1: and 9800 more.');
});

test('what a rule says of a whole is left out if a part of it was misread, and told if not', () => {
  const list = listOf();
  list.misread(['services', 0, 'weight'], { message: 'misread' });
  list.error(['services', 0], { message: 'of the whole' });
  list.error(['services', 1], { message: 'of another' });
  assert.deepEqual(
    list.toArray().map(({ message }) => message),
    ['misread', 'of another'],
  );
  assert.deepEqual(
    [
      ['services', 0, 'weight'],
      ['services', 0],
    ].map((path) => list.isMisread(path)),
    [true, false],
  );
});
