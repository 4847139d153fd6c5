/**
 * Metrics to a collector, every so often. Counts are cumulative, so a round that is lost loses nothing; while one still waits, the next is left out.
 */
import type { Timer } from '../../kernel/clock.ts';
import { outsideOfAny } from '../context/work-context.ts';
import type { MetricBatch } from '../metrics/collect.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { OtlpChannel } from './channel.ts';
import type { OtlpExporter } from './exporter.ts';
import { encodeMetrics, encodeMetricsJson } from './metrics.ts';

export interface MetricsPushOptions {
  readonly metrics: Metrics;
  readonly exporter: OtlpExporter;
  readonly service: string;
  readonly instance: string;
  readonly everyMs: number;
}

/** The first soon: whoever starts a service looks at once. */
const FIRST_MS = 1000;
/** Of a series, about: names and values of its labels; of a bucket, a number. */
const SERIES_BYTES = 300;
const BUCKET_BYTES = 8;

export class MetricsPush {
  readonly #metrics: Metrics;
  readonly #channel: OtlpChannel<MetricBatch>;
  readonly #timers: Timer[] = [];
  #round: Promise<void> | null = null;

  constructor({ metrics, exporter, service, instance, everyMs }: MetricsPushOptions) {
    this.#metrics = metrics;
    const source = { service, instance, resource: exporter.resource, startMs: metrics.startMs };
    this.#channel = exporter.channel<MetricBatch>({
      path: 'v1/metrics',
      encode: (batches) =>
        exporter.encoding === 'json'
          ? new TextEncoder().encode(encodeMetricsJson(batches, source))
          : encodeMetrics(batches, source),
      bytesOf: ({ series }) =>
        series.reduce(
          (sum, { value }) => sum + SERIES_BYTES + (typeof value === 'number' ? 0 : BUCKET_BYTES * value.counts.length),
          0,
        ),
    });
    const { clock } = metrics;
    const push = (): void => void this.#push();
    outsideOfAny(() => this.#timers.push(clock.after(FIRST_MS, push), clock.every(everyMs, push)));
  }

  /** Reads what there is now; it is sent with what waits. Nothing if the last round still waits. */
  read(): Promise<void> {
    if (this.#round === null && this.#channel.bytes === 0) {
      this.#round = this.#collect().finally(() => (this.#round = null));
    }
    return this.#round ?? Promise.resolve();
  }

  stop(): void {
    for (const timer of this.#timers) timer.clear();
  }

  async #push(): Promise<void> {
    await this.read();
    await this.#channel.flush();
  }

  async #collect(): Promise<void> {
    for await (const batch of this.#metrics.collect()) this.#channel.add([batch]);
  }
}
