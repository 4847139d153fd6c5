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

/** Reads the line that our script, or one of our own clients, prints. */
export function parseResult(output: string): LoadResult {
  const json = /^RESULT (\{.*\})$/m.exec(output)?.[1];
  if (json === undefined) throw new Error(`the load generator printed no result:\n${output}`);
  return JSON.parse(json) as LoadResult;
}
