/** Log lines at the admin address: of requests that are kept, and by what they are found. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminBackend } from '../../../test/admin-backend.ts';
import { span } from '../../../test/observe/spans.ts';
import type { LogRecord } from '../../observe/log/recent.ts';
import { AdminServer } from './server.ts';

test('a kept request has a line, found by its trace, level and text; what is asked for amiss is told', async (t) => {
  const { whole } = adminBackend();
  const server = new AdminServer(whole, {
    grants: [{ role: 'read', token: null }],
    loopbackName: '127.0.0.1',
    made: null,
  });
  t.after(() => server.close());
  const bound = await server.listen({ host: '127.0.0.1', port: 0 });
  const address = `http://127.0.0.1:${'port' in bound ? bound.port : 0}/api/logs`;
  const find = async (query: string): Promise<readonly LogRecord[]> =>
    ((await (await fetch(`${address}?${query}`)).json()) as { lines: readonly LogRecord[] }).lines;

  const [one, two] = ['1', '2'].map((digit) => ({ traceId: digit.repeat(32), spanId: digit.repeat(16) })) as [
    { traceId: string; spanId: string },
    { traceId: string; spanId: string },
  ];
  const said = { 'url.path': '/cart', 'http.route': 'shop', 'http.response.status_code': 502 };
  whole.telemetry.traced([
    span({ ...one, name: 'GET shop', service: 'gateway', attributes: { ...said, 'http.response.status_code': 200 } }),
    span({
      ...two,
      name: 'GET shop',
      service: 'gateway',
      status: 'error',
      statusMessage: 'connect_failed',
      attributes: said,
    }),
    span({ ...two, spanId: '3'.repeat(16), kind: 'client', service: 'gateway' }),
  ]);
  const [failed, good, ...others] = await find('');
  assert.equal(others.length, 0, 'attempts have no line of their own');
  assert.equal(good!.message, 'GET /cart 200 in 5.0 ms');
  assert.equal(failed!.message, 'GET /cart 502 in 5.0 ms, connect_failed');
  assert.deepEqual([failed!.level, failed!.service, failed!.traceId], ['error', 'gateway', two.traceId]);
  assert.deepEqual(await find(`traceId=${one.traceId}`), [good]);
  assert.deepEqual(await find('level=warn'), [failed]);
  assert.deepEqual(await find('text=CONNECT_failed&limit=1'), [failed]);
  for (const query of ['level=loud', 'limit=0', 'limit=1001', 'nothing=1', `text=${'x'.repeat(257)}`]) {
    assert.equal((await fetch(`${address}?${query}`)).status, 400, query);
  }
});
