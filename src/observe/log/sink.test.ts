import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { fastClock } from '../../../test/fast-clock.ts';
import { Sink } from './sink.ts';

const dir = fs.mkdtempSync(join(tmpdir(), 'spillway-log-'));
after(() => fs.rmSync(dir, { recursive: true, force: true }));

class Log {
  readonly sink: Sink;
  readonly notices: string[] = [];
  committed = 0;
  dropped = 0;
  errors = 0;

  constructor(target: string, clock: Clock = fastClock) {
    this.sink = new Sink({
      name: 'log',
      target,
      clock,
      notice: (_level, message) => this.notices.push(message),
      count: (dropped, errors) => {
        this.dropped += dropped;
        this.errors += errors;
      },
    });
  }

  /** False if the line was lost. */
  line(bytes = 200): boolean {
    const text = `${JSON.stringify({ line: this.committed, text: 'x'.repeat(bytes) })}\n`;
    const room = this.sink.room(text.length);
    if (room === null) return false;
    this.committed += 1;
    this.sink.commit(this.sink.length + Buffer.from(text).copy(room, this.sink.length));
    return true;
  }

  async lines(count: number): Promise<void> {
    for (let line = 0; line < count; line += 1) {
      this.line();
      if (line % 20 === 0) await turn();
    }
  }

  /** Writes lines until `reached`, which has to be. */
  async until(reached: () => boolean): Promise<void> {
    while (!reached()) {
      this.line();
      await turn();
    }
  }
}

function numbersIn(text: string): number[] {
  assert.ok(text === '' || text.endsWith('\n'), 'the last line is whole');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { line: number }).line);
}

function pathOf(name: string): string {
  return join(dir, name);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

describe('a file', () => {
  test('gets every line, whole and in order', async () => {
    // Time as it is: closing waits for the disk as long as it does for anybody.
    const log = new Log(pathOf('plain'), systemClock);
    await log.lines(5000);
    await log.sink.close();
    assert.deepEqual(numbersIn(fs.readFileSync(pathOf('plain'), 'utf8')), upTo(log.committed));
    assert.equal(log.committed + log.dropped, 5000);
    assert.deepEqual([log.errors, log.notices], [0, []]);
  });

  test('gets a single line soon: by time, not by size', async () => {
    const log = new Log(pathOf('soon'));
    const sizes = fs.watch(pathOf('soon'));
    const changed = once(sizes, 'change');
    log.line();
    await changed;
    sizes.close();
    await log.sink.close();
    assert.deepEqual(numbersIn(fs.readFileSync(pathOf('soon'), 'utf8')), [0]);
  });

  test('can be rotated under load without a lost or torn line', async () => {
    const log = new Log(pathOf('rotated'));
    for (let round = 0; round < 40; round += 1) {
      await log.lines(137);
      fs.renameSync(pathOf('rotated'), pathOf(`rotated.${round}`));
      log.sink.reopen();
    }
    await log.sink.close();
    const files = [...upTo(40).map((round) => pathOf(`rotated.${round}`)), pathOf('rotated')];
    assert.deepEqual(
      files.flatMap((file) => numbersIn(fs.readFileSync(file, 'utf8'))),
      upTo(log.committed),
    );
    assert.equal(log.dropped + log.committed, 40 * 137);
  });

  test('that cannot be opened anew goes on being written', async () => {
    fs.mkdirSync(pathOf('moved'));
    const log = new Log(pathOf('moved/log'));
    log.line();
    fs.renameSync(pathOf('moved'), pathOf('elsewhere'));
    log.sink.reopen();
    log.line();
    await log.sink.close();
    assert.deepEqual(numbersIn(fs.readFileSync(pathOf('elsewhere/log'), 'utf8')), [0, 1]);
    assert.match(log.notices[0] ?? '', /ENOENT/);
  });

  test('that cannot be opened costs lines, not the process, and is found when it can be', async () => {
    const log = new Log(pathOf('missing/log'));
    await log.until(() => log.dropped > 100);
    assert.equal(log.notices.length, 1);
    fs.mkdirSync(pathOf('missing'));
    await log.until(() => log.notices.length >= 2);
    assert.match(log.notices[1] ?? '', /written again/);
    await log.sink.close();
    assert.ok(numbersIn(fs.readFileSync(pathOf('missing/log'), 'utf8')).length > 0);
  });

  test('is shared by several processes without torn lines', async () => {
    const file = pathOf('shared');
    const names = ['a', 'b', 'c'];
    const results = await Promise.all(names.map((name) => run(file, name, 3000)));
    const seen = new Map(names.map((name) => [name, [] as number[]]));
    for (const text of fs.readFileSync(file, 'utf8').trimEnd().split('\n')) {
      const { name, line } = JSON.parse(text) as { name: string; line: number };
      seen.get(name)?.push(line);
    }
    for (const [index, lines] of [...seen.values()].entries()) {
      assert.equal(lines.length, results[index]?.written);
      assert.deepEqual(
        lines,
        lines.toSorted((left, right) => left - right),
      );
    }
  });
});

describe('a full disk', () => {
  test('lines are dropped and counted, the operator is told once', async () => {
    const log = new Log('/dev/full');
    await log.lines(3000);
    await log.sink.close();
    assert.equal(log.dropped, 3000);
    assert.ok(log.errors > 0 && log.errors < 100, `${log.errors} errors`);
    assert.equal(log.notices.length, 1);
    assert.match(log.notices[0] ?? '', /ENOSPC/);
  });

  // Only root may mount; as anyone else the device above has to do.
  if (process.getuid?.() === 0) {
    test('that is emptied gets lines again, and a torn one is ended before the next', async () => {
      const mount = pathOf('torn');
      fs.mkdirSync(mount);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', mount]);
      try {
        fs.writeFileSync(join(mount, 'ballast'), Buffer.alloc(32 * 1024));
        const log = new Log(join(mount, 'log'));
        await log.until(() => log.errors > 0);
        fs.rmSync(join(mount, 'ballast'));
        await log.until(() => log.notices.some((notice) => notice.includes('written again')));
        await log.sink.close();
        const lines = fs
          .readFileSync(join(mount, 'log'), 'utf8')
          .split('\n')
          .filter((line) => line !== '');
        const torn = lines.filter((line) => !line.endsWith('"}'));
        assert.ok(torn.length <= log.errors && torn.length > 0, `${torn.length} torn, ${log.errors} errors`);
        for (const line of lines) assert.equal(line.lastIndexOf('{"line":'), 0, 'no line begins within another');
      } finally {
        execFileSync('umount', ['-l', mount]);
      }
    });
  }
});

describe('a pipe', () => {
  const fifo = (name: string): string => {
    execFileSync('mkfifo', [pathOf(name)]);
    return pathOf(name);
  };
  const { O_RDONLY, O_NONBLOCK } = fs.constants;

  test('nobody reads: nothing waits for it, lines are dropped and counted', async () => {
    const path = fifo('asleep');
    const reader = fs.openSync(path, O_RDONLY | O_NONBLOCK);
    const log = new Log(path, systemClock);
    await log.until(() => log.dropped > 1000);
    // Every thread of the pool is free for others.
    await Promise.all(upTo(8).map((index) => fs.promises.writeFile(pathOf(`free.${index}`), '')));
    // The pipe takes a little before it is full: that lines are written again may be told in between.
    assert.equal(log.notices.filter((notice) => notice.includes('keep up')).length, 1);
    const accepted = log.committed;
    // It wakes up: what was taken arrives, whole and in order.
    const got = readAll(path, reader);
    await log.sink.close();
    const lines = numbersIn(await got);
    assert.deepEqual(lines, upTo(accepted));
  });

  test('the reader leaves: told once, and written again to the next reader', async () => {
    const path = fifo('left');
    const reader = fs.openSync(path, O_RDONLY | O_NONBLOCK);
    const log = new Log(path);
    log.line();
    await log.until(() => log.committed > 100);
    fs.closeSync(reader);
    await log.until(() => log.errors > 2);
    assert.equal(log.notices.length, 1);
    assert.match(log.notices[0] ?? '', /EPIPE/);
    const next = fs.openSync(path, O_RDONLY | O_NONBLOCK);
    const got = readAll(path, next);
    await log.until(() => log.notices.length >= 2);
    await log.sink.close();
    assert.ok(numbersIn(await got).length > 0);
  });

  test('without a reader at the start: lines go nowhere, and arrive when there is one', async () => {
    const path = fifo('nobody');
    const log = new Log(path);
    await log.lines(500);
    assert.match(log.notices[0] ?? '', /ENXIO/);
    const reader = fs.openSync(path, O_RDONLY | O_NONBLOCK);
    const got = readAll(path, reader);
    await log.until(() => log.notices.length >= 2);
    await log.sink.close();
    assert.ok(numbersIn(await got).length > 0);
  });

  test('close does not wait for a reader that sleeps', async () => {
    const path = fifo('close');
    const reader = fs.openSync(path, O_RDONLY | O_NONBLOCK);
    const log = new Log(path);
    await log.until(() => log.dropped > 0);
    const before = log.dropped;
    await log.sink.close();
    assert.ok(log.dropped > before, 'what was left is counted as lost');
    assert.equal(log.line(), false);
    fs.closeSync(reader);
  });
});

/**
 * Everything that comes through a pipe until its writers are gone. `fd` keeps it open until the other process reads, and a writer of our
 * own until something came: a process that opens a pipe which its writers have left waits for the next.
 */
async function readAll(path: string, fd: number): Promise<string> {
  const keeper = fs.openSync(path, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
  const reader = spawn('cat', [path], { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  reader.stdout.once('data', () => fs.closeSync(keeper));
  reader.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await once(reader, 'close');
  fs.closeSync(fd);
  return text;
}

interface Result {
  readonly written: number;
  readonly dropped: number;
  readonly errors: number;
  readonly notices: readonly string[];
}

const writer = join(import.meta.dirname, '../../../test/log-writer.ts');

/** The writer as a process of its own, to a file. */
async function run(target: string, name: string, lines: number): Promise<Result> {
  const child = spawn(process.execPath, [writer, target, name, String(lines)], { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  await once(child, 'close');
  return JSON.parse(text) as Result;
}

describe('long lines', () => {
  test('that are more than a pipe takes at once arrive whole among short ones', async () => {
    const path = pathOf('long');
    execFileSync('mkfifo', [path]);
    const got = readAll(path, fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK));
    const log = new Log(path, systemClock);
    for (let line = 0; line < 200; line += 1) {
      while (!log.line(line % 5 === 0 ? 20_000 : 100)) await turn();
      await turn();
    }
    await log.sink.close();
    assert.deepEqual(numbersIn(await got), upTo(200));
  });
});

describe('standard output', () => {
  /** The writer below a shell, so that its output is what the shell makes of it. Gives stdout of the shell and the result. */
  const shell = async (command: string): Promise<{ out: string; result: Result }> => {
    const env = { ...process.env, NODE: process.execPath, WRITER: writer, DIR: dir };
    const child = spawn('bash', ['-c', command], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let told = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (told += chunk));
    await once(child, 'close');
    return { out, result: JSON.parse(told) as Result };
  };

  test('a pipe gets every line', async () => {
    const { out, result } = await shell('"$NODE" "$WRITER" stdout a 3000 | cat');
    assert.equal(numbersIn(out).length, result.written);
    assert.equal(result.written + result.dropped, 3000);
  });

  test('a pipe shared by two processes has no mixed lines', async () => {
    const { out } = await shell(
      '{ "$NODE" "$WRITER" stdout a 2000 2> "$DIR/two" & "$NODE" "$WRITER" stdout b 2000; wait; } | cat',
    );
    assert.ok(numbersIn(out).length > 2000);
  });

  test('a reader that leaves ends nothing', async () => {
    const { result } = await shell('"$NODE" "$WRITER" stdout a 5000 | head -c 10 > /dev/null');
    assert.ok(result.errors > 0);
    // A reader that is slow before it leaves is told of first.
    assert.match(result.notices[0] ?? '', /EPIPE|keep up/);
  });

  test('a file that also gets the output of others keeps both', async () => {
    await shell('"$NODE" "$WRITER" stdout a 2000 touch > "$DIR/redirected"');
    const [first = '', ...lines] = fs.readFileSync(pathOf('redirected'), 'utf8').split('\n');
    assert.equal(first, 'a starts');
    assert.equal(numbersIn(lines.join('\n')).length > 1000, true);
  });

  test('a socket of a parent that reads gets every line', async () => {
    const child = spawn(process.execPath, [writer, 'stdout', 'a', '3000', 'touch'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let told = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (told += chunk));
    await once(child, 'close');
    const result = JSON.parse(told) as Result;
    assert.equal(numbersIn(out.replace('a starts\n', '')).length, result.written);
  });

  test('a socket of a parent that never reads holds up nothing', async () => {
    const child = spawn(process.execPath, [writer, 'stdout', 'a', '20000', 'touch'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let told = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (told += chunk));
    await once(child, 'exit');
    const result = JSON.parse(told) as Result;
    assert.ok(result.dropped > 1000);
    assert.match(result.notices[0] ?? '', /keep up/);
    child.stdout.destroy();
  });

  test('a socket that would block, as a supervisor’s or the journal’s, is made one that does not', async () => {
    const child = spawn(process.execPath, [writer, 'stdout', 'a', '100'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [out, told] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (told += chunk));
    await once(child, 'close');
    const result = JSON.parse(told) as Result;
    assert.deepEqual([numbersIn(out).length, result.dropped, result.notices], [100, 0, []]);
  });
});
