/** What a leader has in its hands, and what its work is given. */
import type { Duration } from '../kernel/units.ts';

export interface Term extends AsyncDisposable {
  readonly seat: string;
  /** Greater than that of every leader before: for resources to check. */
  readonly term: bigint;
  /** Aborted when this process leads no more, before another can; its reason is an error `LEASE_LOST`. */
  readonly signal: AbortSignal;
  /** Throws `LEASE_LOST` unless it leads at this moment, by both clocks. */
  assertLeader(): void;
  /** Leaves the seat to the next: true if the store knows. Never rejects. */
  resign(): Promise<boolean>;
}

/** What the work of a leader is given; `signal` is aborted too when the work is not wanted any more. */
export interface Leading {
  readonly seat: string;
  readonly term: bigint;
  readonly signal: AbortSignal;
  readonly assertLeader: () => void;
}

export interface CampaignOptions {
  /** How long a leader that died is still taken for one: `'15s'`, or milliseconds. It is renewed every third of it. @defaultValue '15s' */
  readonly ttl?: Duration | number;
  /** Ends the campaign: the call rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** As client-go has it: long beside a pause of garbage collection or a failover of a store. */
export const TTL_DEFAULT = '15s';
export const TTL_MS_MAX = 86_400_000;
