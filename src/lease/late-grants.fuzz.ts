/**
 * The line of a process when leases are granted in time, late, not at all, or while their caller gives up or all is closed: each caller is told one
 * thing, counted as one outcome, in the order of coming; and the turn is always passed on.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isCoded, SpillwayError } from '../kernel/errors.ts';
import { seededRandom } from '../kernel/random.ts';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import type { AskOutcome, LeaseWitness } from './lease-metrics.ts';
import type { Lease } from './lease.ts';
import { Leases } from './leases.ts';
import { memoryLeases } from './memory.ts';
import { type LeaseStore, WHOLE } from './store.ts';

const TTL_MS = 1000;
/** More than half of the ttl: then it is late. */
const LATE_MS = 600;

/** What becomes of one question, and what happens so many steps of promises after it was answered. */
const answers = fc.record({
  how: fc.oneof(
    { weight: 4, arbitrary: fc.constant('late' as const) },
    { weight: 3, arbitrary: fc.constant('at once' as const) },
    { weight: 1, arbitrary: fc.constant('error' as const) },
  ),
  then: fc.oneof(
    { weight: 6, arbitrary: fc.constant('nothing' as const) },
    { weight: 3, arbitrary: fc.constant('abort' as const) },
    { weight: 1, arbitrary: fc.constant('close' as const) },
  ),
  steps: fc.nat(12),
});
const callers = fc.record({
  isReader: fc.boolean(),
  waitMs: fc.constantFrom(0, 500, 1500, Number.POSITIVE_INFINITY),
  holdMs: fc.constantFrom(0, 200, 3000),
});

type Told = 'lease' | 'taken' | 'late' | 'closed' | 'aborted' | 'error';
const outcomes: Readonly<Record<Told, AskOutcome>> = {
  lease: 'granted',
  taken: 'taken',
  late: 'late',
  closed: 'given_up',
  aborted: 'given_up',
  error: 'failed',
};

/** What was counted. */
class Counts implements LeaseWitness {
  readonly outcomes: AskOutcome[] = [];
  asks = 0;
  granted = (): void => void (this.held += 1);
  ended = (): void => void (this.held -= 1);
  held = 0;

  asked(): void {
    this.asks += 1;
  }

  answered(_key: string, outcome: AskOutcome): void {
    this.outcomes.push(outcome);
  }
}

async function steps(count = 30): Promise<void> {
  for (let step = 0; step < count; step++) await Promise.resolve();
}

test('whatever becomes of a claim, its caller is told once, it is counted once, and the next one has the turn', async () => {
  const seen = new Set<string>();
  const property = fc.asyncProperty(
    fc.array(callers, { minLength: 1, maxLength: 5 }),
    fc.array(answers, { maxLength: 12 }),
    async (given, script) => {
      const clock = new SimulatedClock();
      const memory = memoryLeases({ clock });
      const stop = given.map(() => new AbortController());
      const reason = new Error('enough');
      const counts = new Counts();
      let at = 0;
      let closed: Promise<void> | null = null;
      const close = (): Promise<void> => (closed ??= leases[Symbol.asyncDispose]());
      const store: LeaseStore = {
        name: 'scripted',
        clock,
        limits: memory.limits,
        async try(claim, waiting) {
          const { how, then, steps: after } = script[at++] ?? { how: 'at once', then: 'nothing', steps: 0 };
          const answer = await memory.try(claim, waiting);
          if (how === 'late') clock.pass(LATE_MS);
          const act = async (): Promise<void> => {
            await steps(after);
            if (then === 'abort') stop[Number(claim.holder)]!.abort(reason);
            else if (then === 'close') await close();
          };
          void act();
          if (how === 'error') throw new SpillwayError('STORE_UNAVAILABLE', 'connection reset', { retryable: false });
          return answer;
        },
        renew: (claim, waiting) => memory.renew(claim, waiting),
        release: (claim, waiting) => memory.release(claim, waiting),
        watch: (key, claim, wake) => memory.watch(key, claim, wake),
        read: (key, waiting) => memory.read(key, waiting),
        [Symbol.asyncDispose]: () => memory[Symbol.asyncDispose](),
      };
      const leases = new Leases({ store, timeoutMs: 5000, random: seededRandom(1), witness: counts });
      const all = { key: 'k', of: WHOLE };
      const told: Told[] = [];
      const inLine: bigint[] = [];
      const calls = given.map(async ({ isReader, waitMs, holdMs }, index) => {
        try {
          const [share, { signal }] = [isReader ? 1 : WHOLE, stop[index]!];
          const lease = await leases.acquire({ ...all, holder: String(index), share, ttlMs: TTL_MS, waitMs, signal });
          told[index] = lease === null ? 'taken' : 'lease';
          if (lease === null) return;
          if (waitMs > 0) inLine[index] = lease.token;
          await new Promise<void>((resolve) => clock.after(holdMs, resolve));
          await lease.release();
        } catch (error) {
          if (error === reason) told[index] = 'aborted';
          else if (isCoded(error, 'LEASES_CLOSED')) told[index] = 'closed';
          else told[index] = isCoded(error, 'LEASE_LATE') ? 'late' : 'error';
        }
      });
      let left = calls.length;
      for (const call of calls) void call.then(() => void (left -= 1));
      for (let turn = 0; turn < 300 && left > 0; turn++) {
        await steps();
        clock.pass(100);
      }
      assert.equal(left, 0, 'somebody waits for ever');
      const tokens = inLine.filter((token) => token !== undefined);
      assert.deepEqual(
        tokens,
        tokens.toSorted((a, b) => Number(a - b)),
        'somebody was overtaken',
      );
      assert.equal(counts.asks, given.length);
      assert.deepEqual(counts.outcomes.toSorted(), told.map((one) => outcomes[one]).toSorted());
      for (const one of told) seen.add(one);
      // What was to happen after the last answer has happened by then.
      await steps();
      if (closed === null) {
        at = script.length;
        // A longer one, for a round trip was slow before; and no time passes.
        let next: Lease | null = null;
        const asked = leases.acquire({ ...all, holder: 'next', ttlMs: 10 * TTL_MS, waitMs: 1 });
        void asked.then((lease) => void (next = lease));
        await steps();
        assert.ok(next !== null, 'the turn was not passed');
        await (next as Lease).release();
      }
      await close();
      await steps();
      assert.deepEqual(await memory.read('k', { signal: new AbortController().signal }), []);
      assert.equal(counts.held, 0, 'what was granted has ended');
      assert.equal(clock.timers, 0);
    },
  );
  await fc.assert(property, { numRuns: 2000 });
  assert.deepEqual([...seen].toSorted(), Object.keys(outcomes).toSorted(), 'each of them happened');
});
