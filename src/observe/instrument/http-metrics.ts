/**
 * RED of HTTP, by the names of OpenTelemetry as Prometheus shows them. No label holds what a client can choose: an unknown method is `_OTHER`, a
 * path is none, only the pattern of a route; hosts that a service calls are its own choice, and bounded all the same.
 * Source: OpenTelemetry's semantic conventions for HTTP metrics.
 */
import type { Gauge, Histogram } from '../metrics/instruments.ts';
import type { MetricsSink } from '../metrics/metrics.ts';
import { BoundSeries } from './bound-series.ts';

export interface ServerOutcome {
  readonly method: string;
  /** The pattern, or empty if there is none. */
  readonly route: string;
  /** 0 if there was no answer. */
  readonly status: number;
  /** What went wrong, of few kinds; empty if nothing. */
  readonly error: string;
}

export interface ClientOutcome {
  readonly method: string;
  readonly host: string;
  readonly port: number;
  readonly status: number;
  readonly error: string;
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH', 'QUERY'];
/** Each series of a histogram takes some 5 KB. */
const SERVER_SERIES_MAX = 1000;
const CLIENT_SERIES_MAX = 500;

/** One of few. */
export function knownMethod(method = ''): string {
  return methods.includes(method) ? method : '_OTHER';
}

export class HttpServerMetrics {
  readonly #seconds;
  readonly #active;
  readonly #bound = new BoundSeries<Histogram>(SERVER_SERIES_MAX);
  readonly #gauges = new BoundSeries<Gauge>(SERVER_SERIES_MAX);

  constructor(metrics: MetricsSink) {
    this.#seconds = metrics.histogram({
      name: 'http_server_request_duration_seconds',
      help: 'From the head of a request to the end of its answer; error_type aborted is a client that left.',
      labels: ['http_request_method', 'http_route', 'http_response_status_code', 'error_type'],
      seriesMax: SERVER_SERIES_MAX,
    });
    this.#active = metrics.gauge({
      name: 'http_server_active_requests',
      help: 'Requests being worked on.',
      labels: ['http_request_method'],
    });
  }

  active(method: string, change: 1 | -1): void {
    const bind = (): Gauge => this.#active.bind({ http_request_method: method });
    this.#gauges.tell(method, bind, (gauge) => gauge.add(change));
  }

  ended({ method, route, status, error }: ServerOutcome, tookMs: number, traceId?: string): void {
    const bind = (): Histogram =>
      this.#seconds.bind({
        http_request_method: method,
        http_route: route,
        http_response_status_code: status === 0 ? '' : status,
        error_type: error,
      });
    const key = `${method} ${status} ${error} ${route}`;
    this.#bound.tell(key, bind, (histogram) => histogram.observe(tookMs / 1000, traceId));
  }
}

export class HttpClientMetrics {
  readonly #seconds;
  readonly #bound = new BoundSeries<Histogram>(CLIENT_SERIES_MAX);

  constructor(metrics: MetricsSink) {
    this.#seconds = metrics.histogram({
      name: 'http_client_request_duration_seconds',
      help: 'From a request to the head of its answer, or to its failure.',
      labels: ['http_request_method', 'server_address', 'server_port', 'http_response_status_code', 'error_type'],
      seriesMax: CLIENT_SERIES_MAX,
    });
  }

  ended({ method, host, port, status, error }: ClientOutcome, tookMs: number, traceId?: string): void {
    const bind = (): Histogram =>
      this.#seconds.bind({
        http_request_method: method,
        server_address: host,
        server_port: port,
        http_response_status_code: status === 0 ? '' : status,
        error_type: error,
      });
    const key = `${method} ${status} ${error} ${port} ${host}`;
    this.#bound.tell(key, bind, (histogram) => histogram.observe(tookMs / 1000, traceId));
  }
}
