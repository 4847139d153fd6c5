/**
 * `npm test`: Node's runner over every test of the tree, TypeScript run directly, one process per file.
 *
 *     npm test                           everything
 *     npm test -- src/kernel test/tidy   files whose path starts so
 *     npm test -- --name=drain src/…     only tests whose name matches
 *     npm test -- --seed=random src/…    properties with other cases than always; a number repeats those of one seed
 *
 * Properties draw the same cases in each run, so that a verdict is of the tree; whoever changes what they are about runs them with others.
 * Files run side by side, except `*.serial.test.ts`, which run one after another at the end with the machine to themselves.
 * A file that leaves something open fails, when its time is up. A skipped test counts as a failure: what a
 * test needs is installed first (scripts/servers.ts).
 */
import { randomInt } from 'node:crypto';
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';

import { buildDashboard } from './dashboard.ts';
import { ensureServers, servers, type ServerName } from './servers.ts';

const patterns = [
  'src/**/*.test.ts',
  'src/**/*.fuzz.ts',
  'test/**/*.test.ts',
  'test/**/*.fuzz.ts',
  'examples/**/*.test.ts',
  'bench/**/*.test.ts',
];

// The slowest test (reloads and kills under load) takes tens of seconds on two busy cores; a hang must be named the same hour.
// A file that leaves something open is ended by scripts/test-deadline.ts, the whole run by `runTimeoutMs`.
const testTimeoutMs = 120_000;
const runTimeoutMs = 45 * 60_000;

// More than eight files at once only makes real-socket tests contend for ports and file handles.
const concurrency = Math.min(8, Math.max(2, availableParallelism()));

const preloads = ['./test-deadline.ts', './test-seed.ts'].map((file) => `--import=${import.meta.resolve(file)}`);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { name: { type: 'string' }, seed: { type: 'string', default: '1' } },
});

const seed = values.seed === 'random' ? randomInt(2 ** 31) : Number(values.seed);
if (!Number.isInteger(seed)) {
  console.error(`test: --seed=${values.seed} is neither a whole number nor random`);
  process.exit(2);
}
process.env['SPILLWAY_TEST_SEED'] = String(seed);

const files = globSync(patterns)
  .filter(
    (file) => positionals.length === 0 || positionals.some((start) => file.startsWith(start.replace(/^\.\//, ''))),
  )
  .sort();
if (files.length === 0) {
  console.error(`test: no test file starts with ${positionals.join(' or ')}`);
  process.exit(2);
}

const faults = ensureServers(Object.keys(servers) as ServerName[]);
if (faults.length > 0) {
  for (const fault of faults) console.error(`test: ${fault}`);
  process.exit(1);
}

// Tests of pages see what the tree says, not what was bundled when it was installed.
await buildDashboard();

const counts = new Map<string, number>();
const summaryLine = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/;

const reporter = new spec();
reporter.pipe(process.stdout);

/** Runs some files and shows each result; the runner's own summary is held back and added up. */
async function runFiles(some: readonly string[], sideBySide: number): Promise<void> {
  if (some.length === 0) return;
  const events = run({
    files: [...some],
    concurrency: sideBySide,
    timeout: testTimeoutMs,
    signal: AbortSignal.timeout(runTimeoutMs),
    execArgv: ['--conditions=spillway-source', ...preloads],
    ...(values.name === undefined ? {} : { testNamePatterns: [values.name] }),
  });
  for await (const event of events) {
    const summary = event.type === 'test:diagnostic' ? summaryLine.exec(event.data.message) : null;
    if (summary !== null && event.data.nesting === 0 && event.data.file === undefined) {
      const [, name = '', value] = summary;
      counts.set(name, (counts.get(name) ?? 0) + Number(value));
    } else if (event.type !== 'test:summary' && !reporter.write(event)) {
      await new Promise((resolve) => reporter.once('drain', resolve));
    }
  }
}

const alone = files.filter((file) => file.endsWith('.serial.test.ts'));
await runFiles(
  files.filter((file) => !alone.includes(file)),
  concurrency,
);
await runFiles(alone, 1);

// Written the way the runner writes them, for whoever reads its counts.
for (const [name, value] of counts) {
  reporter.write({ type: 'test:diagnostic', data: { nesting: 0, message: `${name} ${value}`, level: 'info' } });
}
reporter.end();

const bad = ['fail', 'cancelled', 'skipped', 'todo'].filter((name) => (counts.get(name) ?? 0) > 0);
const none = (counts.get('tests') ?? 0) === 0;
process.exitCode = bad.length > 0 || none ? 1 : 0;
if (none) console.error('test: no test ran');
