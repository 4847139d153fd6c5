/** What a page watches: told when it is another, the newest to one that was slow, and by the stream of the feed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminBackend } from '../../../test/admin-backend.ts';
import { LiveReader } from '../../../test/live-reader.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { apiPaths } from './api.ts';
import type { AdminBackend } from './backend.ts';
import { LiveFeed } from './live-feed.ts';
import { type LiveState, tableKeys } from './live-model.ts';
import { type Answered, type AnswerPath, type KnownAnswer, LiveWatches, sameAnswer } from './live-watches.ts';
import type { Watch } from './watch-model.ts';
import { readWatches } from './watch-body.ts';

/** Answers with what stands in `now`, as long as it is not what was told before. */
function answers() {
  const now: Record<string, string | Error> = {};
  const asked: string[] = [];
  const answer: AnswerPath = (path, known) => {
    asked.push(path);
    const text = now[path] ?? 'nothing';
    if (text instanceof Error) return Promise.resolve({ kind: 'problem', status: 503, detail: text.message });
    const isSame = (known as { text: string } | null)?.text === text;
    const whole = JSON.stringify({ kind: 'whole', answer: text });
    return Promise.resolve({ kind: 'news', text: isSame ? sameAnswer : whole, known: { text } });
  };
  return { answer, asked, now };
}

const watch = (id: number, everyS: number, ...paths: string[]) => ({ id, everyS, paths });

test('tells an answer when it is another, as often as it is looked at, and what belongs together in one', async () => {
  const { answer, asked, now } = answers();
  const watches = new LiveWatches();
  const told: string[] = [];
  const run = (second: number) => watches.run(() => second, (data) => told.push(data) > 0); // prettier-ignore
  Object.assign(now, { '/a': 'one', '/b': 'two' });
  watches.set([watch(1, 1, '/a', '/b'), watch(2, 5, '/c')], answer);
  await run(0);
  assert.deepEqual(
    told.map((data) => JSON.parse(data) as unknown),
    [
      { id: 1, answers: [{ kind: 'whole', answer: 'one' }, { kind: 'whole', answer: 'two' }] },
      { id: 2, answers: [{ kind: 'whole', answer: 'nothing' }] },
    ],
  ); // prettier-ignore
  await run(1);
  assert.equal(told.length, 2);
  now['/b'] = 'three';
  await run(2);
  assert.deepEqual(JSON.parse(told[2]!), { id: 1, answers: [{ kind: 'same' }, { kind: 'whole', answer: 'three' }] });
  assert.equal(asked.filter((path) => path === '/c').length, 1);
  await run(5);
  assert.equal(asked.filter((path) => path === '/c').length, 2);
  // What is no longer wanted is no longer asked.
  watches.set([watch(2, 5, '/c')], answer);
  const before = asked.length;
  await run(9);
  assert.equal(asked.length, before);
});

test('a problem is told once, and what is told after it is the whole', async () => {
  const { answer, now } = answers();
  const watches = new LiveWatches();
  const told: unknown[] = [];
  const run = (second: number) => watches.run(() => second, (data) => told.push(JSON.parse(data)) > 0); // prettier-ignore
  watches.set([watch(1, 1, '/a')], answer);
  await run(0);
  now['/a'] = new Error('not now');
  await run(1);
  await run(2);
  delete now['/a'];
  await run(3);
  const whole = { id: 1, answers: [{ kind: 'whole', answer: 'nothing' }] };
  assert.deepEqual(told, [whole, { id: 1, problem: { status: 503, detail: 'not now' } }, whole]);
});

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function feed() {
  const clock = new SimulatedClock();
  const faults: unknown[] = [];
  const tables = Object.fromEntries(
    Object.entries(tableKeys).map(([name, keys]) => [name, Object.fromEntries(keys.map((key) => [key, []]))]),
  );
  const read = (): LiveState => ({ atMs: clock.wallMs(), gateway: {}, problems: [], tables }) as unknown as LiveState;
  return { clock, faults, live: new LiveFeed(clock, read, (error) => faults.push(error)) };
}

test('a page that takes nothing is asked nothing for, and told the newest when it takes something again', async () => {
  const { clock, live } = feed();
  const { answer, asked, now } = answers();
  const reader = new LiveReader();
  live.add(reader, 'a');
  assert.equal(live.watch('b', [], answer), false);
  assert.equal(live.watch('a', [watch(1, 1, '/a')], answer), true);
  await settled();
  assert.equal(reader.answers().length, 1);
  reader.takes = false;
  now['/a'] = 'one';
  clock.pass(1000);
  await settled();
  const before = asked.length;
  for (let second = 0; second < 20; second++) {
    now['/a'] = `of second ${second}`;
    clock.pass(1000);
    await settled();
  }
  assert.equal(asked.length, before);
  reader.takes = true;
  reader.emit('drain');
  clock.pass(1000);
  await settled();
  assert.deepEqual(reader.answers().slice(1), [{ id: 1, answers: [{ kind: 'whole', answer: 'of second 19' }] }]);
});

test('what many watch is answered once a second', async () => {
  const { clock, live } = feed();
  const { answer, asked } = answers();
  const readers = Array.from({ length: 10 }, () => new LiveReader());
  readers.forEach((reader, at) => {
    live.add(reader, String(at));
    live.watch(String(at), [watch(1, 1, '/a')], answer);
  });
  await settled();
  assert.deepEqual(asked, ['/a']);
  clock.pass(1000);
  await settled();
  assert.deepEqual(asked, ['/a', '/a']);
  for (const reader of readers) assert.equal(reader.answers().length, 1);
});

function putWatches(backend: AdminBackend, stream: string, watches: readonly Watch[]): void {
  const body = Buffer.from(JSON.stringify({ watches }));
  const request = { method: 'PUT', names: [stream], query: new URLSearchParams(), headers: {}, body };
  void apiPaths['/api/live/{stream}']!.answer(backend, request);
}

test('others have their turn between any two answers, however much is watched', async () => {
  const { live } = feed();
  let made = 0;
  const state = (): never => ({ made: ++made }) as never;
  const { whole } = adminBackend({ live, state });
  const readers = Array.from({ length: 3 }, () => new LiveReader());
  readers.forEach((reader, at) => {
    live.add(reader, String(at));
    const paths = (id: number): string[] => Array.from({ length: 8 }, (_, path) => `/api/state?${at}.${id}.${path}`);
    putWatches(
      whole,
      String(at),
      [0, 1].map((id) => watch(id, 1, ...paths(id))),
    );
  });
  for (let turn = 0; made < 3 * 2 * 8; turn++) {
    const before = made;
    await settled();
    assert.ok(made - before <= 1, `${made - before} in one turn`);
    assert.ok(turn < 1000);
  }
  await settled();
  for (const reader of readers) assert.equal(reader.answers().length, 2);
});

test('an answer that does not come holds up no other page', async () => {
  const { live } = feed();
  const { whole } = adminBackend({ live, renewToken: () => new Promise(() => {}) });
  const readers = [new LiveReader(), new LiveReader()];
  readers.forEach((reader, at) => live.add(reader, String(at)));
  putWatches(whole, '0', [watch(1, 1, '/api/token')]);
  putWatches(whole, '1', [watch(1, 1, '/api/state')]);
  for (let turn = 0; readers[1]!.answers().length === 0; turn++) {
    await settled();
    assert.ok(turn < 1000);
  }
  assert.deepEqual(readers[0]!.answers(), []);
});

test('what is no answer to whoever may look cannot be watched', async () => {
  const { live } = feed();
  const { whole } = adminBackend({ live });
  const reader = new LiveReader();
  live.add(reader, 'a');
  const paths = [
    '/metrics',
    '/v1/traces',
    '/api/reload',
    '/api/live/a',
    '/api/live',
    '/',
    '/livez',
    '/api/../metrics',
    '/api/%',
    '',
  ];
  putWatches(
    whole,
    'a',
    paths.map((path, id) => watch(id, 1, path)),
  );
  for (let turn = 0; reader.answers().length < paths.length; turn++) {
    await settled();
    assert.ok(turn < 1000);
  }
  for (const told of reader.answers()) assert.equal((told as { problem: { status: number } }).problem.status, 404);
});

test('an answer that throws ends the watching of that page and no other, and is told', async () => {
  const { clock, faults, live } = feed();
  const [good, bad] = [new LiveReader(), new LiveReader()];
  live.add(good, 'good');
  live.add(bad, 'bad');
  live.watch('bad', [watch(1, 1, '/a')], () => Promise.reject(new Error('no answer')));
  await settled();
  clock.pass(1000);
  assert.equal(live.clients, 1);
  assert.match(String(faults), /^Error: no answer$/);
  assert.ok(good.texts.length === 2);
});

test('what is gone while it is answered is told nothing', async () => {
  const { live } = feed();
  const reader = new LiveReader();
  live.add(reader, 'a');
  const made = Promise.withResolvers<Answered>();
  live.watch('a', [watch(1, 1, '/a')], (_path: string, _known: KnownAnswer) => made.promise);
  reader.destroy();
  made.resolve({ kind: 'news', text: sameAnswer, known: null });
  await settled();
  assert.deepEqual(reader.answers(), []);
});

const read = (value: unknown) => readWatches(Buffer.from(JSON.stringify(value)));

test('what is to be watched is read, bounded, and what is wrong with it said', () => {
  const good = watch(1, 60, '/api/slo');
  assert.deepEqual(read({ watches: [{ ...good, more: 1 }] }), [good]);
  assert.deepEqual(read({ watches: [] }), []);
  for (const [given, said] of [
    [[], /The body must be JSON/],
    [{ watched: [] }, /There is no key/],
    [{ watches: Array.from({ length: 25 }, (_, id) => watch(id, 1, '/a')) }, /at most 24/],
    [{ watches: [null] }, /A watch has/],
    [{ watches: [watch(1, 0, '/a')] }, /everyS from 1 to 60/],
    [{ watches: [watch(1, 61, '/a')] }, /everyS/],
    [{ watches: [watch(1, 1)] }, /1 to 8 paths/],
    [{ watches: [watch(1, 1, ...Array<string>(9).fill('/a'))] }, /1 to 8 paths/],
    [{ watches: [watch(1, 1, 'a'.repeat(2049))] }, /paths/],
    [{ watches: [watch(1.5, 1, '/a')] }, /an id/],
    [{ watches: [good, good] }, /the same id/],
  ] as const) {
    assert.match(JSON.stringify(read(given)), said);
  }
});
