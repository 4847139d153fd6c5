/**
 * Telemetry to a collector by OTLP over HTTP. It is a sink of spans; metrics and logs have a channel each, by the same options.
 *
 * Nothing here throws into what is observed: a collector that is away costs a bounded queue, and numbers that say what was lost.
 * Source: OTLP 1.x, “OTLP/HTTP”.
 */
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { checkDuration, checkInteger, checkKeys, invalid } from '../../kernel/options.ts';
import { createRandom, type Random } from '../../kernel/random.ts';
import { packageVersion } from '../../kernel/version.ts';
import type { Attributes, SpanRecord } from '../trace/span-record.ts';
import { spanBytes } from '../trace/stored-trace.ts';
import type { SpanSink } from '../trace/traces.ts';
import { type ChannelOptions, OtlpChannel, type OtlpCounts, type OtlpSignal, type Target } from './channel.ts';
import { encodeTraces, encodeTracesJson } from './traces.ts';

/** Another collector for one signal. */
export interface OtlpTarget {
  /** The whole address, to which nothing is added: `'https://traces.example/v1/traces'`. */
  readonly endpoint: string | URL;
  /** In place of those for all; give `{}` where there is nothing to prove. @defaultValue those for all */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface OtlpExporterOptions {
  /** Where the collector listens, without `/v1/traces`, which is added: `'http://127.0.0.1:4318'`. */
  readonly endpoint: string | URL;
  /** Sent with each request, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Where spans go, if not there. @defaultValue `v1/traces` at `endpoint` */
  readonly traces?: OtlpTarget;
  /** Where metrics go, if not there. @defaultValue `v1/metrics` at `endpoint` */
  readonly metrics?: OtlpTarget;
  /** Where logs go, if not there. @defaultValue `v1/logs` at `endpoint` */
  readonly logs?: OtlpTarget;
  /** Said of everything that is sent, beside `service.name`: `deployment.environment.name`, `service.version`. */
  readonly resource?: Attributes;
  /** @defaultValue 'protobuf' */
  readonly encoding?: 'protobuf' | 'json';
  /** Bodies from 1 KB on. @defaultValue true */
  readonly gzip?: boolean;
  /** How many go together at most. A full batch leaves at once. @defaultValue 512 */
  readonly batchMax?: number;
  /** How long something waits for others. @defaultValue '1s' */
  readonly every?: string | number;
  /** What may wait, of each signal; what comes when it is full is dropped. @defaultValue 16 MiB */
  readonly queueBytes?: number;
  /** For one request. @defaultValue '10s' */
  readonly timeout?: string | number;
  /** For how long a batch is tried again if the collector is away or says so; of metrics, all that was read at once. @defaultValue '60s' */
  readonly retry?: string | number;
  /** Told once when something gets lost, and again after all was well. */
  readonly onProblem?: (message: string) => void;
  /** For certificates, proxies and sockets of your own. @defaultValue that of Node */
  readonly fetch?: typeof fetch;
  readonly clock?: Clock;
  readonly random?: Random;
}

const signals = ['traces', 'metrics', 'logs'] as const;
const names = ['endpoint', 'headers', ...signals, 'resource', 'encoding', 'gzip', 'batchMax', 'every', 'queueBytes', 'timeout', 'retry', 'onProblem', 'fetch', 'clock', 'random']; // prettier-ignore
const DAY_MS = 86_400_000;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export class OtlpExporter implements SpanSink, AsyncDisposable {
  readonly encoding: 'protobuf' | 'json';
  readonly resource: Attributes;
  readonly #options: ChannelOptions;
  readonly #channels: OtlpChannel<never>[] = [];
  readonly #spans: OtlpChannel<SpanRecord>;

  constructor(given: OtlpExporterOptions) {
    checkKeys('createOtlpExporter', given, names);
    const { encoding = 'protobuf', resource = {}, fetch = globalThis.fetch } = given;
    if (encoding !== 'protobuf' && encoding !== 'json') {
      throw invalid(`createOtlpExporter: encoding is “${String(encoding)}”; expected protobuf or json.`);
    }
    this.encoding = encoding;
    this.resource = resource;
    this.#options = {
      targetOf: targetsOf(given),
      userAgent: `spillway-otlp/${packageVersion()}`,
      contentType: encoding === 'json' ? 'application/json' : 'application/x-protobuf',
      gzip: given.gzip ?? true,
      batchMax: checkInteger('createOtlpExporter: batchMax', given.batchMax ?? 512, 1, 100_000),
      everyMs: checkDuration('createOtlpExporter: every', given.every ?? '1s', 0, DAY_MS),
      queueBytes: checkInteger('createOtlpExporter: queueBytes', given.queueBytes ?? 2 ** 24, 0, 2 ** 32),
      timeoutMs: checkDuration('createOtlpExporter: timeout', given.timeout ?? '10s', 1, DAY_MS),
      retryMs: checkDuration('createOtlpExporter: retry', given.retry ?? '60s', 0, DAY_MS),
      onProblem: given.onProblem ?? (() => undefined),
      fetch,
      clock: given.clock ?? systemClock,
      random: given.random ?? createRandom(),
    };
    this.#spans = this.channel<SpanRecord>({
      path: 'v1/traces',
      encode: (spans) =>
        encoding === 'json'
          ? new TextEncoder().encode(encodeTracesJson(spans, resource))
          : encodeTraces(spans, resource),
      bytesOf: spanBytes,
    });
  }

  /** Of spans. */
  get counts(): OtlpCounts {
    return this.#spans.counts;
  }

  add(spans: readonly SpanRecord[]): void {
    this.#spans.add(spans);
  }

  /** Another signal to the same collector. `encode` must make what `encoding` says. */
  channel<Item>(signal: OtlpSignal<Item>): OtlpChannel<Item> {
    const channel = new OtlpChannel(signal, this.#options);
    this.#channels.push(channel as OtlpChannel<never>);
    return channel;
  }

  /** Sends what waits now. */
  async flush(): Promise<void> {
    await Promise.all(this.#channels.map((channel) => channel.flush()));
  }

  /**
   * Sends what waits, and takes nothing more. What has not gone in time is dropped, and counted.
   * @param within as `'5s'` or in milliseconds
   */
  async close(within: string | number = '5s'): Promise<void> {
    const withinMs = checkDuration('close', within, 0, DAY_MS);
    await Promise.all(this.#channels.map((channel) => channel.close(withinMs)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Of each path of a signal, where it goes. */
function targetsOf({ endpoint, headers = {}, ...given }: OtlpExporterOptions): ChannelOptions['targetOf'] {
  const base = checkEndpoint('endpoint', endpoint);
  if (/\/v1\/\w+\/?$/.test(base.pathname)) {
    throw invalid(
      `createOtlpExporter: endpoint is “${String(endpoint)}”; expected it without ${base.pathname}, which is added.`,
    );
  }
  checkHeaders(headers);
  const common = inLowerCase(headers);
  const targets = new Map<string, Target>();
  for (const signal of signals) {
    const own = given[signal];
    if (own === undefined) continue;
    checkKeys(`createOtlpExporter: ${signal}`, own, ['endpoint', 'headers']);
    checkHeaders(own.headers ?? {});
    const url = checkEndpoint(`${signal}.endpoint`, own.endpoint);
    targets.set(`v1/${signal}`, { url, headers: own.headers === undefined ? common : inLowerCase(own.headers) });
  }
  const folder = base.href.endsWith('/') ? base.href : `${base.href}/`;
  return (path) => targets.get(path) ?? { url: new URL(path, folder), headers: common };
}

function checkEndpoint(what: string, given: string | URL): URL {
  const url = URL.parse(String(given));
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw invalid(
      `createOtlpExporter: ${what} is “${String(given)}”; expected an address such as http://127.0.0.1:4318.`,
    );
  }
  if (url.search !== '' || url.hash !== '') {
    throw invalid(
      `createOtlpExporter: ${what} has a query or a fragment, which would not be sent; give keys in headers.`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(
      `createOtlpExporter: ${what} has a name or a password in it; give them in headers, as authorization.`,
    );
  }
  return url;
}

/** Before they are sent: what `fetch` says of a value that it cannot send has the value in it, which may be a secret. */
function checkHeaders(headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) {
    if (TOKEN.test(name) && typeof value === 'string' && VALUE.test(value.trim())) continue;
    throw invalid(`createOtlpExporter: headers has a name or a value at “${name}” that no field can have.`);
  }
}

/** Of two names that differ in case, `fetch` would send both values as one. */
function inLowerCase(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/**
 * To a collector.
 *
 * @example
 * const exporter = createOtlpExporter({ endpoint: 'http://127.0.0.1:4318' });
 * const traces = createTraces({ service: 'shop', to: exporter });
 * traces.startSpan('buy').end();
 * await exporter.close('1s');
 */
export function createOtlpExporter(options: OtlpExporterOptions): OtlpExporter {
  return new OtlpExporter(options);
}
