/** A context goes with the work, wherever it goes on, and from one process to the next by header fields. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { seededRandom } from '../../kernel/random.ts';
import { extractContext, injectContext } from './header-fields.ts';
import { currentContext, runInContext, type WorkContext } from './work-context.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
const of = (correlationId: string): WorkContext => ({ trace: null, correlationId, baggage: new Map() });
const current = (): string | undefined => currentContext()?.correlationId;

test('work of several contexts that is interleaved keeps each its own, and outside there is none', async () => {
  const seen: Record<string, (string | undefined)[]> = {};
  const work = async (id: string): Promise<void> => {
    const mine: (string | undefined)[] = (seen[id] = [current()]);
    await Promise.resolve();
    mine.push(current());
    await new Promise<void>((resolve) => setImmediate(resolve));
    mine.push(current());
    runInContext(of(`${id} within`), () => mine.push(current()));
    await runInContext(null, async () => {
      await Promise.resolve();
      mine.push(current());
    });
    mine.push(current());
  };
  await Promise.all(['a', 'b'].map((id) => runInContext(of(id), () => work(id))));
  for (const id of ['a', 'b']) assert.deepEqual(seen[id], [id, id, id, `${id} within`, undefined, id]);
  assert.equal(currentContext(), null);
});

test('what throws leaves the context as it was', () => {
  runInContext(of('outer'), () => {
    assert.throws(() => runInContext(of('inner'), () => assert.fail('on purpose')), /on purpose/);
    assert.equal(current(), 'outer');
  });
});

test('fields become a context, and a context the same fields', () => {
  const fields = { traceparent, tracestate: 'congo=t61rcWkgMzE', baggage: 'user=al%20ice', 'x-request-id': 'req-1' };
  const context = extractContext({ ...fields, tracestate: ' congo=t61rcWkgMzE ,' }, seededRandom(1));
  assert.equal(context.trace?.traceId, traceId);
  assert.equal(context.baggage.get('user'), 'al ice');
  assert.deepEqual(injectContext(context), fields);
});

test('an id that could break out of a log line is not taken; the trace id is the next best, then a new one', () => {
  const random = seededRandom(1);
  for (const id of ['', 'a b', 'a"b', 'a\nb', 'a\u001b[31m', 'ä', 'x'.repeat(129), '{}']) {
    assert.equal(extractContext({ traceparent, 'x-request-id': id }, random).correlationId, traceId, id);
    assert.match(extractContext({ 'x-request-id': id }, random).correlationId, /^[0-9a-f]{32}$/);
  }
  assert.equal(extractContext({ 'x-request-id': 'x'.repeat(128) }, random).correlationId, 'x'.repeat(128));
});

test('two of what there may be one of are none; tracestate stands and falls with traceparent, not the other way', () => {
  const random = seededRandom(1);
  assert.equal(extractContext({ traceparent: [traceparent, traceparent] }, random).trace, null);
  assert.equal(extractContext({ traceparent: 'nonsense', tracestate: 'a=1' }, random).trace, null);
  assert.equal(extractContext({ traceparent, tracestate: 'a=1,a=2' }, random).trace?.state, '');
  assert.equal(extractContext({ traceparent, tracestate: ['a=1', 'b=2'] }, random).trace?.state, 'a=1,b=2');
});

test('without a context nothing is sent', () => assert.deepEqual(injectContext(null), {}));

test('from one process to the next over a socket, with fields sent twice', async () => {
  const random = seededRandom(1);
  const server = createServer((request, response) => {
    runInContext(extractContext(request.headers, random), () =>
      response.end(JSON.stringify(injectContext(currentContext()))),
    );
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    const headers: [string, string][] = [['TraceParent', traceparent], ['tracestate', 'a=1'], ['TRACESTATE', 'b=2'], ['baggage', 'k=v'], ['baggage', 'l=w']]; // prettier-ignore
    const answer = await fetch(`http://127.0.0.1:${port}/`, { headers });
    const body = (await answer.json()) as Record<string, string>;
    assert.deepEqual(body, { traceparent, tracestate: 'a=1,b=2', baggage: 'k=v,l=w', 'x-request-id': traceId });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
