/**
 * A fifth Redis server joins a cache of four, under load: once behind a remainder, once behind a ring. Prints the hit rates.
 *
 *     npm run cache-cluster                   Redis is found, or installed (scripts/servers.ts)
 *     npm run cache-cluster -- --svg FILE     also draws them
 *
 * Servers are started on free ports, keep their data in memory, and end with this program, also when it is killed. Takes some ten
 * seconds.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createModulo, createRing } from 'spillway/ring';
import { ensureServers } from '../../scripts/servers.ts';
import { chart } from './chart.ts';
import { addServerUnderLoad, KEYS, type Run, WINDOW, WINDOWS_BEFORE } from './experiment.ts';

const BAR = 20;
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const number = (value: number): string => value.toLocaleString('en');

function row(runs: readonly Run[], at: number): string {
  const since = (at - WINDOWS_BEFORE) * WINDOW;
  const cells = runs.map(({ before, after }) => {
    const share = [...before, ...after][at]! / WINDOW;
    return `${(share * 100).toFixed(1).padStart(6)} % ${'█'.repeat(Math.round(share * BAR)).padEnd(BAR)}`;
  });
  return [`${since < 0 ? '' : '+'}${number(since)}`.padStart(8), ...cells].join('   ').trimEnd();
}

function sum({ algorithm, after, moved, missed }: Run): string {
  const lowest = Math.min(...after) / WINDOW;
  return (
    `${algorithm}: ${number(moved.size)} of ${number(KEYS)} keys moved, ${number(missed.size)} were loaded again; ` +
    `the hit rate fell to ${(lowest * 100).toFixed(1)} %`
  );
}

const { values } = parseArgs({ options: { svg: { type: 'string' } } });
const faults = ensureServers(['redis']);
for (const fault of faults) process.stderr.write(`cache-cluster: ${fault}\n`);
if (faults.length > 0) {
  process.exitCode = 1;
} else {
  say(`Four Redis servers, ${number(KEYS)} keys, all of them cached. A fifth joins under load.\n`);
  const runs = [await addServerUnderLoad(createModulo([])), await addServerUnderLoad(createRing([]))];
  say([' request', ...runs.map(({ algorithm }) => `${algorithm}: hits`.padEnd(BAR + 9))].join('   ').trimEnd());
  for (let at = 0; at < runs[0]!.before.length + runs[0]!.after.length; at++) say(row(runs, at));
  say('');
  for (const run of runs) say(sum(run));
  if (values.svg !== undefined) writeFileSync(values.svg, chart(runs));
}
