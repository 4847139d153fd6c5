/**
 * `checkLinearizable` against a checker that anybody can check: every order of every choice of operations, tried one by one. And against
 * histories that are linearizable by how they are made: a sequential run in which each operation is stretched to overlap others.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { checkLinearizable } from './linearizability.ts';
import { fencedMutex, readWriteLock, semaphore } from './lock-models.ts';
import type { Model } from './model.ts';
import { checkHistory, type History, type Operation } from './operation.ts';
import { casRegister, counter, fencedRegister, register } from './register-models.ts';

type AnyModel = Model<unknown, unknown, unknown>;

/** Whether `order` of these is true to real time, and one that the model could have had. */
function explains(model: AnyModel, order: History): boolean {
  for (const [at, later] of order.entries()) {
    for (const earlier of order.slice(0, at))
      if (later.returned !== null && later.returned < earlier.invoked) return false;
  }
  const states = new Map<string, unknown>();
  for (const { input, output, returned } of order) {
    const key = model.key?.(input) ?? '';
    const before = states.has(key) ? states.get(key) : model.init;
    const after = model.step(before, input, returned === null ? undefined : output);
    if (after === undefined) return false;
    states.set(key, after);
  }
  return true;
}

/** Whether there is an order of all that had returned by then, and of any others. */
function bruteForce(model: AnyModel, history: History, by = Infinity): boolean {
  const extend = (order: History, left: History): boolean =>
    explains(model, order) &&
    (left.every(({ returned }) => returned === null || returned > by) ||
      left.some((operation) =>
        extend(
          [...order, operation],
          left.filter((other) => other !== operation),
        ),
      ));
  return extend(
    [],
    history.filter(({ invoked }) => invoked <= by),
  );
}

const value = fc.integer({ min: 0, max: 2 });
const key = fc.constantFrom(undefined, undefined, 'x');
const token = fc.integer({ min: 1, max: 3 });
const read = fc.record({ op: fc.constant('read'), key });

/** For each model what may be asked, and outputs that are right now and then. */
const cases: readonly {
  readonly model: AnyModel;
  readonly input: fc.Arbitrary<unknown>;
  readonly output: fc.Arbitrary<unknown>;
}[] = [
  {
    model: register(0) as AnyModel,
    input: fc.oneof(read, fc.record({ op: fc.constant('write'), key, value })),
    output: value,
  },
  {
    model: casRegister(0) as AnyModel,
    input: fc.oneof(
      read,
      fc.record({ op: fc.constant('write'), key, value }),
      fc.record({ op: fc.constant('cas'), key, from: value, to: value }),
    ),
    output: fc.oneof(value, fc.boolean(), fc.constant(undefined)),
  },
  {
    model: counter(0) as AnyModel,
    input: fc.oneof(read, fc.record({ op: fc.constant('increment'), key })),
    output: fc.oneof(value, fc.constant(undefined)),
  },
  ...[false, true].map((expires) => ({
    model: fencedMutex({ expires }) as AnyModel,
    input: fc.oneof(
      fc.record({ op: fc.constant('acquire'), key }),
      fc.record({ op: fc.constant('release'), key, token }),
    ),
    output: fc.oneof(token, token, fc.boolean(), fc.constant(null)),
  })),
  ...[false, true].map((once) => ({
    model: fencedRegister({ initial: 0, once }) as AnyModel,
    input: fc.oneof(read, fc.record({ op: fc.constant('write'), key, token, value })),
    output: fc.oneof(value, fc.boolean()),
  })),
  {
    model: semaphore(2) as AnyModel,
    input: fc.record({ op: fc.constantFrom('acquire', 'release'), key, permits: fc.constantFrom(undefined, 1, 2) }),
    output: fc.oneof(fc.boolean(), fc.constant(undefined)),
  },
  {
    model: readWriteLock() as AnyModel,
    input: fc.record({ op: fc.constantFrom('acquire', 'release'), key, mode: fc.constantFrom('read', 'write') }),
    output: fc.oneof(fc.boolean(), fc.constant(undefined)),
  },
];

interface Stretch {
  readonly before: number;
  readonly after: number;
  readonly open: boolean;
}

const stretch: fc.Arbitrary<Stretch> = fc.record({
  before: fc.integer({ min: 0, max: 5 }),
  after: fc.integer({ min: 0, max: 5 }),
  open: fc.integer({ min: 0, max: 4 }).map((nth) => nth === 0),
});

/** Each takes effect at its place in the list, and lasts as long as it is stretched; so that processes do one thing, each is its own. */
function stretched(at: number, { before, after, open }: Stretch): Pick<Operation, 'process' | 'invoked' | 'returned'> {
  return { process: at, invoked: 2 * at - before, returned: open ? null : 2 * at + after };
}

/** What the model itself answers: the outputs that fit, one of them taken. */
function sequentialRun(
  model: AnyModel,
  asked: readonly (readonly [unknown, Stretch, number])[],
  outputs: readonly unknown[],
): Operation[] {
  const states = new Map<string, unknown>();
  const history: Operation[] = [];
  for (const [at, [input, shape, choice]] of asked.entries()) {
    const key = model.key?.(input) ?? '';
    const state = states.has(key) ? states.get(key) : model.init;
    // Of what never returned every other had no effect.
    const skipped = shape.open && choice % 2 === 0;
    const fitting = shape.open
      ? [undefined]
      : outputs.filter((output) => model.step(state, input, output) !== undefined);
    const output = fitting[choice % fitting.length];
    const after = fitting.length === 0 ? undefined : model.step(state, input, output);
    if (after === undefined && !skipped) continue;
    if (!skipped) states.set(key, after);
    history.push({ ...stretched(at, shape), input, output });
  }
  return history;
}

for (const { model, input, output } of cases) {
  test(`${model.name}: of small histories it says what trying every order says`, async () => {
    const seen = { true: 0, false: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(input, output, stretch), { maxLength: 6 }), async (asked) => {
        const history = asked.map(([input, output, shape], at): Operation => ({
          ...stretched(at, shape),
          input,
          output,
        }));
        const expected = bruteForce(model, history);
        seen[`${expected}`]++;
        const verdict = await checkLinearizable(model, history);
        assert.equal(verdict.ok, expected);
        if (verdict.ok) {
          assert.ok(explains(model, verdict.order), 'the order explains it');
          const missing = history.filter((operation) => !verdict.order.includes(operation));
          assert.ok(
            missing.every(({ returned }) => returned === null),
            'the order has all that returned',
          );
        } else judgeFailure(model, history, verdict.why);
      }),
      { numRuns: 700 },
    );
    assert.ok(seen.true > 50 && seen.false > 50, `both kinds: ${JSON.stringify(seen)}`);
  });

  test(`${model.name}: a sequential run whose operations are stretched is linearizable`, async () => {
    const outputs = [undefined, null, true, false, 0, 1, 2, 3, 4, 5, 6, 7];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(input, stretch, fc.nat(100)), { minLength: 20, maxLength: 80 }),
        async (asked) => {
          const history = sequentialRun(model, asked, outputs);
          const verdict = await checkLinearizable(model, history);
          assert.equal(verdict.ok, true, verdict.ok === true ? '' : verdict.text);
          assert.ok(explains(model, verdict.order));
        },
      ),
      { numRuns: 200 },
    );
  });
}

/** `ordered` is in order; `at` is the first return by which there is no order; nothing that returned can come next. */
function judgeFailure(
  model: AnyModel,
  history: History,
  {
    key,
    ordered,
    at,
    unplaced,
  }: { readonly key: string; readonly ordered: History; readonly at: Operation; readonly unplaced: History },
): void {
  assert.ok(explains(model, ordered), 'what is ordered is in order');
  assert.ok(unplaced.includes(at));
  const ofKey = history.filter(({ input }) => (model.key?.(input) ?? '') === key);
  const first = ofKey
    .filter(({ returned }) => returned !== null)
    .map(({ returned }) => returned!)
    .toSorted((a, b) => a - b)
    .find((returned) => !bruteForce(model, ofKey, returned));
  assert.equal(at.returned, first, 'it is the first return that no order explains');
  for (const next of unplaced.filter(({ returned }) => returned !== null))
    assert.ok(!explains(model, [...ordered, next]), 'none of those that are left can be next');
}

test('what is made here are histories', () => {
  fc.assert(
    fc.property(fc.array(stretch, { maxLength: 10 }), (shapes) =>
      checkHistory(shapes.map((shape, at) => ({ ...stretched(at, shape), input: null }))),
    ),
  );
});
