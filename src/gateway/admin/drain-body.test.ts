import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiAnswer } from './answers.ts';
import { apiPaths } from './api.ts';
import type { AdminBackend } from './backend.ts';
import { readDrainRequest, readEndpointName } from './drain-body.ts';

/** The sentence, or '' if it was understood. */
const problem = (read: unknown): string => (typeof read === 'string' ? read : '');
const body = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

test('a drain names an endpoint, and may say a service, a time and force', () => {
  assert.deepEqual(readDrainRequest(body({ endpoint: 'a:1' })), { endpoint: 'a:1', force: false });
  const all = { endpoint: 'a:1', service: 'shop', within: '2m', force: true };
  assert.deepEqual(readDrainRequest(body(all)), { endpoint: 'a:1', service: 'shop', withinMs: 120_000, force: true });
  assert.deepEqual(readEndpointName(body({ endpoint: 'a:1', service: 'shop' })), { endpoint: 'a:1', service: 'shop' });
});

test('what cannot be understood is said', () => {
  for (const [given, says] of [
    [{}, /endpoint must be/],
    [[], /JSON such as/],
    [{ endpoint: 'a:1', service: 7 }, /service must be/],
    [{ endpoint: 'a:1', within: 'soon' }, /within must be a duration/],
    [{ endpoint: 'a:1', within: '25d' }, /within must be a duration from 0s to 24d/],
    [{ endpoint: 'a:1', force: 'yes' }, /force must be/],
    [{ endpoint: 'a:1', srevice: 'shop' }, /no key "srevice"; there are endpoint, service, within, force/],
  ] as const) {
    assert.match(problem(readDrainRequest(body(given))), says);
  }
  assert.match(problem(readDrainRequest(Buffer.from('{'))), /JSON such as/);
  assert.match(problem(readEndpointName(body({ endpoint: 'a:1', within: '1s' }))), /no key "within"/);
});

test('no such endpoint is the caller’s mistake, one that may not be drained a conflict', async () => {
  const ask = async (outcome: ReturnType<AdminBackend['drain']>): Promise<ApiAnswer> => {
    const backend = { drain: () => outcome } as unknown as AdminBackend;
    const query = new URLSearchParams();
    const request = { method: 'POST', names: [], query, body: body({ endpoint: 'a:1' }), headers: {} };
    return await apiPaths['/api/drain']!.answer(backend, request);
  };
  const statusOf = (answer: ApiAnswer) =>
    answer.kind === 'answer' ? answer.status : answer.kind === 'problem' ? answer.problem.status : null;
  assert.equal(statusOf(await ask({ kind: 'unknown', reason: 'There is none.' })), 400);
  assert.equal(statusOf(await ask({ kind: 'refused', reason: 'It is the last.' })), 409);
  const done = await ask({ kind: 'done', endpoints: [{ service: 'shop', endpoint: 'a:1' }] });
  assert.equal(statusOf(done), 200);
  assert.equal(done.kind === 'answer' && done.body, '{"endpoints":[{"service":"shop","endpoint":"a:1"}]}\n');
});
