/** The example as a person runs it, with fewer names: what PostgreSQL counted, and what it says of that. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CliProcess } from '../../test/cli-process.ts';
import { PostgresServer } from '../../test/servers/postgres.ts';
import { Usernames } from './usernames.ts';

test('of the lookups of free names one in a hundred reaches PostgreSQL, and no taken name is called free', async () => {
  const program = fileURLToPath(new URL('run.ts', import.meta.url));
  await using running = new CliProcess(['--conditions=spillway-source', program, '--names', '50000'], {
    executable: process.execPath,
  });
  const { code, out, err } = await running.exit;
  assert.equal(code, 0, `${out}\n${err}`);
  const rows = [...out.matchAll(/^ *([\d,]+) +([\d,]+) +([\d,]+) +([\d.]+) % +([\d.]+) %( +over capacity)?$/gm)].map(
    ([, have, asked, reached, , predicted, over]) => ({
      have: Number(have!.replaceAll(',', '')),
      asked: Number(asked!.replaceAll(',', '')),
      reached: Number(reached!.replaceAll(',', '')),
      predicted: Number(predicted),
      isOver: over !== undefined,
    }),
  );
  assert.deepEqual(
    rows.map(({ have, asked, isOver }) => [have, asked, isOver]),
    [
      [50_000, 100_000, false],
      [55_000, 100_000, false],
      [65_000, 100_000, true],
    ],
    out,
  );
  for (const { reached, predicted } of rows) {
    // So many per 100,000; five times the scatter of chance.
    const expected = predicted * 1000;
    assert.ok(Math.abs(reached - expected) < 5 * Math.sqrt(expected) + 10, out);
  }
  assert.ok(rows[0]!.reached < 1000, out);
  assert.match(out, /^Of all 65,000 names that are taken, 0 were called free\.$/m);
});

test('a name is taken once, by whoever comes first, and is taken for everybody from then on', async () => {
  await using server = await PostgresServer.start();
  const pool = server.pool();
  const usernames = await Usernames.open(pool, { capacity: 1000, falsePositiveRate: 0.01 });
  assert.equal(await usernames.isTaken('ada'), false);
  const got = await Promise.all([usernames.take(['ada', 'grace']), usernames.take(['ada', 'edsger'])]);
  assert.deepEqual(got.flat().sort(), ['ada', 'edsger', 'grace']);
  assert.equal(await usernames.isTaken('ada'), true);
  // A process that starts later knows them from the table.
  const again = await Usernames.open(pool, { capacity: 1000, falsePositiveRate: 0.01 });
  for (const name of ['ada', 'edsger', 'grace']) assert.equal(await again.isTaken(name), true);
  assert.equal(await again.isTaken('barbara'), false);
  // The table takes any text, the shortest included.
  assert.deepEqual(await usernames.take(['']), ['']);
  assert.equal(await (await Usernames.open(pool, { capacity: 1000, falsePositiveRate: 0.01 })).isTaken(''), true);
});
