/**
 * A cron whose instances are killed, cut off, slowed down and given wrong clocks at random: no tick is begun twice, every tick is decided, and
 * when all is well again it goes on.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeLog } from '../../src/elect/cron-log.ts';
import { createElections, type CronOptions } from '../../src/elect/index.ts';
import { sleep } from '../../src/elect/retry.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import type { Fenced } from '../../src/lease/index.ts';
import { type Line, SimulatedFleet, type SimulatedProcess } from './simulated-fleet.ts';

const EVERY_MS = 500;
const TTL_MS = 400;

type Happening =
  | { readonly kind: 'kill' }
  | { readonly kind: 'start' }
  | { readonly kind: 'line'; readonly line: Line }
  | { readonly kind: 'slow'; readonly delayMsMax: number }
  | { readonly kind: 'clock'; readonly stepMs: number };

interface Happens {
  readonly afterMs: number;
  /** To which instance. */
  readonly to: number;
  readonly happening: Happening;
}

interface Story {
  readonly seed: number;
  readonly missed: NonNullable<CronOptions['missed']>;
  readonly interrupted: NonNullable<CronOptions['interrupted']>;
  readonly workMsMax: number;
  readonly happens: readonly Happens[];
}

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.constantFrom<Happening>({ kind: 'kill' }, { kind: 'start' }),
  fc.record({ kind: fc.constant('line'), line: fc.constantFrom<Line>('up', 'up', 'refused', 'silent') }),
  fc.record({ kind: fc.constant('slow'), delayMsMax: fc.constantFrom(0, 20, 150, 700) }),
  fc.record({ kind: fc.constant('clock'), stepMs: fc.integer({ min: -3000, max: 3000 }) }),
);
const story: fc.Arbitrary<Story> = fc.record({
  seed: fc.integer(),
  missed: fc.constantFrom('skip', 'last', 'all'),
  interrupted: fc.constantFrom('skip', 'again'),
  workMsMax: fc.constantFrom(0, 100, 900),
  happens: fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 1500 }), to: fc.nat(2), happening }), {
    minLength: 1,
    maxLength: 12,
  }),
});

interface Seen {
  /** Attempts that were begun, by tick. */
  readonly begun: Map<number, number[]>;
  /** What the register ever took. */
  readonly accepted: readonly Fenced[];
  readonly clock: Clock;
}

async function play({ seed, missed, interrupted, workMsMax, happens }: Story): Promise<Seen> {
  const fleet = new SimulatedFleet(seed);
  const begun = new Map<number, number[]>();
  const accepted: Fenced[] = [];
  const { register } = fleet;
  const write = register.write.bind(register);
  register.write = async (key, fenced) => {
    const isAccepted = await write(key, fenced);
    if (isAccepted) accepted.push(fenced);
    return isAccepted;
  };
  const start = (): SimulatedProcess => {
    const process = fleet.process();
    const elections = createElections(process.leases, { random: fleet.random, timeout: 300 });
    const options = {
      name: 'job',
      schedule: { every: EVERY_MS },
      runs: process.register,
      missed,
      interrupted,
      ttl: TTL_MS,
    };
    void elections.cron(options, async ({ tick, attempt, signal }) => {
      begun.set(tick.getTime(), [...(begun.get(tick.getTime()) ?? []), attempt]);
      await sleep(process.clock, fleet.random.unit() * workMsMax, signal);
    });
    return process;
  };
  const fleetOf = [start(), start(), start()];
  for (const { afterMs, to, happening: what } of happens) {
    await fleet.pass(afterMs, 20);
    const process = fleetOf[to]!;
    if (what.kind === 'kill') process.kill();
    else if (what.kind === 'start') {
      process.kill();
      fleetOf[to] = start();
    } else if (what.kind === 'line') process.line = what.line;
    else if (what.kind === 'slow') process.delayMsMax = what.delayMsMax;
    else process.stepWall(what.stepMs);
  }
  // All is well again: new processes with good clocks and lines.
  for (const process of fleetOf) process.kill();
  fleetOf.push(start());
  // Until clocks that were ahead are caught up with, and all that was missed.
  await fleet.pass(40_000 + (missed === 'all' ? 60 * workMsMax : 0), 50);
  fleetOf.at(-1)!.kill();
  return { begun, accepted, clock: fleet.clock };
}

test('whatever happens, no tick is begun twice, every tick is decided, and at last it goes on', async () => {
  await fc.assert(
    fc.asyncProperty(story, async (told) => {
      const { begun, accepted, clock } = await play(told);
      for (const [tickMs, attempts] of begun) {
        // An attempt may be written down and not begun; none is begun twice.
        if (told.interrupted === 'skip') assert.deepEqual(attempts, [1], `tick ${tickMs}`);
        else
          assert.deepEqual(
            attempts,
            [...new Set(attempts)].toSorted((a, b) => a - b),
            `tick ${tickMs}`,
          );
      }
      const logs = accepted.map(({ value }) => decodeLog('job', value));
      const decided = new Set(logs.flatMap(({ runs }) => runs.map(({ tick }) => tick.getTime())));
      const [first, last] = [logs[0]!.decidedMs, logs.at(-1)!.decidedMs];
      for (const tickMs of begun.keys()) assert.ok(decided.has(tickMs), `${tickMs} was begun and not written down`);
      if (told.missed === 'all') {
        for (let tickMs = Math.floor(first / EVERY_MS + 1) * EVERY_MS; tickMs <= last; tickMs += EVERY_MS) {
          assert.ok(decided.has(tickMs), `nobody decided ${tickMs}`);
        }
        const skipped = logs.flatMap(({ runs }) => runs.filter(({ state }) => state === 'skipped'));
        assert.deepEqual(skipped, [], 'none is left out');
      }
      // Work that takes longer than the period is behind for ever.
      if (told.workMsMax < EVERY_MS || told.missed !== 'all') {
        assert.ok(last > clock.wallMs() - 2000, `decided up to ${last} at ${clock.wallMs()}`);
      }
    }),
    { numRuns: 25 },
  );
});
