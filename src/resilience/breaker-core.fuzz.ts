/** The core beside a naive model that remembers every call, and beside cores that are wrong in one thing, which the same histories find out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';
import { seededRandom } from '../kernel/random.ts';
import { BreakerCore, NO_PASS } from './breaker-core.ts';
import type { BreakerPhase } from './breaker-life.ts';
import type { BreakerPolicy } from './breaker-policy.ts';

/** What both are asked; a pass is whatever it was that let the call go. */
interface Machine<Pass> {
  begin(nowMs: number): Pass | null;
  end(pass: Pass, failed: boolean, tookMs: number, nowMs: number): void;
  giveBack(pass: Pass): void;
  turn(nowMs: number): void;
  readonly state: { readonly phase: BreakerPhase; readonly generation: number; readonly openings: number };
}

interface Ended {
  readonly atMs: number;
  readonly failed: boolean;
  readonly slow: boolean;
}

interface Permit {
  readonly generation: number;
  readonly takenMs: number;
  result: Ended | 'out' | 'back';
}

/** Keeps all calls of the state it is in and counts them anew each time. Opens for `openMs` exactly: the policies here have no room for jitter. */
class Naive implements Machine<Permit> {
  readonly #policy: BreakerPolicy;
  state: { phase: BreakerPhase; generation: number; openings: number };
  #sinceMs: number;
  #permits: Permit[] = [];
  #ended: Ended[] = [];

  constructor(policy: BreakerPolicy, nowMs: number) {
    this.#policy = policy;
    this.#sinceMs = nowMs;
    this.state = { phase: 'closed', generation: 0, openings: 0 };
  }

  begin(nowMs: number): Permit | null {
    this.turn(nowMs);
    const { phase, generation } = this.state;
    const taken = this.#permits.filter(({ result }) => result !== 'back').length;
    const mayGo = phase === 'closed' || (phase === 'half-open' && taken < this.#policy.trialCalls);
    if (!mayGo) return null;
    const permit: Permit = { generation, takenMs: nowMs, result: 'out' };
    this.#permits.push(permit);
    return permit;
  }

  end(permit: Permit, failed: boolean, tookMs: number, nowMs: number): void {
    this.turn(nowMs);
    if (permit.generation !== this.state.generation || permit.result !== 'out') return;
    this.#endOne(permit, { atMs: nowMs, failed, slow: tookMs >= (this.#policy.slow?.overMs ?? Infinity) });
    this.#judge(nowMs);
  }

  giveBack(permit: Permit): void {
    if (permit.generation === this.state.generation && permit.result === 'out') permit.result = 'back';
  }

  turn(nowMs: number): void {
    const { openMs, trialMs } = this.#policy;
    if (this.state.phase === 'open' && nowMs - this.#sinceMs >= openMs) this.#enter('half-open', nowMs);
    if (this.state.phase !== 'half-open') return;
    for (const permit of this.#permits) {
      if (permit.result !== 'out' || nowMs - permit.takenMs < trialMs) continue;
      this.#endOne(permit, { atMs: nowMs, failed: true, slow: true });
    }
    this.#judge(nowMs);
  }

  #endOne(permit: Permit, ended: Ended): void {
    permit.result = ended;
    this.#ended.push(ended);
  }

  #judge(nowMs: number): void {
    const { callsMin, failureRatio, slow, failuresInRow, trialCalls, windowMs } = this.#policy;
    const isClosed = this.state.phase === 'closed';
    const slotOf = (atMs: number): number => Math.floor((atMs * 10) / windowMs);
    const calls = isClosed ? this.#ended.filter(({ atMs }) => slotOf(atMs) > slotOf(nowMs) - 10) : this.#ended;
    const failures = calls.filter(({ failed }) => failed).length;
    const late = calls.filter((call) => call.slow).length;
    const [bad, tooSlow] = [failureRatio ?? (isClosed ? Infinity : 0.5), slow?.ratio ?? Infinity];
    if (isClosed) {
      const row = this.#ended.length - 1 - this.#ended.findLastIndex(({ failed }) => !failed);
      const enough = calls.length >= callsMin;
      const isBad = enough && (failures / calls.length >= bad || late / calls.length >= tooSlow);
      if (isBad || row >= (failuresInRow ?? Infinity)) this.#enter('open', nowMs);
    } else if (failures / trialCalls >= bad || late / trialCalls >= tooSlow) this.#enter('open', nowMs);
    else {
      const left = trialCalls - calls.length;
      if ((failures + left) / trialCalls < bad && (late + left) / trialCalls < tooSlow) this.#enter('closed', nowMs);
    }
  }

  #enter(phase: BreakerPhase, nowMs: number): void {
    const { phase: before, generation, openings } = this.state;
    const isForgotten = before === 'closed' && nowMs - this.#sinceMs >= this.#policy.openMaxMs;
    this.state = {
      phase,
      generation: generation + 1,
      openings: phase === 'open' ? (isForgotten ? 1 : openings + 1) : openings,
    };
    this.#sinceMs = nowMs;
    this.#permits = [];
    this.#ended = [];
  }
}

type Wrong = (core: BreakerCore) => Machine<number>;

const right: Wrong = (core) => ({
  begin: (nowMs) => {
    const pass = core.begin(nowMs);
    return pass === NO_PASS ? null : pass;
  },
  end: (pass, failed, tookMs, nowMs) => core.end(pass, failed, tookMs, nowMs),
  giveBack: (pass) => core.giveBack(pass),
  turn: (nowMs) => core.turn(nowMs),
  get state() {
    return core.state;
  },
});

/** A wrong core that is right in all but this. */
function but(wrong: (core: BreakerCore) => Partial<Machine<number>>): Wrong {
  return (core) => Object.defineProperties(right(core), Object.getOwnPropertyDescriptors(wrong(core)));
}

const PLACES = 1024;

const mutants: Readonly<Record<string, Wrong>> = {
  'one that does not look at generations': but((core) => ({
    end: (pass, failed, tookMs, nowMs) => {
      core.turn(nowMs);
      core.end(core.state.generation * PLACES + (pass % PLACES), failed, tookMs, nowMs);
    },
  })),
  'one that forgets the permits that are given back': but(() => ({ giveBack: () => undefined })),
  'one that takes what is given back for a result': but((core) => ({
    giveBack: (pass) => core.end(pass, false, 0, 0),
  })),
  'one that lets one too many go': but((core) => {
    let last = 0;
    return {
      begin: (nowMs) => {
        const pass = core.begin(nowMs);
        if (pass !== NO_PASS) return (last = pass);
        return core.state.phase === 'half-open' ? last : null;
      },
    };
  }),
  'one whose permits never end': but((core) => ({
    turn: (nowMs) => void (core.state.phase === 'open' && core.turn(nowMs)),
  })),
  'one that counts failures only': but((core) => ({
    end: (pass, failed, _tookMs, nowMs) => core.end(pass, failed, 0, nowMs),
  })),
};

const ratio = fc.constantFrom(0.2, 0.5, 0.75, 1);
const anyPolicy: fc.Arbitrary<BreakerPolicy> = fc
  .record({
    windowMs: fc.constantFrom(100, 1000),
    callsMin: fc.integer({ min: 1, max: 8 }),
    failureRatio: fc.option(ratio),
    slow: fc.option(fc.record({ overMs: fc.constantFrom(10, 100), ratio })),
    failuresInRow: fc.option(fc.integer({ min: 1, max: 4 })),
    openMs: fc.constantFrom(50, 500),
    trialCalls: fc.integer({ min: 1, max: 5 }),
    trialMs: fc.constantFrom(40, 2000),
  })
  .map((policy) => ({ ...policy, openMaxMs: policy.openMs }));

/** `which` of the calls that are under way. */
type Step =
  | { readonly passMs: number; readonly what: 'begin' }
  | { readonly passMs: number; readonly what: 'turn' }
  | {
      readonly passMs: number;
      readonly what: 'end';
      readonly which: number;
      readonly failed: boolean;
      readonly tookMs: number;
    }
  | { readonly passMs: number; readonly what: 'give back'; readonly which: number };

const passMs = fc.oneof({ arbitrary: fc.nat(3), weight: 4 }, fc.nat(60), fc.nat(1200));
const which = fc.nat(9);
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.record({ passMs, what: fc.constant('begin' as const) }), weight: 5 },
  {
    arbitrary: fc.record({
      passMs,
      what: fc.constant('end' as const),
      which,
      failed: fc.boolean(),
      tookMs: fc.nat(150),
    }),
    weight: 4,
  },
  fc.record({ passMs, what: fc.constant('give back' as const), which }),
  fc.record({ passMs, what: fc.constant('turn' as const) }),
);

/** How often each state was entered, so that it is known that something happened. */
function compare(
  policy: BreakerPolicy,
  steps: readonly Step[],
  made: Wrong,
  entered?: Map<BreakerPhase, number>,
): void {
  let nowMs = 5000;
  const core = made(new BreakerCore({ policy, random: seededRandom(1) }, nowMs));
  const naive = new Naive(policy, nowMs);
  const calls: { core: number; naive: Permit }[] = [];
  let generation = 0;
  for (const step of steps) {
    nowMs += step.passMs;
    if (step.what === 'begin') {
      const [one, other] = [core.begin(nowMs), naive.begin(nowMs)];
      assert.equal(one !== null, other !== null, 'who may go');
      if (one !== null && other !== null) calls.push({ core: one, naive: other });
    } else if (step.what === 'turn') {
      core.turn(nowMs);
      naive.turn(nowMs);
    } else if (calls.length > 0) {
      const [call] = calls.splice(step.which % calls.length, 1);
      if (step.what === 'end') {
        core.end(call!.core, step.failed, step.tookMs, nowMs);
        naive.end(call!.naive, step.failed, step.tookMs, nowMs);
      } else {
        core.giveBack(call!.core);
        naive.giveBack(call!.naive);
      }
    }
    const { phase, openings } = core.state;
    assert.deepEqual({ phase, generation: core.state.generation, openings }, naive.state);
    if (core.state.generation > generation) entered?.set(phase, (entered.get(phase) ?? 0) + 1);
    generation = core.state.generation;
  }
}

const history = fc.array(anyStep, { minLength: 40, maxLength: 120 });

test('who may go, and in which state it is, are those of a model that remembers every call', () => {
  const entered = new Map<BreakerPhase, number>();
  fc.assert(
    fc.property(anyPolicy, history, (policy, steps) => compare(policy, steps, right, entered)),
    { numRuns: 2000 },
  );
  for (const phase of ['open', 'half-open', 'closed'] as const) {
    assert.ok((entered.get(phase) ?? 0) > 300, `${phase} was entered ${entered.get(phase) ?? 0} times`);
  }
});

for (const [name, wrong] of Object.entries(mutants)) {
  test(`${name} is found out`, () => {
    const { failed, counterexample } = fc.check(
      fc.property(anyPolicy, history, (policy, steps) => compare(policy, steps, wrong)),
      { numRuns: 2000, endOnFailure: true },
    );
    assert.ok(failed, 'no history tells it from the right one');
    assert.ok(counterexample !== null);
  });
}

test('an opening takes what is asked at least, and a bound that doubles with each in a row at most', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 40 }), (seed, openings) => {
      const policy: BreakerPolicy = {
        windowMs: 1000,
        callsMin: 1,
        failureRatio: 1,
        slow: null,
        failuresInRow: null,
        openMs: 100,
        openMaxMs: 60_000,
        trialCalls: 1,
        trialMs: 1000,
      };
      let nowMs = 0;
      const core = new BreakerCore({ policy, random: seededRandom(seed) }, nowMs);
      for (let opening = 1; opening <= openings; opening++) {
        core.end(core.begin(nowMs), true, 0, nowMs);
        const { untilMs, phase } = core.state;
        assert.equal(phase, 'open');
        assert.ok(untilMs - nowMs >= 100 && untilMs - nowMs <= Math.min(60_000, 100 * 2 ** opening));
        assert.equal(core.begin(untilMs - 0.001), NO_PASS);
        nowMs = untilMs;
      }
    }),
  );
});
