/**
 * Pairs of acquire and release by callers that each wait for the answer before they go on; contenders by turns, so that what else the machine does
 * falls on all of them alike. The last contender is the floor: the least that any lock on that engine could do.
 */
import { median, type Print, range } from './report.ts';

/** Long enough that none is renewed in a turn. */
export const TTL_MS = 60_000;
/** Longer than a turn takes. */
export const WAIT_MS = 30_000;

export interface Contender {
  readonly name: string;
  /** Waits until it has the lock; what it resolves with gives it back. */
  readonly take: (name: string) => PromiseLike<() => PromiseLike<unknown>>;
  /** The commands that it sends; others that the server counts are those of its scripts. */
  readonly commands?: readonly string[];
}

export interface ServerUse {
  readonly cpuMs: number;
  /** How often each command was executed. */
  readonly commands: ReadonlyMap<string, number>;
}

export interface Case {
  readonly title: string;
  readonly callers: number;
  /** How often each caller acquires. */
  readonly each: number;
  readonly rounds: number;
  /** All on one name, or each on names of its own. */
  readonly hot: boolean;
  /** Null where nothing can be read of it. */
  readonly serverUse: (() => Promise<ServerUse>) | null;
}

interface Turn {
  readonly perSecond: number;
  /** Of acquiring. */
  readonly p99Ms: number;
  /** Of this process and of the server, in µs a pair. */
  readonly clientUs: number;
  readonly serverUs: number;
  readonly calls: number;
}

export async function turn(
  { take, commands = [] }: Contender,
  { callers, each, hot, serverUse }: Pick<Case, 'callers' | 'each' | 'hot' | 'serverUse'>,
): Promise<Turn> {
  const tookMs = new Float64Array(callers * each);
  let pairs = 0;
  const useBefore = await serverUse?.();
  const before = process.cpuUsage();
  const startMs = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let round = 0; round < each; round++) {
        const name = hot ? 'account:1' : `account:${caller}:${round}`;
        const askedMs = performance.now();
        const release = await take(name);
        tookMs[pairs++] = performance.now() - askedMs;
        await release();
      }
    }),
  );
  const ms = performance.now() - startMs;
  const { user, system } = process.cpuUsage(before);
  const use = await serverUse?.();
  const sent = (which?: ServerUse): number =>
    commands.reduce((sum, command) => sum + (which?.commands.get(command) ?? 0), 0);
  return {
    perSecond: (pairs / ms) * 1000,
    p99Ms: tookMs.sort()[Math.floor(pairs * 0.99)]!,
    clientUs: (user + system) / pairs,
    serverUs: ((use?.cpuMs ?? 0) - (useBefore?.cpuMs ?? 0)) * (1000 / pairs),
    calls: (sent(use) - sent(useBefore)) / pairs,
  };
}

const columns = ['', 'pairs /s', '× floor (range)', 'p99 ms', 'CPU µs: client', 'server', 'CPU × floor', 'calls'];

/** Prints a table of what each contender does. */
export async function compare(contenders: readonly Contender[], one: Case, print: Print): Promise<void> {
  const turns = contenders.map((): Turn[] => []);
  // On a hot name those who poll take seconds; all are warm from distinct names by then.
  const warmUp = one.hot ? 0 : 1;
  for (let round = 0; round < one.rounds + warmUp; round++) {
    for (const [index, contender] of contenders.entries()) {
      const figures = await turn(contender, one);
      if (round >= warmUp) turns[index]!.push(figures);
    }
  }
  const floor = turns.at(-1)!;
  const rows = contenders.map(({ name, commands }, index) => {
    const own = turns[index]!;
    const of = (figure: keyof Turn, digits: number): string => median(own.map((each) => each[figure])).toFixed(digits);
    const against = (cost: (each: Turn) => number): number[] => own.map((each, at) => cost(each) / cost(floor[at]!));
    const known = one.serverUse !== null;
    return [
      name,
      of('perSecond', 0),
      range(
        against(({ perSecond }) => perSecond),
        2,
      ),
      of('p99Ms', 2),
      of('clientUs', 1),
      known ? of('serverUs', 1) : '',
      median(against(({ clientUs, serverUs }) => clientUs + serverUs)).toFixed(2),
      known && commands !== undefined ? of('calls', 1) : '',
    ];
  });
  print(one.title, columns, rows);
}
