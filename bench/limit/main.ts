/**
 * What a take costs, and the picture of what happens at the edge of a window. Contenders take turns in the same run, so that what
 * else the machine does falls on all of them alike; a figure is the median of the turns.
 *
 *     npm run bench -- limit                    all parts
 *     npm run bench -- limit --only memory      one of them
 *     npm run bench -- limit --svg FILE         draws the burst at the edge of docs/guides/rate-limiting.md; measures nothing
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { partsAsked } from '../parts.ts';
import { edgeChart } from './edge-chart.ts';
import { memoryPart } from './memory.ts';
import { postgresPart } from './postgres.ts';
import { redisPart } from './redis.ts';
import { sharedPart } from './shared.ts';

/** Each prints its own lines. */
const parts: Readonly<Record<string, () => Promise<void>>> = {
  memory: memoryPart,
  shared: sharedPart,
  redis: redisPart,
  postgres: postgresPart,
};

const usage = `Usage: npm run bench -- limit [--only ${Object.keys(parts).join('|')}] [--svg FILE]\n`;

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: 'string' }, svg: { type: 'string' } } });
  if (values.svg !== undefined) {
    writeFileSync(values.svg, edgeChart());
    return;
  }
  for (const [, part] of partsAsked(parts, values.only)) await part();
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n${usage}`);
  process.exitCode = 2;
}
