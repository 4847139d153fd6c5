/** The router against a naive matcher that tries every route in the order of precedence. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { RoutePlan } from '../snapshot.ts';
import { createRouter } from './router.ts';

type Match = RoutePlan['match'];

function takesHost(pattern: string | null, host: string): boolean {
  const name = host
    .toLowerCase()
    .replace(/:\d*$/, '')
    .replace(/(.)\.$/, '$1');
  if (pattern === null || pattern === '*') return true;
  if (!pattern.startsWith('*.')) return name === pattern;
  return name.endsWith(pattern.slice(1)) && name.length > pattern.length - 1;
}

function takesPath(pattern: string | null, path: string): boolean {
  if (pattern === null) return true;
  if (!pattern.endsWith('/*')) return path === pattern;
  const prefix = pattern.slice(0, -2);
  return path === prefix ? prefix !== '' : path.startsWith(`${prefix}/`);
}

/** Greater is more specific: exact over any pattern, the longer pattern over the shorter, null last. */
const hostRank = (host: string | null) =>
  host === null || host === '*' ? -1 : host.startsWith('*.') ? host.length : 1000;
const pathRank = (path: string | null) => (path === null ? -1 : path.endsWith('/*') ? path.length : 1000);

function naive(matches: readonly Match[], listener: string, host: string, path: string): number {
  let best = -1;
  for (const [index, match] of matches.entries()) {
    if (match.listeners !== null && !match.listeners.includes(listener)) continue;
    if (!takesHost(match.host, host) || !takesPath(match.path, path)) continue;
    const held = matches[best];
    const better =
      held === undefined ||
      hostRank(match.host) > hostRank(held.host) ||
      (hostRank(match.host) === hostRank(held.host) && pathRank(match.path) > pathRank(held.path));
    if (better) best = index;
  }
  return best;
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
);
const match: fc.Arbitrary<Match> = fc.record({
  host: hostPattern,
  path: pathPattern,
  listeners: fc.oneof(fc.constant(null), fc.subarray(['x', 'y'], { minLength: 1 })),
});
const request = fc.record({
  listener: fc.constantFrom('x', 'y', 'z'),
  host: fc.oneof(
    fc.constant(''),
    name,
    name.map((host) => host.toUpperCase()),
    name.map((host) => `${host}:8080`),
    name.map((host) => `${host}.`),
    name.map((host) => `.${host}`),
  ),
  path: fc.oneof(fc.constant('*'), fc.constant(''), path),
});

test('the router agrees with a naive matcher', () => {
  let matched = 0;
  fc.assert(
    fc.property(
      fc.array(match, { maxLength: 24 }),
      fc.array(request, { minLength: 1, maxLength: 24 }),
      (matches, requests) => {
        const router = createRouter(matches.map((one, index) => plan(one, index)));
        for (const { listener, host, path: target } of requests) {
          const expected = naive(matches, listener, host, target);
          if (expected >= 0) matched++;
          assert.equal(router.match(listener, host, target), expected, `${listener} ${host} ${target}`);
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
    upgrade: [],
    tunnelIdleMs: 0,
    cell: new SharedArrayBuffer(8),
  };
}
