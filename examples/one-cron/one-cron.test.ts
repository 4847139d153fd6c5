/** The example as a person runs it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CliProcess } from '../../test/cli-process.ts';

const program = fileURLToPath(new URL('run.ts', import.meta.url));

test('no tick runs twice and none is lost, when the leader is killed and when one resigns', async (t) => {
  // Its own, so that what is left is of this run.
  const folder = mkdtempSync(join(tmpdir(), 'spillway-one-cron-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  await using running = new CliProcess(['--conditions=spillway-source', program], {
    executable: process.execPath,
    environment: { TMPDIR: folder },
  });
  const { code, out, err } = await running.exit;
  assert.equal(code, 0, `${out}\n${err}`);
  assert.match(out, /ticks: 0 ran twice, 0 were lost/);
  const leaders = [...out.matchAll(/^(\w+) leads, term (\d+)$/gm)].map(
    ([, name, term]) => [name, BigInt(term!)] as const,
  );
  assert.equal(leaders.length, 3, out);
  assert.equal(new Set(leaders.map(([name]) => name)).size, 3, 'each led once');
  const terms = leaders.map(([, term]) => term);
  assert.ok(terms[0]! < terms[1]! && terms[1]! < terms[2]!, `${terms}`);
  assert.match(out, /hand-over \d+\.\d\d s after the kill/);
  assert.match(out, /hand-over \d+\.\d\d s after the signal/);
  assert.deepEqual(readdirSync(folder), []);
});
