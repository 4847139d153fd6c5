import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LeaseStore, memoryLeases } from '../lease/index.ts';
import { electionContract } from '../testing/index.ts';

function open(): { readonly connect: () => LeaseStore } {
  const store = memoryLeases();
  return { connect: () => store };
}

for (const { name, run } of electionContract({ name: 'memory', open })) test(name, run);

/** A store that is like the one in memory but for what is wrong with it. */
type Wrong = (store: LeaseStore) => Partial<LeaseStore>;

const broken: Readonly<Record<string, readonly [clause: string, wrong: Wrong]>> = {
  'gives a seat to whoever asks': [
    'memory: has one leader at a time, each with a greater term',
    (store) => ({ try: (claim, waiting) => store.try({ ...claim, share: 1, of: 1000 }, waiting) }),
  ],
  'gives one term to all': [
    'memory: has a next leader as soon as one resigns',
    (store) => ({
      async try(claim, waiting) {
        const answer = await store.try(claim, waiting);
        return answer.granted ? { ...answer, token: 7n } : answer;
      },
    }),
  ],
  'gives a seat away too early': [
    'memory: gives the seat of a leader that is gone to the next, and not before its ttl is over',
    (store) => ({ try: (claim, waiting) => store.try({ ...claim, ttlMs: claim.ttlMs / 2 }, waiting) }),
  ],
  'takes renewals and does not keep them': [
    'memory: keeps a leader that renews, however long others campaign',
    () => ({ renew: async () => ({ held: true }) }),
  ],
  'lets several work': [
    'memory: runs the work of one process at a time, and of each that wants to',
    (store) => ({ try: (claim, waiting) => store.try({ ...claim, share: 1, of: 2 }, waiting) }),
  ],
};

for (const [what, [clause, wrong]] of Object.entries(broken)) {
  test(`the contract finds out a store that ${what}`, async () => {
    const openBroken = (): { readonly connect: () => LeaseStore } => {
      const store = memoryLeases();
      const { name, clock, limits } = store;
      const right: LeaseStore = {
        name,
        clock,
        limits,
        try: (...given) => store.try(...given),
        renew: (...given) => store.renew(...given),
        release: (...given) => store.release(...given),
        watch: (...given) => store.watch(...given),
        read: (...given) => store.read(...given),
        [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
      };
      return { connect: () => ({ ...right, ...wrong(store) }) };
    };
    const found = electionContract({ name: 'memory', open: openBroken }).find(({ name }) => name === clause);
    await assert.rejects(found!.run(), assert.AssertionError);
  });
}
