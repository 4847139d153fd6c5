/** The example as a person runs it: what it counts, and the picture it makes of that. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createModulo, createRing, plan } from 'spillway/ring';
import { CliProcess } from '../../test/cli-process.ts';
import { RedisServer } from '../../test/servers/redis.ts';
import { CacheCluster } from './cache.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-cache-cluster-'));
after(() => rmSync(folder, { recursive: true }));

const toNumber = (text = ''): number => Number(text.replaceAll(',', ''));
const four = ['cache-1', 'cache-2', 'cache-3', 'cache-4'];

test('a fifth server costs a ring a fifth of its hits and a remainder four fifths; exactly what moved is loaded again', async () => {
  const svg = join(folder, 'chart.svg');
  const program = fileURLToPath(new URL('run.ts', import.meta.url));
  await using running = new CliProcess(['--conditions=spillway-source', program, '--svg', svg], {
    executable: process.execPath,
  });
  const { code, out, err } = await running.exit;
  assert.equal(code, 0, `${out}\n${err}`);

  const rates = [...out.matchAll(/^ *([-+][\d,]+) +([\d.]+) % █* +([\d.]+) % █*$/gm)].map(([, ...cells]) =>
    cells.map(toNumber),
  );
  const before = rates.filter(([since]) => since! < 0);
  const since = rates.slice(before.length);
  assert.deepEqual([before.length, since.length], [5, 20], out);
  for (const [, ...each] of before) assert.deepEqual(each, [100, 100]);
  // Of the first thousand requests some ask again for what one before them loaded.
  const [, modulo, ring] = since[0]!;
  assert.ok(modulo! > 17 && modulo! < 35, `${modulo}`);
  assert.ok(ring! > 75 && ring! < 88, `${ring}`);
  for (const column of [1, 2]) assert.ok(since.at(-1)![column]! > since[0]![column]!, 'it does not recover');

  for (const empty of [createModulo([]), createRing([])]) {
    const line = new RegExp(`^${empty.algorithm}: ([\\d,]+) of 10,000 keys moved, ([\\d,]+) were loaded again`, 'm');
    const [, moved, loaded] = (line.exec(out) ?? []).map(toNumber);
    assert.equal(loaded, moved, out);
    const planned = plan(empty.with(four), empty.with([...four, 'cache-5'])).moved * 10_000;
    assert.ok(Math.abs(moved! - planned) < 5 * Math.sqrt(planned), `${moved} moved, planned ${planned}`);
  }

  const curves = [...readFileSync(svg, 'utf8').matchAll(/class="line line\d" d="M([^"]+)"/g)].map(([, path = '']) =>
    path.split('L').map((point) => Number(point.split(' ')[1])),
  );
  assert.equal(curves.length, 2);
  for (const [index, curve] of curves.entries()) {
    // From 330 for no hit up to 70 for all of them.
    const drawn = curve.map((y) => ((330 - y) / 260) * 100);
    for (const [at, row] of rates.entries()) assert.ok(Math.abs(drawn[at]! - row[index + 1]!) < 0.1, `${index} ${at}`);
  }
});

test('while a server is dead its keys are loaded, at once and each time; back again, it has them again', async () => {
  await using staying = await RedisServer.start();
  await using dying = await RedisServer.start();
  using cluster = new CacheCluster(createRing([]), async (key) => `the value of ${key}`);
  await cluster.join('stays', staying.port);
  await cluster.join('dies', dying.port);
  const keys = Array.from({ length: 100 }, (_, number) => `key ${number}`);
  for (const key of keys) await cluster.get(key);

  await dying.kill();
  for (const key of [...keys, ...keys]) {
    const isHit = cluster.placement.get(key) === 'stays';
    assert.deepEqual(await cluster.get(key), { value: `the value of ${key}`, isHit });
  }

  await dying.restart();
  const key = keys.find((some) => cluster.placement.get(some) === 'dies')!;
  while (!(await cluster.get(key)).isHit) await setTimeout(20);
});
