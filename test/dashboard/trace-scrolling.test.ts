/** A trace is asked for again and again while it is read: in a real browser before a real gateway, whoever has scrolled stays there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeTraces } from '../../src/observe/otlp/traces.ts';
import type { SpanRecord } from '../../src/observe/trace/span-record.ts';
import { config, create, origin } from '../gateway-under-test.ts';
import { span } from './chart-data.ts';
import { noFaults, openPage } from './page-under-test.ts';
import { pushOtlp } from './push-otlp.ts';

const traceId = '1'.repeat(32);
const nowMs = Date.now();

/** The first is the root. */
function numbered(number: number): SpanRecord {
  const idOf = (at: number): string => (at + 1).toString(16).padStart(16, '0');
  const parentId = number === 0 ? null : idOf(0);
  return span({ traceId, spanId: idOf(number), parentId, name: `SPAN ${number}`, startMs: nowMs + number, durationMs: 5 });
} // prettier-ignore

test('who has scrolled stays there when a newer answer comes, and is led to a span that is chosen', async () => {
  const { gateway } = create({ config: config(await origin('a'), { admin: { address: '127.0.0.1:0' } }) });
  await gateway.start();
  const { address } = gateway.state().admin!;
  await pushOtlp(address, '/v1/traces', encodeTraces(Array.from({ length: 200 }, (_, at) => numbered(at))));
  const opened = await openPage(address, `#/traces?id=${traceId}`);
  const { page } = opened;
  const rows = page.getByRole('treegrid');
  await rows.getByText('SPAN 0').waitFor();
  const scrolled = (): Promise<number> => rows.evaluate((element) => element.scrollTop);
  await rows.evaluate((element) => (element.scrollTop = 2000));
  await pushOtlp(address, '/v1/traces', encodeTraces([numbered(200)]));
  await page.getByText('201 spans').waitFor();
  assert.equal(await scrolled(), 2000);
  await rows.focus();
  await page.keyboard.press('ArrowDown');
  await rows.locator('.row.chosen', { hasText: 'SPAN 1' }).waitFor();
  assert.ok((await scrolled()) < 100);
  noFaults(opened);
});
