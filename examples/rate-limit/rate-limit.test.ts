/** The example as a person runs it, and on a machine without Redis. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { serverPath } from '../../scripts/servers.ts';
import { CliProcess } from '../../test/cli-process.ts';

const program = fileURLToPath(new URL('run.ts', import.meta.url));
const command = ['--conditions=spillway-source', program];

test('both gateways together admit exactly the limit, with Redis, without it, and when it is back', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-example-'));
  try {
    // Whoever runs it has a home, in which nothing is left either.
    const environment = { TMPDIR: folder, HOME: folder, XDG_STATE_HOME: '' };
    await using running = new CliProcess(command, { executable: process.execPath, environment });
    const { code, out, err } = await running.exit;
    assert.equal(code, 0, `${out}\n${err}`);
    const together = [...out.matchAll(/^ +together: +(\d+); the limit is 100$/gm)].map(([, count]) => count);
    assert.deepEqual(together, ['100', '100', '100']);
    const each = [...out.matchAll(/^ +gateway \d: (\d+) of 200 admitted$/gm)].map(([, count]) => Number(count));
    // Without Redis each has its share, and no more.
    assert.deepEqual(each.slice(2, 4), [50, 50]);
    assert.match(out, /gateway 1, decided by: .*store \d+.*fallback \d+/);
    assert.deepEqual(readdirSync(folder), []);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a Redis that no gateway may use when it is back is waited for only so long', async () => {
  const bin = mkdtempSync(join(tmpdir(), 'spillway-bin-'));
  // The first start leaves a mark; who starts again wants a password that nobody has.
  const mark = join(bin, 'started');
  const script = `#!/bin/sh\n[ -e '${mark}' ] && set -- "$@" --requirepass other\n: > '${mark}'\nexec '${serverPath('redis')}' "$@"\n`;
  writeFileSync(join(bin, 'redis-server'), script, { mode: 0o755 });
  const environment = { PATH: `${bin}:${process.env['PATH']}` };
  try {
    await using running = new CliProcess(command, { executable: process.execPath, environment });
    const { code, err } = await running.exit;
    assert.equal(code, 1);
    assert.match(err, /rate-limit: gateway 1 has no answer of Redis 15 s after its start/);
  } finally {
    rmSync(bin, { recursive: true, force: true });
  }
});

test('without Redis it says what to install', async () => {
  await using running = new CliProcess(command, { executable: process.execPath, environment: { PATH: '/nowhere' } });
  const { code, err } = await running.exit;
  assert.equal(code, 1);
  assert.match(err, /rate-limit: redis is missing .*apt-get install redis-server/);
});
