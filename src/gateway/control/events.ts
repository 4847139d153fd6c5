/**
 * What a running gateway tells whoever started it: one value per thing that changed, in the order it happened.
 *
 * A listener of events is called synchronously on the control thread and must not wait; what it throws is caught and
 * dropped, because telling must never stop the traffic. Nothing here is on the way of a request.
 */
import type { BreakerPhase } from '../../resilience/breaker-life.ts';
import type { AuditEntry } from '../admin/audit-entry.ts';
import type { CanaryState, DrainState, ReloadCause } from './gateway-state.ts';

export type GatewayEvent =
  /** A listener is bound by at least one worker (`host:port` as bound, so never port 0), or the admin API is. */
  | { readonly kind: 'listening'; readonly listener: string; readonly address: string; readonly tls: boolean }
  | { readonly kind: 'admin-listening'; readonly address: string }
  /** `reason` is a sentence part for people: “connection refused”, “status 503, expected 200-299”. */
  | {
      readonly kind: 'endpoint-down';
      readonly service: string;
      readonly endpoint: string;
      readonly reason: string;
      /** For what its traffic says; else its checks fail. */
      readonly ejected: boolean;
    }
  | {
      readonly kind: 'endpoint-up';
      readonly service: string;
      readonly endpoint: string;
      readonly reason: string;
      /** How long it was out; null if it was not known to be down. */
      readonly downForMs: number | null;
    }
  /** It was ejected for its traffic and is in again, with a small share, until that went well. */
  | { readonly kind: 'endpoint-trial'; readonly service: string; readonly endpoint: string; readonly reason: string }
  /** Its traffic is faulty, and it stays in; `reason` says both why. */
  | { readonly kind: 'endpoint-spared'; readonly service: string; readonly endpoint: string; readonly reason: string }
  /** The breaker of a service is in another state; `forMs`: how long it is open. */
  | {
      readonly kind: 'breaker';
      readonly service: string;
      readonly phase: BreakerPhase;
      readonly reason: string;
      readonly forMs: number | null;
    }
  /** Health is not believed any more and all endpoints are used, or believed again (`reason` is null then). */
  | { readonly kind: 'fail-open'; readonly service: string; readonly reason: string | null }
  /** Its check fails, but it is the last that is left and only ever timed out: it stays in (see src/health). */
  | { readonly kind: 'endpoint-kept'; readonly service: string; readonly endpoint: string; readonly reason: string }
  | {
      readonly kind: 'drain-begun';
      readonly service: string;
      readonly endpoint: string;
      readonly by: DrainState['by'];
      readonly withinMs: number;
    }
  /** Nothing is left; `cut` and `told` as in the state. */
  | {
      readonly kind: 'drain-ended';
      readonly service: string;
      readonly endpoint: string;
      readonly tookMs: number;
      readonly cut: DrainState['cut'];
      readonly told: DrainState['told'];
    }
  /** It serves again, or is about to. */
  | { readonly kind: 'drain-undone'; readonly service: string; readonly endpoint: string }
  /** Endpoints of a service came or went, because its source said so; a line each: `endpoint 10.0.0.7:80 added`. */
  | {
      readonly kind: 'endpoints-found';
      readonly service: string;
      readonly source: string;
      readonly changes: readonly string[];
    }
  /** What is wrong with a source of endpoints, or null again; and what it names that is not used. */
  | {
      readonly kind: 'discovery';
      readonly service: string;
      readonly source: string;
      readonly problem: string | null;
      readonly leftOut: readonly string[];
    }
  /** A config is on trial, or was; with the numbers so far. */
  | { readonly kind: 'canary'; readonly trial: CanaryState }
  | { readonly kind: 'reload'; readonly outcome: ReloadOutcome }
  | { readonly kind: 'worker-lost'; readonly lane: number; readonly reason: string; readonly restartInMs: number }
  | { readonly kind: 'worker-replaced'; readonly lane: number }
  /** A write through the admin API, allowed or refused. */
  | ({ readonly kind: 'audit' } & AuditEntry)
  | { readonly kind: 'draining'; readonly timeoutMs: number }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'notice'; readonly level: 'info' | 'warn' | 'error'; readonly message: string };

export type GatewayListener = (event: GatewayEvent) => void;

export type ReloadOutcome =
  | {
      readonly kind: 'applied';
      readonly cause: ReloadCause;
      readonly version: number;
      /** The version it puts back; null if it was read. */
      readonly restored: number | null;
      /** Lines for people, one a difference. */
      readonly changes: readonly string[];
      /** What takes effect only when the process is started anew, a line each. */
      readonly pendingRestart: readonly string[];
    }
  | { readonly kind: 'unchanged'; readonly cause: ReloadCause; readonly version: number }
  /** Nothing changed; `version` is the one that goes on. `problems` has each mistake on a line of its own. */
  | {
      readonly kind: 'refused';
      readonly cause: ReloadCause;
      readonly version: number;
      readonly reason: string;
      readonly problems: readonly string[];
      /** Nothing is wrong with it, but the error budget of an objective is frozen. */
      readonly code?: 'BUDGET_FROZEN';
    };

/** Calls each listener with an event; one that throws does not keep it from the others. */
export class EventFan {
  readonly #listeners = new Set<GatewayListener>();

  /** Returns the function that takes the listener away again. */
  add(listener: GatewayListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  emit(event: GatewayEvent): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch {
        // A broken listener (such as a log on a closed pipe) is the caller's; the gateway goes on.
      }
    }
  }
}
