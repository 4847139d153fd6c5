/** A route that is said to be hidden never wins, whatever is asked; of two alike, one that never wins is said to be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { anyRequest } from '../../../test/engine/plans.ts';
import { routed } from '../../../test/engine/routed.ts';
import { createRouter } from '../routing/router.ts';
import type { RoutePlan, ValueMatch } from '../snapshot.ts';
import { HiddenRoutes } from './hidden-routes.ts';

type Match = RoutePlan['match'];

/** One more than any route of these names. */
const VALUES = ['a', 'ab', 'b', 'c'];
const METHODS = ['GET', 'POST', 'PUT'];

// Few of everything, so that one route often takes what another does.
const value = fc.oneof(
  fc.constantFrom<ValueMatch['kind']>('present', 'absent').map((kind) => ({ kind })),
  fc.constantFrom('a', 'ab', 'b').map((text) => ({ kind: 'equals', value: text })),
  fc.constantFrom('a', 'ab').map((text) => ({ kind: 'prefix', value: text })),
  fc.constantFrom('^a', 'b$').map((text) => ({ kind: 'regex', value: text })),
);
const header = (name: string) =>
  fc.option(
    value.map((asked) => ({ name, ...asked }) as ValueMatch),
    { nil: undefined, freq: 2 },
  );
const match: fc.Arbitrary<Match> = fc
  .record({
    path: fc.constantFrom('/x', '/{y}', '/{z}'),
    methods: fc.option(fc.subarray(METHODS, { minLength: 1 }), { freq: 2 }),
    listeners: fc.option(fc.subarray(['a', 'b'], { minLength: 1 }), { freq: 2 }),
    first: header('x-a'),
    second: header('X-B'),
  })
  .map(({ first, second, ...rest }) => ({
    ...anyRequest,
    ...rest,
    headers: [first, second].filter((asked) => asked !== undefined),
  }));

function plan(one: Match, index: number): RoutePlan {
  const rest = { service: 0, requestBodyBytesMax: 0, requestLimits: [], upgrade: [], shaping: null, tunnelIdleMs: 0 };
  return { name: `r${index}`, match: one, ...rest, cell: new SharedArrayBuffer(8) };
}

const fieldsOf = (name: string): (readonly [string, string])[][] => [
  [],
  ...VALUES.map((text) => [[name, text] as const]),
];

/** Every request that these routes can tell apart. */
const requests = ['/x', '/q'].flatMap((path) =>
  [...METHODS, 'PATCH'].flatMap((method) =>
    ['a', 'b'].flatMap((listener) =>
      fieldsOf('x-a').flatMap((first) =>
        fieldsOf('x-b').map((second) => ({
          listener,
          request: routed({ host: 'h', path, method, fields: [...first, ...second] }),
        })),
      ),
    ),
  ),
);

function winnersOf(matches: readonly Match[]): ReadonlySet<number> {
  const router = createRouter(matches.map(plan));
  return new Set(requests.map(({ listener, request }) => router.table(listener).match(request)));
}

test('a hidden route wins no request', () => {
  let hidden = 0;
  fc.assert(
    fc.property(fc.array(match, { minLength: 2, maxLength: 8 }), (matches) => {
      const known = new HiddenRoutes();
      const verdicts = matches.map((one, index) => known.add(index, one));
      const winners = winnersOf(matches);
      for (const [index, verdict] of verdicts.entries()) {
        if (verdict === null) continue;
        hidden += 1;
        assert.ok(!winners.has(index), `${index} wins, said to be hidden by ${verdict.by}`);
        assert.ok(verdict.by < index);
      }
    }),
    { numRuns: 2_000 },
  );
  assert.ok(hidden > 100, String(hidden));
});

test('of two routes of one place on all listeners, one that never wins is said to be hidden', () => {
  let never = 0;
  fc.assert(
    fc.property(match, match, (a, b) => {
      // Regular expressions are compared by their text, which is less than they take; these values are all there are here.
      const texts = [a, b].flatMap(({ headers }) => headers.map(({ kind }) => kind));
      fc.pre(!texts.includes('regex') && !texts.includes('prefix'));
      const matches = [
        { ...a, path: '/x', listeners: null },
        { ...b, path: '/x', listeners: null },
      ];
      const winners = winnersOf(matches);
      const known = new HiddenRoutes();
      known.add(0, matches[0]!);
      const isHidden = known.add(1, matches[1]!) !== null;
      if (!winners.has(1)) never += 1;
      assert.equal(isHidden, !winners.has(1));
    }),
    { numRuns: 2_000 },
  );
  assert.ok(never > 20, String(never));
});
