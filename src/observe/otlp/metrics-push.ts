/**
 * Metrics to a collector, every so often. Counts are cumulative, so a round that is lost loses nothing; while one still waits, the next is left out,
 * and counted, as is one in which what there is cannot be read. So what waits is one round at most, within the queue of the exporter.
 *
 * A round is read and encoded a bit at a time, between which the event loop turns: what waits is bytes, which go together as they are.
 */
import type { Clock, Timer } from '../../kernel/clock.ts';
import { outsideOfAny } from '../context/work-context.ts';
import type { MetricBatch } from '../metrics/collect.ts';
import type { OtlpChannel, OtlpCounts } from './channel.ts';
import type { OtlpExporter } from './exporter.ts';
import { encodeMetrics, encodeMetricsJson, joinMetrics, type MetricsSource } from './metrics.ts';

export interface MetricsPushOptions {
  /** What there is now, in batches between which the event loop turns. */
  readonly collect: () => AsyncIterable<MetricBatch>;
  /** Since when it counts, in milliseconds since the Unix epoch. */
  readonly startMs: number;
  readonly clock: Clock;
  readonly exporter: OtlpExporter;
  readonly service: string;
  readonly instance: string;
  readonly everyMs: number;
}

/** Of series, each once in a round. */
export interface PushCounts extends OtlpCounts {
  /** Rounds that were left out. */
  readonly skipped: number;
}

/** A batch as a request. */
interface Encoded {
  readonly bytes: Uint8Array;
  readonly points: number;
}

/** The first soon: whoever starts a service looks at once. */
const FIRST_MS = 1000;
/** Less is a clock that is slewed. */
const SET_BACK_MS_MIN = 1000;

export class MetricsPush {
  readonly #options: MetricsPushOptions;
  readonly #source: MetricsSource;
  readonly #channel: OtlpChannel<Encoded>;
  readonly #timers: Timer[] = [];
  #round: Promise<void> | null = null;
  #skipped = 0;
  /** The most that wall time was ahead of the clock that is never set. */
  #aheadMs = Number.NEGATIVE_INFINITY;
  #setBackMs = 0;

  constructor(options: MetricsPushOptions) {
    const { clock, exporter, service, instance, startMs, everyMs } = options;
    this.#options = options;
    this.#source = { service, instance, resource: exporter.resource, startMs };
    this.#channel = exporter.channel<Encoded>({
      path: 'v1/metrics',
      encode: (batches) =>
        joinMetrics(
          batches.map(({ bytes }) => bytes),
          exporter.encoding,
        ),
      bytesOf: ({ bytes }) => bytes.length,
      countOf: ({ points }) => points,
      isWhole: true,
    });
    this.#lookAtClock();
    const push = (): void => void this.#push();
    outsideOfAny(() => this.#timers.push(clock.after(FIRST_MS, push), clock.every(everyMs, push)));
  }

  get counts(): PushCounts {
    return { ...this.#channel.counts, skipped: this.#skipped };
  }

  /** Reads what there is now; it is sent with what waits. Nothing if the last round still waits. Never rejects. */
  read(): Promise<void> {
    if (this.#mayRead) this.#round = this.#collect().finally(() => (this.#round = null));
    return this.#round ?? Promise.resolve();
  }

  stop(): void {
    for (const timer of this.#timers) timer.clear();
  }

  get #mayRead(): boolean {
    return this.#round === null && this.#channel.bytes === 0;
  }

  async #push(): Promise<void> {
    if (!this.#mayRead) this.#skipped += 1;
    await this.read();
    await this.#channel.flush();
  }

  async #collect(): Promise<void> {
    this.#lookAtClock();
    try {
      for await (const batch of this.#options.collect()) {
        this.#channel.add([{ bytes: this.#encoded(batch), points: batch.series.length }]);
      }
    } catch (error) {
      // Nobody waits for a round: what it throws would end the process.
      this.#skipped += 1;
      this.#channel.missed((error as Error).message);
    }
  }

  /** A start that was told stays, but for one that a clock told that was ahead: who reads would take each new one for a new process. */
  #lookAtClock(): void {
    const { clock } = this.#options;
    const aheadMs = clock.wallMs() - clock.nowMs();
    this.#aheadMs = Math.max(this.#aheadMs, aheadMs);
    const setBackMs = this.#aheadMs - aheadMs;
    if (setBackMs > this.#setBackMs + SET_BACK_MS_MIN) this.#setBackMs = setBackMs;
  }

  /** A copy of its own size: what encodes has room for more. */
  #encoded(batch: MetricBatch): Uint8Array {
    const source = { ...this.#source, setBackMs: this.#setBackMs };
    return this.#options.exporter.encoding === 'json'
      ? new TextEncoder().encode(encodeMetricsJson([batch], source))
      : new Uint8Array(encodeMetrics([batch], source));
  }
}
