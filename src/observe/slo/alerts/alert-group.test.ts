/** When an alert is told: once for all of an objective, again if it lasts or grows worse, once when it is over, and no flood. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { AlertStatus } from '../live/status.ts';
import { AlertGroup, type GroupMessage } from './alert-group.ts';

const kinds = [
  [14.4, 'page'],
  [6, 'page'],
  [3, 'ticket'],
  [1, 'ticket'],
] as const;

/** The alerts of an objective, of which these are on. */
const alerts = (...on: readonly number[]): readonly AlertStatus[] =>
  kinds.map(([burn, severity]) => ({
    ...{ burn, severity, longS: 3600, shortS: 300, sinceMs: 0, longShare: 0, shortShare: 0 },
    state: on.includes(burn) ? 'firing' : 'inactive',
  }));

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

class Run {
  readonly group = new AlertGroup();
  readonly said: string[] = [];
  atMs = 0;

  pass(ms: number, ...on: readonly number[]): this {
    for (const endMs = this.atMs + ms; this.atMs < endMs; this.atMs += 1000) {
      const message: GroupMessage = this.group.step(this.atMs, alerts(...on));
      if (message !== null) this.said.push(`${this.atMs / 1000} ${message.state} ${message.alert.burn}`);
    }
    return this;
  }
}

test('alerts of one cause are one message, of the worst, and its end is another', () => {
  const run = new Run()
    .pass(HOUR)
    .pass(3000, 1)
    .pass(3000, 3, 1)
    .pass(20 * MINUTE, 14.4, 6, 3, 1)
    .pass(MINUTE);
  assert.deepEqual(run.said, ['3610 firing 14.4', '4806 resolved 14.4']);
});

test('what lasts less than ten seconds is not told', () => {
  assert.deepEqual(new Run().pass(9000, 14.4).pass(HOUR).said, []);
});

test('a page is told again each hour, a ticket each day', () => {
  assert.deepEqual(new Run().pass(2.5 * HOUR, 6).said, ['10 firing 6', '3610 firing 6', '7210 firing 6']);
  assert.equal(new Run().pass(50 * HOUR, 3).said.length, 3);
});

test('worse is told at once, milder is not; who was told of the worst is told of its end', () => {
  const run = new Run()
    .pass(MINUTE, 3)
    .pass(MINUTE, 6, 3)
    .pass(MINUTE, 14.4, 6, 3)
    .pass(30 * HOUR, 3)
    .pass(MINUTE);
  assert.deepEqual(run.said, [
    ...['10 firing 3', '60 firing 6', '120 firing 14.4', '86520 firing 3', '108180 resolved 14.4'],
  ]);
});

test('what comes and goes is told twice in five minutes at most', () => {
  const run = new Run();
  for (let at = 0; at < 60; at += 1) run.pass(20_000, 14.4).pass(10_000);
  assert.ok(run.said.length >= 4 && run.said.length <= 2 * 7, run.said.join('\n'));
});

test('whatever happens: firing before resolved, each end told once, no more messages than are allowed', () => {
  const stretch = fc.tuple(fc.constantFrom(3000, 12_000, MINUTE, 10 * MINUTE, 3 * HOUR), fc.subarray([14.4, 6, 3, 1]));
  fc.assert(
    fc.property(fc.array(stretch, { maxLength: 12 }), (stretches) => {
      const run = new Run();
      for (const [ms, on] of stretches) run.pass(ms, ...on);
      run.pass(1000);
      let open = false;
      let ends = 0;
      for (const line of run.said) {
        if (line.includes('resolved')) {
          assert.ok(open, line);
          open = false;
          ends += 1;
        } else open = true;
      }
      assert.equal(open, false, 'at the end nothing is on, and that was told');
      // An hour each; and for each end one beginning and three that are worse.
      assert.ok(run.said.length <= run.atMs / HOUR + 5 * ends + 1, run.said.join('\n'));
    }),
  );
});
