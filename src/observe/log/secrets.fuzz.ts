/** Whatever is logged: nothing throws, each record is one line of JSON within its bounds, and no secret is in it. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { createLogs, type Logs } from './logs.ts';
import type { Logger } from './logger.ts';

const dir = fs.mkdtempSync(join(tmpdir(), 'spillway-log-fuzz-'));
after(() => fs.rmSync(dir, { recursive: true, force: true }));
let files = 0;

/** The lines that `use` makes, of logs with these options. */
async function linesOf(use: (logs: Logs) => void, options: object = {}): Promise<string[]> {
  const target = join(dir, String(files++));
  await using logs = createLogs({ service: 'fuzz', target, level: 'trace', ...options });
  use(logs);
  await logs.close();
  const text = fs.readFileSync(target, 'utf8');
  fs.rmSync(target);
  return text.split('\n').slice(0, -1);
}

/** All in the record that is not as it should be. */
function assertSound(line: string): void {
  assert.ok(Buffer.byteLength(line) < 16 * 1024, `${Buffer.byteLength(line)} bytes`);
  assert.doesNotMatch(line, /[\p{Cc}\p{Zl}\p{Zp}]/u);
  const record = JSON.parse(line) as Record<string, unknown>;
  for (const key of ['level', 'time', 'service', 'msg']) assert.equal(typeof record[key], 'string', key);
  // A key that is there twice makes the text longer than the value.
  const again = JSON.stringify(record).replaceAll(/[\u007f-\u009f\u2028\u2029]/g, '\\u0000');
  assert.equal(again.length, line.length, 'each key once');
}

const methods = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;

class Rude {
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
  toJSON(): unknown {
    return this.value;
  }
}

function throwing(): never {
  throw new Error('rude');
}

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '\ud800', '\udc00x', 'a\nb\r\n', '\u0085\u2028\u2029\u001b[31m', '%s %d %j %%', '__proto__'),
  fc.integer({ min: 0, max: 6000 }).map((length) => '€\u0000x'.repeat(length)),
  fc.integer({ min: 0, max: 6000 }).map((length) => '\u0001'.repeat(length)),
);
const key = fc.oneof(
  text,
  fc.constantFrom('level', 'time', 'msg', 'service', 'trace_id', 'module', 'cut', 'err', '__proto__', 'constructor'),
  fc.constantFrom(
    'hasOwnProperty',
    'toString',
    'serializers',
    'method',
    'headers',
    'socket',
    'setHeader',
    'url',
    'name',
    'value',
  ),
);

/** How to make a value: the values themselves would break who generates them. */
type Recipe = () => unknown;

const of = (values: fc.Arbitrary<unknown>): fc.Arbitrary<Recipe> => values.map((value) => () => value);
const made = (recipes: readonly Recipe[]): unknown[] => recipes.map((make) => make());

/** Values that were never meant to be logged, of such leaves. */
function hostile(leaf: fc.Arbitrary<Recipe>, name: fc.Arbitrary<string>): fc.Arbitrary<Recipe> {
  return fc.letrec<{ any: Recipe; object: Recipe }>((tie) => {
    const any = tie('any');
    const some = fc.array(any, { maxLength: 6 });
    const members = fc
      .array(fc.tuple(name, any), { maxLength: 6 })
      .map((entries) => () => entries.map(([key, make]) => [key, make()] as const));
    return {
      any: fc.oneof({ maxDepth: 6 }, leaf, tie('object')),
      object: fc.oneof(
        members.map((entries) => () => Object.fromEntries(entries())),
        members.map((entries) => () => Object.assign(Object.create(null) as object, Object.fromEntries(entries()))),
        members.map((entries) => () => new Map(entries())),
        some.map((items) => () => made(items)),
        some.map((items) => () => new Set(made(items))),
        any.map((value) => () => new Rude(value())),
        any.map((value) => () => ({ get lazy(): unknown { return value(); } })), // prettier-ignore
        fc.tuple(any, any).map(
          ([cause, more]) =>
            () =>
              Object.assign(new TypeError('failed', { cause: cause() }), { more: more() }),
        ),
        some.map((errors) => () => new AggregateError(made(errors), 'some')),
        any.map((value) => () => {
          const cycle: Record<string, unknown> = { value: value() };
          cycle['self'] = { cycle };
          return cycle;
        }),
        fc.tuple(any, fc.integer({ min: 0, max: 300 })).map(([value, depth]) => () => {
          let deep = value();
          for (let level = 0; level < depth; level++) deep = { deep };
          return deep;
        }),
        fc.tuple(any, fc.integer({ min: 0, max: 300 })).map(
          ([value, count]) =>
            () =>
              Array<unknown>(count).fill(value()),
        ),
      ),
    };
  }).any;
}

const leaf: fc.Arbitrary<Recipe> = fc.oneof(
  of(text),
  of(
    fc.constantFrom<unknown>(
      null,
      undefined,
      true,
      Number.NaN,
      -0,
      1e300,
      10n ** 30n,
      2n ** 5000n,
      Symbol('s'),
      throwing,
    ),
  ),
  of(
    fc.constantFrom<unknown>(
      new Date(NaN),
      new Date(0),
      Buffer.alloc(9),
      new ArrayBuffer(3),
      new URL('http://h/'),
      /x/g,
    ),
  ),
  fc.constantFrom<Recipe>(
    () => ({ get rude() { return throwing(); } }), // prettier-ignore
    () => ({ toJSON: throwing }),
    () => new Proxy({}, { ownKeys: throwing }),
    () => new Proxy({}, { get: throwing, getPrototypeOf: throwing }),
    () => {
      const { proxy, revoke } = Proxy.revocable([], {});
      revoke();
      return proxy;
    },
    () => Object.defineProperty(new Error('x'), 'stack', { get: throwing }),
    () => Object.defineProperty(new Error('x'), 'message', { get: throwing }),
    () => Object.assign(new Map(), { [Symbol.iterator]: throwing }),
    () => Object.assign(new Set(), { *[Symbol.iterator]() { for (;;) yield {}; } }), // prettier-ignore
  ),
);

function logOne(log: Logger, given: readonly unknown[], at: number): void {
  (log[methods[at % methods.length]!] as (...values: readonly unknown[]) => void)(...given);
}

test('any value, given in any way, becomes one sound line', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(hostile(leaf, key), { maxLength: 4 }), { minLength: 1, maxLength: 8 }),
      async (recipes) => {
        const calls = recipes.map(made);
        const lines = await linesOf((logs) => {
          const log = logs.logger('module');
          for (const [at, given] of calls.entries()) {
            logOne(log, given, at);
            logOne(log.child(given[0] as object).child({ level: at, bound: given[1] }), given.slice(1), at);
          }
        });
        assert.equal(lines.length, 2 * calls.length);
        for (const line of lines) assertSound(line);
      },
    ),
    { numRuns: 100 },
  ));

const SECRET = 'hunter2hunter2';

/** One that holds the secret, however wrapped. */
const secretValue = fc.oneof(
  fc.constantFrom<unknown>(
    SECRET,
    [SECRET],
    { deep: { er: SECRET } },
    new Map([[1, SECRET]]),
    new Rude(SECRET),
    Buffer.from(SECRET),
  ),
  fc.constantFrom<unknown>(new Error(SECRET), `${SECRET}, and more`, { get got() { return SECRET; } }), // prettier-ignore
);
const secretWords = [
  ...[
    'password',
    'passwd',
    'pwd',
    'pass',
    'passphrase',
    'secret',
    'client secret',
    'token',
    'access token',
    'refresh tokens',
  ],
  ...[
    'authorization',
    'proxy authorization',
    'cookie',
    'set cookie',
    'api key',
    'x api key',
    'private key',
    'credentials',
  ],
  ...['session id', 'sid', 'jwt', 'otp', 'pin', 'cvv', 'auth', 'signature', 'home address'],
];
const secretName = fc
  .tuple(fc.constantFrom(...secretWords), fc.constantFrom('', '-', '_', ' ', 'camel', 'upper'), fc.boolean())
  .map(([words, style, isLoud]) => {
    const parts = words.split(' ');
    const name =
      style === 'camel'
        ? parts.map((part, at) => (at === 0 ? part : part[0]!.toUpperCase() + part.slice(1))).join('')
        : parts.join(style === 'upper' ? '_' : style);
    return isLoud || style === 'upper' ? name.toUpperCase() : name;
  });
const openName = fc.constantFrom('user', 'items', 'body', 'headers', 'request', 'config', 'name2', 'x');

/** A value with secrets under names that say so, among others. */
const guarded: fc.Arbitrary<Recipe> = fc
  .tuple(
    secretName,
    secretValue,
    fc.constantFrom('object', 'map', 'headers', 'pairs', 'flat', 'error', 'json', 'labelled', 'lazy'),
  )
  .map(([name, value, form]) => () => {
    const printable = typeof value === 'string' ? value : SECRET;
    const token = name.replaceAll(' ', '-');
    if (form === 'map') return new Map([[name, value]]);
    if (form === 'headers') return new Headers({ [token]: printable });
    if (form === 'pairs') return [['a', 'b'], [name, value]]; // prettier-ignore
    if (form === 'flat') return ['a', 'b', name, value];
    if (form === 'error') return Object.assign(new Error('x', { cause: { [name]: value } }), { [name]: value });
    if (form === 'json') return new Rude({ [name]: value });
    if (form === 'labelled') return { name, value };
    if (form === 'lazy') return { get [name](): unknown { return value; } }; // prettier-ignore
    return { [name]: value };
  });

test('what has a secret name is not in the line, wherever and however it is given', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(hostile(fc.oneof(guarded, leaf), openName), { maxLength: 4 }), { minLength: 1, maxLength: 8 }),
      async (recipes) => {
        const calls = recipes.map(made);
        const lines = await linesOf(
          (logs) => {
            const log = logs.logger();
            for (const [at, given] of calls.entries()) {
              logOne(log, given, at);
              logOne(log, ['%s and %j', ...given], at);
              logOne(log.child({ given }), given, at);
            }
          },
          { redact: ['home address'] },
        );
        for (const line of lines) assert.ok(!line.includes(SECRET), line);
      },
    ),
    { numRuns: 300 },
  ));

/** Texts that hold a secret in a form that gives it away. */
const telling = fc
  .tuple(
    secretName,
    fc.constantFrom(
      'url',
      'query',
      'json',
      'json in json',
      'printed',
      'head',
      'bearer',
      'form',
      'flag',
      'sql',
      'jwt',
      'pem',
    ),
    text,
  )
  .map(([name, form, around]) => {
    const token = name.replaceAll(' ', '-');
    if (form === 'url') return `${around} postgres://shop:${SECRET}@db/shop ${around}`;
    if (form === 'query') return `GET /a?x=1&${token}=${SECRET}&y=2`;
    if (form === 'form') return `${around} ${token}=${SECRET}`;
    if (form === 'json') return JSON.stringify({ around, a: 1, [name]: SECRET, b: 2 });
    if (form === 'json in json')
      return JSON.stringify({ body: JSON.stringify({ [name]: `"${SECRET}",${SECRET}`, b: 2 }) });
    if (form === 'printed') return inspect({ [token.replaceAll('-', '_')]: SECRET });
    if (form === 'flag') return `${around} dump --host db --${token} ${SECRET} --x`;
    if (form === 'sql') return `${around} ALTER ROLE shop PASSWORD '${SECRET}'`;
    if (form === 'jwt') return `${around} eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.${SECRET}`;
    if (form === 'pem') return `-----BEGIN RSA PRIVATE KEY-----\n${SECRET}\n${around}`;
    if (form === 'head') return `${around}\r\nAuthorization: Basic ${SECRET}\r\nCookie: a=${SECRET}; b=${SECRET}\r\n`;
    return `${around} Bearer ${SECRET}`;
  });

test('what a text gives away by its form is not in the line', () =>
  fc.assert(
    fc.asyncProperty(fc.array(telling, { minLength: 1, maxLength: 20 }), async (texts) => {
      const lines = await linesOf(
        (logs) => {
          const log = logs.logger();
          for (const one of texts) {
            log.info(one);
            log.info({ one, nested: [one] }, '%s', one);
            log.error(new Error(one), 'failed');
            log.warn('keys', { [one]: 1, map: new Map([[one, one]]) });
          }
        },
        { redact: ['home address'] },
      );
      for (const line of lines) assert.ok(!line.includes(SECRET), line);
    }),
    { numRuns: 100 },
  ));

test('a path hides what is there, and only that', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(openName, { minLength: 1, maxLength: 5 }),
      fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
      async (names, stars) => {
        const path = names.map((name, at) => (stars[at] === true && names.length > 1 ? '*' : name)).join('.');
        const nest = (value: unknown): unknown =>
          names.reduceRight((inner, name) => ({ [name]: inner, other: 'shown' }), value);
        const [line = ''] = await linesOf((logs) => logs.logger().info(nest(SECRET) as object), {
          redact: [names.length === 1 ? `["${path}"]` : path],
        });
        assert.ok(!line.includes(SECRET), line);
        if (!path.includes('*')) assert.equal(line.split('shown').length - 1, names.length);
      },
    ),
    { numRuns: 100 },
  ));
