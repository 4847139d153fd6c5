/** Every algorithm on the scenario, and what there is to say of each: the rows of table and chart. */
import { algorithms, type BalancerName, createBalancer, createPickContext } from '../../src/balance/index.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import type { Scenario } from './scenario.ts';
import { simulate } from './simulation.ts';

/** Of the requests that were answered. */
export interface Latencies {
  readonly name: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
}

export interface Result extends Latencies {
  /** Of all requests. */
  readonly failedShare: number;
  readonly imbalance: number;
  /** Of all keys, when one server in ten leaves; null if there are no keys. */
  readonly movedShare: number | null;
}

const byKey: ReadonlySet<BalancerName> = new Set(['ip-hash', 'consistent-hash', 'maglev']);

export function results(scenario: Scenario): Result[] {
  // One algorithm has two names in the config.
  const names = (Object.keys(algorithms) as BalancerName[]).filter((name) => name !== 'weighted-round-robin');
  return names.map((name) => {
    const { answeredMs, failed, imbalance } = simulate(name, scenario);
    return {
      name,
      p50Ms: quantile(answeredMs, 0.5),
      p99Ms: quantile(answeredMs, 0.99),
      p999Ms: quantile(answeredMs, 0.999),
      failedShare: failed / scenario.arrivalsMs.length,
      imbalance,
      movedShare: byKey.has(name) ? movedShare(name, scenario) : null,
    };
  });
}

/** What would be if nobody ever waited and nothing were wrong: the work itself. */
export function noWaiting({ workMs }: Scenario): Latencies {
  const sorted = workMs.toSorted();
  return {
    name: 'no waiting',
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    p999Ms: quantile(sorted, 0.999),
  };
}

/** The smallest value that at least `share` of all are not above. */
export function quantile(ascending: Float64Array, share: number): number {
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)] ?? Number.NaN;
}

const KEYS = 20_000;

/** Keys that are elsewhere when the last server is taken from the list, those it had among them. */
function movedShare(name: BalancerName, { servers, seed }: Scenario): number {
  const owners = (list: Scenario['servers']): string[] => {
    const balancer = createBalancer(name, {
      weights: list.map(({ weight }) => weight),
      names: list.map((server) => server.name),
    });
    const context = createPickContext(list.length);
    const random = seededRandom(seed);
    return Array.from({ length: KEYS }, () => {
      context.keyHash = random.int32();
      return list[balancer.pick(context)]!.name;
    });
  };
  const after = owners(servers.slice(0, -1));
  return owners(servers).filter((owner, key) => owner !== after[key]).length / KEYS;
}
