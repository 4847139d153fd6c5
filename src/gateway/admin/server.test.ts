import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { adminBackend } from '../../../test/admin-backend.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import type { ReloadOutcome } from '../control/events.ts';
import { AdminServer } from './server.ts';

import { type Answer, bearer, closed, open, request, send, serve, servers } from '../../../test/admin-server.ts';
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
  await request(port, 'POST /api/reload', [bearer]);
  await request(port, 'POST /api/reload', [bearer, 'Origin: http://evil.example']);
  await request(port, 'POST /api/reload');
  assert.deepEqual(audits, [
    'POST /api/reload → done',
    'POST /api/reload → refused: 403 Forbidden',
    'POST /api/reload → refused: 401 Unauthorized',
  ]);
});

test('RFC 6585 §5, RFC 9110 §15.5.14: a body over the limit is 413, a head over it 431', async () => {
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

test('what the gateway cannot do yet, or no longer, is told with a code, and is no fault', async () => {
  const early = () => {
    throw new SpillwayError('GATEWAY_STATE', 'The gateway is starting.');
  };
  const { port, audits } = await serve({}, { reload: early, apply: early, drain: early, metrics: early });
  const asked = [
    ['POST /api/reload', ''],
    ['POST /api/apply', '{"file":"/etc/next.yaml","canary":"10%","watch":"60s"}'],
    ['POST /api/drain', '{"endpoint":"10.0.0.1:80"}'],
    ['GET /metrics', ''],
  ] as const;
  for (const [line, body] of asked) {
    const answer = await request(port, line, [bearer], body);
    const { status, code, detail } = JSON.parse(answer.body) as Record<string, unknown>;
    assert.deepEqual([answer.status, status, code], [503, 503, 'GATEWAY_STATE'], answer.body);
    assert.match(String(detail), /^The gateway is starting\. .* \/readyz/);
    assert.match(answer.head, /^retry-after: 1\r$/im);
    assert.match(audits.at(-1) ?? '', /refused: The gateway is starting/);
  }
});

test('a rollback names a version or none', async () => {
  const { port, audits } = await serve();
  const restored = async (body: string): Promise<unknown> =>
    (JSON.parse((await request(port, 'POST /api/rollback', [bearer], body)).body) as { restored?: unknown }).restored;
  assert.deepEqual([await restored(''), await restored('{}'), await restored('{"version":3}')], [null, null, 3]);
  for (const body of ['{', '[]', 'null', '{"version":"3"}', '{"version":1.5}', '{"verison":3}']) {
    assert.equal((await request(port, 'POST /api/rollback', [bearer], body)).status, 400, body);
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
  const answer = await request(port, 'POST /api/reload', [bearer]);
  const { status, detail, problems, version } = JSON.parse(answer.body);
  assert.deepEqual([answer.status, status, detail, problems, version], [422, 422, 'a mistake', ['f:1:2: x'], 1]);
  assert.deepEqual(audits, ['POST /api/reload → refused: a mistake']);
});

test('RFC 9112 §9.5: junk, a client that leaves and a connection that says nothing do not hurt', async () => {
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
  const post = `POST /api/reload ${version}${bearer}\r\nContent-Length: 0\r\n\r\n`;
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
    const { status, body: answer } = await request(port, 'POST /api/apply', [bearer], JSON.stringify(body));
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
