/** A real Redis whose clock the test sets, and the arithmetic of table.ts: the same answers to the same questions, the same ones told. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { redisLeases, type Claim } from '../../src/lease/index.ts';
import type { RedisLeasesClient } from '../../src/lease/redis.ts';
import { WHOLE } from '../../src/lease/store.ts';
import { type KeyRows, live, nextOf, noRows, releaseClaim, renewClaim, tryClaim } from '../../src/lease/table.ts';
import { clockedRedis } from '../servers/clocked-redis.ts';
import { RedisServer } from '../servers/redis.ts';

const server = await RedisServer.start();
const listener = new Redis(server.port);
after(async () => {
  listener.disconnect();
  await server[Symbol.asyncDispose]();
});
const heard: string[] = [];
await listener.psubscribe('spillway:wake:*', 'spillway:heard');
listener.on('pmessage', (_pattern, _channel, id) => heard.push(id));

/** What was told by now: messages come in their order. */
async function told(): Promise<readonly string[]> {
  await server.admin.publish('spillway:heard', 'all');
  while (heard.at(-1) !== 'all') await new Promise<unknown>((resolve) => listener.once('pmessage', resolve));
  return heard.splice(0).slice(0, -1);
}

const waiting = { signal: new AbortController().signal };
/** Longer than any run takes of the server's own time, by which keys end. */
const TTL_MS = 600_000;

const claims = fc.array(
  fc.record({
    share: fc.constantFrom(1, 2, WHOLE),
    of: fc.constantFrom(3, WHOLE),
    ttlMs: fc.constantFrom(TTL_MS, 2 * TTL_MS, 3.0005 * TTL_MS),
    queue: fc.boolean(),
    holder: fc.string({ maxLength: 40, unit: 'grapheme' }),
  }),
  { minLength: 2, maxLength: 7 },
);
const steps = fc.array(
  fc.record({
    verb: fc.constantFrom('try', 'try', 'try', 'renew', 'release', 'read'),
    who: fc.nat(6),
    passUs: fc.oneof(
      fc.constant(0),
      fc.integer({ min: 1, max: 1000 }),
      fc.integer({ min: 0, max: 4 * TTL_MS * 1000 }),
      fc.constantFrom(TTL_MS * 1000, TTL_MS * 1000 - 1, TTL_MS * 2000),
      fc.integer({ min: -1_000_000, max: 0 }),
    ),
  }),
  { maxLength: 40 },
);

test('answers as table.ts does, and tells whom it names', async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(claims, steps, async (given, asked) => {
      runs += 1;
      await server.admin.flushall();
      let nowUs = 1_800_000_000_000_000;
      // It has nothing to listen by: this test does.
      const client = clockedRedis(server.admin, () => nowUs) as RedisLeasesClient;
      Object.assign(client, { duplicate: () => assert.fail('nothing waits') });
      await using store = redisLeases(client);
      const key = `key ${runs}`;
      const all = given.map(({ share, of, ...rest }, at): Claim => {
        const id = (runs * 16 + at).toString(16).padStart(32, '0');
        return { key, id, share: Math.min(share, of), of, ...rest };
      });
      let rows: KeyRows = noRows;
      let last = 0n;
      let endedUs = 0;
      for (const { verb, who, passUs } of asked) {
        // Behind an end that was reached no clock is set back here: a row that nothing has removed would be there again, and is not in the model.
        nowUs = Math.max(nowUs + passUs, endedUs);
        for (const { untilMs } of [...rows.held, ...rows.queue])
          if (untilMs <= nowUs) endedUs = Math.max(endedUs, untilMs);
        const claim = all[who % all.length]!;
        // The arithmetic is the same in whole microseconds, and exact.
        const inUs = { ...claim, ttlMs: claim.ttlMs * 1000 };
        const isThere = [...rows.held, ...rows.queue].some(({ id }) => id === claim.id);
        const isLive = [...live(rows, nowUs).held, ...live(rows, nowUs).queue].some(({ id }) => id === claim.id);
        let next: string | null = null;
        switch (verb) {
          case 'try': {
            const token = BigInt(nowUs) > last ? BigInt(nowUs) : last + 1n;
            const verdict = tryClaim(rows, inUs, nowUs, token);
            const answer = await store.try(claim, waiting);
            ({ rows } = verdict);
            if (verdict.granted) {
              assert.deepEqual(answer, { granted: true, token: verdict.token });
              if (verdict.token === token) {
                last = token;
                next = nextOf(rows);
              }
            } else {
              assert.ok(!answer.granted);
              const againMs = Math.max(1, Math.ceil(verdict.againMs) / 1000);
              // Nothing tells it, so one that waits does not wait that long.
              if (claim.queue && againMs > 250) assert.ok(answer.againMs >= 250 && answer.againMs <= 500);
              else assert.equal(answer.againMs, againMs);
            }
            break;
          }
          case 'renew': {
            const renewed = renewClaim(rows, inUs, nowUs);
            assert.equal((await store.renew(claim, waiting)).held, renewed !== null);
            rows = renewed ?? rows;
            break;
          }
          case 'release':
            await store.release(claim, waiting);
            rows = releaseClaim(rows, claim, nowUs);
            next = isLive ? nextOf(rows) : null;
            break;
          case 'read':
            assert.deepEqual(
              await store.read(key, waiting),
              live(rows, nowUs).held.map(({ holder, token, share }) => ({ holder, token, share })),
            );
            break;
          default:
            assert.fail(verb);
        }
        const ids = await told();
        // Whoever gives back what was over already tells the next all the same.
        if (isThere && !isLive && verb === 'release') assert.ok(ids.length === 0 || ids[0] === nextOf(rows));
        else assert.deepEqual(ids, next === null ? [] : [next]);
        const keys = await server.admin.keys('spillway:lease:*');
        if (rows.held.length + rows.queue.length > 0) assert.deepEqual(keys, [`spillway:lease:${key}`]);
        for (const one of keys) assert.ok((await server.admin.pttl(one)) > 0, 'it has an end');
      }
      for (const claim of all) await store.release(claim, waiting);
      await told();
      assert.deepEqual(await server.admin.keys('*'), last === 0n ? [] : ['spillway:fence'], 'nothing is left');
    }),
    { numRuns: 150 },
  );
});
