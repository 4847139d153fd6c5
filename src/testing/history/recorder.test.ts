/** Many processes record, one is killed in the middle, and one reads. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { checkLinearizable } from './linearizability.ts';
import { readHistory, recordHistory } from './recorder.ts';
import { register } from './register-models.ts';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'spillway-history-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

const onlyFile = (path: string): string => join(path, readdirSync(path)[0]!);

test('what was recorded is read, with its times, and bigints are bigints', async (t) => {
  const path = folder(t);
  const clock = new SimulatedClock();
  using recorder = recordHistory(path, { clock });
  assert.equal(
    await recorder.run({ op: 'acquire' }, () => {
      clock.pass(5);
      return 2n ** 62n;
    }),
    2n ** 62n,
  );
  await assert.rejects(
    recorder.run({ op: 'release' }, () => Promise.reject(new Error('no answer'))),
    /no answer/,
  );
  await recorder.run({ op: 'acquire' }, () => null);
  const history = readHistory(path);
  assert.deepEqual(
    history.map(({ invoked, returned, output }) => [invoked, returned, output]),
    [
      [1000, 1005, 2n ** 62n],
      [1005, null, undefined],
      [1005, 1005, null],
    ],
  );
  assert.equal(history[0]!.process, history[1]!.process);
  assert.notEqual(history[1]!.process, history[2]!.process, 'whoever goes on after an open one is another');
});

test('one recorder does one thing at a time, and nothing once it is closed', async (t) => {
  const path = folder(t);
  const recorder = recordHistory(path);
  await recorder.run(1, () =>
    assert.rejects(
      recorder.run(2, () => null),
      { code: 'OPTIONS_INVALID', message: /one thing/ },
    ),
  );
  recorder[Symbol.dispose]();
  recorder[Symbol.dispose]();
  await assert.rejects(
    recorder.run(3, () => null),
    { code: 'OPTIONS_INVALID', message: /closed/ },
  );
  assert.equal(readHistory(path).length, 1);
});

test('cut off at any byte, it is what was whole; damaged before the end, it is refused with the line', async (t) => {
  const path = folder(t);
  {
    using recorder = recordHistory(path);
    await recorder.run({ op: 'write', value: 1 }, () => undefined);
    await recorder.run({ op: 'read' }, () => 1);
  }
  const file = onlyFile(path);
  const whole = readFileSync(file);
  const [, second] = readHistory(path);
  for (let length = 0; length < whole.length; length++) {
    writeFileSync(file, whole.subarray(0, length));
    const lines = whole.subarray(0, length).toString().split('\n').length - 1;
    const history = readHistory(path);
    assert.equal(history.length, Math.ceil(lines / 2), `${length} bytes`);
    assert.equal(history.filter(({ returned }) => returned !== null).length, Math.floor(lines / 2));
  }
  assert.deepEqual(second!.output, 1);
  for (const text of ['{"process":"a"\n', '{}\n', 'null\n', '{"returned":4}\n']) {
    writeFileSync(file, whole);
    appendFileSync(file, text);
    assert.throws(() => readHistory(path), { code: 'HISTORY_INVALID', message: /jsonl:5 is n/ });
  }
});

/** Adds to a file that all share, without a lock but in one system call, and never ends by itself. */
const writer = (path: string, shared: string): string => `
  import { readFileSync, writeFileSync } from 'node:fs';
  import { recordHistory } from 'spillway/testing';
  const recorder = recordHistory(${JSON.stringify(path)});
  for (let value = 1; ; value++) {
    const mine = process.pid * 1000 + value;
    await recorder.run({ op: 'write', value: mine }, () => writeFileSync(${JSON.stringify(shared)}, String(mine).padStart(12)));
    await recorder.run({ op: 'read' }, () => Number(readFileSync(${JSON.stringify(shared)}, 'utf8')));
    if (value === 5) process.send('going');
    await new Promise(setImmediate);
  }`;

test('processes that are killed while they record leave a history, on one clock', async (t) => {
  const path = folder(t);
  const children: ChildProcess[] = [];
  t.after(() => children.forEach((child) => child.kill('SIGKILL')));
  for (let count = 0; count < 3; count++) {
    const code = writer(path, join(path, `value-${count}`));
    const options = ['--conditions=spillway-source', '--input-type=module', '--eval', code];
    children.push(spawn(process.execPath, options, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }));
  }
  await Promise.all(children.map((child) => once(child, 'message')));
  const exits = children.map((child) => once(child, 'exit'));
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(exits);
  const history = readHistory<{ op: 'read' } | { op: 'write'; value: number }, number>(path);
  const processes = new Set(history.map(({ process }) => process));
  assert.equal(processes.size, 3);
  for (const process of processes) {
    // Each has a file of its own, so what it did is a history of one register.
    const own = history.filter((operation) => operation.process === process);
    assert.ok(own.length >= 10);
    assert.equal((await checkLinearizable(register(), own)).ok, true);
  }
  const [first, last] = [Math.min, Math.max].map((of) =>
    of(...[...processes].map((process) => history.find((operation) => operation.process === process)!.invoked)),
  );
  const nowMs = process.hrtime()[0] * 1000;
  assert.ok(first! <= last! && last! <= nowMs + 1000 && first! > 0, 'the clock is that of this process too');
});
