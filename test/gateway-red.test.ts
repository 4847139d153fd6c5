/** Rate, errors and durations (RED) of everything a request goes through, on the page of a real gateway: each counts the same requests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseExposition } from './exposition-parser.ts';
import { config, create, origin } from './gateway-under-test.ts';

test('listener, route, arms with their services, endpoints and limit tell of the same requests', async () => {
  const [shop, next] = [await origin('shop'), await origin('next')];
  const { gateway, get } = create({
    workers: 1,
    config: config('', {
      admin: { address: '127.0.0.1:0' },
      listeners: [{ name: 'web', address: '127.0.0.1:0' }],
      services: [
        { name: 'shop', endpoints: [shop] },
        { name: 'next', endpoints: [next] },
      ],
      limits: [{ name: 'few', algorithm: { type: 'fixed-window', limit: 40, per: '366d' } }],
      routes: [
        {
          name: 'all',
          limits: { requests: ['few'] },
          split: {
            by: 'random',
            arms: [
              { service: 'shop', weight: 50 },
              { service: 'next', weight: 50 },
            ],
          },
        },
      ],
    }),
  });
  await gateway.start();
  const by = { shop: 0, next: 0 };
  for (let sent = 0; sent < 42; sent++) {
    const answer = await get();
    if (answer === 'shop' || answer === 'next') by[answer] += 1;
  }
  assert.equal(by.shop + by.next, 40);
  const page = await (await fetch(`http://${gateway.state().admin!.address}/metrics`)).text();
  const samples = parseExposition(page, 'prometheus').flatMap((family) => family.samples);
  const count = (name: string, labels: Record<string, string>): number =>
    samples
      .filter((sample) => sample.name === name && Object.entries(labels).every(([at, is]) => sample.labels[at] === is))
      .reduce((sum, { value }) => sum + value, 0);

  const web = { listener: gateway.state().listeners[0]!.name };
  assert.equal(count('spillway_listener_responses_total', { ...web, code_class: '2xx' }), 40);
  assert.equal(count('spillway_listener_responses_total', { ...web, code_class: '4xx' }), 2);
  assert.equal(count('spillway_listener_duration_seconds_count', web), 42);

  const route = { route: 'all' };
  assert.equal(count('spillway_requests_total', { ...route, code_class: '2xx' }), 40);
  assert.equal(count('spillway_requests_total', { ...route, code_class: '4xx' }), 2);
  assert.equal(count('spillway_requests_limited_total', route), 2);
  assert.equal(count('spillway_request_duration_seconds_count', route), 40);

  for (const [service, endpoint] of [
    ['shop', shop],
    ['next', next],
  ] as const) {
    const answered = by[service];
    assert.equal(count('spillway_arm_requests_total', { service, code_class: '2xx' }), answered);
    assert.equal(count('spillway_arm_duration_seconds_count', { service }), answered);
    assert.equal(count('spillway_endpoint_requests_total', { endpoint, code_class: '2xx' }), answered);
    assert.equal(count('spillway_upstream_duration_seconds_count', { endpoint }), answered);
    assert.equal(count('spillway_upstream_duration_seconds_bucket', { endpoint, le: '+Inf' }), answered);
  }
  assert.equal(count('spillway_limit_requests_total', { limit: 'few', outcome: 'allowed' }), 40);
  assert.equal(count('spillway_limit_requests_total', { limit: 'few', outcome: 'refused' }), 2);
  await gateway.stop();
});
