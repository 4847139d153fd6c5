/**
 * A thousand who wait for one lock: what a server is asked for each time that it changes hands, everything counted, also what each asked when it
 * began to wait. In one process, and as if in fifty. Round trips are counted where one asks at a time, as of one process.
 */
import { createLocks, type Locks } from '../../src/lock/index.ts';
import { type EngineName, engines } from './engines.ts';
import type { Print } from './report.ts';
import { Wire } from './wire.ts';

const WAITERS = 1000;
/** Long enough that whoever waits need not say so again while this lasts. */
const TTL_MS = 40_000;
const WAIT_MS = 120_000;

async function handOvers(name: EngineName, address: string, stores: number): Promise<readonly string[] | null> {
  const { requests, open } = engines[name];
  if (requests === null) return null;
  await using wire = await Wire.open(Number(address), requests);
  await using cleanUp = new AsyncDisposableStack();
  const all: Locks[] = [];
  for (let index = 0; index < stores; index++) {
    const { store } = cleanUp.use(await open(String(wire.port)));
    const locks = cleanUp.use(createLocks(store, { timeout: '20s' }));
    // So that sessions and connections are there.
    await (await locks.acquire(`warm:${index}`, { ttl: TTL_MS })).release();
    all.push(locks);
  }
  wire.take();
  const startMs = performance.now();
  let holders = 0;
  await Promise.all(
    Array.from({ length: WAITERS }, async (_, waiter) => {
      const lease = await all[waiter % stores]!.acquire('hot', { ttl: TTL_MS, wait: WAIT_MS });
      if (++holders > 1) throw new Error('two hold one lock');
      await Promise.resolve();
      holders -= 1;
      await lease.release();
    }),
  );
  const ms = performance.now() - startMs;
  const asked = wire.take();
  const roundTrips = stores === 1 ? (asked.roundTrips / WAITERS).toFixed(2) : '–';
  return [name, String(stores), (asked.requests / WAITERS).toFixed(2), roundTrips, (ms / WAITERS).toFixed(2)];
}

export async function waitersPart(
  print: Print,
  { stores: names }: { readonly stores: readonly EngineName[] },
): Promise<void> {
  const rows: (readonly string[])[] = [];
  for (const name of names) {
    await using server = await engines[name].start();
    for (const stores of [1, 50]) {
      const row = await handOvers(name, server.address, stores);
      if (row !== null) rows.push(row);
    }
  }
  const columns = ['', 'stores', 'requests a hand-over', 'round trips', 'ms a hand-over'];
  print(`${WAITERS} wait for one lock`, columns, rows);
}
