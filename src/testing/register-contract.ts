/**
 * What every fenced register does: no smaller token overwrites, whoever writes at the same time. Run it against your own resource:
 *
 *     for (const { name, run } of fencedRegisterContract({ name: 'mine', open: openMine })) test(name, run);
 */
import assert from 'node:assert/strict';
import type { FencedRegister } from '../lease/fenced.ts';
import { type Clauses, type ContractCase, contractCases, type Deviations } from './contract.ts';

export interface RegisterSubject {
  /** Shown with each case. */
  readonly name: string;
  /** An empty register, as several processes open it: each call of `connect` is one of them. */
  readonly open: () => Promise<{ readonly connect: () => FencedRegister }> | { readonly connect: () => FencedRegister };
  readonly deviations?: Deviations;
}

const GREATEST = 2n ** 63n - 1n;

export function fencedRegisterContract(subject: RegisterSubject): ContractCase[] {
  const fresh =
    (run: (one: FencedRegister, other: FencedRegister) => Promise<void>): (() => Promise<void>) =>
    async () => {
      const { connect } = await subject.open();
      await run(connect(), connect());
    };
  const clauses: Clauses = {
    'has nothing before the first write': fresh(async (one) => {
      assert.equal(await one.read('a'), null);
    }),
    'keeps what was written with its token': fresh(checkValues),
    'refuses a smaller token, and changes nothing': fresh(checkSmaller),
    'lets the same token write again': fresh(async (one, other) => {
      assert.equal(await one.write('a', { value: 'first', token: 7n }), true);
      assert.equal(await other.write('a', { value: 'second', token: 7n }), true);
      assert.deepEqual(await one.read('a'), { value: 'second', token: 7n });
    }),
    'keeps keys apart': fresh(checkKeysApart),
    'compares tokens of 64 bits': fresh(checkWide),
    'ends with the greatest of many that write at once': fresh(checkCrowd),
  };
  return contractCases(subject.name, clauses, subject.deviations);
}

async function checkValues(one: FencedRegister, other: FencedRegister): Promise<void> {
  let token = 0n;
  for (const value of ['', 'text', '“é” 🔒', '\n\0\t', '{"a": 1}', 'x'.repeat(100_000)]) {
    token += 1n;
    assert.equal(await one.write('a', { value, token }), true);
    assert.deepEqual(await other.read('a'), { value, token });
  }
}

async function checkSmaller(one: FencedRegister, other: FencedRegister): Promise<void> {
  assert.equal(await one.write('a', { value: 'new', token: 10n }), true);
  for (const token of [9n, 1n]) assert.equal(await other.write('a', { value: 'old', token }), false);
  assert.deepEqual(await other.read('a'), { value: 'new', token: 10n });
  assert.equal(await other.write('a', { value: 'newer', token: 11n }), true);
  assert.deepEqual(await one.read('a'), { value: 'newer', token: 11n });
}

async function checkKeysApart(one: FencedRegister): Promise<void> {
  const keys = ['a', 'A', 'a ', 'a/b', '/', '.', '..', '%41', 'ключ', '\n', "'; --", 'k'.repeat(1000)];
  for (const [at, key] of keys.entries()) await one.write(key, { value: key, token: BigInt(100 - at) });
  for (const [at, key] of keys.entries()) {
    assert.deepEqual(await one.read(key), { value: key, token: BigInt(100 - at) });
  }
}

async function checkWide(one: FencedRegister, other: FencedRegister): Promise<void> {
  for (const token of [9n, 10n, 2n ** 53n, 2n ** 53n + 1n, GREATEST - 1n, GREATEST]) {
    assert.equal(await one.write('a', { value: String(token), token }), true);
    assert.equal(await other.write('a', { value: 'old', token: token - 1n }), false, `${token - 1n} after ${token}`);
  }
  assert.deepEqual(await one.read('a'), { value: String(GREATEST), token: GREATEST });
}

async function checkCrowd(one: FencedRegister, other: FencedRegister): Promise<void> {
  // Each residue once, in an order that goes up and down.
  const tokens = Array.from({ length: 96 }, (_, at) => BigInt(((at * 37) % 97) + 1));
  const greatest = tokens.reduce((a, b) => (a > b ? a : b));
  let acknowledged = 0n;
  await Promise.all(
    tokens.map(async (token, at) => {
      const before = acknowledged;
      const isWritten = await (at % 2 === 0 ? one : other).write('a', { value: String(token), token });
      assert.ok(!isWritten || token >= before, `${token} was written after ${before} had been`);
      if (isWritten && token > acknowledged) acknowledged = token;
      const seen = await (at % 2 === 0 ? other : one).read('a');
      assert.ok(seen !== null && (!isWritten || seen.token >= token), `${seen?.token} is read after ${token}`);
      assert.equal(seen.value, String(seen.token));
    }),
  );
  assert.deepEqual(await one.read('a'), { value: String(greatest), token: greatest });
}
