/**
 * What a pick costs, by algorithm and number of endpoints. Run: `npm run bench -- pick`.
 *
 * All endpoints are at work, four requests each, and one ends with each pick, so what a pick looks at has changed since the last one: the oldest, or any one
 * by chance, which is harder for those that look where work has ended. What telling `Loads` of it costs is measured alone and taken off. One endpoint in ten
 * is out; weights are 1, 2 and 3 unless said.
 * CPU time of this process, the best of many short rounds that all take by turns: on a busy machine the clock on the wall measures the others.
 */
import { seededRandom } from '../kernel/random.ts';
import { algorithms, type BalancerName, createBalancer } from './algorithms.ts';
import type { Balancer } from './balancer.ts';
import { createPickContext } from './balancer.ts';
import { createLoads, type Loads } from './loads.ts';

const ROUNDS = 25;
const PICKS = 50_000;
const SIZES = [2, 10, 100, 1000];
const AT_WORK = 4;

type Ends = 'oldest' | 'by chance';

class Subject {
  readonly title: string;
  readonly ends: Ends;
  readonly #create: (loads: Loads, endpoints: number) => Balancer;
  #round: () => void = () => undefined;
  bestNs = Number.POSITIVE_INFINITY;

  constructor(title: string, ends: Ends, create: (loads: Loads, endpoints: number) => Balancer) {
    this.title = title;
    this.ends = ends;
    this.#create = create;
  }

  begin(endpoints: number): void {
    const loads = createLoads(endpoints);
    const balancer = this.#create(loads, endpoints);
    const context = createPickContext(endpoints);
    for (let index = 5; index < endpoints; index += 10) context.eligible[index] = 0;
    const random = seededRandom(1);
    const open = Int32Array.from({ length: endpoints * AT_WORK }, (_, at) => at % endpoints);
    for (const index of open) loads.started(index, 0);
    const isByChance = this.ends === 'by chance';
    let oldest = 0;
    this.bestNs = Number.POSITIVE_INFINITY;
    this.#round = () => {
      for (let pick = 0; pick < PICKS; pick++) {
        context.nowMs += 0.1;
        context.keyHash = random.int32();
        const index = balancer.pick(context);
        oldest = oldest + 1 === open.length ? 0 : oldest + 1;
        const at = isByChance ? (context.keyHash >>> 0) % open.length : oldest;
        const ended = open[at]!;
        loads.answered(ended, 5 + (ended % 7), context.nowMs, true);
        loads.finished(ended);
        loads.started(index, context.nowMs);
        open[at] = index;
      }
    };
  }

  /** One round; keeps the best ns of a pick and of the accounting around it. */
  run(): void {
    const before = process.cpuUsage();
    this.#round();
    const { user, system } = process.cpuUsage(before);
    this.bestNs = Math.min(this.bestNs, ((user + system) * 1000) / PICKS);
  }
}

/** Picks without looking. */
function blind(_: Loads, endpoints: number): Balancer {
  let next = 0;
  return { pick: () => (next = next + 1 < endpoints ? next + 1 : 0) };
}

function of(name: BalancerName, weightOf: (index: number) => number = (index) => 1 + (index % 3)) {
  return (loads: Loads, endpoints: number): Balancer => {
    const weights = Array.from({ length: endpoints }, (_, index) => weightOf(index));
    return createBalancer(name, { weights, loads, random: seededRandom(2) });
  };
}

const equal = (): number => 1;
const accounting = {
  oldest: new Subject('accounting alone', 'oldest', blind),
  'by chance': new Subject('accounting alone, by chance', 'by chance', blind),
};
const subjects = [
  ...(Object.keys(algorithms) as BalancerName[]).map((name) => new Subject(name, 'oldest', of(name))),
  new Subject('least-connections, equal', 'oldest', of('least-connections', equal)),
  new Subject('least-connections, by chance', 'by chance', of('least-connections')),
  new Subject('  equal', 'by chance', of('least-connections', equal)),
  new Subject('least-time, by chance', 'by chance', of('least-time')),
];
const all = [...Object.values(accounting), ...subjects];

const cells = new Map<Subject, string[]>(all.map((subject) => [subject, []]));
for (const endpoints of SIZES) {
  for (const subject of all) subject.begin(endpoints);
  for (let round = 0; round < ROUNDS; round++) for (const subject of all) subject.run();
  for (const subject of subjects) {
    cells.get(subject)!.push((subject.bestNs - accounting[subject.ends].bestNs).toFixed(0));
  }
  for (const subject of Object.values(accounting)) cells.get(subject)!.push(subject.bestNs.toFixed(0));
}
const line = (title: string, row: readonly string[]): string =>
  `${title.padEnd(30)}${row.map((cell) => cell.padStart(8)).join('')}\n`;
process.stdout.write(line('ns a pick, endpoints:', SIZES.map(String)));
for (const subject of [...subjects, ...Object.values(accounting)])
  process.stdout.write(line(subject.title, cells.get(subject)!));
