/** Pages and pushes of very many things: the event loop turns while they are made. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from './metrics/collect.ts';
import { inChunks } from './page.ts';
import { formatMetrics, type MetricFamily } from './prometheus.ts';
import { protobufPage } from './protobuf-page.ts';

/** Of the event loop, until the page is whole. */
async function turnsOf(page: AsyncIterable<unknown>): Promise<{ chunks: unknown[]; turns: number }> {
  let turns = 0;
  let next = setImmediate(function again(): void {
    turns += 1;
    next = setImmediate(again);
  });
  const chunks: unknown[] = [];
  for await (const chunk of page) chunks.push(chunk);
  clearImmediate(next);
  return { chunks, turns };
}

test('a family of ten thousand things that have no sample takes turns too, in text, in protobuf and in what is pushed', async () => {
  const families = (): MetricFamily[] => [
    { name: 'changes_total', help: 'Changes.', type: 'counter', samples: Array.from({ length: 10_000 }, () => null) },
  ];
  for (const page of [
    inChunks(formatMetrics(families(), 'prometheus')),
    protobufPage(families()),
    collect(families(), 1),
  ]) {
    const { chunks, turns } = await turnsOf(page);
    assert.deepEqual(chunks, []);
    assert.ok(turns >= 39, `${turns} turns`);
  }
});
