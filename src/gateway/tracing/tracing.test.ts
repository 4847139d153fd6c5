/** Traces through the gateway, on real sockets: what is kept, what it says, and what services are told. */
import assert from 'node:assert/strict';
import { type Bench, eventually, onBoth, type TestGateway } from '../../../test/engine/bench.ts';
import { limited } from '../../../test/engine/limits.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { fieldOf, type Message } from '../../../test/engine/message.ts';
import { answer, type Origin } from '../../../test/engine/origin.ts';
import type { Peer } from '../../../test/engine/peer.ts';
import type { Changes } from '../../../test/engine/plans.ts';
import { tunnel } from '../../../test/engine/tunnel.ts';
import { parseTraceparent, type TraceContext } from '../../observe/context/trace-context.ts';
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import { cellLanes, sumSlot } from '../../kernel/cells.ts';
import { PROCESS_SLOTS, processSlots } from '../slots.ts';
import type { TracesPlan } from '../snapshot.ts';

const all: TracesPlan = { sample: 1, slowMs: 60_000, perSecond: 1000 };
const tail: TracesPlan = { ...all, sample: 0 };
const trusted = { trustedProxies: ['127.0.0.1/32'] };
const CALLER = '4bf92f3577b34da6a3ce929d0e0e4736';
const CALLER_SPAN = '00f067aa0ba902b7';

const get = (...fields: readonly string[]): string =>
  ['GET /a?b=1 HTTP/1.1', 'Host: a', ...fields, '', ''].join('\r\n');

/** What an endpoint was told, once for each request. */
function told(origin: Origin, reply: (request: Message) => Uint8Array | string | null): TraceContext[] {
  const contexts: TraceContext[] = [];
  origin.serve((request, connection) => {
    contexts.push(parseTraceparent(fieldOf(request, 'traceparent') ?? '')!);
    const bytes = reply(request);
    if (bytes !== null) connection.write(bytes);
  });
  return contexts;
}

/** The spans of one trace, the request's first. */
async function kept(gateway: TestGateway, count: number): Promise<readonly [SpanRecord, ...SpanRecord[]]> {
  await eventually(`${count} spans`, () => gateway.spans.length >= count);
  assert.equal(gateway.spans.length, count);
  assert.equal(new Set(gateway.spans.map(({ traceId }) => traceId)).size, 1, 'one trace');
  assert.equal(new Set(gateway.spans.map(({ spanId }) => spanId)).size, count, 'a span has an id of its own');
  const [request, ...attempts] = gateway.spans;
  for (const { parentId, startMs, durationMs } of attempts) {
    assert.equal(parentId, request!.spanId);
    assert.ok(startMs >= request!.startMs && startMs + durationMs <= request!.startMs + request!.durationMs + 0.001);
  }
  return [request!, ...attempts];
}

const names = ({ events }: SpanRecord): string[] => events.map(({ name }) => name);

function count({ snapshot }: TestGateway, slot: 'tracesKept' | 'tracesDropped'): number {
  return sumSlot(cellLanes(snapshot.cell, PROCESS_SLOTS), processSlots[slot]);
}

async function ask(client: Peer, ...fields: readonly string[]): Promise<number> {
  return (await client.write(get(...fields)).response()).status;
}

onBoth('a sampled request is two spans, and the endpoint is told the second', async (bench) => {
  const { origin, gateway, client } = await bench.line({ traces: all });
  const contexts = told(origin, () => answer('ok'));
  assert.equal(await ask(client), 200);
  const [request, attempt] = await kept(gateway, 2);
  assert.equal(request.parentId, null);
  assert.equal(request.name, 'GET all');
  assert.deepEqual([request.kind, attempt!.kind], ['server', 'client']);
  assert.deepEqual([request.status, attempt!.status], ['unset', 'unset']);
  const { 'url.path': path, 'http.route': route, 'spillway.service': service } = request.attributes;
  assert.deepEqual([path, route, service], ['/a', 'all', 'shop'], 'no query, which may hold a secret');
  assert.equal(request.attributes['http.response.status_code'], 200);
  assert.equal(request.attributes['spillway.kept'], 'sampled');
  assert.equal(request.events[0]!.attributes['spillway.balancer'], 'round-robin');
  assert.deepEqual(names(attempt!), ['connect', 'sent', 'first byte']);
  const [context] = contexts;
  assert.deepEqual([context!.traceId, context!.spanId, context!.flags], [request.traceId, attempt!.spanId, 1]);
  assert.equal(count(gateway, 'tracesKept'), 1);
});

onBoth('what is not kept is nothing, and the services are told so', async (bench) => {
  const { origin, gateway, client } = await bench.line({ traces: tail });
  const contexts = told(origin, () => answer('ok'));
  for (let n = 0; n < 3; n++) assert.equal(await ask(client), 200);
  assert.deepEqual(
    contexts.map(({ flags }) => flags),
    [0, 0, 0],
  );
  assert.equal(await ask(client, 'Expect: x'), 417, 'a refusal of ours is no fault of ours');
  assert.equal(gateway.spans.length, 0);
  assert.deepEqual([count(gateway, 'tracesKept'), count(gateway, 'tracesDropped')], [0, 0]);
});

onBoth('without traces, a trusted caller’s span goes on as it came', async (bench) => {
  const { origin, gateway, client } = await bench.line({ listener: trusted });
  const contexts = told(origin, () => answer('ok'));
  for (const flags of ['00', '01']) await ask(client, `traceparent: 00-${CALLER}-${CALLER_SPAN}-${flags}`);
  await ask(client);
  assert.deepEqual(
    contexts.map(({ spanId, flags }) => [spanId === CALLER_SPAN, flags]),
    [
      [true, 0],
      [true, 1],
      [false, 1],
    ],
  );
  assert.equal(gateway.spans.length, 0);
});

onBoth('a trusted caller decides; its tracestate goes on and is kept', async (bench) => {
  const { origin, gateway, client } = await bench.line({ traces: tail, listener: trusted });
  const contexts = told(origin, () => answer('ok'));
  await ask(client, `traceparent: 00-${CALLER}-${CALLER_SPAN}-00`);
  await ask(client, `traceparent: cc-${CALLER}-${CALLER_SPAN}-01-what-comes`, 'tracestate: a=1', 'tracestate: b=2');
  const [request, attempt] = await kept(gateway, 2);
  assert.deepEqual([request.traceId, request.parentId, request.state], [CALLER, CALLER_SPAN, 'a=1,b=2']);
  assert.deepEqual(
    contexts.map(({ traceId, flags }) => [traceId, flags]),
    [
      [CALLER, 0],
      [CALLER, 1],
    ],
  );
  assert.equal(contexts[1]!.spanId, attempt!.spanId);
});

const hostile = [
  `00-${CALLER}-${CALLER_SPAN}`,
  `00-${CALLER.toUpperCase()}-${CALLER_SPAN}-01`,
  `ff-${CALLER}-${CALLER_SPAN}-01`,
  `00-${'0'.repeat(32)}-${CALLER_SPAN}-01`,
  `00-${CALLER}-${'0'.repeat(16)}-01`,
  `00-${CALLER}-${CALLER_SPAN}-0g`,
  `00-${CALLER}-${CALLER_SPAN}-01-x`,
  'x'.repeat(4000),
  '',
] as const;

onBoth(
  'Trace Context §3.2: a traceparent that is none, or of somebody who is not trusted, is not believed',
  async (bench) => {
    for (const listener of [trusted, {}]) {
      const { origin, gateway, client } = await bench.line({ traces: all, listener });
      const contexts = told(origin, () => answer('ok'));
      const lines = listener === trusted ? hostile : [...hostile, `00-${CALLER}-${CALLER_SPAN}-01`];
      for (const text of lines) assert.equal(await ask(client, `traceparent: ${text}`), 200);
      await eventually('all are kept', () => gateway.spans.length === 2 * lines.length);
      for (const { traceId, flags } of contexts) assert.deepEqual([traceId === CALLER, flags], [false, 1]);
      for (const { parentId, kind } of gateway.spans) assert.equal(parentId === null, kind === 'server');
    }
  },
);

onBoth('a retry: both attempts are there with their reason, and each endpoint has its own parent', async (bench) => {
  const [one, two] = [await bench.origin(), await bench.origin()];
  let asked = 0;
  const reply = (): Uint8Array => (++asked === 1 ? answer('no', '', '503 No') : answer('yes'));
  const contexts = [told(one, reply), told(two, reply)];
  const retries = { statuses: [{ from: 503, to: 503 }], backoffBaseMs: 0 };
  const gateway = await bench.gateway([one, two], { traces: tail, retries });
  assert.equal(await ask(await bench.client(gateway)), 200);
  const [request, first, second] = await kept(gateway, 3);
  assert.equal(request.attributes['spillway.kept'], 'retried');
  assert.deepEqual(names(request).slice(0, 2), ['pick', 'retry']);
  assert.equal(request.events[1]!.attributes['spillway.why'], 'upstream_status');
  assert.deepEqual([first!.status, first!.statusMessage, second!.status], ['error', 'answered 503', 'unset']);
  assert.equal(second!.attributes['http.request.resend_count'], 1);
  const spans = new Map(contexts.flat().map(({ spanId, flags }) => [spanId, flags]));
  assert.deepEqual([...spans.keys()].toSorted(), [first!.spanId, second!.spanId].toSorted());
  assert.deepEqual([...spans.values()], [0, 0], 'that it would be kept was not known');
});

onBoth('who leaves between two attempts is told of the one there was, once', async (bench) => {
  const [one, two] = [await bench.origin(), await bench.origin()];
  for (const origin of [one, two]) told(origin, () => answer('no', '', '503 No'));
  const retries = { statuses: [{ from: 503, to: 503 }], backoffBaseMs: 60_000, backoffMaxMs: 60_000 };
  const gateway = await bench.gateway([one, two], { traces: all, retries });
  const client = await bench.client(gateway);
  client.write(get());
  await eventually('another attempt is due', () => gateway.route('retries') === 1);
  client.reset();
  const [request, attempt] = await kept(gateway, 2);
  assert.equal(request.attributes['spillway.aborted'], true);
  assert.equal(attempt!.attributes['http.response.status_code'], 503);
});

onBoth('a listener that writes no trace any more: a retry changes nothing of its requests', async (bench) => {
  const [one, two] = [await bench.origin(), await bench.origin()];
  const seen: string[] = [];
  for (const origin of [one, two]) {
    origin.serve(({ target }, connection) => {
      seen.push(target);
      connection.write(target === '/a?b=1' ? answer('ok') : answer('no', '', '503 No'));
    });
  }
  const retries = { statuses: [{ from: 503, to: 503 }], backoffBaseMs: 0 };
  const gateway = await bench.gateway([one, two], { traces: all, retries, attemptsMax: 2 });
  const client = await bench.client(gateway);
  assert.equal(await ask(client), 200);
  const { snapshot } = gateway;
  const listeners = snapshot.listeners.map((listener) => ({
    ...listener,
    forwarding: { ...listener.forwarding, traceparent: false },
  }));
  await gateway.plane.apply({ ...snapshot, version: 2, listeners }, {});
  await kept(gateway, 2);
  seen.length = 0;
  const target = `/${'long'.repeat(20)}`;
  assert.equal((await client.write(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`).response()).status, 503);
  assert.deepEqual(seen, [target, target]);
  assert.equal(gateway.spans.length, 2, 'it is in no trace');
});

onBoth('a hedge: the attempt that was slower is there too', async (bench) => {
  const [slow, quick] = [await bench.origin(), await bench.origin()];
  const contexts = [told(slow, () => null), told(quick, () => answer('quick'))];
  const gateway = await bench.gateway([slow, quick], { traces: tail, retries: { hedgeAfterMs: 30 } });
  const client = await bench.client(gateway);
  // Round robin begins with the first; else the answer comes without a hedge, and the next begins there.
  for (let tries = 0; tries < 2 && contexts[0]!.length === 0; tries++) assert.equal(await ask(client), 200);
  const [request, lost, won] = await kept(gateway, 3);
  assert.deepEqual(names(request).slice(0, 2), ['pick', 'hedge']);
  assert.deepEqual([lost!.attributes['spillway.outcome'], lost!.status], ['overtaken', 'unset']);
  assert.deepEqual([won!.attributes['spillway.reason'], won!.spanId], ['hedge', contexts[1]!.at(-1)!.spanId]);
  assert.equal(lost!.spanId, contexts[0]![0]!.spanId);
});

onBoth('what fails is kept whatever the head said: no endpoint, a broken answer', async (bench) => {
  const { origin, gateway, client } = await bench.line({ traces: tail, attemptsMax: 1 });
  origin.serve((_, connection) => {
    connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc');
    connection.end();
  });
  client.write(get());
  assert.equal(await client.gone(), 'reset');
  const [request, attempt] = await kept(gateway, 2);
  assert.deepEqual([request.status, request.attributes['spillway.kept']], ['error', 'error']);
  assert.deepEqual([attempt!.status, attempt!.statusMessage], ['error', 'upstream_reset']);
  gateway.spans.length = 0;
  origin.kill();
  assert.equal(await ask(await bench.client(gateway)), 502);
  const [refused, none] = await kept(gateway, 2);
  assert.deepEqual([refused.attributes['spillway.refusal'], none!.statusMessage], ['connect_failed', 'connect_failed']);
});

onBoth('what is slow is kept, by the time it took to its last byte', async (bench) => {
  const clock = new ManualClock();
  const { origin, gateway, client } = await bench.line({ traces: { ...tail, slowMs: 1000 } }, clock);
  const times = [900, 1000];
  origin.serve((_, connection) => {
    clock.pass(times.shift()!);
    connection.write(answer('ok'));
  });
  assert.deepEqual([await ask(client), await ask(client)], [200, 200]);
  await eventually('one is slow', () => {
    clock.pass(100);
    return gateway.spans.length > 0;
  });
  const [request] = await kept(gateway, 2);
  assert.equal(request.attributes['spillway.kept'], 'slow');
  assert.equal(request.durationMs, 1000);
});

onBoth('an aborted client, and a tunnel, are told as what they were', async (bench) => {
  const { origin, gateway, client } = await bench.line({ traces: all });
  client.write(get());
  await (await origin.accept()).request();
  client.reset();
  const [aborted, attempt] = await kept(gateway, 2);
  assert.equal(aborted.attributes['spillway.aborted'], true);
  assert.deepEqual([aborted.status, attempt!.attributes['spillway.outcome']], ['unset', 'aborted']);
  const open = await tunnel(bench, { traces: all });
  open.client.end();
  open.server.end();
  const [tunnelled] = await kept(open.gateway, 2);
  assert.deepEqual(
    [tunnelled.attributes['spillway.tunnel'], tunnelled.attributes['http.response.status_code']],
    [true, 101],
  );
});

onBoth(
  'a refusal before anybody looked at the trace is in no trace, whatever the request before it was in',
  async (bench) => {
    const { origin, gateway, client } = await bench.line({ traces: all, listener: trusted });
    told(origin, () => answer('ok'));
    await ask(client, `traceparent: 00-${CALLER}-${CALLER_SPAN}-01`);
    await kept(gateway, 2);
    gateway.spans.length = 0;
    // A loop is refused before anything else is read.
    assert.equal(
      await ask(client, `traceparent: 00-${'x'.repeat(32)}-${CALLER_SPAN}-01`, 'Via: 1.1 engine-under-test'),
      508,
    );
    const [span] = await kept(gateway, 1);
    assert.match(span.traceId, /^[0-9a-f]{32}$/);
    assert.notEqual(span.traceId, CALLER);
  },
);

async function limitedTo(bench: Bench, changes: Changes): Promise<{ gateway: TestGateway; client: Peer }> {
  const origin = await bench.origin();
  told(origin, () => answer('ok'));
  const requestLimits = limited([{ name: 'few', algorithm: { type: 'fixed-window', limit: 1, per: '366d' } }]);
  const gateway = await bench.gateway([origin], { ...changes, ...requestLimits });
  return { gateway, client: await bench.client(gateway) };
}

onBoth('limits: what they let pass and what they refused', async (bench) => {
  const { gateway, client } = await limitedTo(bench, { traces: all, listener: trusted });
  assert.equal(await ask(client), 200);
  const [passed] = await kept(gateway, 2);
  assert.equal(passed.events.find(({ name }) => name === 'limits')!.attributes['spillway.verdict'], 'allowed');
  gateway.spans.length = 0;
  assert.equal(await ask(client, `traceparent: 00-${CALLER}-${CALLER_SPAN}-01`), 429);
  const [refused] = await kept(gateway, 1);
  assert.deepEqual([refused.traceId, refused.parentId, refused.status], [CALLER, CALLER_SPAN, 'unset']);
  assert.deepEqual(refused.events[0]!.attributes, { 'spillway.verdict': 'refused', 'spillway.limits': 'few' });
  assert.equal(refused.attributes['spillway.refusal'], 'rate_limited');
});

onBoth('no more are kept than the plan allows, and a quarter is left to what fails', async (bench) => {
  const clock = new ManualClock();
  const { origin, gateway, client } = await bench.line({ traces: { ...all, perSecond: 8 }, attemptsMax: 1 }, clock);
  let status = '200 OK';
  const contexts = told(origin, () => answer('', '', status));
  for (let n = 0; n < 20; n++) await ask(client);
  assert.equal(contexts.filter(({ flags }) => flags === 1).length, 6, 'promised at the head');
  status = '500 No';
  for (let n = 0; n < 5; n++) await ask(client);
  assert.deepEqual([count(gateway, 'tracesKept'), count(gateway, 'tracesDropped')], [8, 3]);
  clock.pass(1000);
  assert.equal(gateway.spans.length, 16);
  status = '200 OK';
  await ask(client);
  assert.equal(contexts.at(-1)!.flags, 1, 'the next second has its own');
});

onBoth('a trusted caller that samples everything leaves a quarter to what fails', async (bench) => {
  const changes = { traces: { ...all, perSecond: 8 }, attemptsMax: 1, listener: trusted };
  const { origin, gateway, client } = await bench.line(changes, new ManualClock());
  let status = '200 OK';
  told(origin, () => answer('', '', status));
  for (let n = 0; n < 20; n++) await ask(client, `traceparent: 00-${CALLER}-${CALLER_SPAN}-01`);
  assert.deepEqual([count(gateway, 'tracesKept'), count(gateway, 'tracesDropped')], [6, 14]);
  status = '500 No';
  for (let n = 0; n < 5; n++) await ask(client);
  assert.deepEqual([count(gateway, 'tracesKept'), count(gateway, 'tracesDropped')], [8, 17]);
});
