/**
 * What a pick costs, by algorithm and number of endpoints. Run: `npm run bench -- pick`.
 *
 * All endpoints are at work, four requests each, and the oldest request ends with each pick, so what a pick looks at has changed
 * since the last one. What telling `Loads` of it costs is measured alone and taken off. One endpoint in ten is out; weights are 1,
 * 2 and 3 unless said.
 * CPU time of this process, the best of several rounds: on a busy machine the clock on the wall measures the others.
 */
import { seededRandom } from '../kernel/random.ts';
import { algorithms, type BalancerName, createBalancer } from './algorithms.ts';
import type { Balancer } from './balancer.ts';
import { createPickContext } from './balancer.ts';
import { createLoads } from './loads.ts';

const ROUNDS = 9;
const PICKS = 200_000;
const SIZES = [2, 10, 100, 1000];
const AT_WORK = 4;

/** Best CPU time in ns of one pick and of the accounting around it. */
function measure(endpoints: number, createFrom: (loads: ReturnType<typeof createLoads>) => Balancer): number {
  const loads = createLoads(endpoints);
  const balancer = createFrom(loads);
  const context = createPickContext(endpoints);
  for (let index = 5; index < endpoints; index += 10) context.eligible[index] = 0;
  const random = seededRandom(1);
  const open = Int32Array.from({ length: endpoints * AT_WORK }, (_, at) => at % endpoints);
  for (const index of open) loads.started(index, 0);
  let bestNs = Number.POSITIVE_INFINITY;
  let at = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    for (let pick = 0; pick < PICKS; pick++) {
      context.nowMs += 0.1;
      context.keyHash = random.int32();
      const index = balancer.pick(context);
      at = at + 1 === open.length ? 0 : at + 1;
      const ended = open[at]!;
      loads.answered(ended, 5 + (ended % 7), context.nowMs, true);
      loads.finished(ended);
      loads.started(index, context.nowMs);
      open[at] = index;
    }
    const { user, system } = process.cpuUsage(before);
    bestNs = Math.min(bestNs, ((user + system) * 1000) / PICKS);
  }
  return bestNs;
}

/** Picks without looking. */
function blind(endpoints: number): Balancer {
  let next = 0;
  return { pick: () => (next = next + 1 < endpoints ? next + 1 : 0) };
}

const line = (cells: readonly string[]): string =>
  `${cells.map((cell, at) => (at === 0 ? cell.padEnd(26) : cell.padStart(8))).join('')}\n`;

process.stdout.write(line(['ns a pick, endpoints:', ...SIZES.map(String)]));
const accountNs = SIZES.map((endpoints) => measure(endpoints, () => blind(endpoints)));
function row(title: string, name: BalancerName, weightOf: (index: number) => number): void {
  const cells = SIZES.map((endpoints, at) => {
    const weights = Array.from({ length: endpoints }, (_, index) => weightOf(index));
    const create = (loads: ReturnType<typeof createLoads>): Balancer =>
      createBalancer(name, { weights, loads, random: seededRandom(2) });
    return (measure(endpoints, create) - accountNs[at]!).toFixed(0);
  });
  process.stdout.write(line([title, ...cells]));
}

for (const name of Object.keys(algorithms) as BalancerName[]) {
  row(name, name, (index) => 1 + (index % 3));
  // The usual ones.
  if (name === 'least-connections') row(`${name}, equal`, name, () => 1);
}
process.stdout.write(line(['accounting alone', ...accountNs.map((ns) => ns.toFixed(0))]));
