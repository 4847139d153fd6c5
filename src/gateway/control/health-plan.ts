/** What the control thread checks: compiled from the config beside the snapshot, which the workers get. */
import type { HealthPolicy } from '../../health/index.ts';
import type { Cell } from '../../kernel/cells.ts';
import type { UpstreamTlsPlan } from '../snapshot.ts';
import type { ProbeKind } from './probe-io.ts';

export interface HealthPlan {
  readonly service: string;
  /** `EndpointPlan.id`. */
  readonly endpoint: string;
  readonly weight: number;
  readonly backup: boolean;
  /** What its traffic says. */
  readonly traffic: Cell;
  /** Of its service. */
  readonly policy: HealthPolicy;
  /** The endpoint's: its `HEALTH` word is written. */
  readonly cell: Cell;
  /** Null: nothing checks this endpoint, it is always used. */
  readonly check: CheckPlan | null;
}

export interface CheckPlan {
  readonly host: string;
  /** `EndpointPlan.identity`. */
  readonly identity: string;
  /** The check's own port if it has one, else the endpoint's. */
  readonly port: number;
  readonly probe: ProbeKind;
  readonly tls: UpstreamTlsPlan | null;
  readonly allowLinkLocal: boolean;
  /** From the begin of one check to the begin of the next. */
  readonly intervalMs: number;
  /** Share of the interval by which it varies either way, 0 to 1. */
  readonly jitterRatio: number;
  readonly timeoutMs: number;
  readonly unhealthyAfter: number;
  readonly healthyAfter: number;
}
