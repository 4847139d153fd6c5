/** Each fault of a lock by itself, and against a resource that either checks tokens or does not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type Access, checkLockHistory } from './lock-history.ts';

const kinds = (accesses: readonly Access[]): string[] =>
  checkLockHistory(accesses).map(({ kind, at }) => `${kind} ${at}`);

/** `5r 5w` are a read and a write with token 5; `!` is refused. */
function log(text: string): Access[] {
  return text.split(' ').map((word) => ({
    process: `p${Number.parseInt(word, 10)}`,
    token: BigInt(Number.parseInt(word, 10)),
    op: word.includes('r') ? 'read' : 'write',
    accepted: !word.includes('!'),
  }));
}

test('holders one after another are in order', () => {
  assert.deepEqual(kinds([]), []);
  assert.deepEqual(kinds(log('1r 1w 1r 1w 2r 2w 5r 7w 7w')), []);
});

test('a stale write that is refused does no harm; accepted it is all that can be wrong', () => {
  assert.deepEqual(kinds(log('1r 2r 2w 1w!')), []);
  assert.deepEqual(kinds(log('1r 2r 2w 1w')), ['token-back 3', 'two-holders 3', 'lost-update 3']);
  assert.equal(
    checkLockHistory(log('1r 2r 2w 1w'))[2]!.text,
    'Access 3, a write by p1 with token 1: it replaces 1 write that it had not read.',
  );
});

test('each is found without the others: two holders who only read, a token that goes back, an update lost on the way', () => {
  assert.deepEqual(kinds(log('1r 2r 2r 1r')), ['token-back 3', 'two-holders 3']);
  assert.deepEqual(kinds(log('2r 2w 1r 1w')), ['token-back 2', 'token-back 3']);
  assert.deepEqual(kinds(log('2r 1r 1w 2w')), ['token-back 1', 'token-back 2', 'two-holders 3', 'lost-update 3']);
});

test('of any schedule of sections, one that checks tokens has no fault, and one that does not has lost as many as are said', () => {
  const schedule = fc.array(fc.nat(5), { minLength: 4, maxLength: 40 });
  let lostSome = 0;
  fc.assert(
    fc.property(schedule, (turns) => {
      for (const checks of [true, false]) {
        // Whoever has the turn reads, and at its next turn writes one more than it read, by its token; then it is done.
        const read = new Map<number, number>();
        const done = new Set<number>();
        const accesses: Access[] = [];
        let [value, fence, writes] = [0, -1, 0];
        for (const token of turns) {
          if (done.has(token)) continue;
          const op = read.has(token) ? 'write' : 'read';
          const accepted = !checks || token >= fence;
          accesses.push({ process: token, token, op, accepted });
          if (!accepted) continue;
          fence = Math.max(fence, token);
          if (op === 'read') read.set(token, value);
          else {
            value = read.get(token)! + 1;
            writes++;
            done.add(token);
          }
        }
        const found = checkLockHistory(accesses);
        if (checks) assert.deepEqual(found, []);
        assert.equal(
          found.some(({ kind }) => kind === 'lost-update'),
          value < writes,
        );
        lostSome += Number(value < writes);
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(lostSome > 20, `${lostSome} lost some`);
});
