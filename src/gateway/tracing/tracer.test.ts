/** The budget of a worker, at many times what it allows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { cellLane, createCell } from '../../kernel/cells.ts';
import { seededRandom } from '../../kernel/random.ts';
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import type { ClientConnection } from '../l7/client.ts';
import { Head } from '../l7/head.ts';
import { PROCESS_SLOTS, processSlots } from '../slots.ts';
import type { AnsweredRequest } from './answered-span.ts';
import { type SendSpans, Tracer } from './tracer.ts';

const client = {
  security: { version: '' },
  listener: { plan: { id: 'web' } },
  forwarding: { clientText: Buffer.from('192.0.2.1'), clientLength: 9 },
} as unknown as ClientConnection;
const refused: AnsweredRequest = {
  ...{ client, head: new Head(), parent: null, status: 503, refusal: 'no_endpoint', route: 'all', limit: '' },
  waitedMs: 0,
};

function setup(sample: number, isRead = true) {
  const clock = new ManualClock();
  const time = { nowMs: clock.nowMs() };
  const lane = cellLane(createCell(1, PROCESS_SLOTS), PROCESS_SLOTS, 0);
  const batches: (readonly SpanRecord[])[] = [];
  const sent: (() => void)[] = [];
  const send: SendSpans = (spans, taken) => {
    batches.push(spans);
    sent.push(taken);
    if (isRead) taken();
  };
  const tracer = new Tracer({ clock, random: seededRandom(1), lane, time, send });
  tracer.apply({ sample, slowMs: 1000, perSecond: 100 });
  return { tracer, time, lane, batches, sent };
}

test('10,000 failures a second are as many traces as the plan allows, and counted; batches are no larger', () => {
  const { tracer, time, lane, batches } = setup(1);
  for (let second = 0; second < 3; second++) {
    for (let tick = 0; tick < 10; tick++) {
      for (let request = 0; request < 1000; request++) tracer.answered(refused);
      tracer.tick();
      time.nowMs += 100;
    }
  }
  assert.equal(batches.flat().length, 300);
  assert.ok(batches.every((spans) => spans.length <= 100));
  assert.equal(lane[processSlots.tracesKept], 300);
  assert.equal(lane[processSlots.tracesDropped], 30_000 - 300);
  assert.equal(new Set(batches.flat().map(({ traceId }) => traceId)).size, 300);
  tracer.tick();
  assert.equal(batches.length, 3, 'a tick without traces sends nothing');
});

test('neither a caller that samples everything nor requests refused for what they are use up what is left to failures', () => {
  const parent = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), isSampled: true };
  for (const given of [{ status: 404, parent }, { status: 501 }, { status: 505 }, { status: 508, parent }]) {
    const { tracer, lane } = setup(0);
    for (let n = 0; n < 1000; n++) tracer.answered({ ...refused, ...given });
    assert.equal(lane[processSlots.tracesKept], 75, `${given.status}`);
    for (let n = 0; n < 1000; n++) tracer.answered(refused);
    assert.equal(lane[processSlots.tracesKept], 100, `after ${given.status}`);
  }
});

test('while nobody reads what was sent, no more is, and what waits has a bound; then it goes bit by bit, and at the end in any case', () => {
  const { tracer, time, lane, batches, sent } = setup(1, false);
  const fail = (seconds: number): void => {
    for (let second = 0; second < seconds; second++) {
      for (let request = 0; request < 100; request++) tracer.answered(refused);
      tracer.tick();
      time.nowMs += 1000;
    }
  };
  const sizes = (): number[] => batches.map(({ length }) => length);
  fail(201);
  assert.deepEqual([lane[processSlots.tracesKept], lane[processSlots.tracesDropped]], [10_100, 10_000]);
  assert.deepEqual(sizes(), [100]);
  sent[0]!();
  assert.deepEqual(sizes(), [100, 1000]);
  fail(2);
  assert.deepEqual(sizes(), [100, 1000]);
  for (let batch = 1; batch < 9; batch++) sent[batch]!();
  assert.deepEqual(sizes(), [100, ...Array.from({ length: 9 }, () => 1000)]);
  tracer.end();
  assert.deepEqual(sizes().slice(10), [1000, 200]);
});
