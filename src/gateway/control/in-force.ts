/**
 * A config as it is put into force: what the workers get, what the health checks get and what control itself goes by, made in
 * one go from one reading. Pure but for the cells, which the store keeps by identity.
 */
import { availableParallelism } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { SpillwayError } from '../../kernel/errors.ts';
import { compileHealthPlans, compileSnapshot, type CompileOptions, type Config } from '../config/index.ts';
import type { ListenerPlan, Snapshot } from '../snapshot.ts';
import type { HealthPlan } from './health-plan.ts';

export interface InForce {
  readonly config: Config;
  readonly snapshot: Snapshot;
  readonly health: readonly HealthPlan[];
  /** Everything the config was made from, absolute. */
  readonly files: readonly string[];
}

export function compileInForce(config: Config, files: readonly string[], options: CompileOptions): InForce {
  const snapshot = compileSnapshot(config, options);
  return { config, snapshot, health: compileHealthPlans(config, snapshot), files };
}

export function workersOf({ workers }: Pick<Config, 'workers'>): number {
  return workers === 'auto' ? availableParallelism() : workers;
}

/** Equal in all that has an effect. Cells are the same objects when they are for the same things. */
export function sameConfig(before: InForce, next: InForce): boolean {
  const { files } = before;
  const { version } = before.snapshot;
  return isDeepStrictEqual(before, { ...next, files, snapshot: { ...next.snapshot, version } });
}

/** Listeners on addresses that no listener of the old config has. */
export function newAddresses(before: InForce, next: InForce): ListenerPlan[] {
  const old = new Set(before.snapshot.listeners.map(({ host, port }) => `${host} ${port}`));
  return next.snapshot.listeners.filter(({ host, port }) => !old.has(`${host} ${port}`));
}

/** What a config asks for that only a new process can give; `running` is what this one was started with. */
export function pendingRestart(running: Started, { workers, user }: Config): string[] {
  const lines: string[] = [];
  const wanted = workersOf({ workers });
  if (running.workers !== null && running.workers !== wanted) {
    lines.push(`workers: ${running.workers} run until the next start, then ${wanted}`);
  }
  if (running.user !== user) {
    lines.push(`user: ${running.user ?? 'none'} until the next start, then ${user ?? 'none'}`);
  }
  return lines;
}

/** What a process is given once: its cells have a lane for each worker, and it becomes a user for good. */
export interface Started {
  /** Null if the program decides and not the config. */
  readonly workers: number | null;
  readonly user: string | undefined;
}

/** Throws `GATEWAY_STATE` before there is one. */
export function running(force: InForce | null): InForce {
  if (force === null) throw new SpillwayError('GATEWAY_STATE', 'The gateway has not been started.');
  return force;
}
