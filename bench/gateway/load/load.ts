/** The kinds of load, and what one run of any of them answers. */

export interface Target {
  readonly port: number;
  /** Where requests on a schedule go. */
  readonly duePort: number;
  readonly tls: boolean;
  /** Trusted by clients that check. */
  readonly certificateFile: string;
  readonly cores: string;
  readonly dir: string;
}

export interface LoadResult {
  readonly requests: number;
  readonly durationS: number;
  /** Microseconds; absent where the tool does not say. */
  readonly p50Us?: number;
  readonly p99Us?: number;
  /** Answers that were not 2xx or 3xx, and connections that failed or timed out. */
  readonly errors: number;
  /** How late the generator itself was, open loop only. */
  readonly lateP99Us?: number;
}
