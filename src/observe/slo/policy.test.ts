/** What follows when the budget runs low: the levels, and how they are written in each form of file. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatMistake } from '../../reading/mistakes.ts';
import { parseSlos } from './load.ts';
import { budgetLevel, budgetLevels, defaultPolicy, formatPolicy, worstLevel } from './policy.ts';

const objective = (more: string, name = 'a'): string =>
  `  - name: ${name}\n    objective: 99%\n    sli: { availability: {} }\n${more}`;
const policyOf = (text: string) => {
  const { slos, mistakes } = parseSlos(text, 'f.yaml');
  assert.deepEqual(mistakes.map(formatMistake), []);
  return slos!.slos[0]!.policy;
};
const lines = (text: string): string[] => parseSlos(text, 'f.yaml').mistakes.map(formatMistake);

test('a level holds at its share and below, the worst that is reached', () => {
  const at = (left: number) => budgetLevel(defaultPolicy, left);
  assert.deepEqual([1, 0.51, 0.5, 0.26, 0.25, 0.01, 0, -3].map(at), [
    ...['ok', 'ok', 'warn', 'warn', 'review', 'review', 'freeze', 'freeze'],
  ]);
  assert.equal(budgetLevel({ ...defaultPolicy, review: null, freeze: null }, -1), 'warn');
  assert.equal(budgetLevel({ ...defaultPolicy, warn: null, review: null, freeze: null }, -1), 'ok');
  assert.equal(worstLevel(['ok', 'review', 'warn']), 'review');
  assert.equal(worstLevel([]), 'ok');
  const said = formatPolicy({ ...defaultPolicy, review: null });
  assert.equal(said, 'warn at 50%, freeze at 0% of it left, once 1h is known');
  assert.equal(formatPolicy({ ...defaultPolicy, review: null, freeze: null }), 'warn at 50% of it left');
});

test('what is known of too short a time, or of too few events, freezes nothing and is looked at twice', () => {
  const at = (knownMs: number, policy = defaultPolicy) => budgetLevel(policy, -9, { knownMs, events: 5 });
  assert.deepEqual(
    [0, 1000, 3_599_999, 3_600_000].map((knownMs) => at(knownMs)),
    [...['review', 'review', 'review', 'freeze']],
  );
  assert.equal(at(0, { ...defaultPolicy, historyMs: 0 }), 'freeze');
  // A hundred requests of which one failed, and a thousand of which two did, for as long as it may take.
  const of = (total: number, bad: number) =>
    budgetLevel(defaultPolicy, 1 - bad / (0.001 * total), { knownMs: 30 * 86_400_000, events: 0.001 * total });
  assert.deepEqual([of(100, 1), of(999, 9), of(1000, 2)], ['review', 'review', 'freeze']);
});

test('with less left it is never milder, whatever the policy', () => {
  const share = fc.option(fc.double({ min: 0, max: 1, noNaN: true }));
  const left = fc.double({ min: -10, max: 1, noNaN: true });
  fc.assert(
    fc.property(share, share, share, left, left, (warn, review, freeze, one, other) => {
      const rank = (leftShare: number) =>
        budgetLevels.indexOf(budgetLevel({ ...defaultPolicy, warn, review, freeze }, leftShare));
      assert.ok(rank(Math.min(one, other)) >= rank(Math.max(one, other)));
    }),
  );
});

test('of a file, then of an objective, then what is usual', () => {
  assert.deepEqual(policyOf(`service: shop\nslos:\n${objective('')}`), defaultPolicy);
  const text = `service: shop\npolicy: { warn: 80%, freeze: 10%, history: 2h }\nslos:\n${objective('    policy: { freeze: never }\n')}`;
  assert.deepEqual(policyOf(text), { warn: 0.8, review: 0.25, freeze: null, historyMs: 7_200_000 });
  const none = `service: shop\nslos:\n${objective('    policy: { history: 0s }\n')}`;
  assert.deepEqual(policyOf(none), { ...defaultPolicy, historyMs: 0 });
});

const openSlo = (annotations: string): string =>
  `apiVersion: openslo/v1
kind: SLO
metadata: { name: orders, annotations: { ${annotations} } }
spec:
  service: shop
  timeWindow: [{ duration: 4w, isRolling: true }]
  objectives: [{ target: 0.999 }]
  indicator: { spec: { ratioMetric: { counter: true, bad: &m { metricSource: { type: Prometheus, spec: { query: a } } }, total: *m } } }
`;

test('in OpenSLO by annotations, in a file of Sloth as usual', () => {
  assert.deepEqual(
    policyOf(openSlo('spillway/policy-warn: 60%, spillway/policy-freeze: never, spillway/policy-history: 1d')),
    {
      warn: 0.6,
      review: 0.25,
      freeze: null,
      historyMs: 86_400_000,
    },
  );
  const sloth =
    'version: prometheus/v1\nservice: shop\nslos: [{ name: a, objective: 99, sli: { raw: { error_ratio_query: "x[{{.window}}]" } } }]\n';
  assert.deepEqual(policyOf(sloth), defaultPolicy);
});

test('mistakes have their place, and one that holds for all objectives is told once', () => {
  const own = (policy: string): string[] => lines(`service: shop\nslos:\n${objective(`    policy: ${policy}\n`)}`);
  assert.match(own('{ freeze: 5 }')[0]!, /^f\.yaml:6:23: .*Found 5, expected a percentage of the budget.*mean 5%\?$/);
  assert.match(own('{ freeze: 110% }')[0]!, /^f\.yaml:6:23: /);
  assert.match(own('{ frezze: 5% }')[0]!, /^f\.yaml:6:15: unknown key "frezze".*Did you mean freeze\?$/);
  assert.match(
    own('{ review: 60% }')[0]!,
    /^f\.yaml:6:23: review begins before warn\. Found 60%, expected at most 50%, where warn begins\.$/,
  );
  assert.deepEqual(own('{ warn: never, review: 60%, freeze: 60% }'), []);
  const ofFile = lines(`service: shop\npolicy: { freeze: 30% }\nslos:\n${objective('')}${objective('', 'b')}`);
  assert.equal(ofFile.length, 1);
  assert.match(ofFile[0]!, /^f\.yaml:2:19: freeze begins before review/);
  assert.match(lines(openSlo('spillway/policy-freez: 5%'))[0]!, /^f\.yaml:3:\d+: .*Did you mean freeze\?$/);
  assert.match(own('{ history: 8d }')[0]!, /^f\.yaml:6:24: .*expected a duration from 0s to 7d, such as 1h/);
  assert.match(own('{ history: 5 }')[0]!, /^f\.yaml:6:24: .*Found 5, expected a duration/);
  assert.match(
    lines(openSlo('spillway/policy-history: never'))[0]!,
    /is not a time\. Found "never", expected a duration/,
  );
  assert.match(lines(openSlo('spillway/policy-freeze: lots'))[0]!, /^f\.yaml:3:.*Found "lots", expected a percentage/);
});
