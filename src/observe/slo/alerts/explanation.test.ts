/** What an alert says, in words and as others read it; and that names and messages cannot do anything there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AlertStatus, SloStatus } from '../live/status.ts';
import { alertmanagerBody, slackBody, webhookBody } from './bodies.ts';
import { alertLines, explainAlert, type ExplanationInput } from './explanation.ts';

const at = (time: string): number => Date.parse(`2026-11-29T${time}Z`);

const alert: AlertStatus = {
  ...{ severity: 'page', burn: 14.4, longS: 3600, shortS: 300, state: 'firing' },
  ...{ sinceMs: at('07:01:10'), longShare: 0.032, shortShare: 0.081 },
};

const status: SloStatus = {
  ...{ id: 'shop-up', service: 'shop', name: 'up', objective: 0.999, windowMs: 30 * 86_400_000, measures: 'answers' },
  ...{ window: '30d', period: null },
  ...{ atMs: at('07:03:00'), sinceMs: 0, good: 0, bad: 0, burn: [], alerts: [alert], timeToPageMs: 0 },
  budget: { minutes: 43.2, minutesLeft: 28.5, events: 1000, eventsLeft: 660, share: 0.66 },
  ...{
    policy: { warn: 0.5, review: 0.25, freeze: 0, historyMs: 3_600_000 },
    level: 'ok',
    exhaustionMs: 22 * 3_600_000,
  },
};

const input: ExplanationInput = {
  ...{ status, alert, state: 'firing', nowMs: at('07:03:00'), beganMs: at('07:00:50') },
  contributions: [
    { kind: 'route', name: 'search', bad: 40, total: 9000, what: 'failed' },
    { kind: 'route', name: 'checkout', bad: 410, total: 600, what: 'failed' },
    { kind: 'route', name: 'fine', bad: 0, total: 600, what: 'failed' },
    { kind: 'endpoint', name: '10.0.0.7:3000', bad: 396, total: 400, what: 'failed' },
  ],
  changes: [
    { atMs: at('06:00:00'), what: 'long ago' },
    { atMs: at('07:00:41'), what: 'config 12 applied: endpoint 10.0.0.7:3000 added' },
    { atMs: at('07:02:30'), what: 'endpoint 10.0.0.7:3000 is ejected' },
  ],
};

test('what burns, since when, where it comes from, what is left, and what was changed just before', () => {
  assert.deepEqual(alertLines(explainAlert(input)), [
    'PAGE shop-up spends its error budget 32 times too fast',
    'Failed: 3.2% in the last 1h, 8.1% in the last 5m; 0.1% may (99.9% over 30d).',
    'Failures since 2026-11-29 07:00:50 UTC, alert since 2026-11-29 07:01:10 UTC.',
    '28.5 of 43.2 min are left (66%); at this rate gone in 22h.',
    'By route: checkout 91% (410 of 600 failed), search 9% (40 of 9000 failed).',
    'By endpoint: 10.0.0.7:3000 100% (396 of 400 failed).',
    'Just before, 2026-11-29 07:00:41 UTC: config 12 applied: endpoint 10.0.0.7:3000 added',
  ]);
});

test('its end says when it was, and no rate', () => {
  const lines = alertLines(explainAlert({ ...input, state: 'resolved', nowMs: at('07:20:00') }));
  assert.equal(lines[0], 'RESOLVED shop-up no longer spends its error budget too fast');
  assert.match(lines.join('\n'), /alert since 2026-11-29 07:01:10 UTC until 2026-11-29 07:20:00 UTC\./);
  assert.doesNotMatch(lines.join('\n'), /at this rate/);
});

test('Alertmanager gets the labels of the compiled rules, and an end that comes if nothing more is said', () => {
  const nowMs = at('07:03:00');
  const [firing, over] = alertmanagerBody(
    [explainAlert(input), explainAlert({ ...input, state: 'resolved', nowMs })],
    nowMs,
  ) as { labels: object; startsAt: string; endsAt: string }[];
  assert.deepEqual(firing!.labels, {
    ...{
      alertname: 'SloBudgetBurn',
      slo_id: 'shop-up',
      slo_service: 'shop',
      slo_name: 'up',
      severity: 'page',
      burn: '14.4',
    },
  });
  assert.deepEqual([firing!.startsAt, firing!.endsAt], ['2026-11-29T07:01:10.000Z', '2026-11-29T07:07:00.000Z']);
  assert.equal(over!.endsAt, '2026-11-29T07:03:00.000Z');
});

test('no name and no message is more than text of one line, in Slack neither', () => {
  const evil = '<!channel> <http://x|y>\n\u202e& \u0007';
  const explanation = explainAlert({
    ...input,
    contributions: [{ kind: 'route', name: evil, bad: 1, total: 1, what: 'failed' }],
    changes: [{ atMs: at('07:00:00'), what: evil }],
  });
  const lines = alertLines(explanation);
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  for (const line of lines) assert.doesNotMatch(line, /[\u0000-\u001f\u202e]/);
  const slack = JSON.stringify(slackBody(explanation));
  assert.doesNotMatch(slack, /[<>]/);
  assert.match(slack, /&lt;!channel&gt;/);
  assert.equal((webhookBody(explanation) as { text: string }).text, lines.join('\n'));
});

test('a budget that is overdrawn is said in words', () => {
  const budget = { ...status.budget, minutesLeft: -28.64, share: -0.663 };
  const lines = alertLines(explainAlert({ ...input, status: { ...status, budget, exhaustionMs: 0 } }));
  assert.ok(lines.includes('The budget of 43.2 min is overdrawn by 28.6 min (66.3%).'), lines.join('\n'));
  assert.doesNotMatch(lines.join(), /-\d+(\.\d+)?( of|%)/);
});

test('whatever is known of it, it can be said', () => {
  const share = fc.option(fc.double({ min: 0, max: 1, noNaN: true }));
  const ms = fc.option(fc.integer({ min: 0, max: 2 ** 41 }));
  fc.assert(
    fc.property(
      share,
      share,
      ms,
      ms,
      ms,
      fc.string(),
      (longShare, shortShare, sinceMs, beganMs, exhaustionMs, name) => {
        const explanation = explainAlert({
          ...{
            ...input,
            beganMs,
            status: { ...status, exhaustionMs },
            alert: { ...alert, longShare, shortShare, sinceMs },
          },
          ...{ contributions: [{ kind: 'route', name, bad: 1, total: 2, what: 'failed' }], changes: [] },
        });
        for (const line of alertLines(explanation)) assert.doesNotMatch(line, /NaN|undefined|null|Infinity/);
      },
    ),
  );
});
