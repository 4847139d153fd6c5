import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { defaultPassivePolicy, faultsOf, goodAndBad, type Observed, type PassivePolicy } from './passive.ts';
import { RESULTS, trafficResults, type TrafficResult } from './traffic.ts';

interface Seen {
  readonly row?: readonly TrafficResult[];
  readonly good?: number;
  readonly errors?: number;
  readonly kind?: TrafficResult;
  readonly p50?: number;
  readonly mean?: number;
  readonly samples?: number;
  readonly inUse?: boolean;
  readonly settledMs?: number;
}

const { serverError, refused, answerTimeout } = trafficResults;

function seen(what: Seen = {}): Observed {
  const { row = [], good = 0, errors = 0, kind = serverError, p50 = 20, mean = p50, samples = 0 } = what;
  const recent = Array.from<number>({ length: RESULTS }).fill(0);
  recent[trafficResults.answer] = good;
  recent[kind] = errors;
  const kinds = [...new Set(row)].toSorted((a, b) => a - b);
  return {
    traffic: {
      row: { errors: row.length, kinds },
      recent,
      latency: { samples, medianMs: p50, meanMs: mean },
      sinceReset: recent,
    },
    inUse: what.inUse ?? true,
    settledMs: what.settledMs ?? 60_000,
  };
}

const faults = (fleet: readonly Observed[], policy: PassivePolicy = defaultPassivePolicy) => faultsOf(fleet, policy);
const reasons = (fleet: readonly Observed[], policy?: PassivePolicy) =>
  faults(fleet, policy).map((fault) => fault?.reason ?? null);
const fast = seen({ p50: 138, samples: 500 });

test('five errors in a row are a fault, whatever the others do', () => {
  const dead = seen({ row: [refused, refused, refused, refused, refused] });
  assert.deepEqual(reasons([dead, dead]), Array(2).fill('5 errors in a row: 502 connection refused'));
  const mixed = seen({ row: [refused, answerTimeout, refused, refused, refused, refused] });
  assert.deepEqual(reasons([mixed]), ['6 errors in a row: 502 connection refused, 504 no answer in time']);
  assert.deepEqual(reasons([seen({ row: [refused, refused, refused, refused] })]), [null]);
});

test('an error rate is a fault where the others do better', () => {
  const bad = seen({ good: 10, errors: 30 });
  const well = seen({ good: 100, errors: 1 });
  assert.deepEqual(reasons([bad, well, well]), [
    '75 % of 40 requests failed, mostly status 5xx; 1 % at the 2 others',
    null,
    null,
  ]);
  assert.deepEqual(reasons([bad, bad, bad]), [null, null, null], 'what fails everywhere is not its fault');
  assert.deepEqual(reasons([bad]), ['75 % of 40 requests failed, mostly status 5xx']);
  assert.deepEqual(reasons([bad, bad, well, well, well]).slice(0, 2).includes(null), false, 'two of five');
});

test('who is the first to have enough results is compared with what the others have together', () => {
  const [first, failing, few] = [seen({ errors: 20 }), seen({ errors: 19 }), seen({ good: 10 })];
  assert.deepEqual(reasons([first, failing, failing]), [null, null, null], 'what fails everywhere is not its fault');
  assert.deepEqual(reasons([first, few]), [
    '100 % of 20 requests failed, mostly status 5xx; 0 % at the others together',
    null,
  ]);
  assert.equal(
    reasons([first, seen({ errors: 9 })])[0],
    '100 % of 20 requests failed, mostly status 5xx',
    'too few to tell',
  );
  assert.equal(
    reasons([first, seen({ errors: 19, inUse: false })])[0],
    '100 % of 20 requests failed, mostly status 5xx',
  );
});

test('few requests, or few errors, say nothing', () => {
  const well = seen({ good: 100 });
  assert.deepEqual(reasons([seen({ good: 0, errors: 19 }), well]), [null, null]);
  assert.deepEqual(reasons([seen({ good: 60, errors: 40 }), well]), [null, null]);
});

test('a 5xx is an error or not, as the policy says', () => {
  const rate = { ...defaultPassivePolicy.errorRate!, serverErrors: false };
  const fleet = [seen({ good: 10, errors: 30 }), seen({ good: 100 })];
  assert.deepEqual(reasons(fleet, { ...defaultPassivePolicy, errorRate: rate }), [null, null]);
  const recent = fleet[0]!.traffic.recent;
  assert.deepEqual(goodAndBad(recent, defaultPassivePolicy), { good: 10, bad: 30 });
  assert.deepEqual(goodAndBad(recent, { ...defaultPassivePolicy, errorRate: rate }), { good: 40, bad: 0 });
});

test('who is slower than the others by a factor is named with the numbers', () => {
  const slow = seen({ p50: 840, samples: 500 });
  assert.deepEqual(reasons([fast, fast, slow, fast, fast]), [
    null,
    null,
    'p50 of 840 ms, 6.1 times the median 138 ms of the 4 others',
    null,
    null,
  ]);
});

test('each guard rail of the latency rule holds by itself', () => {
  const slow = { p50: 840, samples: 500 };
  const others = [fast, fast, fast];
  assert.notEqual(faults([seen(slow), ...others])[0], null);
  assert.equal(faults([seen(slow), fast, fast])[0], null, 'two others are too few');
  assert.equal(faults([seen({ ...slow, samples: 99 }), ...others])[0], null);
  assert.equal(faults([seen(slow), fast, fast, seen({ p50: 138, samples: 99 })])[0], null, 'too little of another');
  assert.equal(faults([seen({ ...slow, settledMs: 29_999 }), ...others])[0], null, 'it is still warming up');
  assert.equal(faults([seen({ ...slow, p50: 410, mean: 900 }), ...others])[0], null, 'under three times');
  assert.equal(faults([seen({ ...slow, mean: 400 }), ...others])[0], null, 'its mean is as that of the others');
  const quick = Array.from({ length: 3 }, () => seen({ p50: 2, samples: 500 }));
  assert.equal(faults([seen({ p50: 90, samples: 500 }), ...quick])[0], null, 'nobody notices 88 ms');
});

test('who is out is neither judged nor compared with', () => {
  const dead = seen({ row: [refused, refused, refused, refused, refused], good: 1, errors: 99, inUse: false });
  assert.deepEqual(reasons([dead, seen({ good: 100 })]), [null, null]);
  const slowAndOut = seen({ p50: 5_000, samples: 500, inUse: false });
  assert.equal(faults([seen({ p50: 840, samples: 500 }), fast, fast, slowAndOut])[0], null, 'two others are in use');
});

test('a rule that is turned off is silent', () => {
  const off: PassivePolicy = { ...defaultPassivePolicy, consecutive: null, errorRate: null, latency: null };
  const bad = seen({ row: Array(9).fill(refused), errors: 99, p50: 9_000, samples: 500 });
  assert.deepEqual(reasons([bad, fast, fast, fast], off), [null, null, null, null]);
});

test('errors in a row are graver than a rate, a rate than slowness', () => {
  const fleet = [
    seen({ row: Array(5).fill(refused) }),
    seen({ errors: 100 }),
    seen({ p50: 90_000, samples: 500, good: 500 }),
    ...Array.from({ length: 3 }, () => seen({ p50: 20, samples: 500, good: 500 })),
  ];
  const severities = faults(fleet)
    .slice(0, 3)
    .map((fault) => fault!.severity);
  assert.deepEqual(
    severities,
    severities.toSorted((a, b) => b - a),
  );
});

/** The two comparing rules as their words say, one endpoint at a time. */
function naive(fleet: readonly Observed[], index: number, policy: PassivePolicy): string | null {
  const median = (values: number[]): number => {
    const sorted = values.toSorted((a, b) => a - b);
    if (sorted.length === 0) return 0;
    const middle = sorted.length / 2;
    return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  };
  const results = ({ traffic }: Observed) => traffic.recent.reduce((sum, count) => sum + count, 0);
  const errors = (one: Observed) => results(one) - one.traffic.recent[0]!;
  const share = (one: Observed) => errors(one) / results(one);
  const others = fleet.filter((one, at) => at !== index && one.inUse);
  const one = fleet[index]!;
  const { errorRate, latency } = policy;
  if (!one.inUse) return null;
  const rated = others.filter((other) => results(other) >= errorRate!.resultsMin).map(share);
  if (results(one) >= errorRate!.resultsMin && share(one) >= errorRate!.shareMin) {
    const [bad, all] = [others.map(errors), others.map(results)].map((each) =>
      each.reduce((sum, count) => sum + count, 0),
    );
    const together = all! < errorRate!.resultsMin / 2 ? 0 : bad! / all!;
    if (share(one) >= errorRate!.factor * (rated.length > 0 ? median(rated) : together)) return 'error-rate';
  }
  const enough = (some: Observed) =>
    some.traffic.latency.samples >= latency!.samplesMin && some.settledMs >= latency!.graceMs;
  const peers = others.filter(enough).map(({ traffic }) => traffic.latency);
  if (!enough(one) || peers.length < latency!.peersMin) return null;
  const p50 = median(peers.map(({ medianMs }) => medianMs));
  const mean = median(peers.map(({ meanMs }) => meanMs));
  const { medianMs, meanMs } = one.traffic.latency;
  if (medianMs < latency!.factor * p50 || medianMs - p50 < latency!.differenceMinMs) return null;
  return meanMs >= latency!.factor * mean ? 'latency' : null;
}

test('the rules say what their words say of each endpoint by itself', () => {
  const anySeen = fc.record({
    good: fc.nat(60),
    errors: fc.nat(60),
    p50: fc.constantFrom(10, 20, 100, 150, 400, 900),
    mean: fc.constantFrom(10, 20, 100, 150, 400, 900),
    samples: fc.constantFrom(99, 100, 500),
    inUse: fc.boolean(),
    settledMs: fc.constantFrom(0, 60_000),
  });
  fc.assert(
    fc.property(fc.array(anySeen, { minLength: 1, maxLength: 9 }), (all) => {
      const fleet = all.map(seen);
      assert.deepEqual(
        faults(fleet).map((fault) => fault?.rule ?? null),
        fleet.map((_, index) => naive(fleet, index, defaultPassivePolicy)),
      );
    }),
    { numRuns: 2_000 },
  );
});
