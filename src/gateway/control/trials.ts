/**
 * Configs on trial, one at a time: tells the workers, watches (`canary.ts`), and sees to what follows from the verdict.
 */
import { createCell } from '../../kernel/cells.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Pass } from '../../observe/slo/gate.ts';
import { ROUTE_SLOTS } from '../slots.ts';
import type { CanaryPlan, Snapshot } from '../snapshot.ts';
import { Canary, type CanaryCells, type CanaryVerdict } from './canary.ts';
import type { ReloadOutcome } from './events.ts';
import type { CanaryState } from './gateway-state.ts';
import type { InForce } from './in-force.ts';
import type { ConfigSource } from './read-config.ts';

export interface TrialRequest {
  readonly source: ConfigSource;
  /** Of the connections, above 0 and at most 1. */
  readonly share: number;
  readonly watchMs: number;
  /** What it claims against a budget that is frozen, now or when it is promoted. */
  readonly pass: Pass | null;
}

export type TrialOutcome =
  | { readonly kind: 'begun'; readonly trial: CanaryState }
  | { readonly kind: 'unchanged' }
  | Pick<Extract<ReloadOutcome, { kind: 'refused' }>, 'kind' | 'reason' | 'problems' | 'code'>;

export interface TrialsOptions {
  readonly clock: Clock;
  /** Tells the workers. */
  readonly tell: (plan: CanaryPlan | null) => void;
  /** Puts what is read from its source in force, on all connections; null if the trial has ended before its turn came. */
  readonly promote: (request: TrialRequest, isOnTrial: () => boolean) => Promise<ReloadOutcome | null>;
  /** It began or ended: endpoints that only it has are checked while it runs. */
  readonly onChange: (trial: CanaryState, next: InForce | null) => void;
}

interface Trial {
  readonly request: TrialRequest;
  readonly cells: CanaryCells;
  readonly canary: Canary;
}

export class Trials {
  readonly #options: TrialsOptions;
  #trial: Trial | null = null;
  #state: CanaryState | null = null;

  constructor(options: TrialsOptions) {
    this.#options = options;
  }

  /** The one that runs, with its numbers, or the last. */
  get state(): CanaryState | null {
    if (this.#trial === null || this.#state === null) return this.#state;
    return { ...this.#state, ...this.#trial.canary.describe() };
  }

  /** `lanes`: of the cells, the control thread's included. */
  begin(request: TrialRequest, next: InForce, lanes: number): CanaryState {
    this.end('another config was put on trial');
    const { clock, tell, onChange } = this.#options;
    const { share, watchMs, source } = request;
    const cells = { canary: createCell(lanes, ROUTE_SLOTS), others: createCell(lanes, ROUTE_SLOTS) };
    tell({ snapshot: next.snapshot, share, ...cells });
    const canary = new Canary({ clock, cells, watchMs, onVerdict: (verdict) => void this.#conclude(verdict) });
    const until = new Date(clock.wallMs() + watchMs).toISOString();
    this.#trial = { request, cells, canary };
    this.#state = { phase: 'watching', file: source.file, share, until, reason: null, ...canary.describe() };
    onChange(this.#state, next);
    return this.#state;
  }

  /** The config on trial once more, because its endpoints are others now. */
  renew(snapshot: Snapshot): void {
    if (this.#trial === null) return;
    const { request, cells } = this.#trial;
    this.#options.tell({ snapshot, share: request.share, ...cells });
  }

  /** Takes back the one that runs, if one does. */
  end(reason: string): void {
    const trial = this.#trial;
    if (trial === null) return;
    trial.canary.end();
    this.#settle('rolled-back', reason, trial.canary.describe());
  }

  async #conclude({ kind, reason, ...numbers }: CanaryVerdict): Promise<void> {
    const trial = this.#trial;
    if (trial === null) return;
    if (kind === 'roll-back') {
      this.#settle('rolled-back', reason, numbers);
      return;
    }
    const outcome = await this.#options.promote(trial.request, () => this.#trial === trial);
    if (outcome === null || this.#trial !== trial) return;
    if (outcome.kind === 'refused') this.#settle('rolled-back', outcome.reason, numbers);
    else this.#settle('promoted', reason, numbers);
  }

  #settle(phase: CanaryState['phase'], reason: string, numbers: Pick<CanaryState, 'canary' | 'others'>): void {
    const { tell, onChange } = this.#options;
    this.#trial = null;
    tell(null);
    this.#state = { ...this.#state!, phase, reason, ...numbers };
    onChange(this.#state, null);
  }
}
