/**
 * What a cache costs: a hit beside those of lru-cache and cacheable in the same run, the memory of an entry, and how much of a trace is
 * hit, beside LRU.
 *
 *     npm run bench -- cache                 all parts
 *     npm run bench -- cache --only hit      one of them
 */
import { parseArgs } from 'node:util';
import { hitPart } from './hit.ts';
import { memoryPart } from './memory.ts';
import { policyPart } from './policy.ts';

/** Each prints its own lines. */
const parts: Readonly<Record<string, () => Promise<void> | void>> = {
  hit: hitPart,
  memory: memoryPart,
  policy: policyPart,
};

const usage = `Usage: npm run bench -- cache [--only ${Object.keys(parts).join('|')}]\n`;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: 'string' } } });
  if (values.only !== undefined && !Object.hasOwn(parts, values.only))
    throw new Error(`no part is called ${values.only}`);
  for (const [name, part] of Object.entries(parts)) if (values.only === undefined || values.only === name) await part();
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n${usage}`);
  process.exitCode = 2;
}
