import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

/** In a process of its own, because there is no way back. */
function dropping(user: string): string {
  const script = `
    const { dropRoot } = await import(${JSON.stringify(new URL('./drop-root.ts', import.meta.url).href)});
    const { Worker } = await import('node:worker_threads');
    const older = new Worker('const { parentPort } = require("node:worker_threads"); parentPort.on("message", () => parentPort.postMessage([process.getuid(), process.getgid()]))', { eval: true, execArgv: [] });
    await new Promise((resolve) => older.once('online', resolve));
    try {
      const { kind } = dropRoot(${JSON.stringify(user)});
      older.postMessage('');
      const inThread = await new Promise((resolve) => older.once('message', resolve));
      let back = false;
      try { process.setuid(0); back = true; } catch {}
      console.log(JSON.stringify({ kind, ids: [process.getuid(), process.getgid()], inThread, groups: process.getgroups(), back }));
    } catch (error) { console.log(error.code); }
    older.terminate();`;
  return spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' }).stdout.trim();
}

const isRoot = process.getuid?.() === 0;

test(
  isRoot ? 'RFC 9110 §17.2: root is given up for good, by every thread' : 'without root there is nothing to give up',
  () => {
    const seen = JSON.parse(dropping('4711')) as Record<string, unknown>;
    if (!isRoot) return assert.equal(seen['kind'], 'not-root');
    assert.deepEqual(seen, { kind: 'dropped', ids: [4711, 4711], inThread: [4711, 4711], groups: [4711], back: false });
  },
);

test('a user that does not exist or is root is refused', () => {
  const expected = isRoot ? 'USER_FAILED' : '';
  for (const user of ['no-such-user', '0', 'root']) {
    const answer = dropping(user);
    assert.equal(isRoot ? answer : '', expected, user);
  }
});
