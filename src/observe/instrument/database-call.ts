/** A call to a database: a client span and its duration, by the names of OpenTelemetry. What PostgreSQL and Redis have in common. */
import { SAMPLED } from '../context/trace-context.ts';
import type { Histogram } from '../metrics/instruments.ts';
import type { MetricsSink } from '../metrics/metrics.ts';
import type { Span } from '../trace/span.ts';
import type { Traces } from '../trace/traces.ts';
import { BoundSeries } from './bound-series.ts';
import { errorType } from './error-type.ts';

export interface DatabaseTarget {
  readonly system: 'postgresql' | 'redis';
  /** A word of which there are few: `SELECT`, `GET`. */
  readonly operation: string;
  readonly host: string;
  /** 0 of a socket in the file system. */
  readonly port: number;
  /** The database's name or number. */
  readonly namespace: string;
  /** What is asked, without any value; empty if that says no more than the operation. */
  readonly text: string;
}

/** Each series takes some 5 KB. */
const SERIES_MAX = 500;

export class DatabaseCalls {
  readonly #traces: Traces;
  readonly #seconds;
  readonly #bound = new BoundSeries<Histogram>(SERIES_MAX);

  constructor(traces: Traces, metrics: MetricsSink) {
    this.#traces = traces;
    this.#seconds = metrics.histogram({
      name: 'db_client_operation_duration_seconds',
      help: 'From a call to a database to its answer or failure.',
      labels: ['db_system_name', 'db_operation_name', 'server_address', 'server_port', 'error_type'],
      seriesMax: SERIES_MAX,
      // Most answers come within a millisecond.
      bounds: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 10],
    });
  }

  begin(target: DatabaseTarget): DatabaseCall {
    const { system, operation, host, port, namespace, text } = target;
    const span = this.#traces.startSpan(operation, { kind: 'client' });
    if (span.isRecording) {
      span.setAttributes({
        'db.system.name': system,
        'db.operation.name': operation,
        'server.address': host,
        ...(port !== 0 && { 'server.port': port }),
        ...(namespace !== '' && { 'db.namespace': namespace }),
        ...(text !== '' && { 'db.query.text': text }),
      });
    }
    return new DatabaseCall(span, (error) => {
      const { flags, traceId, startMs } = span;
      const tookMs = this.#traces.clock.nowMs() - startMs;
      const bind = (): Histogram =>
        this.#seconds.bind({
          db_system_name: system,
          db_operation_name: operation,
          server_address: host,
          server_port: port === 0 ? '' : port,
          error_type: error,
        });
      const exemplar = (flags & SAMPLED) === 0 ? undefined : traceId;
      const key = `${operation} ${error} ${port} ${host} ${system}`;
      this.#bound.tell(key, bind, (histogram) => histogram.observe(tookMs / 1000, exemplar));
    });
  }
}

export class DatabaseCall {
  readonly #span: Span;
  readonly #count: (error: string) => void;
  #isOver = false;

  constructor(span: Span, count: (error: string) => void) {
    this.#span = span;
    this.#count = count;
  }

  /** Without an error, it went well. */
  end(error?: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (error === undefined || error === null) this.#count('');
    else {
      const kind = errorType(error);
      this.#span.setAttribute('error.type', kind).fail(error);
      this.#count(kind);
    }
    this.#span.end();
  }
}
