import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { parseCores, processTree, readCores, readCpu, readMemory, readWakeUps, shareOf } from './accounting.ts';
import { createProcesses, listening } from './processes.ts';
import { freePort } from '../../test/ports.ts';

const cores = '0-1023';

test('core lists are read as taskset reads them', () => {
  assert.deepEqual(parseCores('0'), [0]);
  assert.deepEqual(parseCores('0,2-4'), [0, 2, 3, 4]);
  assert.throws(() => parseCores('a'));
  assert.throws(() => parseCores('3-1'));
});

test('CPU time is that of the whole tree: a grandchild’s second of work is seen from the top', async () => {
  await using processes = createProcesses(0);
  const burn = 'const u = process.cpuUsage(); while (process.cpuUsage(u).user + process.cpuUsage(u).system < 4e5); ';
  const wait = 'process.stdout.write("done"); setInterval(() => {}, 1e9)';
  const script = `${JSON.stringify(process.execPath)} -e '${burn}${wait}'; true`;
  const one = processes.start('sh', ['-c', script], { cores });
  const before = readCpu([one.pid]);
  while (!one.output().includes('done')) await once(one.child.stdout!, 'data');
  const tree = processTree(one.pid);
  assert.ok(tree.length >= 2, `the tree is ${tree.join(' ')}`);
  const after = readCpu(tree);
  const ns = after.totalNs - before.totalNs;
  assert.ok(ns >= 4e8, `${ns} ns`); // it burned 400 ms by its own account
  assert.ok(readCpu([one.pid]).totalNs < 4e8, 'the shell alone did little');
  assert.ok(after.userTicks > before.userTicks);
  assert.ok(readMemory(tree).pssBytes > 2 ** 20);
  await one.stop();
  assert.deepEqual(
    tree.map((pid) => readMemory([pid]).rssBytes),
    tree.map(() => 0),
    'nothing of the tree is left',
  );
});

/** Resolves once it waits for its standard input, off the core: the kernel says which call with which arguments, or `running`. */
async function asleepInRead(pid: number): Promise<void> {
  const patience = AbortSignal.timeout(20_000);
  for (;;) {
    const call = readFileSync(`/proc/${pid}/syscall`, 'latin1');
    if (/^\d+ 0x0 /.test(call)) return;
    assert.ok(!patience.aborted, `it never slept in a read of descriptor 0, last seen in ${call}`);
    await turn();
  }
}

test('each time a process slept until something came is a wake-up', async () => {
  await using processes = createProcesses(0);
  const one = processes.start('cat', [], { cores });
  const echo = async (): Promise<void> => {
    const echoed = once(one.child.stdout!, 'data');
    one.child.stdin!.write('a');
    await echoed;
    await asleepInRead(one.pid); // on a busy core it might find the next byte first, and would not have slept
  };
  await echo();
  const before = readWakeUps([one.pid]);
  for (let times = 0; times < 20; times++) await echo();
  assert.equal(readWakeUps([one.pid]), before + 20);
  await one.stop();
});

test('a core’s busy share lies between none and all', () => {
  const before = readCores([0]);
  assert.ok(before.busyTicks > 0 && before.idleTicks > 0);
  assert.equal(shareOf(0, 0), 0);
  assert.equal(shareOf(3, 1), 0.75);
});

test('waiting for a port ends with what the process said when it ends instead', async () => {
  await using processes = createProcesses(0);
  const port = await freePort();
  const one = processes.start('sh', ['-c', 'echo no such luck; exit 3'], { cores });
  await assert.rejects(listening(port, one), /no such luck/);
  await assert.rejects(
    processes.run('sh', ['-c', 'echo broken; exit 4'], { cores, timeoutMs: 5000 }),
    /status 4:\nbroken/,
  );
});
