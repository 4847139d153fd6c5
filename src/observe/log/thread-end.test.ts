import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { openTarget, wasWritten } from './target.ts';

const dir = fs.mkdtempSync(join(tmpdir(), 'spillway-log-end-'));
after(() => fs.rmSync(dir, { recursive: true, force: true }));

const writer = join(import.meta.dirname, '../../../test/log-writer.ts');

/** Lines of a file, all of which must be whole. */
function linesOf(name: string): number {
  const lines = fs.readFileSync(join(dir, name), 'utf8').split('\n');
  assert.equal(lines.pop(), '');
  for (const line of lines) JSON.parse(line);
  return lines.length;
}

describe('the end of a thread', () => {
  /** A process that writes and then ends in this way; what it said on stderr, which is also where an error goes. */
  const end = async (target: string, ending: string): Promise<string> => {
    const child = spawn(process.execPath, [writer, target, 'a', '2000', '', ending], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.resume();
    let told = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (told += chunk));
    await once(child, 'close');
    return told;
  };

  for (const ending of ['exit', 'throw', 'return']) {
    test(`a process that ends by ${ending} has written every line`, async () => {
      assert.match(await end(join(dir, ending), ending), /"written":2000,"dropped":0,"errors":0/);
      assert.equal(linesOf(ending), 2000);
    });

    test(`a thread that ends by ${ending} has written every line`, async () => {
      const worker = new Worker(writer, {
        argv: [join(dir, `thread-${ending}`), 'a', '2000', '', ending],
        stderr: true,
      });
      worker.on('error', () => {});
      await new Promise((resolve) => worker.on('exit', resolve));
      assert.equal(linesOf(`thread-${ending}`), 2000);
    });
  }

  test('a reader that sleeps holds it up no longer than it may, and what it did not take is counted', async () => {
    const path = join(dir, 'asleep');
    execFileSync('mkfifo', [path]);
    const reader = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const told = await end(path, 'exit');
    fs.closeSync(reader);
    const { dropped } = JSON.parse(told) as { dropped: number };
    assert.ok(dropped > 1000 && dropped < 2000, `${dropped} lost`);
  });

  test('what was written to a file is known from the file', () => {
    const path = join(dir, 'written');
    fs.writeFileSync(path, 'older\n');
    const { fd } = openTarget(path);
    const line = Buffer.from('newer\n');
    assert.equal(wasWritten(fd, line), false);
    fs.writeSync(fd, line);
    assert.equal(wasWritten(fd, line), true);
    fs.appendFileSync(path, 'of another\n');
    assert.equal(wasWritten(fd, line), true);
    fs.writeSync(fd, 'next\n');
    assert.equal(wasWritten(fd, line), false);
    fs.closeSync(fd);
  });

  test('a full disk does not hold it up', async () => {
    assert.match(await end('/dev/full', 'exit'), /"dropped":2000/);
  });
});
