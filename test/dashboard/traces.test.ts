/** Traces that services send to a real gateway, as they are found, opened and read in a real browser; kind ones and others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SpanRecord } from '../../src/observe/trace/span-record.ts';
import { encodeTraces } from '../../src/observe/otlp/traces.ts';
import { config, create, origin } from '../gateway-under-test.ts';
import { span } from './chart-data.ts';
import { noFaults, openPage } from './page-under-test.ts';
import { pushOtlp } from './push-otlp.ts';

async function gatewayWith(...traces: readonly (readonly SpanRecord[])[]): Promise<string> {
  const { gateway } = create({ config: config(await origin('a'), { admin: { address: '127.0.0.1:0' } }) });
  await gateway.start();
  const { address } = gateway.state().admin!;
  for (const spans of traces) await pushOtlp(address, '/v1/traces', encodeTraces(spans));
  return address;
}

const hex = (number: number, digits: number): string => number.toString(16).padStart(digits, '0');
const nowMs = Date.now();

/** One after another in one process. */
function trace(number: number, given: readonly Partial<SpanRecord>[]): SpanRecord[] {
  return given.map((fields, at) =>
    span({
      traceId: hex(number, 32),
      parentId: at === 0 ? null : hex(1, 16),
      startMs: nowMs + number,
      ...fields,
      spanId: hex(at + 1, 16),
    }),
  );
}

const hostile = '"><img src=x onerror="window.wasHurt = 1"><script>window.wasHurt = 1</script>\u202e';

test('what services send is text wherever it stands', async () => {
  const address = await gatewayWith(
    trace(1, [
      { name: hostile, service: hostile, kind: 'server', durationMs: 20, attributes: { 'http.route': hostile } },
      {
        name: 'javascript:alert(1)',
        status: 'error',
        statusMessage: hostile,
        durationMs: 5,
        attributes: { [hostile]: hostile },
        events: [{ timeMs: nowMs + 2, name: hostile, attributes: { [hostile]: hostile } }],
      },
    ]),
  );
  const opened = await openPage(address, '#/traces');
  const { page } = opened;
  const link = page.locator('td a').first();
  assert.ok((await link.textContent())!.includes('<img src=x'));
  await link.click();
  await page.getByRole('treegrid').focus();
  await page.keyboard.press('ArrowDown');
  const details = page.locator('.span-details');
  await details.getByText('javascript:alert(1)').waitFor();
  assert.equal((await details.textContent())!.split('<img src=x').length - 1, 6);
  assert.equal(await page.locator('main img, main script').count(), 0);
  assert.equal(await page.evaluate('window.wasHurt'), undefined);
  noFaults(opened);
});

test('traces are found by what they are: id, text, service, status, duration; the address keeps what was searched', async () => {
  const address = await gatewayWith(
    trace(0xa, [{ name: 'GET /cart', durationMs: 10 }]),
    trace(0xb, [{ name: 'GET /slow', durationMs: 900 }, { service: 'stock', name: 'redis GET' }]),
    trace(0xc, [{ name: 'GET /bad', durationMs: 20, status: 'error', statusMessage: 'no such order' }]),
  ); // prettier-ignore
  const opened = await openPage(address, '#/traces');
  const { page } = opened;
  const found = page.locator('td a');
  const names = async (...expected: string[]): Promise<void> => {
    await page.waitForFunction(
      // WHY as text: this runs in the page, whose types are not those of Node.
      ([wanted]) =>
        [
          ...(
            globalThis as never as { document: { querySelectorAll(css: string): Iterable<{ textContent: string }> } }
          ).document.querySelectorAll('td a'),
        ]
          .map(({ textContent }) => textContent)
          .join() === wanted,
      [expected.join()],
    );
  };
  await names('GET /bad', 'GET /slow', 'GET /cart');
  const search = page.getByRole('searchbox', { name: 'Trace id, or text in a span' });
  await page.keyboard.press('/');
  await page.keyboard.type('NO SUCH');
  await names('GET /bad');
  await search.fill('');
  await page.getByLabel('Status').selectOption('ok');
  await names('GET /slow', 'GET /cart');
  await page.getByLabel('Service').fill('stock');
  await names('GET /slow');
  await page.getByLabel('Service').fill('');
  await page.getByLabel('Status').selectOption('');
  await page.getByRole('spinbutton').fill('15');
  await page.getByLabel('Order').selectOption('slowest');
  await names('GET /slow', 'GET /bad');
  await page.reload();
  await names('GET /slow', 'GET /bad');
  await page.getByRole('spinbutton').fill('5000');
  await page.getByText('No trace is kept that fits.').waitFor();
  assert.equal(await found.count(), 0);
  // As it is copied from a header.
  await search.fill(`00-${hex(0xb, 32)}-${hex(1, 16)}-01`);
  await page.getByRole('treegrid').getByText('redis GET').waitFor();
  noFaults(opened);
});

test('of many traces there is one field to search with, and it asks the gateway', async () => {
  const many = Array.from({ length: 30 }, (_, at) => trace(at + 1, [{ name: `GET /${at}` }]));
  const opened = await openPage(await gatewayWith(...many), '#/traces');
  const { page } = opened;
  await page.locator('td a').nth(29).waitFor();
  assert.equal(await page.getByRole('searchbox').count(), 1);
  await page.keyboard.press('/');
  await page.keyboard.type('/17');
  await page.locator('td a').nth(1).waitFor({ state: 'detached' });
  assert.equal(await page.locator('td a').textContent(), 'GET /17');
  noFaults(opened);
});

test('a slow trace is set beside an ordinary one: how much longer, where, and what the other had not', async () => {
  const route = { attributes: { 'http.route': 'cart' } };
  const cart = (number: number, { query = 5, more = [] }: { query?: number; more?: readonly Partial<SpanRecord>[] }) =>
    trace(number, [
      { name: 'GET cart', service: 'web', kind: 'server', durationMs: query + 10, ...route },
      { name: 'SELECT', service: 'shop', startMs: nowMs + number + 4, durationMs: query },
      ...more,
    ]);
  const charge = { name: hostile, service: 'shop', startMs: nowMs + 1, durationMs: 3, status: 'error' } as const;
  const address = await gatewayWith(
    cart(1, { query: 500, more: [charge] }),
    ...[2, 3, 4].map((number) => cart(number, { query: number * 10 })),
    trace(5, [{ name: 'GET cart of another', durationMs: 1, ...route }]),
  );
  const opened = await openPage(address, `#/traces?id=${hex(1, 32)}`);
  const { page } = opened;
  const plain = (text: string | null): string => (text ?? '').replaceAll('\u00a0', ' ');
  const peers = page.locator('.peers');
  await peers.getByRole('link', { name: 'an ordinary one' }).waitFor();
  const told = 'an ordinary one 40.0 ms, the fastest 30.0 ms, the slowest 50.0 ms, or ';
  assert.equal(plain(await peers.textContent()), `Compare with ${told}`);
  await peers.getByRole('link', { name: 'an ordinary one' }).click();
  await page.getByText('510 ms, the other 40.0 ms: 470 ms longer. Most of it is shop: SELECT, 470 ms longer.').waitFor();
  const rows = page.getByRole('region', { name: 'where the two differ' }).locator('tbody tr');
  const texts = async (): Promise<string[]> => (await rows.allTextContents()).map(plain);
  assert.deepEqual(await texts(), [
    'shopSELECT+470 ms500 ms30.0 msGET cart1 / 1',
    'webGET cart−3.00 ms7.00 ms10.0 ms1 / 1',
    `shop${hostile}+3.00 ms3.00 msnot thereGET cart1, 1 failed / 0`,
  ]);
  assert.equal(await page.evaluate('window.wasHurt'), undefined);
  await page.getByRole('link', { name: 'The other way round' }).click();
  await page.getByText('40.0 ms, the other 510 ms: 470 ms shorter. Most of it is shop: SELECT, 470 ms shorter.').waitFor();
  // Any other, by its id; and one that is not there is said.
  await peers.getByRole('searchbox').fill(`traceparent: 00-${hex(4, 32)}-${hex(1, 16)}-01`);
  await page.getByText('40.0 ms, the other 50.0 ms: 10.0 ms shorter.').waitFor();
  await peers.getByRole('searchbox').fill(hex(9, 32));
  await page.getByRole('status').filter({ hasText: 'There is no trace with this id' }).waitFor();
  noFaults(opened);
}); // prettier-ignore

test('spans that come late move rows, and not what was chosen and folded', async () => {
  const call = { service: 'shop', attributes: { rows: '17' } };
  const spans = (number: number) =>
    trace(number, [
      { name: 'GET cart', service: 'web', durationMs: 500 },
      { name: 'QUERY', startMs: nowMs + number + 300, durationMs: 100, ...call },
      { name: 'READ', startMs: nowMs + number + 310, durationMs: 50, parentId: hex(2, 16), service: 'db' },
    ]);
  const address = await gatewayWith(spans(1), spans(2));
  const opened = await openPage(address, `#/traces?id=${hex(1, 32)}&with=${hex(2, 32)}`);
  const { page } = opened;
  const there = page.getByRole('treegrid', { name: 'Spans of the other trace' });
  await there.getByText('QUERY').click();
  await there.locator('.row.chosen', { hasText: 'QUERY' }).waitFor();
  await there.focus();
  await page.keyboard.press('ArrowLeft');
  await there.getByText('READ').waitFor({ state: 'detached' });
  const late = span({ traceId: hex(2, 32), spanId: hex(9, 16), parentId: hex(1, 16), name: 'LATE', service: 'auth', startMs: nowMs + 12, durationMs: 5 });
  await pushOtlp(address, '/v1/traces', encodeTraces([late]));
  await there.getByText('LATE').waitFor();
  assert.deepEqual(await there.locator('.row.chosen .name').allTextContents(), ['▸shop QUERY +1']);
  assert.deepEqual(await there.getByText('READ').count(), 0);
  await page.locator('.span-details').filter({ hasText: 'rows' }).getByText('17', { exact: true }).waitFor();
  noFaults(opened);
}); // prettier-ignore

for (const width of [1280, 390]) {
  test(`${width} px: the waterfalls of two traces have one axis and one colour for a service, one above the other`, async () => {
    const route = { attributes: { 'http.route': 'cart' } };
    const address = await gatewayWith(
      trace(1, [
        { name: 'GET cart', service: 'web', durationMs: 500, ...route },
        { name: 'SELECT', service: 'shop', startMs: nowMs + 101, durationMs: 300 },
      ]),
      trace(2, [
        { name: 'GET cart', service: 'edge', durationMs: 50, ...route },
        { name: 'SELECT', service: 'shop', startMs: nowMs + 12, durationMs: 20, attributes: { rows: '17' } },
      ]),
    );
    const opened = await openPage(address, `#/traces?id=${hex(1, 32)}&with=${hex(2, 32)}`, {
      viewport: { width, height: 844 },
      hasTouch: width < 500,
    });
    const { page } = opened;
    const [here, there] = ['this', 'the other'].map((whose) => page.getByRole('treegrid', { name: `Spans of ${whose} trace` }));
    const bar = async (of: typeof here, name: string) => {
      const found = of!.getByRole('row').filter({ hasText: name }).locator('.bar');
      const { x, y, width: length } = (await found.boundingBox())!;
      return { x, y, length, color: await found.evaluate((element) => getComputedStyle(element).backgroundColor) };
    };
    await there!.getByText('SELECT').waitFor();
    const [cart, select, otherCart, otherSelect] = [
      await bar(here, 'GET cart'), await bar(here, 'SELECT'), await bar(there, 'GET cart'), await bar(there, 'SELECT'),
    ];
    const px = (ms: number): number => (cart.length * ms) / 500;
    const near = (one: number, other: number): void => assert.ok(Math.abs(one - other) < 1, `${one} and ${other}`);
    near(otherCart.x, cart.x);
    near(otherCart.length, px(50));
    near(select.x, cart.x + px(100));
    near(otherSelect.x, cart.x + px(10));
    near(otherSelect.length, px(20));
    assert.ok(otherCart.y > select.y);
    assert.equal(otherSelect.color, select.color);
    assert.notEqual(otherCart.color, cart.color);
    // Each is walked by itself, and says what its span was.
    await there!.focus();
    await page.keyboard.press('End');
    await page.locator('.span-details').filter({ hasText: 'rows' }).getByText('17', { exact: true }).waitFor();
    await here!.focus();
    await page.keyboard.press('End');
    await here!.locator('.row.chosen', { hasText: 'SELECT' }).waitFor();
    await there!.locator('.row.chosen', { hasText: 'SELECT' }).waitFor();
    await page.getByRole('region', { name: 'where the two differ' }).getByText('GET cart').first().waitFor();
    assert.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true);
    noFaults(opened);
  }); // prettier-ignore
}

test('ten thousand spans are kept as far as there is room, walked by keys, and told', async () => {
  const many = Array.from({ length: 9_999 }, (_, at): Partial<SpanRecord> => ({
    name: `work ${at}`,
    durationMs: 1,
    startMs: nowMs + at / 10,
  }));
  const address = await gatewayWith(trace(7, [{ name: 'GET /all', durationMs: 1000 }, ...many]));
  const { spans, dropped } = (await (await fetch(`http://${address}/api/traces/${hex(7, 32)}`)).json()) as {
    spans: unknown[];
    dropped: number;
  };
  assert.equal(spans.length + dropped, 10_000);
  const opened = await openPage(address, `#/traces?id=${hex(7, 32)}`);
  const { page } = opened;
  const grid = page.getByRole('treegrid');
  await grid.waitFor();
  assert.equal(await grid.getAttribute('aria-rowcount'), String(spans.length));
  await grid.focus();
  await page.keyboard.press('End');
  await page.locator(`.row.chosen[aria-rowindex="${spans.length}"]`).waitFor();
  assert.ok((await page.locator('.row').count()) < 80);
  if (dropped > 0) await page.getByText(`${dropped} more were too many to keep`).waitFor();
  noFaults(opened);
});

interface Line {
  readonly body: string;
  readonly severityNumber: number;
  readonly service?: string;
  readonly traceId?: string;
  readonly attributes?: readonly object[];
}

/** By OTLP in JSON, each of a service of its own. */
async function pushLines(address: string, ...lines: readonly Line[]): Promise<void> {
  const resourceLogs = lines.map(({ body, service = 'shop', ...record }) => ({
    resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
    scopeLogs: [{ logRecords: [{ timeUnixNano: `${nowMs}000000`, body: { stringValue: body }, ...record }] }],
  }));
  await pushOtlp(address, '/v1/logs', JSON.stringify({ resourceLogs }));
}

test('lines that services send are text', async () => {
  const address = await gatewayWith();
  const attributes = [{ key: hostile, value: { stringValue: hostile } }];
  await pushLines(address, { body: hostile, service: hostile, severityNumber: 17, attributes });
  const opened = await openPage(address, '#/traces');
  const line = opened.page.locator('.log-lines li');
  await line.waitFor();
  const text = (await line.textContent())!;
  assert.match(text, /error/);
  assert.equal(text.split('<img src=x').length - 1, 4);
  assert.equal(await opened.page.locator('main img, main script').count(), 0);
  assert.equal(await opened.page.evaluate('window.wasHurt'), undefined);
  noFaults(opened);
});

test('lines are chosen by how grave they are, by keys alone; the address keeps it, of a trace too', async () => {
  const traceId = hex(0xa, 32);
  const address = await gatewayWith(trace(0xa, [{ name: 'GET /cart' }]));
  await pushLines(
    address,
    { body: 'looked at', severityNumber: 5 },
    { body: 'asked again', severityNumber: 13, traceId },
    { body: 'gave up', severityNumber: 17, traceId },
  );
  const opened = await openPage(address, '#/traces');
  const { page } = opened;
  const lines = page.locator('.log-lines li');
  const only = async (...bodies: readonly string[]): Promise<void> => {
    await lines.nth(bodies.length).waitFor({ state: 'detached' });
    for (const body of bodies) await lines.filter({ hasText: body }).waitFor();
  };
  await lines.nth(2).waitFor();
  const level = page.getByLabel('Level');
  while (!(await level.evaluate((element) => element.matches(':focus')))) await page.keyboard.press('Tab');
  await page.keyboard.type('warn');
  await only('asked again', 'gave up');
  assert.match(page.url(), /[?&]level=warn/);
  await page.reload();
  await only('asked again', 'gave up');
  assert.equal(await level.inputValue(), 'warn');
  await page.goto(`http://${address}/#/traces?id=${traceId}&level=error`);
  await only('gave up');
  await level.selectOption('all');
  await only('asked again', 'gave up');
  assert.doesNotMatch(page.url(), /level/);
  // As nobody chooses it, but an old link may.
  await page.goto(`http://${address}/#/traces?level=loud`);
  await page.getByText('level must be one of').waitFor();
  noFaults(opened);
});

test('the line of a request is beside its trace, and leads to it', async () => {
  const telemetry = { traces: { sample: '100%' } } as const;
  const { gateway, address } = create({
    config: config(await origin('a'), { admin: { address: '127.0.0.1:0' }, telemetry }),
  });
  await gateway.start();
  for (const path of ['one', 'two']) await (await fetch(`http://${address()}/${path}?n=%3Cscript%3E`)).text();
  const opened = await openPage(gateway.state().admin!.address, '#/traces');
  const { page } = opened;
  const shown = page.locator('.log-lines li');
  await shown.nth(1).waitFor();
  // The newest first, as traces are.
  assert.deepEqual(
    (await shown.allTextContents()).map((text) => /\/(one|two)/.exec(text)![1]),
    ['two', 'one'],
  );
  const line = shown.filter({ hasText: '/two' });
  assert.match((await line.textContent())!, /gateway/);
  await line.getByRole('link', { name: 'trace' }).click();
  await page.getByRole('treegrid').getByText('GET all').waitFor();
  await page.getByRole('heading', { name: 'Log lines of this trace' }).waitFor();
  await shown.filter({ hasText: '/two' }).waitFor();
  assert.equal(await shown.count(), 1);
  noFaults(opened);
});

test('a trace that is not kept says so', async () => {
  const opened = await openPage(await gatewayWith(), `#/traces?id=${hex(9, 32)}`);
  await opened.page.getByText('There is no trace with this id, or it is no longer kept.').waitFor();
  noFaults(opened);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test(`${colorScheme}: on a phone a trace is no wider than the screen`, async () => {
    const address = await gatewayWith(
      trace(1, [
        { name: 'GET /cart', durationMs: 10 },
        { name: `a very long name ${'x'.repeat(200)}`, attributes: { long: 'y'.repeat(500) } },
      ]),
    );
    const opened = await openPage(address, `#/traces?id=${hex(1, 32)}`, {
      viewport: { width: 390, height: 844 },
      colorScheme,
      hasTouch: true,
    });
    const { page } = opened;
    await page.getByRole('treegrid').focus();
    await page.keyboard.press('ArrowDown');
    await page.locator('.span-details').getByText('yyy').waitFor();
    assert.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true);
    noFaults(opened);
  });
}
