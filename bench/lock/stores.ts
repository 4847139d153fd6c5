/** What each store asks of its server for a lock, counted on the wire; and how many locks it takes and gives back in a second. */
import { memoryLeases } from '../../src/lease/index.ts';
import { createLocks, type Locks } from '../../src/lock/index.ts';
import { type EngineName, engines, type Opened } from './engines.ts';
import { type Contender, turn } from './pairs.ts';
import { median, type Print } from './report.ts';
import { type Traffic, Wire } from './wire.ts';

/** Long enough that nothing is renewed meanwhile, and as long as a session of ZooKeeper may be. */
const TTL_MS = 30_000;
const COUNTED = 100;
const ROUNDS = 3;

async function counted(name: EngineName, address: string): Promise<readonly string[] | null> {
  const { requests, open } = engines[name];
  if (requests === null) return null;
  await using wire = await Wire.open(Number(address), requests);
  await using opened = await open(String(wire.port));
  await using locks = createLocks(opened.store);
  const sums = { fresh: [0, 0], known: [0, 0], release: [0, 0] };
  const add = (sum: number[], { requests: asked, roundTrips }: Traffic): void => {
    sum[0]! += asked / COUNTED;
    sum[1]! += roundTrips / COUNTED;
  };
  const pair = async (key: string, sum: number[]): Promise<void> => {
    wire.take();
    const lease = await locks.acquire(key, { ttl: TTL_MS });
    add(sum, wire.take());
    await lease.release();
    add(sums.release, wire.take());
  };
  // The first makes the session, and the server learn the scripts.
  await pair('known', [0, 0]);
  sums.release = [0, 0];
  for (let index = 0; index < COUNTED; index++) await pair('known', sums.known);
  sums.release = [0, 0];
  for (let index = 0; index < COUNTED; index++) await pair(`fresh:${index}`, sums.fresh);
  return [name, ...[...sums.known, ...sums.fresh, ...sums.release].map((each) => each.toFixed(2))];
}

function contender(name: string, locks: Locks): Contender {
  return {
    name,
    take: async (lock) => {
      const lease = await locks.acquire(lock, { ttl: TTL_MS });
      return () => lease.release();
    },
  };
}

async function speed(name: string, { store }: Pick<Opened, 'store'>, each: number): Promise<readonly string[]> {
  await using locks = createLocks(store);
  const row = [name];
  for (const callers of [1, 64]) {
    const one = { callers, each: Math.ceil(each / callers), hot: false, serverUse: null };
    const turns: Awaited<ReturnType<typeof turn>>[] = [];
    for (let round = 0; round <= ROUNDS; round++) turns.push(await turn(contender(name, locks), one));
    // The first is warm-up.
    const of = (figure: 'perSecond' | 'p99Ms' | 'clientUs'): number =>
      median(turns.slice(1).map((figures) => figures[figure]));
    row.push(of('perSecond').toFixed(0), of('p99Ms').toFixed(2), of('clientUs').toFixed(0));
  }
  return row;
}

/** Pairs in a turn: some tenths of a second. */
const pairs: Readonly<Record<EngineName, number>> = {
  redis: 1500,
  postgres: 500,
  'postgres session': 500,
  etcd: 200,
  zookeeper: 200,
  sqlite: 500,
};

export async function storesPart(print: Print, { stores }: { readonly stores: readonly EngineName[] }): Promise<void> {
  const traffic: (readonly string[])[] = [];
  const speeds = [await speed('memory', { store: memoryLeases() }, 20_000)];
  for (const name of stores) {
    await using server = await engines[name].start();
    const counts = await counted(name, server.address);
    if (counts !== null) traffic.push(counts);
    await using opened = await engines[name].open(server.address);
    speeds.push(await speed(name, opened, pairs[name]));
  }
  print(
    'What is asked of a server for a lock that is free, on average',
    [
      '',
      ...['acquire, a name used before: requests', 'round trips', 'a new name: requests', 'round trips'],
      ...['release: requests', 'round trips'],
    ],
    traffic,
  );
  print(
    'Acquire and release on distinct names, one server, no floor beside it',
    ['', '1 caller: pairs /s', 'p99 ms', 'client CPU µs', '64 callers: pairs /s', 'p99 ms', 'client CPU µs'],
    speeds,
  );
}
