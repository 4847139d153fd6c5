/**
 * Contenders by turns: each does a hundred thousand takes, then the next, so that all meet the same machine. Time is that of the
 * thread's own CPU, so that a turn in which it had to wait for a core is not a slow one.
 */

export interface Contender {
  readonly name: string;
  /** Does so many takes. */
  readonly run: (takes: number) => void | Promise<void>;
}

/** Some tens of milliseconds: the kernel counts the time of a thread in ticks of up to four. */
const TAKES = 100_000;
const TURNS = 40;
const WARM_UP = 4;

export interface Figure {
  readonly name: string;
  /** Nanoseconds a take: the median of the turns, and the best tenth, which other programs disturbed least. */
  readonly medianNs: number;
  readonly bestNs: number;
}

export async function byTurns(contenders: readonly Contender[], takes = TAKES): Promise<Figure[]> {
  const times = contenders.map((): number[] => []);
  for (let turn = 0; turn < TURNS + WARM_UP; turn++) {
    for (const [index, { run }] of contenders.entries()) {
      const before = cpuMs();
      await run(takes);
      const ns = ((cpuMs() - before) * 1e6) / takes;
      if (turn >= WARM_UP) times[index]!.push(ns);
    }
  }
  return contenders.map(({ name }, index) => {
    const sorted = times[index]!.sort((a, b) => a - b);
    return { name, medianNs: sorted[sorted.length >> 1]!, bestNs: sorted[Math.floor(sorted.length / 10)]! };
  });
}

export function print(title: string, figures: readonly Figure[]): void {
  const against = figures.at(-1)!;
  process.stdout.write(`\n${title}\n`);
  for (const { name, medianNs, bestNs } of figures) {
    const ratio = against.medianNs / medianNs;
    const line = `  ${name.padEnd(44)} ${medianNs.toFixed(0).padStart(6)} ns   best ${bestNs.toFixed(0).padStart(6)} ns`;
    process.stdout.write(`${line}   ${ratio === 1 ? '' : `${ratio.toFixed(1)} ×`}\n`);
  }
}

/** CPU time of this thread so far. */
export function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
