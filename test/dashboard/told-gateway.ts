/**
 * A gateway for tests of a page that is told thousands of seconds: what the page is made of and its first state are those of a real one, its seconds
 * come as fast as they are read. What is charted of them is answered by the code of the gateway, from series that are sampled in the same seconds;
 * what else a page asks for, by the real one.
 */
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LiveChange, LiveState } from '../../src/gateway/admin/live-model.ts';
import { answerSteps, answerText, unwatched } from '../../src/gateway/admin/live-answers.ts';
import { type Answered, type KnownAnswer, LiveWatches } from '../../src/gateway/admin/live-watches.ts';
import { answerSeries } from '../../src/gateway/admin/series-api.ts';
import { readWatches } from '../../src/gateway/admin/watch-body.ts';
import type { ConfigInput } from '../../src/gateway/config/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { SimulatedClock } from '../../src/kernel/simulated-clock.ts';
import type { SeriesQuery } from '../../src/observe/series/range.ts';
import { createSeries } from '../../src/observe/series/series.ts';
import { cleanups, config, create, origin } from '../gateway-under-test.ts';

/** Upper bounds in seconds. */
const bounds = Float64Array.of(...Array.from({ length: 40 }, (_, at) => 0.0001 * 1.4 ** at), Number.POSITIVE_INFINITY);

/** The first whole state of a gateway, as its feed tells it. */
async function wholeOf(address: string): Promise<LiveState> {
  const stop = new AbortController();
  const response = await fetch(`http://${address}/api/live`, { signal: stop.signal });
  let text = '';
  for await (const piece of response.body!.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (text.includes('\n\n')) break;
  }
  stop.abort();
  return JSON.parse(/^event: whole\ndata: (.*)\n\n/.exec(text)![1]!) as LiveState;
}

function filesOfPage(): ReadonlyMap<string, URL> {
  const home = new URL('../../dist/dashboard/', import.meta.url);
  const assets = readdirSync(new URL('assets/', home)).map((name) => [`/assets/${name}`, new URL(`assets/${name}`, home)] as const); // prettier-ignore
  return new Map([['/', new URL('index.html', home)], ...assets]);
}

function typeOf(path: string): string {
  if (path.endsWith('.js')) return 'text/javascript';
  if (path.endsWith('.css')) return 'text/css';
  return path === '/' ? 'text/html' : 'image/svg+xml';
}

const notWatched = (): Promise<Answered> => Promise.resolve(unwatched(404, 'not here'));

export class ToldGateway {
  address = '';
  /** Of the real one. */
  readonly real: { readonly admin: string; readonly web: string };
  /** Seconds that were told. */
  sent = 0;
  /** Of what the page watches: how often it was told. */
  told = 0;
  readonly #watches = new LiveWatches();
  readonly #whole: LiveState;
  readonly #clock: SimulatedClock;
  readonly #series;
  readonly #files = filesOfPage();
  #feed: ServerResponse | null = null;

  private constructor(real: ToldGateway['real'], whole: LiveState) {
    this.real = real;
    this.#whole = whole;
    this.#clock = new SimulatedClock(whole.atMs);
    this.#series = createSeries({ clock: this.#clock });
  }

  /** With one service of so many endpoints; only the first is there. */
  static async of(endpoints: number, given: Partial<ConfigInput> = {}): Promise<ToldGateway> {
    const others = Array.from({ length: endpoints - 1 }, (_, at) => `10.99.${Math.floor(at / 250)}.${at % 250}:80`);
    const services = [{ name: 'shop', endpoints: [await origin('a'), ...others] }];
    const { address, gateway } = create({
      config: { ...config('', { admin: { address: '127.0.0.1:0' } }), services, ...given },
    });
    await gateway.start();
    const admin = gateway.state().admin!.address;
    const told = new ToldGateway({ admin, web: address() }, await wholeOf(admin));
    const server = createServer((request, response) => void told.#answer(request, response));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    cleanups.push(() => {
      server.close();
      server.closeAllConnections();
    });
    told.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    return told;
  }

  get wallMs(): number {
    return this.#clock.wallMs();
  }

  /** What was sampled before anybody looked. */
  sample(seconds: number): void {
    for (let second = 0; second < seconds; second++) this.#second();
  }

  async tell(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      this.#second();
      this.sent += 1;
      await this.#write('change', JSON.stringify(this.#news()));
      await this.#tellAnswers();
    }
  }

  async #tellAnswers(): Promise<void> {
    const texts: string[] = [];
    await this.#watches.run(
      () => this.sent,
      (data) => texts.push(data) > 0,
    );
    for (const text of texts) await this.#write('answers', text);
    this.told += texts.length;
  }

  async #write(event: string, data: string): Promise<void> {
    if (!this.#feed!.write(`event: ${event}\ndata: ${data}\n\n`)) await once(this.#feed!, 'drain');
  }

  get #source() {
    return {
      series: (wanted: SeriesQuery) => this.#series.rangeInSteps(wanted),
      wallMs: () => this.#clock.wallMs(),
      telemetry: { clock: systemClock },
    };
  }

  async #watched(path: string, known: KnownAnswer): Promise<Answered> {
    const { pathname, searchParams } = new URL(path, 'http://gateway');
    if (pathname === '/api/series') return answerSteps(this.#source, searchParams, known);
    const response = await fetch(`http://${this.real.admin}${path}`);
    const body = await response.text();
    if (!response.ok) return unwatched(response.status, body);
    return answerText({ kind: 'answer', status: 200, contentType: 'application/json', body }, known);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname: path, searchParams: query } = new URL(request.url ?? '', 'http://gateway');
    const file = this.#files.get(path);
    if (file !== undefined) {
      response.writeHead(200, { 'Content-Type': typeOf(path) }).end(readFileSync(file));
    } else if (path === '/api/live') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Spillway-Role': 'read', 'Spillway-Stream': 'a' });
      response.write(`event: whole\ndata: ${JSON.stringify(this.#whole)}\n\n`);
      this.#feed = response;
      this.#watches.set([], notWatched);
    } else if (path === '/api/live/a') {
      const watches = readWatches(Buffer.concat(await request.toArray()));
      if (typeof watches === 'string') throw new Error(watches);
      this.#watches.set(watches, (asked, known) => this.#watched(asked, known));
      await this.#tellAnswers();
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
    } else if (path === '/api/series') {
      const answer = await answerSeries(this.#source, { query });
      response.writeHead(200, { 'Content-Type': 'application/json' });
      if (answer.kind === 'answer') for await (const part of answer.body ?? []) response.write(part);
      response.end();
    } else {
      const real = await fetch(`http://${this.real.admin}${request.url}`);
      response.writeHead(real.status, { 'Content-Type': 'application/json' }).end(await real.text());
    }
  }

  /** Every endpoint has had requests, one has become slow, and now and then something is wrong. */
  #news(): LiveChange {
    const second = this.sent;
    const at = this.#whole.tables.endpoints.address.map((_, row) => row);
    const counts = at.map((row) => second * (row + 1));
    const problem = { severity: 'warning', what: `Wrong since second ${second}.`, link: '#/config', since: null } as const;
    return {
      atMs: this.#whole.atMs + second * 1000,
      gateway: { ...this.#whole.gateway, configVersion: second },
      problems: second % 10 === 0 ? [problem] : [],
      tables: {
        endpoints: { columns: { requests: [at, counts], s2xx: [at, counts], p99Ms: [[second % at.length], [second]] } },
      },
    };
  } // prettier-ignore

  /** As a gateway samples it: each second another, and each tenth some that failed. */
  #second(): void {
    this.#clock.pass(1000);
    const atMs = this.#clock.wallMs();
    const second = Math.floor(atMs / 1000);
    const whose = { service: 'shop', route: 'all' };
    for (const [code_class, count] of [['2xx', 1000 + (second % 97)], ['5xx', second % 10 === 0 ? 7 : 0]] as const) {
      this.#series.counter({ name: 'spillway_requests_total', labels: { ...whose, code_class } }).add(atMs, count);
    }
    const buckets = Array.from({ length: 12 }, (_, at) => 5 + at + (second % 13));
    const step = { buckets, counts: buckets.map((bucket) => bucket * 3 + (second % 7)), sum: 1.5 + (second % 11) / 7 };
    this.#series.histogram({ name: 'spillway_request_duration_seconds', labels: whose, bounds }).add(atMs, step);
    this.#series.counter({ name: 'spillway_limit_filled_total', labels: { limit: 'one', filled: `0.${1 + (second % 9)}` } }).add(atMs, 1);
    for (const name of ['spillway_requests_in_flight', 'spillway_endpoint_queued']) {
      this.#series.gauge({ name, labels: whose }).set(atMs, 10 + (second % 17));
    }
    this.#series.gauge({ name: 'spillway_worker_event_loop_lag_seconds', labels: { worker: '0' } }).set(atMs, 0.001 * (1 + (second % 5)));
  } // prettier-ignore
}
