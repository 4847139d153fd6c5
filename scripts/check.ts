/**
 * `npm run check`: everything that can be said about the tree without running it. All steps run, so one call shows every
 * fault; the exit code is 1 if any failed. `npm run check -- lint types` runs only those named.
 */
import { spawnSync } from 'node:child_process';

const steps: Readonly<Record<string, readonly string[]>> = {
  format: ['oxfmt', '--check'],
  lint: ['oxlint'],
  types: ['tsc', '-p', '.'],
  'page types': ['tsc', '-p', 'src/dashboard'],
  tidy: ['node', '--test', '--test-reporter=dot', 'test/tidy.test.ts', 'test/docs-*.test.ts'],
  unused: ['knip', '--no-progress'],
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in steps));
if (unknown.length > 0) {
  console.error(`check: no step named ${unknown.join(', ')}; there are ${Object.keys(steps).join(', ')}`);
  process.exit(2);
}

const failed: string[] = [];
for (const [name, command] of Object.entries(steps)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const startedMs = performance.now();
  // npm puts node_modules/.bin first in PATH: these are the pinned tools, run by the pinned node.
  const { status, error } = spawnSync(command[0]!, command.slice(1), { stdio: ['ignore', 'inherit', 'inherit'] });
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  if (error !== undefined)
    console.error(`check: ${command[0]} could not be run: ${error.message} (run it through npm)`);
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${command.join(' ')}) ${seconds} s\n`);
  if (status !== 0) failed.push(name);
}
if (failed.length > 0) {
  console.error(`check: failed: ${failed.join(', ')}`);
  process.exitCode = 1;
}
