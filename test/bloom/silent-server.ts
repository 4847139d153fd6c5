/** What must hold of a filter on any kind of Redis: nobody waits longer for a server that is silent than the signal lets one. */
import assert from 'node:assert/strict';
import type { RedisServer } from '../servers/redis.ts';

interface Asked {
  has(key: string, options?: { readonly signal?: AbortSignal }): Promise<boolean>;
}

/** Ends the server. */
export async function waitsAsLongAsItsSignal(server: RedisServer, filter: Asked): Promise<void> {
  server.freeze();
  const controller = new AbortController();
  const asked = filter.has('a', { signal: controller.signal });
  controller.abort(new Error('no time'));
  await assert.rejects(asked, /no time/);
  server.thaw();
  assert.equal(await filter.has('a'), false);
  await server.kill();
  await assert.rejects(filter.has('a'), { code: 'STORE_UNAVAILABLE' });
}
