/** CPU time of this process, which a busy machine changes less than the clock on the wall, and how results are shown. */
const ROUNDS = 5;

export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Best CPU time of one call, in nanoseconds, of several rounds that take turns with those of the others. */
export function best(count: number, works: readonly ((index: number) => void)[]): number[] {
  const bestNs = works.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [which, work] of works.entries()) {
      const before = cpuSeconds();
      for (let index = 0; index < count; index++) work(index);
      bestNs[which] = Math.min(bestNs[which]!, ((cpuSeconds() - before) / count) * 1e9);
    }
  }
  return bestNs;
}

export function heading(what: string): void {
  process.stdout.write(`\n${what}\n`);
}

export function row(what: string, value: string): void {
  process.stdout.write(`  ${what.padEnd(60)} ${value.padStart(14)}\n`);
}

export function micros(ns: number): string {
  return ns < 1000 ? `${ns.toFixed(0)} ns` : `${(ns / 1000).toFixed(2)} µs`;
}
