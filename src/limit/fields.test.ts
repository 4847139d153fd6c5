import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { type BareItem, parseDictionary, parseList } from 'structured-headers';
import { SpillwayError } from '../kernel/errors.ts';
import { SimulatedClock } from '../kernel/simulated-clock.ts';
import type { Algorithm } from './algorithm.ts';
import { concurrency } from './concurrency.ts';
import type { Decision } from './decision.ts';
import { limitFields, limitItem, policyItem, refusalOf, type Report, retryAfterS } from './fields.ts';
import { fixedWindow } from './fixed-window.ts';
import { gcra } from './gcra.ts';
import { createLimiter } from './limiter.ts';
import { memoryStore } from './memory.ts';
import { slidingLog } from './sliding-log.ts';
import { slidingWindow } from './sliding-window.ts';
import { tokenBucket } from './token-bucket.ts';

const NOW_MS = 1_790_000_000_000;

function decisionOf(name: string, given: Partial<Decision>): Decision {
  const { limit = 100, remaining = 0, retryAfterMs = 0, resetAfterMs = 0, source = 'store' } = given;
  const allowed = given.allowed ?? retryAfterMs === 0;
  return {
    allowed,
    granted: allowed ? 1 : 0,
    limit,
    remaining,
    retryAfterMs,
    resetAfterMs,
    policy: name,
    source,
    shadowed: false,
  };
}

function report(name: string, algorithm: Algorithm, given?: Partial<Decision>): Report {
  const policy = { name, algorithm };
  return given === undefined
    ? { policy }
    : { policy, decision: decisionOf(name, { limit: algorithm.limit, ...given }) };
}

test('the examples of the draft, as it writes them', () => {
  const perMinute = fixedWindow({ limit: 100, per: '60s' });
  assert.deepEqual(
    limitFields('draft', [report('fixedwindow', perMinute, { remaining: 99, resetAfterMs: 50_000 })], NOW_MS),
    [
      ['RateLimit-Policy', '"fixedwindow";q=100;w=60'],
      ['RateLimit', '"fixedwindow";r=99;t=50'],
    ],
  );
  const hour = report('hour', fixedWindow({ limit: 1000, per: '1h' }));
  const day = report('day', fixedWindow({ limit: 5000, per: '1d' }), { remaining: 100, resetAfterMs: 36_000_000 });
  assert.deepEqual(limitFields('draft', [hour, day], NOW_MS), [
    ['RateLimit-Policy', '"hour";q=1000;w=3600, "day";q=5000;w=86400'],
    ['RateLimit', '"day";r=100;t=36000'],
  ]);
  const partition = Buffer.from('trial121323');
  const noWindow = { ...report('default', concurrency({ limit: 1000, lease: '10s' }), { remaining: 999 }), partition };
  assert.equal(limitItem(noWindow), '"default";r=999;pk=:dHJpYWwxMjEzMjM=:');
  const bytes = report('default', fixedWindow({ limit: 1e9, per: '2m' }), { remaining: 3e8, resetAfterMs: 60_000 });
  assert.equal(
    limitItem({ ...bytes, partition: Buffer.from('App-999') }),
    '"default";r=300000000;t=60;pk=:QXBwLTk5OQ==:',
  );
  const refused = report('default', perMinute, { retryAfterMs: 5_000, resetAfterMs: 5_000 });
  assert.equal(limitItem(refused), '"default";r=0;t=5');
  const { status, fields, body } = refusalOf([refused.decision!])!;
  assert.equal(status, 429);
  assert.deepEqual(fields, [
    ['Content-Type', 'application/problem+json'],
    ['Retry-After', '5'],
  ]);
  assert.deepEqual(JSON.parse(body), {
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
    title: 'Quota Exceeded',
    status: 429,
    detail: 'The quota of “default” is used up; the same request can be granted in 5 s.',
    'violated-policies': ['default'],
  });
});

test('each algorithm says what it limits', () => {
  const items: [Algorithm, string][] = [
    [tokenBucket({ capacity: 100, refillPerSecond: 8 }), '"x";q=100;w=13'],
    [gcra({ limit: 6, per: '1m', burst: 1 }), '"x";q=1;w=10'],
    [slidingWindow({ limit: 5, per: '100ms' }), '"x";q=5;w=1'],
    [slidingLog({ limit: 5, per: '10m' }), '"x";q=5;w=600'],
    [concurrency({ limit: 5, lease: '30s' }), '"x";q=5;qu="concurrent-requests"'],
  ];
  for (const [algorithm, item] of items) assert.equal(policyItem(report('x', algorithm)), item);
});

test('what is left of a bucket is told at its steady rate', () => {
  const bucket = tokenBucket({ capacity: 100, refillPerSecond: 10 });
  const tOf = (remaining: number): string => limitItem(report('x', bucket, { remaining, resetAfterMs: 1 }))!;
  assert.equal(tOf(99), '"x";r=99;t=10');
  assert.equal(tOf(50), '"x";r=50;t=5');
  assert.equal(tOf(0), '"x";r=0;t=1');
  const half = report('x', bucket, { remaining: 50, limit: 50 });
  assert.equal(limitItem(half), '"x";r=50;t=10', 'at the rate of the share that a fallback has');
});

test('the older forms tell of the limit that matters', () => {
  const minute = report('minute', fixedWindow({ limit: 100, per: '1m' }), { remaining: 20, resetAfterMs: 23_100 });
  const hour = report('hour', fixedWindow({ limit: 1000, per: '1h' }), { remaining: 399, resetAfterMs: 2_402_000 });
  assert.deepEqual(limitFields('draft-7', [hour, minute], NOW_MS), [
    ['RateLimit-Policy', '100;w=60'],
    ['RateLimit', 'limit=100, remaining=20, reset=24'],
  ]);
  assert.deepEqual(limitFields('draft-6', [minute, hour], NOW_MS), [
    ['RateLimit-Limit', '100'],
    ['RateLimit-Remaining', '20'],
    ['RateLimit-Reset', '24'],
  ]);
  assert.deepEqual(limitFields('x-ratelimit', [minute, hour], NOW_MS), [
    ['X-RateLimit-Limit', '100'],
    ['X-RateLimit-Remaining', '20'],
    ['X-RateLimit-Reset', '1790000024'],
  ]);
  const refused = report('day', fixedWindow({ limit: 5000, per: '1d' }), { remaining: 50, retryAfterMs: 1 });
  const [, second] = limitFields('draft-6', [minute, refused, hour], NOW_MS);
  assert.deepEqual(second, ['RateLimit-Remaining', '50'], 'the one that refused, though another has less left');
  const slots = report('slots', concurrency({ limit: 5, lease: '30s' }), { remaining: 0, retryAfterMs: 12_000 });
  assert.deepEqual(limitFields('draft-7', [slots], NOW_MS), [
    ['RateLimit-Policy', '5'],
    ['RateLimit', 'limit=5, remaining=0, reset=12'],
  ]);
});

test('a refusal says when, unless there is no when', () => {
  const retryOf = (...retryAfterMs: number[]): string | undefined =>
    new Map(refusalOf(retryAfterMs.map((ms) => decisionOf('x', { retryAfterMs: ms })))!.fields).get('Retry-After');
  assert.equal(retryOf(1), '1');
  assert.equal(retryOf(1_000), '1');
  assert.equal(retryOf(1_001, 0), '2');
  assert.equal(retryOf(1_001, 7_000), '7', 'the longer of two');
  assert.equal(retryOf(1_001, Infinity), undefined);
  const never = refusalOf([decisionOf('exports', { retryAfterMs: Infinity })])!;
  assert.match(never.body, /more than “exports” ever allows/);
  assert.equal(limitItem(report('x', fixedWindow({ limit: 5, per: '1m' }), { retryAfterMs: Infinity })), '"x";r=0;t=0');
  assert.equal(refusalOf([decisionOf('x', {}), null]), null);
});

test('what nobody counted is not told, and is not the fault of the client', () => {
  const bucket = tokenBucket({ capacity: 5, refillPerSecond: 1 });
  const open = report('api', bucket, { remaining: 5, source: 'open' });
  const closed = report('api', bucket, { retryAfterMs: 900, source: 'closed' });
  for (const each of [open, closed]) {
    assert.deepEqual(limitFields('draft', [each], NOW_MS), [['RateLimit-Policy', '"api";q=5;w=5']]);
    for (const form of ['draft-6', 'draft-7', 'x-ratelimit'] as const)
      assert.deepEqual(limitFields(form, [each], NOW_MS), []);
  }
  const { status, fields, body } = refusalOf([closed.decision!])!;
  assert.equal(status, 503);
  assert.equal(new Map(fields).get('Retry-After'), '1');
  const problem = JSON.parse(body) as { type: string; 'violated-policies': string[] };
  assert.match(problem.type, /#temporary-reduced-capacity$/);
  assert.deepEqual(problem['violated-policies'], ['api']);
  const over = decisionOf('daily', { retryAfterMs: 30_000 });
  const both = refusalOf([closed.decision!, over])!;
  assert.equal(both.status, 429);
  assert.match(both.body, /"violated-policies":\["daily"\]/);
});

test('no limit, no field', () => {
  assert.deepEqual(limitFields('draft', [], NOW_MS), []);
  assert.deepEqual(limitFields('draft-6', [], NOW_MS), []);
});

const ascii = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) });

const algorithms: fc.Arbitrary<Algorithm> = fc
  .record({ limit: fc.integer({ min: 1, max: 1000 }), per: fc.integer({ min: 1, max: 1e6 }) })
  .chain(({ limit, per }) =>
    fc.constantFrom(
      gcra({ limit, per }),
      fixedWindow({ limit, per }),
      slidingWindow({ limit, per: Math.ceil(per / 1000) * 1000 }),
      concurrency({ limit, lease: per }),
      tokenBucket({ capacity: limit, refillPerSecond: (per % 1000) + 1 }),
    ),
  );

const decisions = fc.record({
  remaining: fc.nat(1e9),
  retryAfterMs: fc.oneof(fc.constant(0), fc.nat(1e9), fc.constant(Infinity)),
  resetAfterMs: fc.nat(1e12),
});

test('whatever is told is a structured field that says the same', () => {
  const reports = fc.uniqueArray(
    fc.record({ name: ascii, algorithm: algorithms, given: decisions, partition: fc.option(fc.uint8Array()) }),
    { selector: ({ name }) => name, minLength: 1, maxLength: 4 },
  );
  fc.assert(
    fc.property(reports, (list) => {
      const told = list.map(({ name, algorithm, given, partition }) => {
        const made = report(name, algorithm, given);
        return partition === null ? made : { ...made, partition };
      });
      const fields = new Map(limitFields('draft', told, NOW_MS));
      const limits = parseList(fields.get('RateLimit')!);
      const policies = parseList(fields.get('RateLimit-Policy')!);
      assert.equal(limits.length, told.length);
      told.forEach(({ policy: { name, algorithm }, decision, partition }, index) => {
        const [limitName, limit] = limits[index] as [BareItem, Map<string, BareItem>];
        const [policyName, policy] = policies[index] as [BareItem, Map<string, BareItem>];
        assert.equal(limitName, name);
        assert.equal(policyName, name);
        assert.equal(limit.get('r'), decision!.remaining);
        assert.equal(policy.get('q'), algorithm.limit);
        const leases = algorithm.kind === 'concurrency';
        assert.equal(policy.get('qu'), leases ? 'concurrent-requests' : undefined);
        assert.equal(limit.has('t'), !leases);
        assert.equal(policy.has('w'), !leases);
        for (const { params, key, min } of [
          { params: limit, key: 't', min: 0 },
          { params: policy, key: 'w', min: 1 },
        ]) {
          if (!leases) assert.ok(Number.isInteger(params.get(key)) && Number(params.get(key)) >= min);
        }
        for (const params of [limit, policy]) {
          const pk = params.get('pk') as ArrayBuffer | undefined;
          assert.deepEqual(pk && [...new Uint8Array(pk)], partition && [...partition]);
        }
      });
      const older = new Map(limitFields('draft-7', told, NOW_MS));
      const { limit, remaining, reset } = Object.fromEntries(parseDictionary(older.get('RateLimit')!));
      assert.ok([limit, remaining, reset].every((item) => Number.isInteger(item![0])));
      assert.equal(parseList(older.get('RateLimit-Policy')!).length, 1);
    }),
  );
});

test('a name that no field can carry is refused', () => {
  for (const name of ['größe', 'two\nlines', '\u007f']) {
    assert.throws(
      () => policyItem(report(name, fixedWindow({ limit: 1, per: '1s' }))),
      (error) => error instanceof SpillwayError && error.code === 'OPTIONS_INVALID',
    );
  }
});

test('who waits as long as Retry-After says is granted', () => {
  const takes = fc.array(fc.record({ afterMs: fc.nat(3_000), cost: fc.integer({ min: 1, max: 12 }) }), {
    minLength: 1,
    maxLength: 40,
  });
  const small = fc.constantFrom<Algorithm>(
    tokenBucket({ capacity: 10, refillPerSecond: 0.7 }),
    gcra({ limit: 7, per: '3s', burst: 3 }),
    fixedWindow({ limit: 10, per: '7s' }),
    slidingWindow({ limit: 10, per: '7s' }),
    slidingLog({ limit: 10, per: '7s' }),
    concurrency({ limit: 10, lease: '2500ms' }),
  );
  fc.assert(
    fc.property(small, takes, (algorithm, steps) => {
      const clock = new SimulatedClock();
      const limiter = createLimiter({ name: 'x', algorithm, store: memoryStore({ clock }) });
      for (const { afterMs, cost } of steps) {
        clock.pass(afterMs);
        const decision = limiter.takeSync('ann', cost);
        const waitS = retryAfterS(decision);
        assert.equal(waitS === null, decision.allowed || cost > algorithm.limit);
        if (waitS === null) continue;
        assert.ok(waitS >= 1 && (waitS - 1) * 1000 < decision.retryAfterMs);
        clock.pass(waitS * 1000);
        assert.ok(limiter.takeSync('ann', cost).allowed);
      }
    }),
  );
});

test('who uses what is left of a bucket has as much again after the time that is told', () => {
  const buckets = fc.record({ capacity: fc.integer({ min: 1, max: 50 }), rate: fc.integer({ min: 1, max: 40 }) });
  fc.assert(
    fc.property(buckets, fc.nat(60), ({ capacity, rate }, burst) => {
      const algorithm = tokenBucket({ capacity, refillPerSecond: rate });
      const clock = new SimulatedClock();
      const limiter = createLimiter({ name: 'x', algorithm, store: memoryStore({ clock }) });
      for (let n = 0; n < burst; n++) limiter.takeSync('ann');
      const decision = limiter.peekSync('ann');
      const [, params] = parseList(limitItem({ policy: limiter, decision })!)[0]!;
      limiter.takeSync('ann', decision.remaining);
      clock.pass(Number(params.get('t')) * 1000);
      assert.ok(limiter.peekSync('ann').remaining >= Math.max(1, decision.remaining));
    }),
  );
});
