/**
 * Every balancing algorithm on the same simulated bad day: answer times, failures, evenness, keys moved.
 * The table and the picture of docs/guides/load-balancing.md are what this prints; nothing is measured, so it is the same everywhere.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { chart } from './chart.ts';
import { noWaiting, results } from './results.ts';
import { createScenario, DEFAULTS } from './scenario.ts';
import { markdownTable, textTable } from './table.ts';

const usage = `Usage: npm run bench -- balance [options]

  --requests N   how many; default: ${DEFAULTS.requests}
  --seed N       another day of the same kind; default: ${DEFAULTS.seed}
  --markdown     the table as it is in docs/guides/load-balancing.md
  --svg FILE     also writes the picture
`;

function numberOf(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (Number.isSafeInteger(value) && value >= 1 && value <= 1e8) return value;
  throw new Error(`--${name} takes a whole number from 1 to 100000000, not “${text}”`);
}

function main(): void {
  const { values } = parseArgs({
    options: {
      requests: { type: 'string' },
      seed: { type: 'string' },
      markdown: { type: 'boolean', default: false },
      svg: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return void process.stdout.write(usage);
  const requests = numberOf('requests', values.requests, DEFAULTS.requests);
  const scenario = createScenario({ requests, seed: numberOf('seed', values.seed, DEFAULTS.seed) });
  const [least, found] = [noWaiting(scenario), results(scenario)];
  process.stdout.write(values.markdown ? markdownTable(least, found) : textTable(least, found));
  if (values.svg !== undefined) writeFileSync(values.svg, chart(least, found));
}

try {
  main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n${usage}`);
  process.exitCode = 2;
}
