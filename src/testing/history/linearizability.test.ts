/** The examples of the literature, planted faults, and what a verdict says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../kernel/random.ts';
import { checkLinearizable } from './linearizability.ts';
import { fencedMutex } from './lock-models.ts';
import type { Model } from './model.ts';
import type { Operation } from './operation.ts';
import { casRegister, counter, fencedRegister, register } from './register-models.ts';

interface Queueing {
  readonly op: 'enqueue' | 'dequeue';
  readonly item?: string;
}

/** A queue, as in the paper; a dequeue from an empty one does not return. */
const queue: Model<readonly string[], Queueing, string> = {
  name: 'queue',
  init: [],
  identity: (items) => items.join(' '),
  step(items, { op, item }, output) {
    if (op === 'enqueue') return [...items, item!];
    return items.length > 0 && (output === undefined || output === items[0]) ? items.slice(1) : undefined;
  },
};

/** `A write 1 [1 4]`, the last two being call and return. */
function op<Input, Output = never>(
  process: string,
  [invoked, returned]: readonly [number, number | null],
  input: Input,
  output?: Output,
): Operation<Input, Output> {
  return { process, invoked, returned, input, output };
}

const enqueue = (item: string): Queueing => ({ op: 'enqueue', item });
const dequeue: Queueing = { op: 'dequeue' };
const write = (value: number) => ({ op: 'write', value }) as const;
const read = { op: 'read' } as const;

async function verdictOf<State, Input, Output>(
  model: Model<State, Input, Output>,
  history: readonly Operation<Input, Output>[],
) {
  return (await checkLinearizable(model, history)).ok;
}

test('after Herlihy and Wing, figure 1: the queues that are acceptable and those that are not', async () => {
  const h1 = [
    op('A', [1, 4], enqueue('x')),
    op('B', [2, 5], enqueue('y')),
    op('B', [6, 8], dequeue, 'x'),
    op('A', [7, 9], dequeue, 'y'),
    op('A', [10, 12], enqueue('z')),
  ];
  const h2 = [op('A', [1, 2], enqueue('x')), op('B', [3, 4], enqueue('y')), op('A', [5, 7], dequeue, 'y')];
  const h3 = [op('A', [1, 3], enqueue('x')), op('B', [2, 4], dequeue, 'x')];
  const h4 = [
    op('A', [1, 4], enqueue('x')),
    op('B', [2, 5], enqueue('y')),
    op('A', [6, 8], dequeue, 'y'),
    op('C', [7, 9], dequeue, 'y'),
  ];
  assert.equal(await verdictOf(queue, h1), true);
  assert.equal(await verdictOf(queue, h2), false);
  assert.equal(await verdictOf(queue, h3), true);
  assert.equal(await verdictOf(queue, h4), false);
});

test('after Herlihy and Wing, figure 2: a register may be read as 1 while it is written, and not go back', async () => {
  const h5 = [
    op('A', [1, 4], write(0)),
    op('B', [2, 8], write(1)),
    op('A', [5, 6], read, 1),
    op('C', [7, 9], write(0)),
    op('B', [10, 11], read, 0),
  ];
  const h6 = [
    op('A', [1, 2], write(0)),
    op('B', [3, 9], write(1)),
    op('A', [4, 5], read, 1),
    op('C', [6, 8], write(0)),
    op('D', [10, 11], read, 1),
  ];
  assert.equal(await verdictOf(register(), h5), true);
  assert.equal(await verdictOf(register(), h6), false);
});

test('what never returned may have happened, late, or not at all', async () => {
  const history = [op('A', [1, 2], write(0)), op('B', [3, null], write(1)), op('A', [4, 5], read, 0)];
  assert.equal(await verdictOf(register(), history), true);
  assert.equal(await verdictOf(register(), [...history, op('A', [6, 7], read, 1)]), true);
  assert.equal(await verdictOf(register(), [...history, op('A', [6, 7], read, 1), op('A', [8, 9], read, 0)]), false);
});

test('of two that never returned and lead to the same state, each is tried: the other may be needed later', async () => {
  const cas = { op: 'cas', from: 0, to: 1 } as const;
  const reads = [op('A', [3, 4], read, 1), op('A', [5, 6], write(2)), op('A', [7, 8], read, 1)];
  assert.equal(
    await verdictOf(casRegister(0), [op('B', [1, null], write(1)), op('C', [2, null], cas), ...reads]),
    true,
  );
  assert.equal(await verdictOf(casRegister(0), [op('C', [2, null], cas), ...reads]), false);
});

test('planted: a stale read, a lost update, two holders, a token that goes back, a stale write accepted', async () => {
  const acquire = { op: 'acquire' } as const;
  const release = (token: number) => ({ op: 'release', token }) as const;
  const fenced = (token: number) => ({ op: 'write', token, value: token }) as const;
  assert.equal(await verdictOf(register(0), [op('A', [1, 2], write(1)), op('B', [3, 4], read, 0)]), false);
  const increment = { op: 'increment' } as const;
  assert.equal(await verdictOf(counter(), [op('A', [1, 3], increment, 1), op('B', [2, 4], increment, 1)]), false);
  const holders = [op('A', [1, 2], acquire, 1), op('B', [3, 4], acquire, 2)];
  assert.equal(await verdictOf(fencedMutex(), holders), false);
  assert.equal(await verdictOf(fencedMutex({ expires: true }), holders), true);
  const back = [op('A', [1, 2], acquire, 2), op('A', [3, 4], release(2), true), op('B', [5, 6], acquire, 1)];
  assert.equal(await verdictOf(fencedMutex(), back), false);
  assert.equal(await verdictOf(fencedMutex({ expires: true }), back), false);
  assert.equal(
    await verdictOf(fencedRegister(), [op('A', [1, 2], fenced(2), true), op('B', [3, 4], fenced(1), true)]),
    false,
  );
});

test('a failure names the first return without an order, and draws what is around it', async () => {
  const history = [
    op('a', [1, 4], write(1)),
    op('b', [2, 3], read, 1),
    op('b', [5, 6], read, 0),
    op('c', [7, 8], write(2)),
  ];
  const verdict = await checkLinearizable(register(0), history);
  assert.ok(verdict.ok === false);
  assert.deepEqual(verdict.why, { key: '', ordered: history.slice(0, 2), at: history[2], unplaced: [history[2]] });
  assert.equal(
    verdict.text,
    `register: no order explains “read → 0” of process b.
After 2 of 4 operations in order it holds 1, and none of those marked ✗ can be next:
1  a  write 1   ├─────┤
2  b  read → 1    ├─┤
✗  b  read → 0          ├─┤`,
  );
});

test('one key has no part in the order of another, and the order of all is true to time', async () => {
  const on = (key: string, input: ReturnType<typeof write> | typeof read) => ({ ...input, key });
  const history = [
    op('a', [1, 6], on('x', write(1))),
    op('b', [2, 3], on('y', write(2))),
    op('b', [4, 5], on('x', read), 1),
    op('c', [7, 8], on('y', read), 2),
  ];
  const verdict = await checkLinearizable(register(), history);
  assert.ok(verdict.ok === true);
  assert.deepEqual(verdict.order, [history[0], history[1], history[2], history[3]]);
  const stale = await checkLinearizable(register(), [...history, op('d', [9, 10], on('y', read), 3)]);
  assert.ok(stale.ok === false && stale.why.key === 'y', 'the key is named');
});

/** Ten at once on a register of five values, from a sequential run: each lasts about as long as ten others. */
function busyHistory(count: number) {
  const random = seededRandom(1);
  const idleAt = new Float64Array(10).fill(-1);
  const upTo = (bound: number): number => Math.floor(random.unit() * bound);
  const history: Operation<
    typeof read | ReturnType<typeof write> | { op: 'cas'; from: number; to: number },
    number | boolean
  >[] = [];
  let held = 0;
  for (let at = 0; history.length < count; at++) {
    const process = upTo(10);
    if (idleAt[process]! >= at) continue;
    const invoked = Math.max(idleAt[process]!, at - random.unit() * 10) + 0.001;
    const returned = (idleAt[process] = at + 0.01 + random.unit() * 15);
    const [kind, from, to] = [upTo(4), upTo(5), upTo(5)];
    const of = { process, invoked: Math.min(invoked, at), returned };
    if (kind < 2) history.push({ ...of, input: read, output: held });
    else if (kind === 2) history.push({ ...of, input: write((held = to)) });
    else {
      history.push({ ...of, input: { op: 'cas', from, to }, output: held === from });
      if (held === from) held = to;
    }
  }
  return history;
}

test('10,000 operations of ten processes take two states an operation at most; one wrong read in them is found', async () => {
  const history = busyHistory(10_000);
  const verdict = await checkLinearizable(casRegister(0), history, { statesMax: 20_000 });
  assert.equal(verdict.ok, true, verdict.ok === true ? '' : verdict.text);
  const at = history.findIndex(({ input }, index) => index > 9000 && input.op === 'read');
  const wrong = await checkLinearizable(casRegister(0), history.with(at, { ...history[at]!, output: 9 }));
  assert.ok(wrong.ok === false);
  assert.equal(wrong.why.at.output, 9);
});

test('at the bound of states it is undecided and says so; a signal ends it', async () => {
  const verdict = await checkLinearizable(casRegister(0), busyHistory(100), { statesMax: 10 });
  assert.ok(verdict.ok === null);
  assert.equal(verdict.statesSeen, 10);
  assert.match(verdict.text, /undecided after 10 states/);
  const signal = AbortSignal.abort(new Error('enough'));
  await assert.rejects(checkLinearizable(casRegister(0), busyHistory(100), { signal }), /enough/);
});

test('a history that cannot have been is refused, and so is a model whose states cannot be told apart', async () => {
  for (const [history, message] of [
    [[op('a', [2, 1], read)], /Operation 0 .* returned at 1, before it was invoked at 2/],
    [
      [op('a', [1, 3], read), op('a', [2, 4], read)],
      /Operation 1 .* invoked at 2, while the one before lasted until 3/,
    ],
    [[op('a', [1, null], read), op('a', [2, 4], read)], /Operation 1 .* never returned/],
    [[op('a', [Number.NaN, 4], read)], /invoked is NaN/],
    [[op('a', [1, Infinity], read)], /returned is Infinity/],
  ] as const)
    await assert.rejects(checkLinearizable(register(), history), { code: 'HISTORY_INVALID', message });
  const { identity: _, ...without } = queue;
  await assert.rejects(checkLinearizable(without, [op('A', [1, 2], enqueue('x'))]), {
    code: 'OPTIONS_INVALID',
    message: /needs an identity/,
  });
});
