/**
 * Subjects by turns, each in a process of its own, as a program that uses it would run it: in one process with others, V8 makes code for all of them
 * and not for one. Each does as many takes as need a fifth of a second, then the next, so that all meet the same machine. Time is that of the
 * thread's own CPU, so that a turn in which it had to wait for a core is not a slow one.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { KeyOrder } from './keys.ts';

/** Does so many takes. */
export type Run = (takes: number) => void | Promise<void>;

/** What a file of subjects exports: how each is made, by its name. */
export type Subjects = Readonly<Record<string, (keys: readonly string[]) => Run | Promise<Run>>>;

/** What turn-process.ts is told. */
export interface Job {
  /** The URL of a file that exports `subjects`. */
  readonly file: string;
  readonly name: string;
  readonly keys: KeyOrder;
}

/** Fifty of the ticks in which the kernel counts the time of a thread. */
const TURN_MS = 200;
const TURNS = 9;
const TAKES_MIN = 100_000;

interface Figure {
  readonly name: string;
  /** Nanoseconds a take: the median of the turns, and the best tenth, which other programs disturbed least. */
  readonly medianNs: number;
  readonly bestNs: number;
}

class TurnProcess implements Disposable {
  readonly name: string;
  readonly #child;
  readonly #ended: Promise<never>;

  constructor(job: Job) {
    this.name = job.name;
    this.#child = fork(new URL('./turn-process.ts', import.meta.url), [JSON.stringify(job)]);
    this.#ended = once(this.#child, 'exit').then(([code]) => {
      throw new Error(`the process of “${job.name}” ended with ${String(code)}`);
    });
    this.#ended.catch(() => {});
  }

  /** CPU time of so many takes. */
  async cpuMsOf(takes: number): Promise<number> {
    const answer = once(this.#child, 'message') as Promise<[number]>;
    this.#child.send(takes);
    const [ms] = await Promise.race([answer, this.#ended]);
    return ms;
  }

  /** How many takes make a turn. Finding that out is the warm-up. */
  async takesOfTurn(): Promise<number> {
    for (let takes = TAKES_MIN; ; takes *= 2) if ((await this.cpuMsOf(takes)) >= TURN_MS) return takes;
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}

export interface Contest {
  /** Exports `subjects`. */
  readonly file: URL;
  /** Of those who take part, in the order in which they are printed; the others are put beside the last. */
  readonly names: readonly string[];
  readonly keys: KeyOrder;
}

/** Prints what each takes. */
export async function byTurns(title: string, { file, names, keys }: Contest): Promise<void> {
  using processes = new DisposableStack();
  const subjects = names.map((name) => processes.use(new TurnProcess({ file: file.href, name, keys })));
  const takes: number[] = [];
  for (const subject of subjects) takes.push(await subject.takesOfTurn());
  const times = subjects.map((): number[] => []);
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [index, subject] of subjects.entries()) {
      times[index]!.push(((await subject.cpuMsOf(takes[index]!)) * 1e6) / takes[index]!);
    }
  }
  print(
    title,
    subjects.map(({ name }, index) => {
      const sorted = times[index]!.sort((a, b) => a - b);
      return { name, medianNs: sorted[sorted.length >> 1]!, bestNs: sorted[Math.floor(sorted.length / 10)]! };
    }),
  );
}

function print(title: string, figures: readonly Figure[]): void {
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
