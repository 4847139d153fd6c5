/** What the control thread and a worker say to each other. Rare by design: live numbers go through cells, never here. */
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import type { CanaryPlan, Snapshot } from '../snapshot.ts';

/** `workerData` of a worker. */
export interface WorkerStart {
  /** Its lane in every cell: 1…n (lane 0 is the control thread's). */
  readonly lane: number;
  readonly snapshot: Snapshot;
  /** Ports already bound by an earlier worker for listeners that asked for port 0, by listener id. */
  readonly ports: Readonly<Record<string, number>>;
}

export type ToWorker =
  /** Apply this config; answer `applied` or `refused`. What did not change is not touched. */
  | { readonly kind: 'apply'; readonly snapshot: Snapshot; readonly ports: Readonly<Record<string, number>> }
  /** Run a config on trial, or with null none any more. */
  | { readonly kind: 'canary'; readonly plan: CanaryPlan | null }
  /** Stop accepting, finish what is running, close what is idle; answer `drained`. */
  | { readonly kind: 'drain'; readonly timeoutMs: number }
  /** The spans that were sent have been read: there may be more. */
  | { readonly kind: 'spans-taken' }
  /** Open the access log anew (after it was rotated away). */
  | { readonly kind: 'reopen-log' };

export type FromWorker =
  | { readonly kind: 'applied'; readonly version: number; readonly ports: Readonly<Record<string, number>> }
  | { readonly kind: 'refused'; readonly version: number; readonly code: string; readonly message: string }
  | { readonly kind: 'drained' }
  /** Some endpoint failed so often in a row that it should be looked at now. */
  | { readonly kind: 'row-full' }
  /** Traces that are kept; the next come when these have been taken, so that no more than these wait for a control thread that is busy. */
  | { readonly kind: 'spans'; readonly spans: readonly SpanRecord[] }
  /** One line for the operator, such as a log target that cannot be written. */
  | { readonly kind: 'notice'; readonly level: 'info' | 'warn' | 'error'; readonly message: string };
