/** What became of what was for the collector. */
import type { OtlpCounts } from '../../observe/otlp/channel.ts';
import type { PushCounts } from '../../observe/otlp/metrics-push.ts';

export interface Exported {
  /** When this collector was named, in milliseconds since the Unix epoch: since then it is counted. */
  readonly sinceMs: number;
  readonly spans: OtlpCounts;
  /** Null if no metrics are pushed. */
  readonly metrics: PushCounts | null;
}
