/** A real gateway before servers that fail or hang as a whole: its breaker opens, answers in their place, tries a few, and closes. */
import assert from 'node:assert/strict';
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import type { GatewayEvent } from '../src/gateway/index.ts';
import { deafPort } from './engine/deaf-port.ts';
import { cleanups, create, folder } from './gateway-under-test.ts';

type Breaker = NonNullable<NonNullable<ConfigInput['services']>[number]['breaker']>;
type Service = NonNullable<ConfigInput['services']>[number];
type Changed = Extract<GatewayEvent, { kind: 'breaker' }>;

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A server whose answers are the test's. */
async function server() {
  const waiting: ServerResponse[] = [];
  const self = {
    address: '',
    asked: 0,
    mood: 'well' as 'well' | 'fails' | 'waits',
    onAsked: (): void => {},
    waiting,
    answerAll: (status: number): void => waiting.splice(0).forEach((response) => response.writeHead(status).end()),
  };
  const http = createServer((_incoming, response) => {
    self.asked += 1;
    if (self.mood === 'waits') waiting.push(response);
    else response.writeHead(self.mood === 'fails' ? 500 : 200).end(self.mood);
    self.onAsked();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    http.close();
    http.closeAllConnections();
  });
  self.address = `127.0.0.1:${(http.address() as AddressInfo).port}`;
  return self;
}

async function running(breaker: Breaker, given: Partial<Service> = {}, all: Partial<ConfigInput> = {}) {
  const shop = await server();
  const configOf = (changes: Partial<Service> = {}): ConfigInput => ({
    listeners: [{ name: 'web', address: '127.0.0.1:0' }],
    services: [{ name: 'shop', endpoints: [shop.address], breaker, health: { passive: 'off' }, ...given, ...changes }],
    routes: [{ name: 'all', service: 'shop' }],
    admin: { address: '127.0.0.1:0' },
    ...all,
  });
  const changes: Changed[] = [];
  const waiting: { phase: Changed['phase']; resolve: (event: Changed) => void }[] = [];
  const under = create({ config: configOf() });
  under.gateway.onEvent((event) => {
    if (event.kind !== 'breaker') return;
    changes.push(event);
    for (const one of waiting.splice(0)) {
      if (one.phase === event.phase) one.resolve(event);
      else waiting.push(one);
    }
  });
  /** The next time it becomes that. */
  const becomes = (phase: Changed['phase']): Promise<Changed> =>
    new Promise((resolve) => waiting.push({ phase, resolve }));
  await under.gateway.start();
  const ask = ({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const [host, port] = under.address().split(':');
      const outgoing = request({ host, port, agent: false });
      // Not half-closed, which is still answered.
      signal?.addEventListener('abort', () => outgoing.socket?.resetAndDestroy(), { once: true });
      outgoing.on('error', reject);
      outgoing.on('response', (response) => {
        let body = '';
        response.on('data', (chunk) => (body += String(chunk)));
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      });
      outgoing.end();
    });
  const admin = async (path: string): Promise<string> =>
    (await fetch(`http://${under.gateway.state().admin!.address}${path}`)).text();
  const state = () => under.gateway.state().services[0]!.breaker!;
  return { ...under, shop, configOf, changes, becomes, ask, admin, state };
}

const few = { requests: 4, openFor: '300ms', openForMax: '300ms', halfOpen: 2 } as const;
const longOpen = { requests: 4, openFor: '1h', openForMax: '1h' } as const;

const asked = (times: number, ask: () => Promise<Answer>): Promise<Answer>[] =>
  Array.from({ length: times }, () => ask());

const statusesOf = async (answers: readonly Promise<Answer>[]): Promise<number[]> =>
  (await Promise.all(answers)).map(({ status }) => status);

test('a service that answers 500 is not asked any more; of a trial no more are let go than it has; it closes', async () => {
  const { shop, becomes, ask, changes, state } = await running(few);
  assert.equal(state().phase, 'closed');
  shop.mood = 'fails';
  const open = becomes('open');
  const halfOpen = becomes('half-open');
  assert.deepEqual(await statusesOf(asked(4, ask)), [500, 500, 500, 500]);
  const { reason, forMs } = await open;
  assert.equal(reason, '100 % of 4 calls failed');
  assert.equal(Math.round(forMs!), 300);
  shop.mood = 'waits';
  await halfOpen;
  // Of six two are let go, over both workers, and wait; the others are answered meanwhile.
  const answers = asked(6, ask);
  const refused: Answer[] = [];
  const four = new Promise<void>((resolve) => {
    for (const each of answers) {
      void each.then((answer) => {
        if (answer.status === 503) refused.push(answer);
        if (refused.length === 4) resolve();
      });
    }
  });
  await four;
  // They may have been told before the two have arrived there.
  while (shop.waiting.length < 2) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(shop.asked, 6);
  const closed = becomes('closed');
  shop.mood = 'well';
  shop.answerAll(200);
  assert.equal((await closed).reason, '2 of 2 trial calls succeeded');
  assert.deepEqual(
    (await statusesOf(answers)).toSorted((one, other) => one - other),
    [200, 200, 503, 503, 503, 503],
  );
  assert.equal((await ask()).status, 200);
  assert.deepEqual(
    changes.map(({ phase }) => phase),
    ['open', 'half-open', 'closed'],
  );
});

test('who is refused is told so at once, by when to come again and why; state, metrics, log, trace and explanation say it too', async () => {
  const log = join(folder(), 'access.log');
  const telling: Partial<ConfigInput> = { accessLog: { target: log }, telemetry: { traces: { sample: '100%' } } };
  const { shop, becomes, ask, admin, gateway } = await running(longOpen, {}, telling);
  shop.mood = 'fails';
  const open = becomes('open');
  await Promise.all(asked(4, ask));
  await open;
  const { status, headers, body } = await ask();
  assert.equal(status, 503);
  assert.equal(shop.asked, 4);
  assert.ok(Number(headers['retry-after']) > 3500 && Number(headers['retry-after']) <= 3600);
  assert.match(String(headers['content-type']), /problem\+json/);
  assert.match(body, /out of order/);
  const { breaker } = gateway.state().services[0]!;
  const { attempts, reason, until, transitions } = breaker!;
  assert.deepEqual(attempts, { good: 0, slow: 0, failed: 4, ignored: 0, refused: 1 });
  assert.equal(reason, '100 % of 4 calls failed');
  assert.ok(until !== null);
  assert.deepEqual(transitions, [{ to: 'open', count: 1 }]);
  const metrics = await admin('/metrics');
  assert.match(metrics, /spillway_breaker_state\{service="shop",state="open"\} 1/);
  assert.match(metrics, /spillway_breaker_calls_total\{service="shop",result="refused"\} 1/);
  assert.match(metrics, /spillway_refusals_total\{reason="breaker_open",code="503"\} 1/);
  const { changes } = JSON.parse(await admin('/api/changes')) as { changes: { kind: string; what: string }[] };
  assert.equal(
    changes.find(({ kind }) => kind === 'breaker')?.what,
    'The breaker of shop is open for 1h: 100 % of 4 calls failed.',
  );
  const { refusal, service } = await gateway.explain({ method: 'GET', url: '/' });
  assert.deepEqual(service?.breaker, { phase: 'open', reason });
  assert.equal(refusal?.word, 'breaker_open');
  assert.equal(refusal.detail, 'The breaker of shop is open: 100 % of 4 calls failed.');
  // Traces are told to the control thread a moment later.
  const spans = async (): Promise<string> => {
    const { traces } = JSON.parse(await admin('/api/traces?limit=100')) as { traces: { traceId: string }[] };
    return (await Promise.all(traces.map(({ traceId }) => admin(`/api/traces/${traceId}`)))).join();
  };
  while (!(await spans()).includes('"spillway.refusal":"breaker_open"')) assert.equal(gateway.state().phase, 'running');
  await gateway.stop();
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  const told = lines.map((line) => JSON.parse(line) as { status: number; refusal?: string; attempts: number });
  assert.deepEqual(
    told
      .filter(({ refusal: word }) => word === 'breaker_open')
      .map(({ status: code, attempts: tries }) => [code, tries]),
    [[503, 0]],
  );
});

test('answers that are slow open it, though each is a good one', async () => {
  const { shop, becomes, ask } = await running({ ...longOpen, slow: { over: '50ms', rate: '100%' } });
  shop.mood = 'waits';
  shop.onAsked = () => {
    if (shop.waiting.length === 4) setTimeout(() => shop.answerAll(200), 200);
  };
  const open = becomes('open');
  assert.deepEqual(await statusesOf(asked(4, ask)), [200, 200, 200, 200]);
  assert.equal((await open).reason, '100 % of 4 calls took 50ms or longer');
  assert.equal((await ask()).status, 503);
});

test('what times out, by the time of the answer or of the whole, has failed', async () => {
  for (const timeouts of [{ responseHeader: '200ms' }, { total: '200ms' }] as const) {
    const { shop, becomes, ask, state } = await running(longOpen, { timeouts, retries: { attempts: 1 } });
    shop.mood = 'waits';
    const open = becomes('open');
    // On a busy machine the time may be over before the server was asked, which says nothing of it.
    for (let round = 0; state().phase === 'closed'; round++) {
      assert.ok(round < 20);
      for (const status of await statusesOf(asked(4, ask))) assert.ok(status === 504 || state().phase === 'open');
    }
    await open;
    assert.equal((await ask()).status, 503);
  }
});

test('a connection that does not come before the request has no more time is a failure of the service', async () => {
  await using port = await deafPort();
  const { becomes, ask, state } = await running(longOpen, {
    endpoints: [`127.0.0.1:${port.number}`],
    timeouts: { total: '200ms' },
    retries: { attempts: 1 },
  });
  const open = becomes('open');
  for (let round = 0; state().phase === 'closed'; round++) {
    assert.ok(round < 20);
    for (const status of await statusesOf(asked(4, ask))) assert.ok(status === 504 || state().phase === 'open');
  }
  // Four, or on a busy machine those of a round more.
  assert.match((await open).reason, /^100 % of \d+ calls failed$/);
});

test('clients that leave and limits of our own count for nothing', async () => {
  const limits = [{ name: 'none', algorithm: { type: 'fixed-window', limit: 4, per: '366d' }, key: 'client' }] as const;
  const { shop, ask, state, gateway } = await running(
    { ...longOpen, requests: 1 },
    {},
    { limits: [...limits], routes: [{ name: 'all', service: 'shop', limits: { requests: ['none'] } }] },
  );
  shop.mood = 'waits';
  for (let time = 0; time < 4; time++) {
    const controller = new AbortController();
    const arrived = new Promise<void>((resolve) => (shop.onAsked = resolve));
    const gone = assert.rejects(ask({ signal: controller.signal }));
    await arrived;
    controller.abort();
    await gone;
  }
  while (state().attempts.ignored < 4) await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await ask()).status, 429);
  const { failed, good, ignored, refused, slow } = state().attempts;
  assert.deepEqual({ failed, good, ignored, refused, slow }, { failed: 0, good: 0, ignored: 4, refused: 0, slow: 0 });
  assert.equal(gateway.state().services[0]!.breaker!.phase, 'closed');
});

test('while it is not closed nothing is asked again: what the server says is what the client of a trial is told', async () => {
  const servers = [await server(), await server()];
  const calls = (): number => servers.reduce((sum, { asked: times }) => sum + times, 0);
  for (const each of servers) each.mood = 'fails';
  const { becomes, ask } = await running(
    { ...few, halfOpen: 1 },
    {
      endpoints: servers.map(({ address }) => address),
      retries: { statuses: [500], attempts: 2, backoff: { base: '0s', max: '0s' } },
    },
  );
  const halfOpen = becomes('half-open');
  assert.deepEqual(await statusesOf(asked(2, ask)), [500, 500]);
  assert.equal(calls(), 4);
  await halfOpen;
  const open = becomes('open');
  assert.equal((await ask()).status, 500);
  assert.equal(calls(), 5);
  assert.equal((await open).reason, '1 of 1 trial calls failed');
});

test('a reload keeps it open, and one that takes it away lets all go', async () => {
  const { shop, becomes, ask, gateway, configOf, state } = await running(longOpen);
  shop.mood = 'fails';
  const open = becomes('open');
  await Promise.all(asked(4, ask));
  await open;
  const { since } = state();
  await gateway.reload({ config: configOf({ breaker: { ...longOpen, requests: 5 }, timeouts: { connect: '3s' } }) });
  assert.equal(state().phase, 'open');
  assert.equal(state().since, since);
  assert.equal((await ask()).status, 503);
  const { breaker: _, ...without } = configOf().services![0]!;
  await gateway.reload({ config: { ...configOf(), services: [without] } });
  assert.equal(gateway.state().services[0]!.breaker, null);
  assert.equal((await ask()).status, 500);
});
