/** The example as a person runs it, and on a machine without Redis. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CliProcess } from '../../test/cli-process.ts';

const program = fileURLToPath(new URL('run.ts', import.meta.url));
const command = ['--conditions=spillway-source', program];
const folders = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('spillway-redis-'));

test('both gateways together admit exactly the limit, with Redis, without it, and when it is back', async () => {
  const before = folders();
  await using running = new CliProcess(command, { executable: process.execPath });
  const { code, out, err } = await running.exit;
  assert.equal(code, 0, `${out}\n${err}`);
  const together = [...out.matchAll(/^ +together: +(\d+); the limit is 100$/gm)].map(([, count]) => count);
  assert.deepEqual(together, ['100', '100', '100']);
  const each = [...out.matchAll(/^ +gateway \d: (\d+) of 200 admitted$/gm)].map(([, count]) => Number(count));
  // Without Redis each has its share, and no more.
  assert.deepEqual(each.slice(2, 4), [50, 50]);
  assert.match(out, /gateway 1, decided by: .*store \d+.*fallback \d+/);
  assert.deepEqual(
    folders().filter((folder) => !before.includes(folder)),
    [],
  );
});

test('without Redis it says what to install', async () => {
  await using running = new CliProcess(command, { executable: process.execPath, environment: { PATH: '/nowhere' } });
  const { code, err } = await running.exit;
  assert.equal(code, 1);
  assert.match(err, /rate-limit: redis is missing .*apt-get install redis-server/);
});
