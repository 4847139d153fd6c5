/** Every store against the contract of stores, and the contract against stores with a bug. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DistantStore } from '../../test/limit/distant-store.ts';
import type { Clock } from '../kernel/clock.ts';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import { limitStoreContract, type LimitStoreSubject, type StoreUnderTest } from '../testing/index.ts';
import { createSharedMemory, type LocalStore, memoryStore, sharedMemoryStore, slidingLog } from './index.ts';
import { RowCounters, type Rows } from './rows.ts';
import { StoreTime } from './store.ts';

function under(clock: SimulatedClock, store: StoreUnderTest['store']): StoreUnderTest {
  return { store, pass: (us) => clock.pass(us / 1000) };
}

function openShared(startUs: number): StoreUnderTest {
  const clock = new SimulatedClock(startUs / 1000);
  const memory = createSharedMemory({ keysMax: 2000, algorithms: [slidingLog({ limit: 38, per: 1 })], clock });
  return under(clock, sharedMemoryStore(memory, { clock }));
}

function openMemory(startUs: number): StoreUnderTest & { readonly store: LocalStore; readonly clock: SimulatedClock } {
  const clock = new SimulatedClock(startUs / 1000);
  return { ...under(clock, memoryStore({ clock })), store: memoryStore({ clock }), clock };
}

const stores: readonly LimitStoreSubject[] = [
  { name: 'memory', open: openMemory },
  { name: 'shared memory', open: openShared },
  {
    name: 'a remote store',
    open: (startUs) => {
      const clock = new SimulatedClock(startUs / 1000);
      return under(clock, new DistantStore(clock));
    },
  },
];

for (const store of stores) for (const { name, run } of limitStoreContract(store)) test(name, run);

/** A memory store with something wrong: what is changed about each question to one with nothing wrong. */
function broken(change: (store: LocalStore, clock: SimulatedClock) => Partial<LocalStore>): LimitStoreSubject['open'] {
  return (startUs) => {
    const { store, pass, clock } = openMemory(startUs);
    const whole: LocalStore = {
      local: true,
      clock,
      open: (...args) => store.open(...args),
      takeAll: (parts) => store.takeAll(parts),
    };
    return { store: { ...whole, ...change(store, clock) }, pass };
  };
}

const bugs: Readonly<Record<string, readonly [bug: string, open: LimitStoreSubject['open']]>> = {
  'answers the test vectors to the microsecond': [
    'whole milliseconds',
    broken((_, clock) => {
      const coarse: Clock = {
        nowMs: () => Math.floor(clock.nowMs()),
        wallMs: () => Math.floor(clock.wallMs()),
        after: (delayMs, run) => clock.after(delayMs, run),
        every: (periodMs, run) => clock.every(periodMs, run),
      };
      const own = memoryStore({ clock: coarse });
      return { open: (name, algorithm) => own.open(name, algorithm) };
    }),
  ],
  'answers any history of questions as the model does': [
    'a refund that is lost',
    broken((store) => ({
      open: (name, algorithm) => {
        const counters = store.open(name, algorithm);
        return new Proxy(counters, {
          get: (of, verb) => (verb === 'refund' ? () => {} : Reflect.get(of, verb).bind(of)),
        });
      },
    })),
  ],
  'takes from several limits together or from none': [
    'one after another',
    broken(() => ({
      takeAll: (parts) =>
        parts
          .map(({ counters, key, ask, out }) => {
            counters.take(key, ask, out);
            return out.granted > 0;
          })
          .every(Boolean),
    })),
  ],
  'admits exactly the limit to a thousand callers at once': [
    'a limit that is one too many now and then',
    broken((store) => {
      let takes = 0;
      return {
        open: (name, algorithm) => {
          const counters = store.open(name, algorithm);
          return new Proxy(counters, {
            get:
              (of, verb) =>
              (...args: Parameters<typeof counters.take>) => {
                const answer = Reflect.get(of, verb).apply(of, args) as unknown;
                if (verb === 'take' && (takes += 1) % 997 === 0) args[2].granted = 1;
                return answer;
              },
          });
        },
      };
    }),
  ],
  'keeps the counters of a limit that is changed': [
    'a limit is its counters',
    broken((store) => ({
      open: (name, algorithm) => store.open(`${name}${algorithm.parameters.join('-')}`, algorithm),
    })),
  ],
  'keeps keys and names apart, whatever is in them': [
    'keys are compared without case',
    broken((store) => ({
      open: (name, algorithm) => {
        const counters = store.open(name, algorithm);
        return new Proxy(counters, {
          get:
            (of, verb) =>
            (key: string, ...args: unknown[]) =>
              Reflect.get(of, verb).call(of, key.toLowerCase(), ...args),
        });
      },
    })),
  ],
};

for (const [clause, [bug, open]] of Object.entries(bugs)) {
  test(`the contract finds: ${bug}`, async () => {
    const cases = limitStoreContract({ name: 'broken', open, deviations: { [clause]: bug } });
    assert.equal(cases.length, Object.keys(bugs).length);
    const deviating = cases.filter(({ name }) => name.includes('deviates'));
    assert.equal(deviating.length, 1);
    await deviating[0]!.run();
  });
}

test('a row that was taken from under its counters is asked again', () => {
  const numbers = new Float64Array(2);
  let tries = 0;
  const rows: Rows = { numbers, shared: true, enter: () => 0, leave: () => (tries += 1) === 3, remove: () => {} };
  const algorithm = slidingLog({ limit: 9, per: 1 });
  const counters = new RowCounters(
    { ...rows, numbers: new Float64Array(11) },
    algorithm,
    new StoreTime(new SimulatedClock()),
  );
  counters.take(
    'ann',
    { nowUs: 0, cost: 1, times: 1, holder: 0 },
    { granted: 0, remaining: 0, retryAfterUs: 0, resetAfterUs: 0 },
  );
  assert.equal(tries, 3);
});
