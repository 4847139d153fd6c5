/**
 * Contenders by turns: each does as many takes as need a fifth of a second, then the next, so that all meet the same machine. Time is that of
 * the thread's own CPU, so that a turn in which it had to wait for a core is not a slow one.
 */

export interface Contender {
  readonly name: string;
  /** Does so many takes. */
  readonly run: (takes: number) => void | Promise<void>;
}

/** Fifty of the ticks in which the kernel counts the time of a thread. */
const TURN_MS = 200;
const TURNS = 9;
const TAKES_MIN = 100_000;

export interface Figure {
  readonly name: string;
  /** Nanoseconds a take: the median of the turns, and the best tenth, which other programs disturbed least. */
  readonly medianNs: number;
  readonly bestNs: number;
}

export async function byTurns(contenders: readonly Contender[]): Promise<Figure[]> {
  const takes: number[] = [];
  for (const { run } of contenders) takes.push(await takesOfTurn(run));
  const times = contenders.map((): number[] => []);
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [index, { run }] of contenders.entries()) {
      times[index]!.push(((await cpuMsOf(run, takes[index]!)) * 1e6) / takes[index]!);
    }
  }
  return contenders.map(({ name }, index) => {
    const sorted = times[index]!.sort((a, b) => a - b);
    return { name, medianNs: sorted[sorted.length >> 1]!, bestNs: sorted[Math.floor(sorted.length / 10)]! };
  });
}

/** How many takes make a turn. Finding that out is the warm-up. */
async function takesOfTurn(run: Contender['run']): Promise<number> {
  for (let takes = TAKES_MIN; ; takes *= 2) if ((await cpuMsOf(run, takes)) >= TURN_MS) return takes;
}

async function cpuMsOf(run: Contender['run'], takes: number): Promise<number> {
  const before = cpuMs();
  await run(takes);
  return cpuMs() - before;
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
