/** What the dashboard asks of the admin API, on real sockets: its page before a token, the feed, changes and versions after. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { adminBackend } from '../../../test/admin-backend.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { ChangeLog } from '../control/change-log.ts';
import type { AuditEntry } from './audit-entry.ts';
import type { AdminBackend } from './backend.ts';
import type { AdminPolicy } from './guard.ts';
import { LiveFeed } from './live-feed.ts';
import { type LiveState, tableKeys } from './live-model.ts';
import { AdminServer } from './server.ts';

const servers: AdminServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const [token, readToken] = ['a-secret-of-some-length', 'a-secret-for-reading'];
const policy: AdminPolicy = {
  grants: [
    { role: 'write', token },
    { role: 'read', token: readToken },
  ],
  loopbackName: '127.0.0.1',
  made: null,
};

const notAsked = (): never => assert.fail('not asked for');

const tables = Object.fromEntries(
  Object.entries(tableKeys).map(([name, keys]) => [name, Object.fromEntries(keys.map((key) => [key, []]))]),
);

async function serve(given: Partial<AdminBackend> = {}) {
  const clock = new SimulatedClock();
  const read = (): LiveState => ({ atMs: clock.wallMs(), gateway: {}, problems: [], tables }) as unknown as LiveState;
  const live = new LiveFeed(clock, read, notAsked);
  const server = new AdminServer(adminBackend({ live, ...given }).whole, policy);
  servers.push(server);
  const bound = await server.listen({ host: '127.0.0.1', port: 0 });
  const ask = (path: string, shown: string | null = readToken): Promise<Response> =>
    fetch(`http://127.0.0.1:${'port' in bound ? bound.port : 0}${path}`, {
      headers: shown === null ? {} : { Authorization: `Bearer ${shown}` },
    });
  return { ask, clock, live, server };
}

async function* pieces(response: Response): AsyncGenerator<string> {
  yield* response.body!.pipeThrough(new TextDecoderStream());
}

test('the page is for whoever comes, what it asks for is not', async () => {
  const { ask } = await serve();
  const page = await ask('/', null);
  assert.equal(page.status, 200);
  const [script = ''] = /\/assets\/[^"]+\.js/.exec(await page.text()) ?? [];
  assert.equal((await ask(script, null)).status, 200);
  for (const path of ['/api/live', '/api/changes', '/api/config/1', '/api/state']) {
    assert.equal((await ask(path, null)).status, 401, path);
  }
});

test('the feed says what its caller may do, tells on, and ends for who is no longer let in', async () => {
  const { ask, clock, live, server } = await serve();
  const [reading, writing] = [await ask('/api/live'), await ask('/api/live', token)];
  assert.deepEqual(
    [reading, writing].map(({ headers }) => headers.get('Spillway-Role')),
    ['read', 'write'],
  );
  assert.equal(reading.headers.get('Content-Type'), 'text/event-stream');
  const told = pieces(reading);
  assert.match((await told.next()).value ?? '', /^event: whole\n/);
  clock.pass(1000);
  assert.match((await told.next()).value ?? '', /^event: change\n/);
  // The same policy again, as at each reload, cuts nobody.
  server.policy = { ...policy, grants: [...policy.grants] };
  clock.pass(1000);
  assert.match((await told.next()).value ?? '', /^event: change\n/);
  server.policy = { ...policy, grants: [{ role: 'write', token: 'another-secret-of-some-length' }] };
  assert.equal((await told.next()).done, true);
  await writing.body?.cancel();
  assert.equal((await ask('/api/live')).status, 401);
  while (live.clients > 0) await new Promise(setImmediate);
});

test('a server that is moved elsewhere ends the feed, so that who looks comes along', async () => {
  const { ask, server } = await serve();
  const told = pieces(await ask('/api/live'));
  await told.next();
  server.retire();
  assert.equal((await told.next()).done, true);
});

test('more than can be told are sent away, with a word when to come again', async () => {
  const { ask, live } = await serve();
  const looking = await Promise.all(Array.from({ length: 64 }, () => ask('/api/live')));
  const refused = await ask('/api/live');
  assert.deepEqual([refused.status, refused.headers.get('Retry-After')], [503, '10']);
  await looking[0]!.body!.cancel();
  while (live.isFull) await new Promise(setImmediate);
  assert.equal((await ask('/api/live')).status, 200);
});

test('changes are told newest first, from one on, and so many', async () => {
  const log = new ChangeLog(new SimulatedClock());
  for (const what of ['first', 'second', 'third']) log.add({ kind: 'config', tone: 'plain', what });
  const { ask } = await serve({ changes: (wanted) => log.changes(wanted) });
  const ids = async (path: string): Promise<number[]> => {
    const { changes } = (await (await ask(path)).json()) as { changes: { id: number }[] };
    return changes.map(({ id }) => id);
  };
  assert.deepEqual(await ids('/api/changes'), [3, 2, 1]);
  assert.deepEqual(await ids('/api/changes?after=1'), [3, 2]);
  assert.deepEqual(await ids('/api/changes?limit=1'), [3]);
  for (const query of ['after=-1', 'after=x', 'limit=0', 'limit=1001', 'limit=1e9']) {
    assert.equal((await ask(`/api/changes?${query}`)).status, 400, query);
  }
});

test('a version of the config that is not kept, or is no number, is not found', async () => {
  const { ask } = await serve({ configText: (version) => (version === 2 ? 'listeners: []\n' : null) });
  assert.deepEqual(await (await ask('/api/config/2')).json(), { version: 2, text: 'listeners: []\n' });
  for (const version of ['1', '2x', '-2', '99999999999999999999', '..%2f..', '%00']) {
    assert.equal((await ask(`/api/config/${version}`)).status, 404, version);
  }
});

test('an answer that cannot be sent is a line of the audit log and no end of the process', async () => {
  const audits: string[] = [];
  const audit = ({ action, outcome }: AuditEntry): void => void audits.push(`${action} → ${outcome}`);
  const fails = (): never => {
    throw new Error('no state');
  };
  const live = new LiveFeed(new SimulatedClock(), fails, notAsked);
  const { ask } = await serve({ audit, live });
  await assert.rejects(async () => (await ask('/api/live')).text());
  // A header field that Node refuses.
  const bad = () => ({ kind: 'answer', status: 200, contentType: 'a\nb', body: '' }) as never;
  const { ask: other } = await serve({ audit, assets: { answer: bad } as never });
  const answer = await other('/');
  assert.equal(answer.status, 500);
  assert.match(await answer.text(), /fault of Spillway/);
  assert.equal(audits.length, 2);
  assert.match(audits[0]!, /^GET \/api\/live → failed: Error: no state/);
  assert.match(audits[1]!, /^GET \/ → failed: TypeError/);
});
