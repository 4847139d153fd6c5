/** The router against a naive matcher that tries every route in the order of precedence. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { RoutePlan } from '../snapshot.ts';
import { anyRequest } from '../../../test/engine/plans.ts';
import { routed } from '../../../test/engine/routed.ts';
import { createRouter } from './router.ts';

type Match = RoutePlan['match'];

function takesHost(pattern: string | null, host: string): boolean {
  const name = host.toLowerCase().replace(/(.)\.$/, '$1');
  if (pattern === null || pattern === '*') return true;
  if (!pattern.startsWith('*.')) return name === pattern;
  return name.endsWith(pattern.slice(1)) && name.length > pattern.length - 1;
}

/** Segment by segment, as the documentation says it. */
function takesPath({ path: pattern, pathRegex }: Match, path: string): boolean {
  if (pathRegex !== null) return new RegExp(pathRegex).test(path);
  if (pattern === null) return true;
  if (!path.startsWith('/')) return false;
  const open = pattern.endsWith('/*');
  const wanted = (open ? pattern.slice(0, -2) : pattern).split('/').slice(1);
  const given = path.split('/').slice(1);
  if (open ? given.length < wanted.length : given.length !== wanted.length) return false;
  return wanted.every((segment, index) => (segment.startsWith('{') ? given[index] !== '' : given[index] === segment));
}

/** Greater is more specific: exact over any pattern, the longer pattern over the shorter, null last. */
const hostRank = (host: string | null) =>
  host === null || host === '*' ? -1 : host.startsWith('*.') ? host.length : 1000;

/** As text that sorts: the level, then a digit a segment, text over name over open end. */
function pathRank({ path, pathRegex }: Match): string {
  if (pathRegex !== null) return '2';
  if (path === null) return '0';
  const open = path.endsWith('/*');
  const level = open ? '1' : path.includes('{') ? '3' : '4';
  const segments = (open ? path.slice(0, -2) : path).split('/').slice(1);
  return level + segments.map((segment) => (segment.startsWith('{') ? '2' : '3')).join('') + (open ? '1' : '');
}

const asked = (match: Match) => (match.methods === null ? 0 : 1) + match.headers.length;

function naive(
  matches: readonly Match[],
  request: { listener: string; host: string; path: string; method: string; fields: [string, string][] },
): number {
  const takers = [...matches.entries()].filter(
    ([, match]) =>
      (match.listeners === null || match.listeners.includes(request.listener)) &&
      takesHost(match.host, request.host) &&
      takesPath(match, request.path) &&
      (match.methods === null || match.methods.includes(request.method)) &&
      match.headers.every(
        ({ name, kind }) => request.fields.some(([given]) => given === name) === (kind === 'present'),
      ),
  );
  takers.sort(
    ([i, a], [j, b]) =>
      hostRank(b.host) - hostRank(a.host) ||
      (pathRank(a) < pathRank(b) ? 1 : pathRank(a) > pathRank(b) ? -1 : 0) ||
      asked(b) - asked(a) ||
      i - j,
  );
  return takers[0]?.[0] ?? -1;
}

// Few letters, so that generated routes and requests meet.
const label = fc.constantFrom('a', 'b', 'ab');
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const hostPattern = fc.oneof(
  fc.constant(null),
  fc.constant('*'),
  name,
  name.map((suffix) => `*.${suffix}`),
);
const path = fc
  .array(fc.constantFrom('a', 'b', 'ab', '', '/', 'a/'), { maxLength: 5 })
  .map((segments) => `/${segments.join('/')}`);
const pathPattern = fc.oneof(
  fc.constant(null),
  path,
  path.map((prefix) => (prefix === '/' ? '/*' : `${prefix}/*`)),
  fc
    .tuple(
      fc.array(fc.constantFrom('a', 'b', '{x}', '{y}', 'ab'), { minLength: 1, maxLength: 4 }),
      fc.constantFrom('', '/*'),
    )
    .map(([segments, end]) => `/${segments.join('/')}${end}`),
);
const match: fc.Arbitrary<Match> = fc
  .record({
    host: hostPattern,
    path: pathPattern,
    pathRegex: fc.oneof(
      { weight: 5, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: fc.constantFrom('^/a', 'b$', '/ab/') },
    ),
    listeners: fc.oneof(fc.constant(null), fc.subarray(['x', 'y'], { minLength: 1 })),
    methods: fc.oneof(fc.constant(null), fc.subarray(['GET', 'POST', 'PURGE'], { minLength: 1 })),
    headers: fc.array(fc.record({ name: fc.constantFrom('x-a', 'x-b'), kind: fc.constantFrom('present', 'absent') }), {
      maxLength: 2,
    }),
  })
  .map((one) => ({ ...anyRequest, ...one, path: one.pathRegex === null ? one.path : null }));
const request = fc.record({
  listener: fc.constantFrom('x', 'y', 'z'),
  host: fc.oneof(
    fc.constant(''),
    name,
    name.map((host) => host.toUpperCase()),
    name.map((host) => `${host}.`),
    name.map((host) => `.${host}`),
  ),
  path: fc.oneof(fc.constant('*'), fc.constant(''), path),
  method: fc.constantFrom('GET', 'POST', 'PURGE'),
  fields: fc.subarray<[string, string]>([
    ['x-a', '1'],
    ['x-b', '2'],
  ]),
});

test('the router agrees with a naive matcher', () => {
  let matched = 0;
  fc.assert(
    fc.property(
      fc.array(match, { maxLength: 24 }),
      fc.array(request, { minLength: 1, maxLength: 24 }),
      (matches, requests) => {
        const router = createRouter(matches.map((one, index) => plan(one, index)));
        for (const one of requests) {
          const expected = naive(matches, one);
          if (expected >= 0) matched++;
          assert.equal(router.table(one.listener).match(routed(one)), expected, JSON.stringify(one));
        }
      },
    ),
    { numRuns: 3000 },
  );
  assert.ok(matched > 1000, 'the requests must meet the routes, or nothing was tested');
});

function plan(one: Match, index: number): RoutePlan {
  return {
    name: `r${index}`,
    match: one,
    service: 0,
    requestBodyBytesMax: 0,
    requestLimits: [],
    upgrade: [],
    shaping: null,
    tunnelIdleMs: 0,
    cell: new SharedArrayBuffer(8),
  };
}
