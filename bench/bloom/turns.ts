/** Contenders by turns in one process: a figure is CPU time of this process, the best of the turns. */
import { cpuNs } from '../cpu-time.ts';

const ROUNDS = 5;

let sink = 0;

export interface Case {
  readonly name: string;
  readonly operations: number;
  /** Does them, and says how many nanoseconds of CPU time they took. */
  readonly run: () => number;
}

/** All of `work`, timed. What it answers is of no use, but a compiler does not know that. */
export function timed(work: () => number): () => number {
  return () => {
    const before = cpuNs();
    sink += work();
    return cpuNs() - before;
  };
}

/** Nanoseconds an operation, by name. */
export function bestOf(cases: readonly Case[]): Record<string, number> {
  const best: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, operations, run } of cases) {
      best[name] = Math.min(best[name] ?? Number.POSITIVE_INFINITY, run() / operations);
    }
  }
  // What nobody looks at need not be computed.
  if (Number.isNaN(sink)) process.exitCode = 1;
  return best;
}

/** A line for each name, and a column for each set of figures. */
export function printFigures(title: string, ...columns: readonly Readonly<Record<string, number>>[]): void {
  process.stdout.write(`\n${title}\n`);
  for (const name of Object.keys(columns[0]!)) {
    const cells = columns.map((column) => `${column[name]!.toFixed(0).padStart(8)} ns`);
    process.stdout.write(`  ${name.padEnd(52)}${cells.join('')}\n`);
  }
}

/** How many of the keys `each` says yes of. */
export function over<T>(keys: readonly T[], each: (key: T) => boolean): number {
  let sum = 0;
  for (const key of keys) if (each(key)) sum++;
  return sum;
}
