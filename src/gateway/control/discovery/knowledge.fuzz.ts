/** Whatever a source says, what is known stays sound: compared, answer by answer, with a naive model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FoundEndpoint } from '../../config/index.ts';
import { ignorance, type Knowledge, learn, type Outcome } from './knowledge.ts';

const endpoint = fc
  .record({ host: fc.integer({ min: 0, max: 12 }), weight: fc.integer({ min: 0, max: 3 }) })
  .map(({ host, weight }): FoundEndpoint => ({
    address: { host: `10.0.0.${host}`, port: 80, text: `10.0.0.${host}:80` },
    ...{ weight, priority: 0, backup: false, drain: false, source: 'dns', identity: null },
  }));
const outcome: fc.Arbitrary<Outcome> = fc.record({
  endpoints: fc.option(fc.array(endpoint, { maxLength: 10 }), { nil: null }),
  problem: fc.option(fc.constantFrom('no answer', 'garbage'), { nil: null }),
});

test('what is known is the last answer that counts, each address once, within the bound and nothing that is refused', () => {
  const policy = fc.record({
    max: fc.integer({ min: 1, max: 6 }),
    whenEmpty: fc.constantFrom('keep' as const, 'remove' as const),
  });
  fc.assert(
    fc.property(policy, fc.array(outcome, { maxLength: 20 }), ({ max, whenEmpty }, outcomes) => {
      // Hosts 10 and above are not to be used.
      const fault = ({ host }: { host: string }): string | null => (host.length > 8 ? 'refused' : null);
      let known: Knowledge = ignorance;
      let model: FoundEndpoint[] | null = null;
      for (const [index, said] of outcomes.entries()) {
        const before = known;
        known = learn(before, said, { max, whenEmpty, fault }, index);
        if (said.endpoints !== null) {
          const usable = said.endpoints.filter(({ address }) => fault(address) === null);
          const first = usable.filter(
            ({ address }, at) => usable.findIndex((each) => each.address.text === address.text) === at,
          );
          if (first.length > 0 || whenEmpty === 'remove' || (model ?? []).length === 0) model = first.slice(0, max);
        }
        assert.deepEqual(known.endpoints, model);
        assert.equal(known.answers + known.failures, index + 1);
        assert.ok(known.leftOut.length <= 11);
        if (said.problem !== null) assert.ok(known.problem?.includes(said.problem));
        const isSame = JSON.stringify(before.endpoints) === JSON.stringify(known.endpoints);
        assert.equal(before.endpoints === known.endpoints, isSame, 'the same array exactly if nothing changed');
      }
    }),
  );
});

test('what it says of itself', () => {
  const policy = { max: 1, whenEmpty: 'keep' as const, fault: () => null };
  const of = (...hosts: string[]): Outcome => ({
    problem: null,
    endpoints: hosts.map((host) => ({
      address: { host, port: 1, text: `${host}:1` },
      ...{ weight: 1, priority: 0, backup: false, drain: false, source: 'file', identity: null },
    })),
  });
  const nothing = learn(ignorance, of(), policy, 1);
  assert.deepEqual([nothing.endpoints, nothing.problem, nothing.failures], [[], 'its answer is empty', 1]);
  const cut = learn(nothing, of('a', 'b', 'c'), policy, 2);
  assert.deepEqual([cut.leftOut, cut.problem, cut.answeredAtMs], [['2 of 3 endpoints, as max is 1'], null, 2]);
  const kept = learn(cut, of(), policy, 3);
  assert.deepEqual([kept.endpoints, kept.answeredAtMs], [cut.endpoints, 2]);
  assert.match(kept.problem ?? '', /^its answer is empty; the endpoint known before stays \(whenEmpty: remove/);
  const failed = learn(kept, { endpoints: null, problem: 'no answer' }, policy, 4);
  assert.deepEqual([failed.endpoints, failed.problem, failed.failures], [cut.endpoints, 'no answer', 3]);
  assert.equal(learn(failed, of('a'), policy, 5).problem, null);
  const gone = learn(failed, of(), { ...policy, whenEmpty: 'remove' }, 5);
  assert.deepEqual([gone.endpoints, gone.problem], [[], null]);
  const refused = learn(ignorance, of('a'), { ...policy, fault: () => 'a trap' }, 1);
  assert.deepEqual([refused.problem, refused.leftOut], ['it names nothing that may be used', ['a:1: a trap']]);
});
