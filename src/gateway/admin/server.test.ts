import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { adminBackend } from '../../../test/admin-backend.ts';
import { createCell } from '../../kernel/cells.ts';
import type { ReloadOutcome } from '../control/events.ts';
import { PROCESS_SLOTS } from '../slots.ts';
import type { AdminBackend } from './backend.ts';
import type { AdminPolicy } from './guard.ts';
import { gatewayMetrics } from './metrics.ts';
import { AdminServer } from './server.ts';

const servers: AdminServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

/** What a config without a token says, and one with a token for everything. */
const open: AdminPolicy = { grants: [{ role: 'write', token: null }], loopbackName: '127.0.0.1' };
const secret = 'a-secret-of-some-length';
const closed: AdminPolicy = { grants: [{ role: 'write', token: secret }], loopbackName: '127.0.0.1' };

async function serve(policy: Partial<AdminPolicy> = {}, given: Partial<AdminBackend> = {}) {
  const { whole, audits, reloads } = adminBackend(given);
  const server = new AdminServer(whole, { ...open, ...policy });
  servers.push(server);
  const bound = await server.listen({ host: '127.0.0.1', port: 0 });
  return { port: 'port' in bound ? bound.port : 0, server, audits, reloads };
}

/** Enough for `/metrics`. */
const metrics = (): never => {
  const state = {
    version: '',
    startedAt: '',
    configVersion: 0,
    reloads: { applied: 0, refused: 0 },
    limits: [],
    stores: [],
    workers: [],
  };
  const snapshot = { listeners: [], services: [], routes: [], limits: [], cell: createCell(1, PROCESS_SLOTS) };
  const process = { residentBytes: 0, cpuSeconds: 0, nodeVersion: '', configAppliedS: 0 };
  return gatewayMetrics({
    snapshot,
    state,
    discovery: [],
    breakers: [],
    exported: null,
    slos: [],
    process,
  } as never) as never;
};

type Answer = { readonly status: number } & Readonly<Record<'head' | 'body', string>>;

/** Sends exactly these bytes and reads to the end, so that nothing between test and server repairs the request. */
function send(to: { readonly port: number } | { readonly path: string }, bytes: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect('path' in to ? to : { host: '127.0.0.1', port: to.port });
    let text = '';
    socket.setEncoding('latin1');
    socket.on('data', (chunk: string) => (text += chunk));
    socket.on('error', reject);
    socket.on('close', () => {
      const [head = '', body = ''] = text.split(/\r\n\r\n(.*)/s);
      resolve({ status: Number(head.slice(9, 12)), head, body });
    });
    socket.write(bytes);
  });
}

function request(port: number, line: string, fields: readonly string[] = [], body = ''): Promise<Answer> {
  const host = fields.some((field) => /^host:/i.test(field)) ? [] : [`Host: 127.0.0.1:${port}`];
  const length = body === '' ? [] : [`Content-Length: ${body.length}`];
  const lines = [`${line} HTTP/1.1`, ...host, 'Connection: close', ...fields, ...length];
  return send({ port }, `${lines.join('\r\n')}\r\n\r\n${body}`);
}

const bearer = `Authorization: Bearer ${secret}`;

/** [what, token needed, request line, fields, status] */
const table: readonly (readonly [string, boolean, string, readonly string[], number])[] = [
  ['reads from loopback need nothing', false, 'GET /api/state', [], 200],
  ['HEAD is a read', false, 'HEAD /api/state', [], 200],
  ['the name localhost is fine', false, 'GET /api/state', ['Host: localhost:9900'], 200],
  ['an IPv6 address is fine', false, 'GET /api/state', ['Host: [::1]:9900'], 200],
  ['DNS rebinding: the name of a page is not', false, 'GET /api/state', ['Host: evil.example'], 421],
  ['DNS rebinding: not even for probes', false, 'GET /readyz', ['Host: evil.example:9900'], 421],
  ['a name that only begins like an address', false, 'GET /api/state', ['Host: 127.0.0.1.evil.example'], 421],
  ['two Host fields', false, 'GET /api/state', ['Host: localhost', 'Host: evil.example'], 400],
  ['a Host field with user information', false, 'GET /api/state', ['Host: evil@localhost'], 400],
  ['an empty Host field', false, 'GET /api/state', ['Host:'], 400],
  ['CSRF: a write from a page elsewhere', false, 'POST /api/reload', ['Origin: https://evil.example'], 403],
  ['CSRF: a write from a sandboxed page', false, 'POST /api/reload', ['Origin: null'], 403],
  ['CSRF: another port of this machine is elsewhere', false, 'POST /api/reload', ['Origin: http://127.0.0.1:1'], 403],
  ['CSRF: a browser that says so without an Origin', false, 'POST /api/reload', ['Sec-Fetch-Site: same-site'], 403],
  ['CSRF: also with the token', true, 'POST /api/reload', [bearer, 'Origin: https://evil.example'], 403],
  ['a write from our own page', false, 'POST /api/reload', ['Sec-Fetch-Site: same-origin'], 200],
  ['a write from a tool', false, 'POST /api/reload', [], 200],
  ['a write by a read', false, 'GET /api/reload', [], 405],
  ['a read by a write', false, 'POST /metrics', [], 405],
  ['CORS: a preflight gets nothing', false, 'OPTIONS /api/reload', ['Origin: https://evil.example'], 405],
  ['other methods', false, 'DELETE /api/state', [], 405],
  ['a path there is not', false, 'GET /etc/passwd', [], 404],
  ['a path that is a property of every object', false, 'GET constructor', [], 400],
  ['another such', false, 'GET /__proto__', [], 404],
  ['a token is needed', true, 'GET /api/state', [], 401],
  ['a token is needed for metrics', true, 'GET /metrics', [], 401],
  ['a token is needed to learn which paths there are', true, 'GET /nowhere', [], 401],
  ['a wrong token', true, 'GET /api/state', ['Authorization: Bearer a-secret-of-some-lengthX'], 401],
  ['a token of another length', true, 'GET /api/state', ['Authorization: Bearer x'], 401],
  ['two tokens', true, 'GET /api/state', [bearer, bearer], 401],
  ['a token by another scheme', true, 'GET /api/state', [`Authorization: Basic ${secret}`], 401],
  ['a token in the query', true, `GET /api/state?token=${secret}`, [], 401],
  ['the token', true, 'GET /api/state', [bearer], 200],
  ['the scheme in any case', true, 'GET /api/state', [`authorization: bearer ${secret}`], 200],
  ['with a token any name may be used', true, 'GET /api/state', [bearer, 'Host: gateway.internal:9900'], 200],
  ['probes need no token', true, 'GET /livez', [], 200],
  ['probes need no token, readyz', true, 'GET /readyz', [], 200],
];

for (const [what, needsToken, line, fields, status] of table) {
  test(`${status} for ${line} ${fields.join(', ')}: ${what}`, async () => {
    const { port, audits, reloads } = await serve(needsToken ? closed : open);
    const answer = await request(port, line, fields);
    assert.equal(answer.status, status, answer.body);
    assert.doesNotMatch(answer.head, /access-control/i);
    if (status >= 400 && answer.head.includes('problem+json')) assert.equal(JSON.parse(answer.body).status, status);
    assert.doesNotMatch(answer.body, new RegExp(secret));
    const wrote = line === 'POST /api/reload';
    assert.equal(reloads(), wrote && status === 200 ? 1 : 0);
    if (wrote) assert.equal(audits.length, 1);
  });
}

const [readSecret, scrapeSecret] = ['a-secret-for-reading', 'a-secret-for-scraping'];

/** [path, statuses with no token, with metricsToken, with readToken, with token] */
const roles: readonly (readonly [string, number, number, number, number])[] = [
  ['GET /readyz', 200, 200, 200, 200],
  ['GET /metrics', 401, 200, 200, 200],
  ['GET /api/state', 401, 403, 200, 200],
  ['POST /api/explain', 401, 403, 400, 400],
  ['POST /api/reload', 401, 403, 403, 200],
  ['POST /api/rollback', 401, 403, 403, 200],
  ['POST /api/drain', 401, 403, 403, 400],
  ['POST /api/undrain', 401, 403, 403, 400],
  ['POST /api/apply', 401, 403, 403, 400],
  ['GET /nowhere', 401, 403, 404, 404],
];

test('a token gives a role, and a role what the lower ones may', async () => {
  const grants = [
    { role: 'write', token: secret },
    { role: 'read', token: readSecret },
    { role: 'metrics', token: scrapeSecret },
  ] as const;
  const { port, reloads } = await serve({ grants }, { metrics });
  for (const [line, ...expected] of roles) {
    const tokens = [null, scrapeSecret, readSecret, secret];
    const fields = tokens.map((token) => (token === null ? [] : [`Authorization: Bearer ${token}`]));
    const answers = await Promise.all(fields.map((each) => request(port, line, each)));
    assert.deepEqual(
      answers.map(({ status }) => status),
      expected,
      line,
    );
  }
  assert.equal(reloads(), 1);
  assert.equal((await request(port, 'GET /api/state', ['Authorization: Bearer wrong'])).status, 401);
});

test('what no token opens is closed, also to a token; metrics may be open to all', async () => {
  const grants = [
    { role: 'read', token: readSecret },
    { role: 'metrics', token: null },
  ] as const;
  const { port, reloads } = await serve({ grants }, { metrics });
  assert.equal((await request(port, 'GET /metrics')).status, 200);
  assert.equal((await request(port, 'GET /api/state')).status, 401);
  assert.equal((await request(port, 'POST /api/reload')).status, 401);
  assert.equal((await request(port, 'POST /api/reload', [`Authorization: Bearer ${readSecret}`])).status, 403);
  assert.equal(reloads(), 0);
  // Loopback is what guards it: not to a page that was led here.
  assert.equal((await request(port, 'GET /metrics', ['Host: evil.example'])).status, 421);
});

test('a socket is its owner’s alone, replaces what a killed process left, and nothing else', async () => {
  const home = mkdtempSync(join(tmpdir(), 'spillway-admin-'));
  const path = join(home, 'admin.sock');
  const listen = async (): Promise<AdminServer> => {
    const server = new AdminServer(adminBackend().whole, { ...open, loopbackName: null });
    servers.push(server);
    await server.listen({ path });
    return server;
  };
  const ask = (): Promise<Answer> => send({ path }, 'GET /readyz HTTP/1.1\r\nHost: any\r\nConnection: close\r\n\r\n');
  const before = process.umask(0);
  const first = await listen().finally(() => process.umask(before));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal((await ask()).status, 200);
  await assert.rejects(listen(), { code: 'LISTEN_FAILED', message: /in use by another process/ });
  assert.equal((await ask()).status, 200);
  await first.close();
  assert.equal(existsSync(path), false);

  const bind = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  assert.equal(spawnSync(process.execPath, ['-e', bind]).signal, 'SIGKILL');
  assert.equal(existsSync(path), true);
  await (await listen()).close();

  writeFileSync(path, 'somebody’s file');
  await assert.rejects(listen(), { code: 'LISTEN_FAILED' });
  assert.equal(readFileSync(path, 'utf8'), 'somebody’s file');
  rmSync(home, { recursive: true });
});

test('every answer forbids storing, sniffing and framing', async () => {
  const { port } = await serve();
  for (const line of ['GET /api/state', 'GET /nowhere']) {
    const { head } = await request(port, line);
    for (const field of ['Cache-Control: no-store', 'X-Content-Type-Options: nosniff', "frame-ancestors 'none'"]) {
      assert.ok(head.includes(field), `${line}: ${field}`);
    }
  }
});

test('a write is audited with what became of it', async () => {
  const { port, audits } = await serve();
  await request(port, 'POST /api/reload');
  await request(port, 'POST /api/reload', ['Origin: http://evil.example']);
  assert.deepEqual(audits, ['POST /api/reload → done', 'POST /api/reload → refused: 403 Forbidden']);
});

test('a body over the limit is 413, a head over it 431', async () => {
  const { port } = await serve();
  assert.equal((await request(port, 'POST /api/explain', [], 'x'.repeat(70_000))).status, 413);
  assert.equal((await request(port, 'GET /livez', [`A: ${'a'.repeat(20_000)}`])).status, 431);
});

test('explain reads a description and says what is wrong with one', async () => {
  const { port } = await serve();
  const good = await request(
    port,
    'POST /api/explain',
    [],
    '{"url":"/x","headers":{"A":"b","C":["d","e"]},"listener":"web"}',
  );
  assert.deepEqual(JSON.parse(good.body), {
    request: {
      method: 'GET',
      url: '/x',
      headers: [
        ['A', 'b'],
        ['C', 'd'],
        ['C', 'e'],
      ],
      listener: 'web',
    },
  });
  const list = await request(port, 'POST /api/explain', [], '{"method":"PUT","url":"/x","headers":[["A","b"]]}');
  assert.deepEqual(JSON.parse(list.body).request.headers, [['A', 'b']]);
  for (const [body, detail] of [
    ['{', /must be JSON such as/],
    ['[]', /must be a JSON object/],
    ['{"url":1}', /url must be a string/],
    ['{"url":"/","method":1}', /method must be/],
    ['{"url":"/","listener":1}', /listener must be/],
    ['{"url":"/","headers":{"a":1}}', /both strings/],
    ['{"url":"/","headers":[["a"]]}', /both strings/],
    ['{"url":"/","headers":7}', /headers must be/],
    ['{"url":"/","header":{}}', /no member "header"/],
  ] as const) {
    const answer = await request(port, 'POST /api/explain', [], body);
    assert.equal(answer.status, 400, body);
    assert.match(JSON.parse(answer.body).detail, detail);
  }
});

test('a listener that does not exist is the caller’s mistake, a fault of ours is not shown', async () => {
  const { port: first } = await serve(
    {},
    {
      explain: () => {
        throw new RangeError('There is no listener wbe.');
      },
    },
  );
  const named = await request(first, 'POST /api/explain', [], '{"url":"/"}');
  assert.deepEqual([named.status, JSON.parse(named.body).detail], [400, 'There is no listener wbe.']);
  const { port, audits } = await serve(
    {},
    {
      state: () => {
        throw new Error('inner secret');
      },
    },
  );
  const fault = await request(port, 'GET /api/state');
  assert.equal(fault.status, 500);
  assert.doesNotMatch(fault.body, /inner secret/);
  assert.match(audits[0] ?? '', /failed: Error: inner secret/);
});

test('a rollback names a version or none', async () => {
  const { port, audits } = await serve();
  const restored = async (body: string): Promise<unknown> =>
    (JSON.parse((await request(port, 'POST /api/rollback', [], body)).body) as { restored?: unknown }).restored;
  assert.deepEqual([await restored(''), await restored('{}'), await restored('{"version":3}')], [null, null, 3]);
  for (const body of ['{', '[]', 'null', '{"version":"3"}', '{"version":1.5}', '{"verison":3}']) {
    assert.equal((await request(port, 'POST /api/rollback', [], body)).status, 400, body);
  }
  assert.equal(audits[0], 'POST /api/rollback → done');
});

test('probes say why not', async () => {
  const { port } = await serve({}, { notReady: () => 'draining', notAlive: () => 'no worker serves' });
  const [ready, live] = [await request(port, 'GET /readyz'), await request(port, 'GET /livez')];
  assert.deepEqual([ready.status, ready.body, live.status, live.body], [503, 'draining\n', 503, 'no worker serves\n']);
});

test('a refused reload is 422 with every problem', async () => {
  const refused = { kind: 'refused', cause: 'admin', version: 1, reason: 'a mistake', problems: ['f:1:2: x'] } as const;
  const { port, audits } = await serve({}, { reload: async () => refused });
  const answer = await request(port, 'POST /api/reload');
  const { status, detail, problems, version } = JSON.parse(answer.body);
  assert.deepEqual([answer.status, status, detail, problems, version], [422, 422, 'a mistake', ['f:1:2: x'], 1]);
  assert.deepEqual(audits, ['POST /api/reload → refused: a mistake']);
});

test('junk, a client that leaves and a connection that says nothing do not hurt', async () => {
  const { port } = await serve();
  assert.equal((await send({ port }, '\x16\x03\x01\r\n\r\n')).status, 400);
  const socket = connect({ host: '127.0.0.1', port });
  socket.write('POST /api/explain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nab', () =>
    socket.resetAndDestroy(),
  );
  await new Promise((resolve) => socket.once('close', resolve));
  assert.equal((await request(port, 'GET /livez')).status, 200);
});

test('what a connection asks ahead waits for its turn, and is not endless', async () => {
  let asked = 0;
  const [called, reloaded] = [Promise.withResolvers<void>(), Promise.withResolvers<ReloadOutcome>()];
  const reload = (): Promise<ReloadOutcome> => {
    called.resolve();
    return reloaded.promise;
  };
  const { port } = await serve({}, { reload, notAlive: () => (asked++, null) });
  const version = 'HTTP/1.1\r\nHost: localhost\r\n';
  const post = `POST /api/reload ${version}Content-Length: 0\r\n\r\n`;
  const alive = `GET /livez ${version}\r\n`;
  const answers = send({ port }, `${post}${alive}GET /livez ${version}Connection: close\r\n\r\n`);
  await called.promise;
  assert.equal((await request(port, 'GET /livez')).status, 200);
  assert.equal(asked, 1, 'those behind a reload under way are not asked yet');
  reloaded.resolve({ kind: 'unchanged', cause: 'admin', version: 1 });
  const { status, body } = await answers;
  assert.deepEqual([status, body.match(/HTTP\/1\.1 200/g)?.length, asked], [200, 2, 3]);
  const { port: other } = await serve({}, { reload: () => new Promise(() => {}) });
  assert.equal((await send({ port: other }, post + alive.repeat(8))).head, '', 'it is cut');
});

test('a changed token counts from the next request on', async () => {
  const { port, server } = await serve();
  assert.equal((await request(port, 'GET /api/state')).status, 200);
  server.policy = closed;
  assert.equal((await request(port, 'GET /api/state')).status, 401);
});

test('an apply names a file, and a trial its share and its time', async () => {
  const { port } = await serve();
  const apply = async (body: object): Promise<[number, string]> => {
    const { status, body: answer } = await request(port, 'POST /api/apply', [], JSON.stringify(body));
    return [status, (JSON.parse(answer) as { detail?: string }).detail ?? ''];
  };
  assert.equal((await apply({ file: '/a.yaml' }))[0], 200);
  const trial = '{"share":0.1,"watchMs":60000}';
  assert.deepEqual(await apply({ file: '/a.yaml', canary: '10%', watch: '60s' }), [422, `/a.yaml ${trial}`]);
  for (const [body, says] of [
    [{}, /absolute path/],
    [{ file: 'a.yaml' }, /absolute path/],
    [{ file: '/a', canary: '0%', watch: '1m' }, /above 0%/],
    [{ file: '/a', canary: '10%' }, /watch must be/],
    [{ file: '/a', watch: '10s' }, /canary must be/],
    [{ file: '/a', canary: '10%', watch: '10ms' }, /from 1s/],
    [{ file: '/a', share: 1 }, /no key "share"/],
  ] as const) {
    const [status, detail] = await apply(body);
    assert.equal(status, 400);
    assert.match(detail, says);
  }
});
