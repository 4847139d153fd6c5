/**
 * What the control thread keeps of telemetry: the traces that its own workers have kept, which also go to a collector if the config names one,
 * and what services push. All in memory and bounded; nobody need ask for it for traffic to go on.
 */
import { hostname } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import { collect } from '../../observe/metrics/collect.ts';
import {
  createOtlpExporter,
  type OtlpExporter,
  type OtlpExporterOptions,
  type OtlpTarget,
} from '../../observe/otlp/exporter.ts';
import { MetricsPush } from '../../observe/otlp/metrics-push.ts';
import type { MetricFamily } from '../../observe/prometheus.ts';
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import { createTraceStore } from '../../observe/trace/store.ts';
import { type LogRecord, RecentLogs } from '../../observe/log/recent.ts';
import type { Config } from '../config/index.ts';
import { type RouteExemplars, routeExemplars } from '../tracing/route-exemplars.ts';
import { GATEWAY_SERVICE } from '../tracing/server-span.ts';
import type { Exported } from './exported.ts';
import { ReceivedMetrics } from './received-metrics.ts';
import { lineOf } from './span-line.ts';

/** Of what is pushed, all services together: decoding it must leave the control thread its time. Some 5 % of it at that. */
const BYTES_PER_SECOND = 4 * 2 ** 20;
const SECOND_MS = 1000;
/** What is made to be slow, as a hundred thousand empty points, is no matter of bytes: after so long, a rest that is so many times as long. */
const SLOW_MS = 100;
const RESTS = 4;
/** Some ten thousand traces of an ordinary kind. */
const TRACES_MEMORY = '32mb';
/** Some 25,000 lines. */
const LOGS_MEMORY = '8mb';
const ANOTHER_GATEWAY = `another ${GATEWAY_SERVICE}`;
/** What has not gone to the collector by then is lost, when the gateway ends or another collector is named. */
const LAST_SEND_MS = 2000;

export interface TelemetryOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly notice: (message: string) => void;
  /** What `/metrics` shows, as of now. Asked once a config is in force. */
  readonly families: (exemplars: RouteExemplars) => Promise<Iterable<MetricFamily>>;
}

/** Where traces go, and metrics if it says how often. */
interface Collector {
  readonly targets: Pick<OtlpExporterOptions, 'endpoint' | 'headers' | 'traces' | 'metrics'>;
  readonly metricsEveryMs: number | null;
}

interface Exporting {
  readonly sinceMs: number;
  readonly exporter: OtlpExporter;
  readonly push: MetricsPush | null;
}

export class Telemetry {
  readonly #options: TelemetryOptions;
  readonly logs = new RecentLogs({ bytes: LOGS_MEMORY });
  /** What services push of theirs. */
  readonly metrics: ReceivedMetrics;
  readonly traces = createTraceStore({ memoryBytes: TRACES_MEMORY });
  readonly #beganMs: number;
  #collector: Collector | null = null;
  #exporting: Exporting | null = null;
  #secondEndsMs = 0;
  #bytes = 0;

  constructor(options: TelemetryOptions) {
    this.#options = options;
    this.#beganMs = options.clock.wallMs();
    this.metrics = new ReceivedMetrics(options.clock);
  }

  /** To the collector; null without one. */
  get exported(): Exported | null {
    if (this.#exporting === null) return null;
    const { sinceMs, exporter, push } = this.#exporting;
    return { sinceMs, spans: exporter.counts, metrics: push?.counts ?? null };
  }

  /** Goes by another config from now on. */
  apply({ telemetry: { otlp }, otlpHeaders }: Pick<Config, 'telemetry' | 'otlpHeaders'>): void {
    const collector = otlp === undefined ? null : collectorOf(otlp, otlpHeaders);
    if (isDeepStrictEqual(collector, this.#collector)) return;
    void this.close();
    this.#collector = collector;
    if (collector !== null) this.#exporting = this.#export(collector);
  }

  #export({ targets, metricsEveryMs }: Collector): Exporting {
    const { clock, random, notice, families } = this.#options;
    // As of any service: which of its processes, so that two gateways are not taken for one that goes up and down.
    const instance = `${hostname()}:${process.pid}`;
    const resource = { 'service.instance.id': instance };
    const exporter = createOtlpExporter({ ...targets, resource, clock, random, onProblem: notice });
    const { traces } = this;
    const counted = {
      async *collect() {
        yield* collect(await families(routeExemplars(traces.spans())), clock.wallMs());
      },
      startMs: this.#beganMs,
      clock,
    };
    const push =
      metricsEveryMs === null
        ? null
        : new MetricsPush({ ...counted, exporter, service: GATEWAY_SERVICE, instance, everyMs: metricsEveryMs });
    return { sinceMs: clock.wallMs(), exporter, push };
  }

  /** Sends what is left, and the last of what was counted, for two seconds at most. */
  async close(): Promise<void> {
    const exporting = this.#exporting;
    this.#exporting = null;
    this.#collector = null;
    exporting?.push?.stop();
    await exporting?.push?.read();
    await exporting?.exporter.close(LAST_SEND_MS);
  }

  /** Spans of this gateway. */
  traced(spans: readonly SpanRecord[]): void {
    this.traces.add(spans);
    for (const span of spans) if (span.kind === 'server') this.logs.add(lineOf(span));
    this.#exporting?.exporter.add(spans);
  }

  /** Spans that services push: they know their collectors. */
  received(spans: readonly SpanRecord[]): void {
    this.traces.add(spans.map(told));
  }

  /** A line that a service pushes; false if there is no room for it. */
  receivedLine(line: LogRecord): boolean {
    return this.logs.add(told(line));
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  /** Whether there is time for so many bytes more in this second. Once there is not, there is for none: finding out took time too. */
  mayTake(bytes: number): boolean {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs >= this.#secondEndsMs) {
      this.#secondEndsMs = nowMs + SECOND_MS;
      this.#bytes = 0;
    }
    const isTaken = this.#bytes === 0 || this.#bytes + bytes <= BYTES_PER_SECOND;
    this.#bytes = isTaken ? this.#bytes + bytes : Infinity;
    return isTaken;
  }

  /** What was taken took so long. */
  took(ms: number): void {
    const restedMs = this.#options.clock.nowMs() + RESTS * ms;
    if (ms < SLOW_MS || restedMs <= this.#secondEndsMs) return;
    this.#secondEndsMs = restedMs;
    this.#bytes = Infinity;
  }
}

/** Whatever is pushed in this gateway's name is another's at best: its requests were not counted here, and are in no log of ours. */
function told<Told extends { readonly service: string }>(pushed: Told): Told {
  return pushed.service === GATEWAY_SERVICE ? { ...pushed, service: ANOTHER_GATEWAY } : pushed;
}

function collectorOf(otlp: NonNullable<Config['telemetry']['otlp']>, headers: Config['otlpHeaders']): Collector {
  const own = (signal: 'traces' | 'metrics'): { readonly [name in typeof signal]?: OtlpTarget } => {
    const { endpoint } = otlp[signal] ?? {};
    const fields = headers[signal];
    return endpoint === undefined ? {} : { [signal]: { endpoint, ...(fields !== undefined && { headers: fields }) } };
  };
  return {
    targets: { endpoint: otlp.endpoint, headers: headers.all, ...own('traces'), ...own('metrics') },
    metricsEveryMs: otlp.metrics?.every ?? null,
  };
}
