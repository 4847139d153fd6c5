/**
 * What a cache costs: a hit beside those of lru-cache and cacheable in the same run, the memory of an entry, and how much of a trace is
 * hit, beside LRU.
 *
 *     npm run bench -- cache                 all parts
 *     npm run bench -- cache --only hit      one of them
 */
import { parseArgs } from 'node:util';
import { partsAsked } from '../parts.ts';
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
  for (const [, part] of partsAsked(parts, values.only)) await part();
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n${usage}`);
  process.exitCode = 2;
}
