/** Servers that die under load: `kill -9` of real processes behind a gateway of two workers. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { Agent, request, type IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { GatewayEvent } from '../src/gateway/index.ts';
import { cleanups, create, folder } from './gateway-under-test.ts';
import { freePort } from './ports.ts';

const program = fileURLToPath(new URL('recording-server.ts', import.meta.url));

class Server {
  readonly name: string;
  port = 0;
  readonly #file: string;
  #child: ChildProcess | null = null;

  constructor(name: string, home: string) {
    this.name = name;
    this.#file = join(home, name);
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async start(): Promise<this> {
    this.port ||= await freePort();
    const child = spawn(process.execPath, [program, this.name, String(this.port), this.#file], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child = child;
    cleanups.push(() => this.kill());
    await once(child.stdout, 'data');
    return this;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#child = null;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** Answers what it held back, and holds nothing from now on. */
  release(): void {
    this.#child?.kill('SIGUSR2');
  }

  /** `METHOD id` of each request it got, in all its lives. */
  get seen(): string[] {
    return existsSync(this.#file) ? readFileSync(this.#file, 'latin1').split('\n').slice(0, -1) : [];
  }
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Asked {
  readonly agent: Agent;
  readonly method: string;
  readonly path: string;
  readonly id: string;
}

function ask(address: string, { agent, method, path, id }: Asked): Promise<Answer> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const body = method === 'PUT' || method === 'POST' ? 'some body' : '';
    const headers = { 'X-Id': id, 'Content-Length': body.length };
    const sent = request({ host, port, agent, method, path, headers }, (response) => {
      let text = '';
      response.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const IDEMPOTENT = ['GET', 'HEAD', 'PUT', 'DELETE'];

/** Keeps one request going on each of `lanes` kept connections; every answer must be good. */
function load(address: string, lanes: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: lanes });
  const failures: string[] = [];
  const finished = new EventEmitter().setMaxListeners(0);
  let requests = 0;
  let running = true;
  // A test that fails leaves no load behind, which would never end.
  cleanups.push(() => {
    running = false;
    agent.destroy();
  });
  const lane = async (number: number): Promise<void> => {
    for (let at = 0; running; at += 1) {
      const method = IDEMPOTENT[at % IDEMPOTENT.length]!;
      const id = `load-${number}-${at}`;
      await ask(address, { agent, method, path: '/', id }).then(
        ({ status }) => status === 200 || failures.push(`${method} ${id}: ${status}`),
        (error: Error) => failures.push(`${method} ${id}: ${error.message}`),
      );
      requests += 1;
      finished.emit('request');
    }
  };
  const all = Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  return {
    failures,
    get requests() {
      return requests;
    },
    /** Resolves when that many more have been answered. */
    async more(count: number): Promise<void> {
      const until = requests + count;
      while (requests < until) await once(finished, 'request');
    },
    async stop(): Promise<void> {
      running = false;
      await all;
      agent.destroy();
    },
  };
}

type Of<Kind extends GatewayEvent['kind']> = Extract<GatewayEvent, { readonly kind: Kind }>;

/** A third fails until it is noticed, of traffic that has only just begun: no ten seconds are behind it. */
const usual = {
  // What checks do alone; passive-health.test.ts has the rest.
  health: { passive: 'off', active: { path: '/health', interval: '1s', timeout: '1s', unhealthyAfter: 1 } },
  retries: { budget: { share: '50%', min: 100 } },
};

async function running(policies: object = usual) {
  const home = folder();
  const servers = await Promise.all(['a', 'b', 'c'].map((name) => new Server(name, home).start()));
  const under = create({
    workers: 2,
    config: {
      listeners: [{ name: 'web', address: '127.0.0.1:0' }],
      services: [
        {
          name: 'shop',
          endpoints: servers.map(({ address }) => address),
          ...policies,
          retryAfter: '7s',
        },
      ],
      routes: [{ name: 'all', service: 'shop' }],
    },
  });
  const { gateway } = under;
  /** Watching begins now, so that an event cannot come before somebody waits. */
  const told = <Kind extends 'endpoint-down' | 'endpoint-up'>(kind: Kind, endpoint: string): Promise<Of<Kind>> =>
    new Promise((resolve) => {
      const leave = gateway.onEvent((event) => {
        if (event.kind !== kind || event.endpoint !== endpoint) return;
        leave();
        resolve(event as Of<Kind>);
      });
    });
  const up = servers.map(({ address }) => told('endpoint-up', address));
  await gateway.start();
  await Promise.all(up);
  const endpoint = (server: Server) =>
    gateway.state().services[0]!.endpoints.find(({ address }) => address === server.address)!;
  return { ...under, servers, told, endpoint };
}

/** Waits for a file of another process, which says nothing when it changes: asked again at every turn. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

test('kill -9 under load: no idempotent request fails, a POST is sent once and gets 502, and the server comes back', async () => {
  const { servers, address, gateway, told, endpoint } = await running();
  const traffic = load(address(), 16);
  await traffic.more(300);

  // Some requests that are certainly in flight when a server dies: those that servers hold back.
  const agent = new Agent({ keepAlive: true });
  cleanups.push(() => agent.destroy());
  const post = ask(address(), { agent, method: 'POST', path: '/hold', id: 'order' });
  const gets = Array.from({ length: 24 }, (_, number) =>
    ask(address(), { agent, method: 'GET', path: '/hold', id: `held-${number}` }),
  );
  const times = (line: string): number => servers.flatMap(({ seen }) => seen).filter((one) => one === line).length;
  const held = gets.map((_, number) => `GET held-${number}`);
  await until(() => times('POST order') > 0 && held.every((line) => times(line) > 0));
  const victim = servers.find(({ seen }) => seen.includes('POST order'))!;
  const lost = held.filter((line) => victim.seen.includes(line));
  assert.ok(lost.length > 0);

  const down = told('endpoint-down', victim.address);
  await victim.kill();
  const refused = await post;
  assert.equal(refused.status, 502);
  assert.match(refused.headers['content-type'] ?? '', /^application\/problem\+json/);
  await until(() => lost.every((line) => times(line) === 2));
  for (const server of servers) server.release();
  for (const answer of await Promise.all(gets)) assert.equal(answer.status, 200);
  assert.equal(times('POST order'), 1);
  for (const line of held) assert.equal(times(line), lost.includes(line) ? 2 : 1, line);

  // Once the check has noticed, nothing is sent there any more.
  assert.match((await down).reason, /refused/);
  await traffic.more(32);
  const { requests, retries, connects } = endpoint(victim);
  assert.ok(retries >= lost.length);
  await traffic.more(400);
  const later = endpoint(victim);
  assert.deepEqual([later.requests, later.retries, later.connects], [requests, retries, connects]);

  // And from the first good check on it has its share again.
  const before = victim.seen.length;
  const up = told('endpoint-up', victim.address);
  await victim.start();
  await up;
  await traffic.more(100);
  assert.ok(victim.seen.length > before);
  await traffic.stop();
  assert.deepEqual(traffic.failures, []);
  const { responses, broken, requests: all } = gateway.state().routes[0]!;
  assert.deepEqual([responses['5xx'], broken], [1, 0], 'the POST');
  assert.equal(all, traffic.requests + gets.length + 1);
});

test('kill -9 of a server with hundreds of requests in flight on kept connections costs none, with the budget as it comes', async () => {
  const { servers, address, gateway } = await running({
    health: { passive: 'off', active: { path: '/health', interval: '1h', timeout: '10s' } },
  });
  const agent = new Agent({ keepAlive: true });
  cleanups.push(() => agent.destroy());
  const ids = Array.from({ length: 600 }, (_, at) => String(at));
  const all = (path: string, round: string): Promise<Answer>[] =>
    ids.map((id) => ask(address(), { agent, method: 'GET', path, id: `${round}-${id}` }));
  // That there are kept connections, and history: the budget of a worker is a fifth of its three rounds, and a third of one is lost.
  for (const round of ['first', 'second']) await Promise.all(all('/', round));
  const held = all('/hold', 'held');
  const seen = (): string[] => servers.flatMap((server) => server.seen.filter((line) => line.includes('held')));
  await until(() => seen().length >= ids.length);
  const [victim] = servers;
  const lost = victim!.seen.filter((line) => line.includes('held')).length;
  await victim!.kill();
  await until(() => seen().length + gateway.state().routes[0]!.responses['5xx'] >= ids.length + lost);
  for (const server of servers) server.release();
  const answers = await Promise.all(held);
  assert.ok(lost > 150, String(lost));
  assert.equal(answers.filter(({ status }) => status !== 200).length, 0);
  const { retries, responses } = gateway.state().routes[0]!;
  assert.equal(responses['5xx'], 0);
  assert.equal(retries, lost, 'each was asked once more, and not first where nobody is');
});

test('a POST in flight on each connection: every one gets 502, and none is sent twice', async () => {
  const { servers, address } = await running();
  const agent = new Agent({ keepAlive: true });
  cleanups.push(() => agent.destroy());
  // So that there are kept connections to the servers, whose loss is the one a proxy is tempted to retry.
  const warm = Array.from({ length: 12 }, (_, at) => ask(address(), { agent, method: 'GET', path: '/', id: `w${at}` }));
  await Promise.all(warm);
  const posts = Array.from({ length: 12 }, (_, at) => `order-${at}`);
  const asked = posts.map((id) => ask(address(), { agent, method: 'POST', path: '/hold', id }));
  const seen = (): string[] => servers.flatMap((server) => server.seen.filter((line) => line.startsWith('POST')));
  await until(() => seen().length === posts.length);
  await Promise.all(servers.map((server) => server.kill()));
  for (const { status } of await Promise.all(asked)) assert.equal(status, 502);
  assert.deepEqual(seen().sort(), posts.map((id) => `POST ${id}`).sort());
});

test('all servers down: 503 with Retry-After, and no server is asked', async () => {
  const { servers, address, told, endpoint, gateway } = await running();
  const agent = new Agent({ keepAlive: true });
  cleanups.push(() => agent.destroy());
  const down = servers.map((server) => told('endpoint-down', server.address));
  await Promise.all(servers.map((server) => server.kill()));
  await Promise.all(down);
  const connects = servers.map((server) => endpoint(server).connects);
  for (const method of ['GET', 'POST']) {
    const { status, headers, body } = await ask(address(), { agent, method, path: '/', id: 'x' });
    assert.equal(status, 503);
    assert.equal(headers['retry-after'], '7');
    assert.equal((JSON.parse(body) as { status: number }).status, 503);
  }
  assert.deepEqual(
    servers.map((server) => endpoint(server).connects),
    connects,
  );
  assert.deepEqual(gateway.state().refusals, { no_endpoint: 2 });

  const [first] = servers;
  const up = told('endpoint-up', first!.address);
  await first!.start();
  await up;
  assert.equal((await ask(address(), { agent, method: 'GET', path: '/', id: 'y' })).status, 200);
});
