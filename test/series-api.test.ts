/** What happened is kept by a real gateway and told at /api/series: as many requests as were sent, where they were, in no other second. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { SeriesAnswer, SeriesAnswerRow } from '../src/gateway/admin/series-answer.ts';
import { addSparse, quantile } from '../src/kernel/quantile.ts';
import { cleanups, config, create } from './gateway-under-test.ts';

/** A server whose answers take as long as they are asked to, or fail. */
async function slowOrigin(): Promise<string> {
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '/', 'http://a');
    response.statusCode = Number(searchParams.get('status') ?? 200);
    setTimeout(() => response.end('a'), Number(searchParams.get('ms') ?? 0));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);

test('rates, classes and durations of routes and endpoints are those of what was sent', async () => {
  const endpoint = await slowOrigin();
  const routes = [
    { name: 'slow', match: { path: '/slow' }, service: 'shop' },
    { name: 'all', service: 'shop' },
  ];
  const { gateway, address } = create({
    config: { ...config(endpoint, { admin: { address: '127.0.0.1:0' } }), routes },
  });
  await gateway.start();
  const admin = `http://${gateway.state().admin!.address}/api/series`;
  const ask = async (query: string): Promise<SeriesAnswer> => {
    const response = await fetch(`${admin}?${query}`);
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as SeriesAnswer;
  };
  const counted = async (query: string): Promise<number> => {
    const { rows } = await ask(query);
    return sum(rows.flatMap((row) => (row.kind === 'counter' ? row.values : [])));
  };

  const startedMs = Date.now();
  for (let at = 0; at < 20; at++) await (await fetch(`http://${address()}/?status=${at < 15 ? 200 : 500}`)).text();
  for (let at = 0; at < 3; at++) await (await fetch(`http://${address()}/slow?ms=60`)).text();
  while ((await counted('name=spillway_requests_total&from=-5m')) < 23);

  const one = 'name=spillway_requests_total&from=-5m&step=1s&label.route=all';
  assert.equal(await counted(`${one}&label.code_class=2xx`), 15);
  assert.equal(await counted(`${one}&label.code_class=5xx&merged=true`), 5);
  assert.equal(await counted('name=spillway_endpoint_requests_total&from=-5m&label.service=shop&merged=true'), 23);

  const { rows, fromMs, stepMs, sampled } = await ask(
    'name=spillway_request_duration_seconds&from=-5m&step=1s&label.route=slow',
  );
  const [row] = rows as [Extract<SeriesAnswerRow, { kind: 'histogram' }>];
  assert.deepEqual(row.labels, { route: 'slow', service: 'shop' });
  assert.equal(row.bounds.at(-1), null);
  const bounds = row.bounds.map((bound) => bound ?? Number.POSITIVE_INFINITY);
  const counts = new Float64Array(bounds.length);
  for (const [at, step] of row.steps.entries()) {
    if (step === null) continue;
    assert.ok(fromMs + (at + 1) * stepMs > startedMs && sampled[at] === true);
    addSparse(
      counts,
      step.buckets.flatMap((bucket, index) => [bucket, step.counts[index]!]),
    );
  }
  assert.equal(sum([...counts]), 3);
  // What the server waited is the least it can have taken; how much more, is the machine's.
  assert.ok(quantile(bounds, counts, 0.5) > 0.058, `${quantile(bounds, counts, 0.5)} s`);
  const total = sum(row.steps.map((step) => step?.sum ?? 0));
  assert.ok(total > 0.18);
  // Before it ran nothing is known, and that is not none.
  assert.equal(sampled[0], false);
});

test('a query that cannot be understood is refused with what was expected', async () => {
  const { gateway } = create({ config: config(await slowOrigin(), { admin: { address: '127.0.0.1:0' } }) });
  await gateway.start();
  const refusals: readonly (readonly [query: string, detail: RegExp])[] = [
    ['', /^name is missing/],
    ['name=a&from=yesterday', /^from and to must be wall ms, or before now such as -15m/],
    ['name=a&from=-1m&to=-2m', /^to must be after from/],
    ['name=a&from=-41d', /40 days at most/],
    ['name=a&step=1ms', /^step must be a duration/],
    ['name=a&merged=yes', /^merged must be true or false/],
    ['name=a&rows=0', /^rows must be from 1 to 1000/],
    ['name=a&lable.route=x', /^lable\.route is not known; expected name, from/],
  ];
  for (const [query, detail] of refusals) {
    const response = await fetch(`http://${gateway.state().admin!.address}/api/series?${query}`);
    assert.equal(response.status, 400, query);
    assert.match(((await response.json()) as { detail: string }).detail, detail);
  }
  const unknown = await fetch(`http://${gateway.state().admin!.address}/api/series?name=nothing`);
  assert.deepEqual(((await unknown.json()) as SeriesAnswer).rows, []);
});
