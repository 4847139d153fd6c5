/** What the admin API asks of the gateway: what it may know, and what it may have done. */
import type { Steps } from '../../kernel/steps.ts';
import type { MetricFamily } from '../../observe/prometheus.ts';
import type { SeriesQuery, SeriesRange } from '../../observe/series/range.ts';
import type { Pass } from '../../observe/slo/gate.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import type { Change, ChangesWanted } from '../control/change-log.ts';
import type { ReloadOutcome } from '../control/events.ts';
import type { TrialOutcome } from '../control/trials.ts';
import type { DrainOutcome, DrainRequest, EndpointName } from '../control/drains.ts';
import type { Assets } from './assets.ts';
import type { AuditEntry } from './audit-entry.ts';
import type { EndpointChange } from '../control/discovery/endpoint-change.ts';
import type { Budgets } from '../control/budgets.ts';
import type { SloWaiting } from '../control/history.ts';
import type { EndpointOfService, GatewayState } from '../control/gateway-state.ts';
import type { Telemetry } from '../control/telemetry.ts';
import type { RouteExemplars } from '../tracing/route-exemplars.ts';
import type { ExplainRequest, Explanation } from '../l7/explain.ts';
import type { LiveFeed } from './live-feed.ts';

export interface AdminBackend {
  state(): GatewayState;
  /** Of one address, in each service that has it; empty if none has. */
  endpointStates(address: string): readonly EndpointOfService[];
  /** What `/metrics` shows. */
  metrics(exemplars: RouteExemplars): Promise<Iterable<MetricFamily>>;
  /** Null if this process can still serve; else why it should be started anew. */
  notAlive(): string | null;
  /** Null if new work is welcome; else why not. */
  notReady(): string | null;
  /** Throws a `RangeError` with a sentence for people if there is no such listener. */
  explain(request: ExplainRequest): Promise<Explanation>;
  reload(pass: Pass | null): Promise<ReloadOutcome>;
  /** Null is the version before the one in force. */
  rollback(version: number | null): Promise<ReloadOutcome>;
  /** Null puts it in force on all connections at once. */
  apply(
    file: string,
    trial: { readonly share: number; readonly watchMs: number } | null,
    pass: Pass | null,
  ): Promise<ReloadOutcome | TrialOutcome>;
  /** Whether something may be deployed; and the ledger, to read and to write into. */
  readonly budgets: Pick<Budgets, 'gate' | 'view' | 'note'>;
  drain(request: DrainRequest): DrainOutcome;
  undrain(name: EndpointName): DrainOutcome;
  /** Resolves to how many endpoints the service has then; throws coded errors. */
  changeEndpoints(service: string, change: EndpointChange): Promise<number>;
  /** The dashboard. */
  readonly assets: Assets;
  /** What `GET /api/live` tells. */
  readonly live: LiveFeed;
  /** A stretch of what was sampled each second. */
  series(query: SeriesQuery): Steps<SeriesRange>;
  /** As of the last second; empty without `slos` in the config. */
  slos(): readonly SloStatus[];
  /** Why none of its objectives is evaluated yet; null: they are, or there is none. */
  slosWaiting(): SloWaiting | null;
  wallMs(): number;
  /** Newest first. */
  changes(wanted: ChangesWanted): readonly Change[];
  /** What a version of the config says, secrets left out, as YAML; null if it is not kept. */
  configText(version: number): string | null;
  /** What workers and services have told. */
  readonly telemetry: Telemetry;
  /** Where the token is kept that the gateway made; null if the config names its tokens. */
  madeToken(): { readonly file: string | null } | null;
  /** Has the token that the gateway made be the one that is kept now. Never throws. */
  renewToken(): Promise<void>;
  /** A line for the audit log. */
  audit(entry: AuditEntry): void;
}
