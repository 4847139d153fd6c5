import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import {
  busyShare,
  cpuBetween,
  parseCores,
  processTree,
  readCores,
  readCpu,
  readMemory,
  readWakeUps,
} from './accounting.ts';
import { createProcesses, freePorts, listening } from './processes.ts';

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
  const { ns, userShare } = cpuBetween(before, readCpu(tree));
  assert.ok(ns >= 4e8, `${ns} ns`); // it burned 400 ms by its own account
  assert.ok(readCpu([one.pid]).totalNs < 4e8, 'the shell alone did little');
  assert.ok(userShare > 0 && userShare <= 1);
  assert.ok(readMemory(tree).pssBytes > 2 ** 20);
  await one.stop();
  assert.deepEqual(
    tree.map((pid) => readMemory([pid]).rssBytes),
    tree.map(() => 0),
    'nothing of the tree is left',
  );
});

test('each time a process slept until something came is a wake-up', async () => {
  await using processes = createProcesses(0);
  const one = processes.start('cat', [], { cores });
  const echoed = once(one.child.stdout!, 'data');
  one.child.stdin!.write('a');
  await echoed;
  const before = readWakeUps([one.pid]);
  for (let turn = 0; turn < 20; turn++) {
    const again = once(one.child.stdout!, 'data');
    one.child.stdin!.write('a');
    await again;
  }
  assert.ok(readWakeUps([one.pid]) >= before + 19);
  await one.stop();
});

test('a core’s busy share lies between none and all', () => {
  const before = readCores([0]);
  assert.equal(busyShare(before, before), 0);
  assert.ok(before.busyTicks > 0 && before.idleTicks > 0);
  assert.equal(busyShare(before, { busyTicks: before.busyTicks + 3, idleTicks: before.idleTicks + 1 }), 0.75);
});

test('waiting for a port ends with what the process said when it ends instead', async () => {
  await using processes = createProcesses(0);
  const [port = 0] = await freePorts(1);
  const one = processes.start('sh', ['-c', 'echo no such luck; exit 3'], { cores });
  await assert.rejects(listening(port, one), /no such luck/);
  await assert.rejects(
    processes.run('sh', ['-c', 'echo broken; exit 4'], { cores, timeoutMs: 5000 }),
    /status 4:\nbroken/,
  );
});
