/**
 * Who of the endpoints may get work, of the config in force and of one on trial beside it: their health and their drains, which
 * see one another. An endpoint that drains is none of those that are left, so health spares the last one beside it.
 */
import type { Cell } from '../../kernel/cells.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import { Drains } from './drains.ts';
import type { GatewayEvent } from './events.ts';
import { HealthChecks } from './health-checks.ts';
import type { HealthPlan } from './health-plan.ts';
import type { InForce } from './in-force.ts';

export interface EndpointWatchOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly onEvent: (event: GatewayEvent) => void;
}

export class EndpointWatch {
  readonly health: HealthChecks;
  readonly drains: Drains;
  #configs: readonly InForce[] = [];

  constructor({ clock, random, onEvent }: EndpointWatchOptions) {
    this.health = new HealthChecks({ clock, random, onEvent });
    this.drains = new Drains({ clock, onEvent, onChange: () => this.#updateHealth() });
  }

  /** What is asked and drained as before goes on undisturbed. */
  update(force: InForce, trial: InForce | null): void {
    this.#configs = trial === null ? [force] : [force, trial];
    this.drains.update(force.snapshot, trial?.snapshot ?? null);
    this.#updateHealth();
  }

  stop(): void {
    this.health.stop();
    this.drains.stop();
  }

  /** An endpoint of both configs is judged as the one in force says. */
  #updateHealth(): void {
    const plans = new Map<Cell, HealthPlan>();
    for (const { health } of this.#configs) {
      for (const plan of health) if (!plans.has(plan.cell)) plans.set(plan.cell, plan);
    }
    this.health.update(this.drains.unweigh([...plans.values()]));
  }
}
