/**
 * What a lock costs, beside other libraries and beside the least that each engine could do; how soon a lock is the next one's. Contenders take
 * turns in the same run, so that what else the machine does falls on all of them alike.
 *
 *     npm run bench -- lock                    all parts
 *     npm run bench -- lock --only redis       one of them
 *     npm run bench -- lock --ttl 3000         hand-overs of leases that last 3 seconds
 *     npm run bench -- lock --store etcd       one store, in the parts that go through all of them
 *     npm run bench -- lock --markdown         as docs/benchmarks.md has it
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { partsAsked } from '../parts.ts';
import { type EngineName, engineNames } from './engines.ts';
import { handOverPart } from './hand-over.ts';
import { redisPart } from './redis.ts';
import { redlockPart } from './redlock.ts';
import { busyPercent, type Print, printer } from './report.ts';
import { storesPart } from './stores.ts';
import { waitersPart } from './waiters.ts';

interface PartOptions {
  readonly stores: readonly EngineName[];
  /** Of the seat that changes hands. */
  readonly ttlMs: number;
}

/** The shortest that every store takes: etcd's. */
const TTL_MS = 1200;

/** Each prints its own tables. */
const parts: Readonly<Record<string, (print: Print, options: PartOptions) => Promise<void>>> = {
  redis: redisPart,
  redlock: redlockPart,
  stores: storesPart,
  waiters: waitersPart,
  'hand-over': handOverPart,
};

const usage = `Usage: npm run bench -- lock [--only ${Object.keys(parts).join('|')}] [--store '${engineNames.join("'|'")}'] [--ttl MS] [--markdown]\n`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      store: { type: 'string' },
      ttl: { type: 'string', default: String(TTL_MS) },
      markdown: { type: 'boolean', default: false },
    },
  });
  const asked = partsAsked(parts, values.only);
  const stores = engineNames.filter((name) => values.store === undefined || values.store === name);
  if (stores.length === 0) throw new Error(`no store is called ${values.store}`);
  const ttlMs = Number(values.ttl);
  if (!(ttlMs >= TTL_MS)) throw new Error(`ttl is ${values.ttl}; expected milliseconds, ${TTL_MS} at least`);
  const print = printer(values.markdown);
  for (const [name, part] of asked) {
    const busy = await busyPercent();
    process.stdout.write(
      `\n${name}: before it began, others kept this machine ${busy.toFixed(0)} % busy (${availableParallelism()} cores)\n`,
    );
    await part(print, { stores, ttlMs });
  }
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.stack : String(error)}\n${usage}`);
  process.exitCode = 2;
}
