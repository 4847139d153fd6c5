import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import type { Path } from './mistakes.ts';
import { readYaml, readYamlStream } from './yaml-source.ts';

const read = (text: string) => readYaml(text, 'f.yaml');
const complaints = (text: string): string[] => read(text).mistakes.map((m) => `${m.line}:${m.column} ${m.message}`);
const at = (text: string, path: Path, part?: 'key' | 'value'): string => {
  const { line, column } = read(text).locate(path, part);
  return `${line}:${column}`;
};

test('YAML 1.2: off, no and yes are words', () => {
  assert.deepEqual(read('a: off\nb: no\nc: true\n').value, { a: 'off', b: 'no', c: true });
});

test('JSON is read as well', () => {
  assert.deepEqual(read('{"a": [1, "x"]}').value, { a: [1, 'x'] });
});

test('keys and values are found where they stand', () => {
  const text = 'a:\n  - b: 1\n    c: {d: [x, yy]}\n';
  assert.equal(at(text, ['a', 0, 'b']), '2:8');
  assert.equal(at(text, ['a', 0, 'b'], 'key'), '2:5');
  assert.equal(at(text, ['a', 0, 'c', 'd', 1]), '3:16');
  assert.equal(at(text, ['a', 0, 'missing', 'deeper']), '2:5');
  assert.equal(at(text, ['a', 7]), '2:3');
  assert.equal(at(text, []), '1:1');
});

test('values behind aliases and merge keys are found where they are written', () => {
  const text = 'base: &base\n  idle: 4s\nuse:\n  <<: *base\n  more: 1\nlist: [*base]\n';
  assert.deepEqual((read(text).value as { use: unknown }).use, { idle: '4s', more: 1 });
  assert.equal(at(text, ['use', 'idle']), '2:9');
  assert.equal(at(text, ['use', 'more']), '5:9');
  assert.equal(at(text, ['list', 0, 'idle'], 'key'), '2:3');
});

test('what would be lost or has no end is refused, with its place', () => {
  assert.deepEqual(complaints('a: 1\nb: 2\na: 3\n'), ['3:1 the key "a" stands here for the second time']);
  assert.deepEqual(complaints('x: {a: 1, a: 2}'), ['1:11 the key "a" stands here for the second time']);
  assert.deepEqual(complaints('a: *b\n'), ['1:4 no anchor &b stands before this alias']);
  assert.deepEqual(complaints('a: &a\n  b: *a\n'), ['2:6 the alias *a stands inside what it names']);
  assert.deepEqual(complaints('a: 1\n---\nb: 2\n'), ['2:1 a second document begins here; a config is one document']);
  assert.match(complaints('a: !include other.yaml')[0] ?? '', /^1:4 this is not YAML: Unresolved tag/);
});

test('an address in brackets without quotes gets a hint', () => {
  for (const address of ['[::1]:8080', '[::]:8080', '::', '::1:8080 :'])
    assert.match(complaints(`a:\n  b: ${address}\n`)[0] ?? '', /^2:\d+ .*in brackets and quotes/, address);
});

test('what is no text is said to be none, with its place', () => {
  const utf16 = Buffer.from('listeners: []', 'utf16le').toString('utf8');
  assert.deepEqual(complaints(utf16), ['1:2 this is not text: the control character U+0000 stands here']);
  assert.deepEqual(complaints('a: 1\nb: x\u0007y\n'), [
    '2:5 this is not text: the control character U+0007 stands here',
  ]);
  const latin1 = Buffer.from('a: 1 # für\n', 'latin1').toString('utf8');
  assert.deepEqual(complaints(latin1), ['1:9 this is not text: bytes that are not UTF-8 stand here']);
  assert.deepEqual(complaints('\uFEFFa: "für \u{1F600}"\r\n\tb: 1'.replace('\tb: 1', '')), []);
});

test('one slip gives few mistakes', () => {
  assert.ok(complaints('a: "\n'.repeat(100)).length <= 5);
});

test('RFC 8259 §9: a file made to exhaust is refused: size, nesting, aliases of aliases', () => {
  assert.deepEqual(complaints('x'.repeat(2 ** 20 + 1)), ['1:1 the file is larger than 1 MB']);
  for (const deep of ['[', '{a: ', '- ', '? ', '[{a: ']) {
    assert.match(complaints(deep.repeat(50_000))[0] ?? '', /nested more than 100 levels/, deep);
  }
  const steps = Array.from({ length: 1000 }, (_, level) => `${' '.repeat(level * 2 + 10)}a:`).join('\n');
  assert.match(complaints(steps)[0] ?? '', /nested more than 100 levels/);
  const nine = (name: string) => `[${Array.from({ length: 9 }, () => name).join(',')}]`;
  const laughs = Array.from({ length: 9 }, (_, level) => `l${level + 1}: &l${level + 1} ${nine(`*l${level}`)}`);
  assert.match(complaints(`l0: &l0 ${nine('x')}\n${laughs.join('\n')}`)[0] ?? '', /aliases .* stand for too much/);
});

test('a hundred thousand keys are read in linear time', () => {
  // Bounded by the runner's timeout: the parser's own check of duplicates would take a minute.
  const text = Array.from({ length: 90_000 }, (_, key) => `k${key}: 1`).join('\n');
  assert.equal(Object.keys(read(text).value as object).length, 90_000);
});

test('__proto__ is a key like any other', () => {
  const value = read('__proto__: {polluted: 1}').value as object;
  assert.deepEqual(Object.keys(value), ['__proto__']);
  assert.equal(Object.hasOwn(Object.prototype, 'polluted'), false);
});

test('any text: a value or mistakes with a place in it, and never an exception', () => {
  const piece = fc.constantFrom(
    'a',
    ': ',
    '- ',
    '[',
    ']',
    '{',
    '}',
    '\n',
    '  ',
    '&a ',
    '*a ',
    '<<: ',
    '"',
    "'",
    '#',
    '|',
    '>',
    '%',
    '!x',
    '? ',
    '\t',
    '\r',
    '\u0000',
    '\u{1f600}',
    ',',
    '---',
    '1',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join('')),
      ),
      (text) => {
        const source = read(text);
        assert.equal(source.value === undefined, source.mistakes.length > 0);
        for (const { line, column } of source.mistakes)
          assert.ok(line >= 1 && column >= 1 && line <= text.split(/\r\n|\r|\n/).length + 1);
      },
    ),
    { numRuns: 2000 },
  );
});

test('any data: written as YAML it reads the same, and the place of each value holds it', () => {
  const key = fc.stringMatching(/^[a-z]{1,6}$/);
  const { tree } = fc.letrec<{ tree: unknown; leaf: unknown }>((tie) => ({
    leaf: fc.oneof(fc.stringMatching(/^[a-z]{1,8}x$/), fc.nat()),
    tree: fc.oneof(
      { maxDepth: 4 },
      tie('leaf'),
      fc.array(tie('tree'), { minLength: 1, maxLength: 4 }),
      fc.dictionary(key, tie('tree'), { minKeys: 1, maxKeys: 4 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (data) => {
      const text = stringify(data, { lineWidth: 0 });
      const source = read(text);
      assert.deepEqual(source.value, JSON.parse(JSON.stringify(data)));
      const rows = text.split('\n');
      for (const [path, leaf] of leaves(data, [])) {
        const { line, column } = source.locate(path);
        assert.ok(
          (rows[line - 1] ?? '').slice(column - 1).startsWith(String(leaf)),
          `${JSON.stringify(path)} in ${text}`,
        );
      }
    }),
  );
});

function leaves(value: unknown, path: Path): [Path, unknown][] {
  if (typeof value !== 'object' || value === null) return [[path, value]];
  const steps: [string | number, unknown][] = Array.isArray(value)
    ? value.map((item, index) => [index, item])
    : Object.entries(value);
  return steps.flatMap(([step, item]) => leaves(item, [...path, step]));
}

test('a stream of documents is a list of them, and a place is found through the number of one', () => {
  const source = readYamlStream('kind: a\n---\nkind: b\nspec:\n  x: 1\n', 'f.yaml');
  assert.deepEqual(source.value, [{ kind: 'a' }, { kind: 'b', spec: { x: 1 } }]);
  assert.deepEqual(source.locate([1, 'spec', 'x']), { line: 5, column: 6 });
  assert.deepEqual(source.locate([7, 'spec']), { line: 1, column: 1 });
  assert.match(readYamlStream('a: 1\n---\nb: 1\nb: 2\n', 'f.yaml').mistakes[0]?.message ?? '', /second time/);
  assert.match(
    readYamlStream('a: 1\n---\n'.repeat(600), 'f.yaml').mistakes[0]?.message ?? '',
    /more than 500 documents/,
  );
});
