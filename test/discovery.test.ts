/** Endpoints that come and go while a gateway runs: by a file, by the admin API. */
import assert from 'node:assert/strict';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import { authorized } from './admin-token.ts';
import { config, create, folder, origin } from './gateway-under-test.ts';

type Discovery = NonNullable<NonNullable<ConfigInput['services']>[number]['discovery']>;

/** One service that learns its endpoints, and an admin API. */
function learning(
  discovery: Discovery,
  given: Partial<NonNullable<ConfigInput['services']>[number]> = {},
): ConfigInput {
  const services = [{ name: 'shop', discovery, ...given }];
  return { ...config(''), services, admin: { address: '127.0.0.1:0' } };
}

/** Calls the admin API. */
async function call(admin: string, method: string, path: string, body?: unknown) {
  const answer = await fetch(`http://${admin}${path}`, {
    method,
    headers: await authorized(admin),
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}

const list = '/api/services/shop/endpoints';

test('a file: read when it changes, a bad one changes nothing and says where it is bad', async () => {
  const [a, b] = [await origin('a'), await origin('b')];
  const file = join(folder(), 'endpoints.yaml');
  const { gateway, get, next, address } = create({ config: learning({ file }) });
  const missing = next('discovery');
  await gateway.start();
  assert.match((await missing).problem ?? '', /endpoints\.yaml does not exist$/);
  const refusal = await fetch(`http://${address()}/`);
  assert.deepEqual([refusal.status, refusal.headers.get('retry-after')], [503, '5']);
  const source = gateway.state().services[0]!.discovery;
  assert.deepEqual([source?.endpoints, source?.answeredAt, source?.failures], [null, null, 1]);
  assert.match(
    (await gateway.explain({ method: 'GET', url: '/', headers: [] })).refusal?.detail ?? '',
    /^No endpoint of shop is known: file \S+ has given none; Retry-After: 5\.$/,
  );

  const write = (text: string): void => {
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  const first = next('endpoints-found');
  write(`- ${a}\n`);
  assert.deepEqual(await first, {
    kind: 'endpoints-found',
    service: 'shop',
    source: `file ${file}`,
    changes: [`endpoint ${a} added`],
  });
  assert.equal(await get(), 'a');

  const second = next('endpoints-found');
  write(`- { address: "${b}", weight: 5 }\n- { address: "${a}", weight: 0 }\n`);
  assert.deepEqual((await second).changes, [`endpoint ${b} added`, `endpoint ${a}: weight 1 → 0`]);
  assert.equal(await get(), 'b');
  const [explained] = (await gateway.explain({ method: 'GET', url: '/', headers: [] })).service?.endpoints ?? [];
  assert.deepEqual([explained?.address, explained?.source], [b, 'file']);

  for (const [bad, says] of [
    [`- ${a}\n- nowhere\n`, /endpoints\.yaml:2:3: \[1\] is not valid/],
    ['- [', /endpoints\.yaml:\d:\d+: this is not YAML/],
    ['[]', /its answer is empty; the 2 endpoints known before stay \(whenEmpty: remove/],
    ['["169.254.169.254:80"]', /endpoints\.yaml:1:2: this is a link-local address or a cloud metadata service/],
  ] as const) {
    const told = next('discovery');
    write(bad);
    assert.match((await told).problem ?? '', says);
    assert.equal(await get(), 'b');
  }
  const gone = next('discovery');
  rmSync(file);
  assert.match((await gone).problem ?? '', /does not exist/);
  assert.equal(await get(), 'b');
  const healed = next('discovery');
  write(`- ${b}\n`);
  assert.equal((await healed).problem, null);
});

test('the gateway itself is no endpoint, at the ports that the system chose neither', async () => {
  const { gateway, address } = create({ config: learning({ api: true }) });
  await gateway.start();
  const admin = gateway.state().admin!.address;
  for (const [own, why] of [
    [address(), /this endpoint is the gateway itself/],
    [admin, /this endpoint is the gateway's own admin address/],
  ] as const) {
    const refused = await call(admin, 'PUT', list, [own]);
    assert.match(JSON.stringify(refused.body), why);
    assert.equal(refused.status, 422);
  }
});

test('the API: all, one more, one fewer; each in force when it is answered', async () => {
  const [a, b] = [await origin('a'), await origin('b')];
  const { gateway, get } = create({ config: learning({ api: true, max: 3 }) });
  await gateway.start();
  const admin = gateway.state().admin!.address;
  assert.deepEqual(await call(admin, 'PUT', list, [a]), { status: 200, body: { service: 'shop', endpoints: 1 } });
  assert.equal(await get(), 'a');
  const added = await call(admin, 'POST', list, { address: b, weight: 2 });
  assert.deepEqual(added.body, { service: 'shop', endpoints: 2 });
  assert.deepEqual((await call(admin, 'POST', list, { address: b, weight: 3 })).body['endpoints'], 2);
  const weights = (): unknown[] =>
    gateway.state().services[0]!.endpoints.map((each) => [each.address, each.weight, each.source]);
  assert.deepEqual(weights(), [
    [a, 1, 'api'],
    [b, 3, 'api'],
  ]);
  assert.equal((await call(admin, 'DELETE', `${list}/${encodeURIComponent(a)}`)).status, 200);
  assert.deepEqual(weights(), [[b, 3, 'api']]);
  assert.equal(await get(), 'b');

  const metrics = await (await fetch(`http://${admin}/metrics`)).text();
  for (const line of [
    'service_endpoints{service="shop",source="api"} 1',
    'discovery_answers_total{service="shop",source="api"} 4',
    'discovery_failing{service="shop",source="api"} 0',
  ])
    assert.ok(metrics.includes(`spillway_${line}\n`), line);

  // What was said survives a reload, of other things and of the bounds.
  assert.equal(
    (await gateway.reload({ config: learning({ api: true, max: 2 }, { retryAfter: '7s' }) })).kind,
    'applied',
  );
  assert.equal(await get(), 'b');

  for (const [method, path, body, status, code, says] of [
    ['POST', list, 'nowhere', 400, undefined, /must be JSON such as \{"address"/],
    ['PUT', list, '"nowhere"', 422, 'ENDPOINTS_INVALID', /a list of endpoints/],
    ['PUT', list, ['nowhere', { address: b, wieght: 1 }], 422, 'ENDPOINTS_INVALID', /\[0\] is not valid/],
    ['PUT', list, ['169.254.169.254:80'], 422, 'ENDPOINTS_INVALID', /cloud metadata/],
    ['PUT', list, ['a:1', 'a:1'], 422, 'ENDPOINTS_INVALID', /again/],
    [
      'PUT',
      list,
      ['a:1', 'a:2', 'a:3'],
      422,
      'ENDPOINTS_INVALID',
      /at most 2 endpoints this way \(max\); it would have 3/,
    ],
    ['PUT', list, [], 422, 'ENDPOINTS_INVALID', /whenEmpty: remove/],
    ['DELETE', `${list}/${b}`, undefined, 422, 'ENDPOINTS_INVALID', /would leave service shop no endpoint/],
    [
      'DELETE',
      `${list}/10.0.0.1:1`,
      undefined,
      404,
      'ENDPOINT_UNKNOWN',
      /was given no endpoint "10\.0\.0\.1:1"; it has 1/,
    ],
    ['PUT', '/api/services/shpo/endpoints', [a], 404, 'ENDPOINT_UNKNOWN', /no service "shpo"/],
    ['PUT', '/api/services/%zz/endpoints', [a], 404, undefined, /There is /],
    ['GET', list, undefined, 405, undefined, /allows PUT, POST/],
  ] as const) {
    const refused = await call(admin, method, path, body);
    assert.deepEqual(
      [refused.status, refused.body['code']],
      [status, code],
      `${method} ${path} ${JSON.stringify(body)}`,
    );
    assert.match(String(refused.body['detail']), says);
  }
  assert.deepEqual(weights(), [[b, 3, 'api']]);
  const many = await call(admin, 'PUT', list, ['nowhere', 'nowhere']);
  assert.equal((many.body['problems'] as string[]).length, 2, 'every mistake in one go');
});

test('a reload that is refused leaves the bounds as they were', async () => {
  const [a, b] = [await origin('a'), await origin('b')];
  const { gateway } = create({ config: learning({ api: true, max: 2 }) });
  await gateway.start();
  const listeners = [
    { name: 'web', address: '127.0.0.1:0' },
    { name: 'taken', address: a },
  ];
  assert.equal((await gateway.reload({ config: { ...learning({ api: true, max: 1 }), listeners } })).kind, 'refused');
  assert.equal(await gateway.changeEndpoints('shop', { kind: 'replace', endpoints: [a, b] }), 2);
  assert.equal((await gateway.reload({ config: learning({ api: true, max: 1 }) })).kind, 'applied');
  assert.equal(gateway.state().services[0]!.endpoints.length, 1, 'a lower bound counts at once');
  await assert.rejects(gateway.changeEndpoints('shop', { kind: 'add', endpoint: '127.0.0.1:1' }), {
    code: 'ENDPOINTS_INVALID',
  });
});

test('an endpoint that was found is drained as any other', async () => {
  const [a, b] = [await origin('a'), await origin('b')];
  const { gateway, get, next } = create({ config: learning({ api: true }) });
  await gateway.start();
  const admin = gateway.state().admin!.address;
  await gateway.changeEndpoints('shop', { kind: 'replace', endpoints: [a, b] });
  const ended = next('drain-ended');
  assert.equal((await call(admin, 'POST', '/api/drain', { endpoint: a })).status, 200);
  assert.equal((await ended).endpoint, a);
  assert.deepEqual([await get(), await get()], ['b', 'b']);
  assert.equal((await call(admin, 'DELETE', `${list}/${a}`)).status, 200);
  assert.deepEqual([await get(), await get()], ['b', 'b']);
  await gateway.changeEndpoints('shop', { kind: 'replace', endpoints: [b, { address: a, drain: true }] });
  assert.deepEqual([await get(), await get()], ['b', 'b']);
});

test('a service that has its endpoints from elsewhere says so; and one may have both', async () => {
  const [a, b] = [await origin('a'), await origin('b')];
  const { gateway, get } = create({ config: config(a, { admin: { address: '127.0.0.1:0' } }) });
  await gateway.start();
  const admin = gateway.state().admin!.address;
  const refused = await call(admin, 'PUT', list, [b]);
  assert.deepEqual([refused.status, refused.body['code']], [409, 'ENDPOINTS_ELSEWHERE']);
  assert.match(String(refused.body['detail']), /has its endpoints from the config; with “discovery: \{ api: true \}”/);
  const both = learning({ api: true, whenEmpty: 'remove' }, { endpoints: [a] });
  assert.equal((await gateway.reload({ config: both })).kind, 'applied');
  await gateway.changeEndpoints('shop', { kind: 'replace', endpoints: [b] });
  assert.deepEqual(new Set([await get(), await get(), await get(), await get()]), new Set(['a', 'b']));
  assert.equal(await gateway.changeEndpoints('shop', { kind: 'replace', endpoints: [] }), 1);
  assert.deepEqual([await get(), await get()], ['a', 'a']);
  await assert.rejects(gateway.changeEndpoints('chat', { kind: 'remove', address: b }), { code: 'ENDPOINT_UNKNOWN' });
});

test('10,000 endpoints at once are cut at the bound, and more than one request may hold is refused', async () => {
  const file = join(folder(), 'endpoints.json');
  const all = Array.from({ length: 10_000 }, (_, index) => `10.0.${index >> 8}.${index & 255}:80`);
  writeFileSync(file, JSON.stringify(all));
  const { gateway, seen } = create({ config: learning({ file, max: 50 }) });
  await gateway.start();
  const [service] = gateway.state().services;
  assert.equal(service?.endpoints.length, 50);
  assert.deepEqual(service?.discovery?.leftOut, ['9950 of 10000 endpoints, as max is 50']);
  assert.ok(seen.some((event) => event.kind === 'discovery' && event.problem === null && event.leftOut.length === 1));
});

test('a trial follows what is found', async () => {
  const [a, b] = [await origin('a'), await origin('b')];
  const file = join(folder(), 'next.json');
  const before = learning({ api: true });
  writeFileSync(
    file,
    JSON.stringify({ ...before, services: [{ name: 'shop', discovery: { api: true }, retryAfter: '9s' }] }),
  );
  const { gateway, get, next } = create({ config: before });
  await gateway.start();
  await gateway.changeEndpoints('shop', { kind: 'replace', endpoints: [a] });
  assert.equal((await gateway.apply({ file, trial: { share: 1, watchMs: 60_000 } })).kind, 'begun');
  assert.equal(await get(), 'a');
  await gateway.changeEndpoints('shop', { kind: 'replace', endpoints: [b] });
  // A connection is on trial or not for its life: this one is new.
  assert.equal(
    await (
      await fetch(`http://${gateway.state().listeners[0]!.address}/`, { headers: { connection: 'close' } })
    ).text(),
    'b',
  );
  assert.equal(gateway.state().canary?.phase, 'watching');
  const over = next('canary');
  await gateway.reload({ config: learning({ api: true }, { retryAfter: '8s' }) });
  await over;
  assert.equal(await get(), 'b');
});
