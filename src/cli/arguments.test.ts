import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatHelp, parseArguments } from './arguments.ts';
import { type CommandSpec, UsageError } from './command.ts';

const spec: CommandSpec = {
  usage: 'do THING [options]',
  description: ['Does it, and says what came of it.', 'Exit code 0: it is done.'],
  options: {
    json: { type: 'boolean', summary: 'As JSON.' },
    file: { type: 'string', short: 'f', value: 'FILE', summary: 'Which.' },
    header: { type: 'string', short: 'H', multiple: true, summary: 'A field.' },
  },
  positionalsMax: 1,
  examples: ['spillway do it'],
};

const parse = (...args: string[]) => parseArguments(spec, args);

test('values are read in each way they are written', () => {
  const args = parse('thing', '--json', '-f', 'a', '-H', 'x: 1', '--header=y: 2');
  assert.deepEqual(args.positionals, ['thing']);
  assert.equal(args.flag('json'), true);
  assert.equal(args.text('file'), 'a');
  assert.deepEqual(args.texts('header'), ['x: 1', 'y: 2']);
  const none = parse();
  assert.equal(none.flag('json'), false);
  assert.equal(none.text('file'), null);
  assert.deepEqual(none.texts('header'), []);
});

test('what follows -- is no option', () => {
  assert.deepEqual(parse('--', '--json').positionals, ['--json']);
});

const wrong: readonly (readonly [string[], RegExp])[] = [
  [['--jsno'], /no option --jsno\. Did you mean --json\?/],
  [['--zzzzzz'], /no option --zzzzzz; there are --json, --file, --header, --help/],
  [['-x'], /no option -x/],
  [['--json=yes'], /--json takes no value, and was given "yes"/],
  [['--file'], /--file needs a value: --file FILE/],
  [['--file='], /--file needs a value/],
  [['-f', 'a', '-f', 'b'], /-f is given twice/],
  [['a', 'b'], /"b" is one argument too many/],
  [['--constructor'], /no option --constructor/],
  [['--__proto__', 'x'], /no option --__proto__/],
];

for (const [args, message] of wrong) {
  test(`refused: ${args.join(' ')}`, () => {
    assert.throws(
      () => parse(...args),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  });
}

test('the help lists every option with its value', () => {
  const help = formatHelp(spec, 80);
  for (const part of [
    'Usage: spillway do THING',
    '--json',
    '-f, --file FILE',
    '-H, --header VALUE',
    '-h, --help',
    'spillway do it',
  ]) {
    assert.ok(help.includes(part), part);
  }
});

test('the help fits its width: paragraphs, options and usage go on below where they began', () => {
  const help = formatHelp({ ...spec, description: ['word '.repeat(40).trim(), 'Exit code 0.'] }, 60);
  for (const line of help.split('\n')) assert.ok(line.length <= 60, line);
  assert.match(help, /word\n\nExit code 0\.\n\nOptions:/);
  const long = { json: { type: 'boolean', summary: 'x '.repeat(40).trim() } } as const;
  assert.match(formatHelp({ ...spec, options: long }, 60), /--json {2}x [x ]*\n {14}x/);
});
