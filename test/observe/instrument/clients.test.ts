/** Requests that a service makes: the context goes with them, and each is counted once. The server is another process in spirit: what it got is read. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { test } from 'node:test';

import type { SpanRecord, WorkContext } from 'spillway/observe';
import { freePort } from '../../ports.ts';
import { serve, Watched } from './instrumented.ts';

const METRIC = 'http_client_request_duration_seconds';
const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const incomingFields = {
  traceparent: parent,
  tracestate: 'congo=t61rcWkgMzE',
  baggage: 'who=ann',
  'x-request-id': 'order-42',
};

/** Answers what it was sent. */
function echo(incoming: IncomingMessage, response: ServerResponse): void {
  response.end(JSON.stringify(incoming.headers));
}

async function bodyOf(incoming: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of incoming) text += String(chunk);
  return text;
}

/** Runs the work within a request that came with `incomingFields`, and gives the spans that it made. */
async function within(watched: Watched, work: () => Promise<unknown>): Promise<SpanRecord[]> {
  await watched.telemetry.traces.withSpan('work', { parent: extracted() }, async () => work());
  return watched.spans.filter(({ kind }) => kind === 'client');
}

function extracted(): WorkContext {
  return {
    trace: { traceId: parent.slice(3, 35), spanId: parent.slice(36, 52), flags: 1, state: 'congo=t61rcWkgMzE' },
    correlationId: 'order-42',
    baggage: new Map([['who', 'ann']]),
  };
}

const ways: Readonly<Record<string, (url: string, headers?: Record<string, string>) => Promise<string>>> = {
  fetch: async (url, headers = {}) => (await fetch(url, { headers })).text(),
  'http.get': async (url, headers = {}) =>
    bodyOf(((await once(get(url, { headers }), 'response')) as [IncomingMessage])[0]),
};

for (const [way, ask] of Object.entries(ways)) {
  test(`${way}: trace, baggage and correlation id go with a request, which is a span of its own`, async () => {
    await using watched = new Watched();
    await using other = await serve(echo);
    let sent: Record<string, string> = {};
    const spans = await within(watched, async () => {
      sent = JSON.parse(await ask(`${other.url}/a?token=secret`)) as Record<string, string>;
    });
    const [span] = spans;
    assert.equal(spans.length, 1);
    assert.equal(sent['traceparent'], `00-${parent.slice(3, 35)}-${span?.spanId}-01`);
    const { tracestate, baggage, 'x-request-id': id } = sent;
    assert.deepEqual([tracestate, baggage, id], [incomingFields.tracestate, incomingFields.baggage, 'order-42']);
    assert.deepEqual(span?.attributes, {
      'http.request.method': 'GET',
      'server.address': '127.0.0.1',
      'server.port': other.port,
      'url.full': `${other.url}/a`,
      'http.response.status_code': 200,
    });
    assert.deepEqual(await watched.counts(METRIC), [
      `http_request_method=GET server_address=127.0.0.1 server_port=${other.port} http_response_status_code=200: 1`,
    ]);
  });

  test(`${way}: a hint before the answer is not the answer`, async () => {
    await using watched = new Watched();
    await using other = await serve((_, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      response.end('ok');
    });
    const [span] = await within(watched, () => ask(other.url));
    assert.equal(span?.attributes['http.response.status_code'], 200);
  });

  test(`${way}: what whoever calls has set stays`, async () => {
    await using watched = new Watched();
    await using other = await serve(echo);
    await within(watched, async () => {
      const sent = JSON.parse(await ask(other.url, { 'X-Request-Id': 'mine' })) as Record<string, string>;
      assert.equal(sent['x-request-id'], 'mine');
      assert.match(sent['traceparent'] ?? '', /^00-0af7/);
      const own = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-00`;
      const all = JSON.parse(await ask(other.url, { traceparent: own })) as Record<string, string>;
      assert.deepEqual([all['traceparent'], all['tracestate'], all['baggage']], [own, undefined, undefined]);
    });
  });

  test(`${way}: refused connections and answers of failure are errors, told as before`, async () => {
    await using watched = new Watched();
    await using other = await serve((_, response) => void response.writeHead(503).end());
    const nobody = await freePort();
    const spans = await within(watched, async () => {
      await ask(other.url);
      await assert.rejects(ask(`http://127.0.0.1:${nobody}`));
    });
    assert.deepEqual(
      spans.map(({ status }) => status),
      ['error', 'error'],
    );
    const counts = await watched.counts(METRIC);
    assert.ok(
      counts.some((line) => line.includes(`http_response_status_code=503 error_type=503: 1`)),
      counts.join('\n'),
    );
    assert.ok(
      counts.some((line) => /error_type=(?:ECONNREFUSED|\w+): 1$/.test(line) && line.includes(`server_port=${nobody}`)),
      counts.join('\n'),
    );
  });

  test(`${way}: after it was disposed nothing is added`, async () => {
    const watched = new Watched();
    await watched[Symbol.asyncDispose]();
    await using other = await serve(echo);
    const sent = JSON.parse(await ask(other.url)) as Record<string, string>;
    assert.equal(sent['traceparent'], undefined);
    assert.equal(watched.spans.length, 0);
  });
}

test('a call that is given up counts once, and one whose body never ends is over with its head', async () => {
  await using watched = new Watched();
  const asked = Promise.withResolvers<void>();
  await using other = await serve((incoming, response) => {
    if (incoming.url === '/stream') response.write('for ever');
    else asked.resolve();
  });
  const spans = await within(watched, async () => {
    const stop = new AbortController();
    const given = fetch(`${other.url}/never`, { signal: stop.signal });
    await asked.promise;
    stop.abort();
    await assert.rejects(given, { name: 'AbortError' });
    const streaming = await fetch(`${other.url}/stream`);
    await streaming.body?.cancel();
  });
  assert.deepEqual(
    spans.map(({ status, attributes }) => [status, attributes['error.type']]),
    [
      ['error', 'AbortError'],
      ['unset', undefined],
    ],
  );
});

test('a request whose fields are sent already goes as it is', async () => {
  await using watched = new Watched();
  await using other = await serve(echo);
  const spans = await within(watched, async () => {
    const outgoing = request(other.url, { headers: ['Host', 'shop', 'X-A', '1'] });
    outgoing.end();
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    assert.equal((JSON.parse(await bodyOf(incoming)) as Record<string, string>)['x-a'], '1');
  });
  assert.equal(spans.length, 1);
});

test('hosts without end make no more series than a bound', async () => {
  await using watched = new Watched({ sample: 0 });
  await using other = await serve(echo);
  // Names that all lead here.
  for (let host = 0; host < 600; host++) {
    const outgoing = request({
      host: `h${host}.test`,
      port: other.port,
      lookup: (_, _options, found) =>
        (found as (error: null, all: { address: string; family: number }[]) => void)(null, [
          { address: '127.0.0.1', family: 4 },
        ]),
    });
    outgoing.end();
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    await bodyOf(incoming);
  }
  const counts = await watched.counts(METRIC);
  assert.equal(counts.length, 501);
  assert.ok(counts.includes('overflow=true: 100'));
});
