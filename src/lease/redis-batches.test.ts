import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RedisLeasesClient } from './redis.ts';
import { redisLeases } from './redis.ts';
import { WHOLE } from './store.ts';

/** Of node-redis, whose server answers that to everything. */
function answering(answer: unknown): RedisLeasesClient {
  const refuse = (): never => assert.fail('nobody listens here');
  return { isReady: true, sendCommand: () => Promise.resolve(answer), duplicate: refuse };
}

test('an answer of another form is an error of each that asked, whatever it is', async () => {
  const circle: unknown[] = [];
  circle.push(circle, 1, 2);
  const waiting = { signal: new AbortController().signal };
  const claim = { key: 'k', id: 'a'.repeat(32), holder: 'me', share: WHOLE, of: WHOLE, ttlMs: 1000, queue: false };
  for (const answer of [null, undefined, 'OK', {}, 2n ** 64n, [1n, 2n, 3n], circle]) {
    const store = redisLeases(answering(answer), { listen: false });
    const asked = [claim, { ...claim, key: 'l', id: 'b'.repeat(32) }].map((each) => store.try(each, waiting));
    for (const each of asked) {
      await assert.rejects(each, { code: 'STORE_REFUSED', message: /^Redis answered .{1,200} to 1 claims; expected/s });
    }
  }
});
