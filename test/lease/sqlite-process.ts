/** A process that locks in a file of SQLite, and counts under the lock in a file that knows of no lock. */
import { readFileSync, writeFileSync } from 'node:fs';
import { createLocks } from '../../src/lock/index.ts';
import { sqliteLeases } from '../../src/lease/index.ts';
import { answerQuestions, say } from '../faults/worker.ts';

export interface CountQuestion {
  readonly verb: 'count' | 'hold';
  /** Of the leases, and of the count. */
  readonly path: string;
  readonly counter: string;
  readonly times: number;
  readonly ttl: '2s' | '20s';
}

await answerQuestions(async (question) => {
  const { verb, path, counter, times, ttl } = question as CountQuestion;
  await using locks = createLocks(sqliteLeases(path));
  if (verb === 'hold') {
    const lease = await locks.acquire('count', { ttl });
    say({ held: String(lease.token) });
    return await new Promise((resolve) => lease.signal.addEventListener('abort', () => resolve('lost')));
  }
  for (let time = 0; time < times; time++) {
    await using lease = await locks.acquire('count', { ttl, wait: '60s' });
    const count = Number(readFileSync(counter, 'utf8'));
    // Whoever else is inside has read the same.
    await new Promise((resolve) => setImmediate(resolve));
    lease.assertHeld();
    writeFileSync(counter, String(count + 1));
  }
  return null;
});
