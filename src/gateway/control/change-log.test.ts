import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { ChangeLog } from './change-log.ts';
import type { GatewayEvent } from './events.ts';

const all = { after: 0, limit: 10_000 };

function sentence(event: GatewayEvent): string | null {
  const log = new ChangeLog(new SimulatedClock());
  log.observe(event);
  const [change] = log.changes(all);
  return change === undefined ? null : `${change.kind} ${change.tone}: ${change.what}`;
}

test('what happens to a gateway is told in sentences', () => {
  const of = { service: 'shop', endpoint: 'a:1' };
  const trial = { phase: 'rolled-back', share: 0.1, reason: 'its errors are 5 %' } as never;
  const events: readonly (readonly [GatewayEvent, string | null])[] = [
    [{ kind: 'endpoint-down', ...of, reason: 'timeout', ejected: false }, 'health bad: a:1 of shop is down: timeout.'],
    [
      { kind: 'endpoint-down', ...of, reason: '5 errors', ejected: true },
      'health bad: a:1 of shop was ejected: 5 errors.',
    ],
    [
      { kind: 'endpoint-up', ...of, reason: 'status 200', downForMs: 9990.874712999997 },
      'health good: a:1 of shop is up, after 10s: status 200.',
    ],
    [
      { kind: 'endpoint-up', ...of, reason: 'status 200', downForMs: null },
      'health good: a:1 of shop is up: status 200.',
    ],
    [
      { kind: 'drain-begun', ...of, by: 'command', withinMs: 30_000 },
      'drain plain: a:1 of shop drains, at the longest 30s (by command).',
    ],
    [
      { kind: 'drain-ended', ...of, tookMs: 1040.5, cut: null, told: 0 },
      'drain plain: a:1 of shop has drained in 1s; nothing was cut.',
    ],
    [{ kind: 'drain-undone', ...of }, 'drain plain: a:1 of shop serves again.'],
    [
      { kind: 'breaker', service: 'shop', phase: 'open', forMs: 6312.4, reason: '60 % of 20 calls failed' },
      'breaker bad: The breaker of shop is open for 6.3s: 60 % of 20 calls failed.',
    ],
    [
      { kind: 'breaker', service: 'shop', phase: 'half-open', forMs: null, reason: 'on trial with 5 calls' },
      'breaker plain: The breaker of shop is half-open: on trial with 5 calls.',
    ],
    [
      { kind: 'breaker', service: 'shop', phase: 'closed', forMs: null, reason: '5 of 5 trial calls succeeded' },
      'breaker good: The breaker of shop is closed: 5 of 5 trial calls succeeded.',
    ],
    [
      { kind: 'fail-open', service: 'shop', reason: null },
      'health good: The health of shop’s endpoints is believed again.',
    ],
    [
      { kind: 'canary', trial },
      'canary bad: Config on trial for 10 % of the connections: rolled-back, its errors are 5 %.',
    ],
    [
      {
        kind: 'reload',
        outcome: { kind: 'refused', cause: 'file', version: 1, reason: 'It has 2 mistakes.', problems: [] },
      },
      'config bad: A config was refused (file): It has 2 mistakes.',
    ],
    [{ kind: 'reload', outcome: { kind: 'unchanged', cause: 'file', version: 1 } }, null],
    [
      { kind: 'audit', by: 'cli, made token', remote: '1.2.3.4:5', action: 'POST /api/drain', outcome: 'done' },
      'audit plain: POST /api/drain by cli, made token, from 1.2.3.4:5: done',
    ],
    [
      { kind: 'worker-lost', lane: 1, reason: 'out of memory', restartInMs: 0 },
      'worker bad: Worker 1 was lost: out of memory.',
    ],
    [{ kind: 'notice', level: 'warn', message: 'odd' }, null],
    [{ kind: 'stopped' }, null],
  ];
  for (const [event, said] of events) assert.equal(sentence(event), said);
});

test('the newest are kept, with ids that grow by one, newest first', () => {
  const clock = new SimulatedClock();
  const log = new ChangeLog(clock);
  assert.equal(log.last, 0);
  for (let at = 0; at < 5000; at++) {
    clock.pass(1);
    log.add({ kind: 'leader', tone: 'plain', what: `${at}` });
  }
  assert.equal(log.last, 5000);
  const kept = log.changes(all);
  assert.deepEqual(
    kept.map(({ id }) => id),
    Array.from({ length: 1000 }, (_, at) => 5000 - at),
  );
  assert.equal(kept[0]!.what, '4999');
  assert.ok(kept[0]!.atMs > kept[1]!.atMs);
  assert.deepEqual(
    log.changes({ after: 4998, limit: 10 }).map(({ id }) => id),
    [5000, 4999],
  );
  assert.deepEqual(
    log.changes({ after: 0, limit: 2 }).map(({ id }) => id),
    [5000, 4999],
  );
  assert.deepEqual(log.changes({ after: 5000, limit: 10 }), []);
});

test('a sentence that is long, such as the mistakes of a config, is cut', () => {
  const log = new ChangeLog(new SimulatedClock());
  log.add({ kind: 'config', tone: 'bad', what: 'x'.repeat(10_000) });
  assert.equal(log.changes(all)[0]!.what.length, 500);
});
