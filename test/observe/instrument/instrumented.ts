/** A process under `instrument`, for tests: what it counted and which spans it kept, in words. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SpanRecord, WorkContext } from 'spillway/observe';
import { instrument, type InstrumentOptions, type Telemetry } from 'spillway/observe/instrument';

/** Of somebody who asks the service. */
export const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
export const incomingFields = {
  traceparent: parent,
  tracestate: 'congo=t61rcWkgMzE',
  baggage: 'who=ann',
  'x-request-id': 'order-42',
};

/** What those fields say. */
const incoming: WorkContext = {
  trace: { traceId: parent.slice(3, 35), spanId: parent.slice(36, 52), flags: 1, state: 'congo=t61rcWkgMzE' },
  correlationId: 'order-42',
  baggage: new Map([['who', 'ann']]),
};

/** Between two looks at what has no event. */
const LOOK_MS = 5;

export class Watched implements AsyncDisposable {
  readonly telemetry: Telemetry;
  readonly spans: SpanRecord[] = [];

  constructor(options: Partial<InstrumentOptions> = {}) {
    const spans = { add: (records: readonly SpanRecord[]) => void this.spans.push(...records) };
    this.telemetry = instrument({ service: 'shop', sample: 1, spans, logs: { target: '/dev/null' }, ...options });
  }

  /** Series of a metric with how often, as `label=value label=value: count`, without labels that are empty. */
  async counts(metric: string): Promise<string[]> {
    let page = '';
    for await (const chunk of this.telemetry.expose().body) page += chunk;
    const found = page.matchAll(new RegExp(`^${metric}(?:_count)?{(.*)} (\\S+)$`, 'gm'));
    return Array.from(found, ([, labels = '', value]) => {
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].filter((pair) => pair[2] !== '');
      return `${pairs.map(([, name, text]) => `${name}=${text}`).join(' ')}: ${value}`;
    }).toSorted();
  }

  /** The spans of a kind, once there are as many: what ends a request comes after its answer. */
  async ended(kind: SpanRecord['kind'], count: number): Promise<SpanRecord[]> {
    while (true) {
      const found = this.spans.filter((span) => span.kind === kind);
      if (found.length >= count) return found;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.telemetry[Symbol.asyncDispose]();
  }
}

export const CLIENT_METRIC = 'http_client_request_duration_seconds';

/** That one `GET /a` to this port was told of and counted once, without its query, and that `sent` is what the server got of the context. */
export async function toldOfCall(
  watched: Watched,
  spans: readonly SpanRecord[],
  port: number,
  sent: Readonly<Record<string, string>>,
): Promise<void> {
  const [span] = spans;
  assert.equal(spans.length, 1);
  assert.equal(sent['traceparent'], `00-${parent.slice(3, 35)}-${span?.spanId}-01`);
  const { tracestate, baggage, 'x-request-id': id } = incomingFields;
  assert.deepEqual([sent['tracestate'], sent['baggage'], sent['x-request-id']], [tracestate, baggage, id]);
  assert.deepEqual(span?.attributes, {
    'http.request.method': 'GET',
    'server.address': '127.0.0.1',
    'server.port': port,
    'url.full': `http://127.0.0.1:${port}/a`,
    'http.response.status_code': 200,
  });
  assert.deepEqual(await watched.counts(CLIENT_METRIC), [
    `http_request_method=GET server_address=127.0.0.1 server_port=${port} http_response_status_code=200: 1`,
  ]);
}

/** That one `POST /cart/42` by curl, answered 200 under the route `/cart/{id}`, was told of and counted once, and without its query. */
export async function toldOfCart(watched: Watched, span: SpanRecord | undefined, version: '1.1' | '2'): Promise<void> {
  const { 'client.address': client, ...attributes } = span?.attributes ?? {};
  assert.match(String(client), /127\.0\.0\.1$/);
  assert.deepEqual(attributes, {
    'http.request.method': 'POST',
    'url.path': '/cart/42',
    'network.protocol.version': version,
    'user_agent.original': 'curl',
    'http.route': '/cart/{id}',
    'http.response.status_code': 200,
  });
  assert.deepEqual(await watched.counts('http_server_request_duration_seconds'), [
    'http_request_method=POST http_route=/cart/{id} http_response_status_code=200: 1',
  ]);
  assert.deepEqual(await watched.counts('http_server_active_requests'), ['http_request_method=POST: 0']);
}

/** Runs the work within a request that came with `incomingFields`, and gives the spans of what it asked others. */
export async function within(watched: Watched, work: () => Promise<unknown>): Promise<SpanRecord[]> {
  await watched.telemetry.traces.withSpan('work', { parent: incoming }, async () => work());
  return watched.spans.filter(({ kind }) => kind === 'client');
}

/** Answers what it was sent. */
export function echo(request: IncomingMessage, response: ServerResponse): void {
  response.end(JSON.stringify(request.headers));
}

/** Whatever comes of its client, a frame that closes or the end, is its end. */
export function endsWithClient(socket: Duplex): Duplex {
  const end = (): void => void socket.end();
  return socket.on('error', end).on('end', end).on('data', end);
}

export interface Served extends AsyncDisposable {
  readonly server: Server;
  readonly url: string;
  readonly port: number;
}

type Handler = (incoming: IncomingMessage, response: ServerResponse) => unknown;

/** Serves until it is disposed. */
export async function serve(handler: Handler | Server): Promise<Served> {
  const server =
    typeof handler === 'function' ? createServer((incoming, response) => void handler(incoming, response)) : handler;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    server,
    port,
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
