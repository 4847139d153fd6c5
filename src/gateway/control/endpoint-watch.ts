/**
 * Who may get work, of the config in force and of one on trial beside it: services by their breakers, endpoints by their health and their drains, which
 * see one another. An endpoint that drains is none of those that are left, so health spares the last one beside it.
 */
import type { Cell } from '../../kernel/cells.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import type { KnownReader } from '../l7/explain.ts';
import { Breakers } from './breakers.ts';
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
  readonly breakers: Breakers;
  readonly drains: Drains;
  #configs: readonly InForce[] = [];

  constructor({ clock, random, onEvent }: EndpointWatchOptions) {
    this.health = new HealthChecks({ clock, random, onEvent });
    this.breakers = new Breakers({ clock, random, onEvent });
    this.drains = new Drains({ clock, onEvent, onChange: () => this.#updateHealth() });
  }

  /** What is asked and drained as before goes on undisturbed. */
  update(force: InForce, trial: InForce | null): void {
    this.#configs = trial === null ? [force] : [force, trial];
    // Of both configs too, a breaker goes by the one in force.
    this.breakers.update(this.#configs.flatMap(({ snapshot }) => snapshot.services));
    this.drains.update(force.snapshot, trial?.snapshot ?? null);
    this.#updateHealth();
  }

  /** What is known of them, for who explains a request. */
  get known(): KnownReader {
    return {
      endpoint: (service, endpoint) => this.health.known(service, endpoint),
      breaker: (service) => this.breakers.known(service)?.reason ?? '',
    };
  }

  stop(): void {
    this.health.stop();
    this.breakers.stop();
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
