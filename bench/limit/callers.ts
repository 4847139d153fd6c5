/**
 * Callers of limits in a store on another engine, each of which waits for its answer before it asks again; contenders by turns, so that what
 * else the machine does falls on all of them alike. A floor is the least that any limiter on that engine could do: each contender is put
 * beside that of its own client, turn by turn.
 */

const CALLERS = [1, 64, 1024];
const TURNS = 7;
const WARM_UP = 1;
/** So many are awaited by each caller in a turn, and at least so many by all, by one who is alone fewer: a turn is 0.1 s or longer. */
export const EACH = 20;
const TOGETHER = 20_000;
const ALONE = 2000;
const ALONE_WARM_UP = 5;
const KEYS = 10_000;

export interface Contender {
  readonly name: string;
  /** Beside whom the others are put. */
  readonly peer?: boolean;
  /** The name of its floor, which may be itself. */
  readonly floor: string;
  /** One decision. */
  readonly ask: (key: string) => Promise<unknown>;
}

export interface Engine {
  readonly name: string;
  /** CPU time that the server has had, in milliseconds; null where it cannot be read. */
  readonly cpuMs: (() => Promise<number>) | null;
}

interface Turn {
  readonly perSecond: number;
  /** Of this process and of the server, in µs a decision. */
  readonly clientUs: number;
  readonly serverUs: number;
}

const median = (numbers: readonly number[]): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;

async function turn({ ask }: Contender, callers: number, hot: boolean, { cpuMs }: Engine): Promise<Turn> {
  const each = callers === 1 ? ALONE : Math.max(EACH, Math.ceil(TOGETHER / callers));
  const serverBefore = (await cpuMs?.()) ?? 0;
  const before = process.cpuUsage();
  const startMs = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let asked = 0; asked < each; asked++) {
        await ask(hot ? 'user:1' : `user:${(caller * 7919 + asked * 104_729) % KEYS}`);
      }
    }),
  );
  const ms = performance.now() - startMs;
  const { user, system } = process.cpuUsage(before);
  const count = callers * each;
  return {
    perSecond: (count / ms) * 1000,
    clientUs: (user + system) / count,
    serverUs: (((await cpuMs?.()) ?? 0) - serverBefore) * (1000 / count),
  };
}

async function compareAt(
  contenders: readonly Contender[],
  callers: number,
  hot: boolean,
  engine: Engine,
): Promise<void> {
  const turns = contenders.map((): Turn[] => []);
  for (let round = 0; round < TURNS + WARM_UP; round++) {
    for (const [index, contender] of contenders.entries()) {
      const figures = await turn(contender, callers, hot, engine);
      if (round >= WARM_UP) turns[index]!.push(figures);
    }
  }
  process.stdout.write(
    `\n${engine.name}, ${callers} ${callers === 1 ? 'caller' : 'callers'}, ${hot ? 'one hot key' : 'distinct keys'}\n`,
  );
  const peer = turns[contenders.findIndex((each) => each.peer)]!;
  for (const [index, { name, floor: floorName }] of contenders.entries()) {
    const own = turns[index]!;
    const floor = turns[contenders.findIndex((each) => each.name === floorName)]!;
    const of = (figure: keyof Turn): number => median(own.map((each) => each[figure]));
    const against = (other: readonly Turn[]): string =>
      median(own.map(({ perSecond }, at) => perSecond / other[at]!.perSecond))
        .toFixed(2)
        .padStart(6);
    const server = engine.cpuMs === null ? '' : `, server ${of('serverUs').toFixed(2).padStart(6)} µs`;
    process.stdout.write(
      `  ${name.padEnd(31)}${of('perSecond').toFixed(0).padStart(8)} /s ${against(floor)} × floor ${against(peer)} × peer` +
        `   CPU: client ${of('clientUs').toFixed(2).padStart(6)} µs${server}\n`,
    );
  }
}

/**
 * Prints what each contender does with distinct keys and with one hot key, at each number of callers. Before that, each is run until V8 has made
 * code of it: a caller who is alone asks too little in all his turns for that, and code that is not made yet takes twice the time.
 */
export async function compare(contenders: readonly Contender[], engine: Engine): Promise<void> {
  for (const callers of [64, ...Array<number>(ALONE_WARM_UP).fill(1)]) {
    for (const contender of contenders) await turn(contender, callers, false, engine);
  }
  for (const hot of [false, true]) {
    for (const callers of CALLERS) await compareAt(contenders, callers, hot, engine);
  }
}
