/**
 * What the control thread keeps of telemetry: the traces that its own workers have kept, and what services push. All in memory and bounded;
 * nobody need ask for it for traffic to go on.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import { createTraceStore } from '../../observe/trace/store.ts';
import { ReceivedMetrics } from './received-metrics.ts';

/** Of what is pushed, all services together: decoding it must leave the control thread its time. Some 5 % of it at that. */
const BYTES_PER_SECOND = 4 * 2 ** 20;
const SECOND_MS = 1000;
/** Some ten thousand traces of an ordinary kind. */
const TRACES_MEMORY = '32mb';

export class Telemetry {
  readonly #clock: Clock;
  /** What services push of theirs. */
  readonly metrics: ReceivedMetrics;
  readonly traces = createTraceStore({ memoryBytes: TRACES_MEMORY });
  #secondEndsMs = 0;
  #bytes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.metrics = new ReceivedMetrics(clock);
  }

  /** Spans of this gateway, or of a service that pushes them. */
  add(spans: readonly SpanRecord[]): void {
    this.traces.add(spans);
  }

  /** Whether there is time for so many bytes more in this second. */
  mayTake(bytes: number): boolean {
    const nowMs = this.#clock.nowMs();
    if (nowMs >= this.#secondEndsMs) {
      this.#secondEndsMs = nowMs + SECOND_MS;
      this.#bytes = 0;
    }
    if (this.#bytes > 0 && this.#bytes + bytes > BYTES_PER_SECOND) return false;
    this.#bytes += bytes;
    return true;
  }
}
