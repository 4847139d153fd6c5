/**
 * A config as it is put into force: what the workers get, what the health checks get and what control itself goes by, made in
 * one go from one reading. Pure but for the cells, which the store keeps by identity.
 */
import { availableParallelism } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import {
  compileHealthPlans,
  compileSnapshot,
  diffSnapshots,
  type CompileOptions,
  type Config,
} from '../config/index.ts';
import type { ListenerPlan, Snapshot } from '../snapshot.ts';
import type { HealthPlan } from './health-plan.ts';
import { adminPlace } from './read-config.ts';

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

export function workersOf({ workers }: Config): number {
  return workers === 'auto' ? availableParallelism() : workers;
}

/** Equal but for the version. Cells are the same objects when they are for the same things. */
export function sameConfig(before: InForce, next: InForce): boolean {
  const { version } = before.snapshot;
  return isDeepStrictEqual(before, { ...next, snapshot: { ...next.snapshot, version } });
}

/** Listeners on addresses that no listener of the old config has. */
export function newAddresses(before: InForce, next: InForce): ListenerPlan[] {
  const old = new Set(before.snapshot.listeners.map(({ host, port }) => `${host} ${port}`));
  return next.snapshot.listeners.filter(({ host, port }) => !old.has(`${host} ${port}`));
}

/** What a reload changed, a line each, for people. */
export function changesBetween(before: InForce, next: InForce): string[] {
  return [
    ...diffSnapshots(before.snapshot, next.snapshot),
    ...healthChanges(before, next),
    ...adminChanges(before, next),
  ];
}

/** What takes effect only at the next start: cells have a lane for each worker there was, and a user is become once. */
export function changesLeftOut(before: InForce, next: InForce): string[] {
  return (['workers', 'user'] as const)
    .filter((name) => before.config[name] !== next.config[name])
    .map((name) => `A change of ${name} takes effect at the next start.`);
}

function healthChanges(before: InForce, next: InForce): string[] {
  const old = new Map(before.config.services.map(({ name, health }) => [name, health]));
  const changed = next.config.services.filter(
    ({ name, health }) => old.has(name) && !isDeepStrictEqual(old.get(name), health),
  );
  return changed.map(({ name }) => `service ${name}: health checks changed`);
}

function adminChanges(before: InForce, next: InForce): string[] {
  const [was, is] = [adminPlace(before.config), adminPlace(next.config)];
  const moved = !isDeepStrictEqual(was?.at, is?.at);
  const lines = moved ? [`admin: address ${next.config.admin?.address.text ?? 'none'}`] : [];
  return isDeepStrictEqual(was?.policy.grants, is?.policy.grants) ? lines : [...lines, 'admin: tokens changed'];
}
