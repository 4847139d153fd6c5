/** Filters in files, under processes that are killed, and several at once. */
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createFilter, loadFilter, openFilterFile, saveFilter } from '../../src/bloom/index.ts';

const home = mkdtempSync(join(tmpdir(), 'spillway-bloom-'));
after(() => rmSync(home, { recursive: true }));

const program = fileURLToPath(new URL('filter-process.ts', import.meta.url));

interface FilterProcess extends AsyncDisposable {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  /** The next line it says. */
  line(): Promise<string>;
  /** Kills it, and gives the last line that it said, those not yet read included. */
  kill(): Promise<string | undefined>;
}

function start(mode: string, path: string): FilterProcess {
  const child = spawn(process.execPath, [program, mode, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const exit = once(child, 'exit');
  let last: string | undefined;
  const line = async (): Promise<string> => {
    const next = await lines.next();
    assert.ok(next.done !== true, `${mode} has ended`);
    last = next.value;
    return next.value;
  };
  const kill = async (): Promise<string | undefined> => {
    child.kill('SIGKILL');
    await exit;
    for (let next = await lines.next(); next.done !== true; next = await lines.next()) last = next.value;
    return last;
  };
  return { child, line, kill, [Symbol.asyncDispose]: async () => void (await kill()) };
}

/** Lets so many steps of this process's event loop go by: a moment that differs from one killing to the next. */
async function steps(count: number): Promise<void> {
  for (let step = 0; step < count; step++) await new Promise((resolve) => setImmediate(resolve));
}

test('a process killed while it writes leaves the old file or the new one, and nothing that stays', async () => {
  const path = join(home, 'saved.bloom');
  const found = new Set<number>();
  let begun = 0;
  // Until one was killed while it wrote, too.
  for (let round = 0; round < 8 || begun === 0; round++) {
    await using writer = start('save', path);
    await writer.line();
    await steps(round * 97);
    await writer.kill();
    if (readdirSync(home).some((name) => name.startsWith('saved.bloom.writer.'))) begun++;
    const filter = await loadFilter(path);
    found.add(filter.capacity);
    for (let key = 0; key < filter.capacity; key++) assert.ok(filter.has(`key-${key}`), `key-${key}`);
  }
  assert.ok([...found].every((capacity) => capacity === 100_000 || capacity === 200_000));
  await saveFilter(createFilter({ capacity: 10 }), path);
  assert.deepEqual(readdirSync(home), ['saved.bloom']);
});

test('what was added to a file is in it when the process is killed, and the next one mends its checksums', async () => {
  const path = join(home, 'added.bloom');
  await saveFilter(createFilter({ capacity: 20_000 }), path);
  let known = 0;
  for (let round = 0; round < 4; round++) {
    await using adder = start('add', path);
    for (let count = 0; count < 50 + round * 200; count++) await adder.line();
    await assert.rejects(openFilterFile(path, { add: true }), { code: 'FILTER_BUSY', retryable: true });
    known = Math.max(known, Number(await adder.kill()));
    await assert.rejects(loadFilter(path), { code: 'FILTER_BUSY' });
    await using reader = await openFilterFile(path);
    for (let key = 0; key <= known; key++) assert.ok(await reader.has(`key-${key}`), `key-${key}`);
  }
  await using next = await openFilterFile(path, { add: true });
  await next.close();
  const whole = await loadFilter(path);
  for (let key = 0; key <= known; key++) assert.ok(whole.has(`key-${key}`));
  assert.ok(!readdirSync(home).some((name) => name.startsWith('added.bloom.')));
});

test('processes that read see at once what another adds', async () => {
  const path = join(home, 'both.bloom');
  await saveFilter(createFilter({ capacity: 10_000 }), path);
  await using adder = start('add', path);
  await using first = start('read', path);
  await using second = start('read', path);
  for (let count = 0; count < 300; count++) {
    const key = await adder.line();
    for (const reader of [first, second]) {
      reader.child.stdin.write(`${key}\n`);
      assert.equal(await reader.line(), 'true', `key-${key}`);
    }
  }
  first.child.stdin.write('no such key\n');
  assert.equal(await first.line(), 'false');
});
