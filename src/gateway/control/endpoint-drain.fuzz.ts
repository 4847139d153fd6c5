/** Any order of commands and looks keeps what is promised of a drain: who may come, when it ends, and that nothing is cut early. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CLOSED, CUT, DRAINING, SERVING } from '../slots.ts';
import { type DrainEvent, type EndpointDrain, serving, step, wordOf } from './endpoint-drain.ts';

const small = fc.integer({ min: 0, max: 3 });
const event: fc.Arbitrary<DrainEvent> = fc.oneof(
  fc.record({
    kind: fc.constant('drain' as const),
    withinMs: fc.integer({ min: 0, max: 5000 }),
    takesPinned: fc.boolean(),
  }),
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('look' as const),
      cut: fc.constant({ requests: 0, tunnels: 0 }),
      left: fc.record({ requests: small, tunnels: small, connections: small }),
    }),
  },
  fc.record({ kind: fc.constant('undrain' as const) }),
);
const history = fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 3000 }), event }), { maxLength: 40 });

test('a drain keeps its promises in any order of events', () => {
  fc.assert(
    fc.property(history, (events) => {
      let state: EndpointDrain = serving;
      let nowMs = 0;
      /** The latest time that anybody gave it. */
      let untilMs = Number.NaN;
      for (const { afterMs, event: happened } of events) {
        nowMs += afterMs;
        const before = { state, word: wordOf(state, nowMs) };
        state = step(state, happened, nowMs);
        const word = wordOf(state, nowMs);
        if (happened.kind === 'undrain') {
          assert.deepEqual([state.phase, word], ['serving', SERVING]);
          continue;
        }
        if (happened.kind === 'drain' && (before.state.phase === 'serving' || before.state.phase === 'draining')) {
          untilMs = nowMs + happened.withinMs;
        }
        if (happened.kind === 'look') {
          const { requests, tunnels, connections } = happened.left;
          const isEmpty = requests + tunnels + connections === 0;
          if (word === CUT && before.word !== CUT) assert.ok(nowMs >= untilMs, `cut ${untilMs - nowMs} ms early`);
          if (before.state.phase === 'draining' && state.phase === 'drained')
            assert.ok(isEmpty, 'drained with work left');
          if (before.state.phase === 'draining' && nowMs >= untilMs) assert.notEqual(state.phase, 'draining');
        }
        if (before.word >= CLOSED) assert.ok(word >= CLOSED, 'whoever is shut out stays so');
        assert.equal(state.phase === 'serving', word === SERVING);
        if (state.phase === 'drained') assert.ok(word === CLOSED || word === CUT);
        if (word === DRAINING) assert.ok(state.phase === 'draining' && nowMs < state.untilMs);
      }
    }),
    { numRuns: 2000 },
  );
});
