/** Who may change a running gateway that no token was set for: real processes, of its user and of another. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { authorized, tokenOf } from '../../test/admin-token.ts';
import { CliProcess, type Exit, runCli } from '../../test/cli-process.ts';
import { apiPaths } from '../gateway/admin/api.ts';
import { exitCodes } from './exit-codes.ts';
import { findToken } from './found-token.ts';

const OTHER_USER = 65_534;
const folder = mkdtempSync(join(tmpdir(), 'spillway-found-token-'));
after(() => rmSync(folder, { recursive: true }));

let files = 0;

async function up(admin = '127.0.0.1:0', more = '') {
  const file = join(folder, `${++files}.yaml`);
  writeFileSync(
    file,
    `listeners: [{ name: web, address: "127.0.0.1:0" }]
services:
  - { name: shop, endpoints: ["127.0.0.1:1", "127.0.0.1:2"] }
  - { name: told, discovery: { api: true } }
routes: [{ service: shop }]
admin: { address: "${admin}" }
workers: 1
${more}
`,
  );
  const gateway = new CliProcess(['up', file]);
  await gateway.printed(/Ctrl-C drains/);
  const [, bound = ''] = /admin +(?:http:\/\/)?(\S+)/.exec(gateway.err) ?? [];
  const cli = (...args: string[]): Promise<Exit> => runCli([...args, '--admin', bound]);
  return { file, gateway, admin: bound, cli, [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose]() };
}

/** Everything that changes something. */
const changes: readonly (readonly [string, string, unknown])[] = [
  ['POST', '/api/reload', {}],
  ['POST', '/api/rollback', {}],
  ['POST', '/api/apply', { file: '/nowhere.yaml' }],
  ['POST', '/api/drain', { endpoint: '127.0.0.1:1' }],
  ['POST', '/api/undrain', { endpoint: '127.0.0.1:1' }],
  ['PUT', '/api/services/told/endpoints', ['127.0.0.1:3']],
  ['POST', '/api/services/told/endpoints', { address: '127.0.0.1:3' }],
  ['DELETE', '/api/services/told/endpoints/127.0.0.1:3', undefined],
  ['POST', '/api/slo/notes', { kind: 'incident' }],
  ['POST', '/api/slo/pass', { override: 'a first deploy' }],
];

test('without the token nothing can be changed, everything looked at, and telemetry pushed', async () => {
  await using running = await up();
  const { admin, gateway } = running;
  const ask = async (method: string, path: string, body: unknown, headers: object = {}): Promise<number> => {
    const text = body === undefined ? null : JSON.stringify(body);
    const type = { 'Content-Type': 'application/json', ...headers };
    return (await fetch(`http://${admin}${path}`, { method, headers: type, body: text })).status;
  };
  const writes = Object.values(apiPaths).flatMap(({ methods, role }) => (role === 'write' ? methods : []));
  assert.equal(changes.length, writes.length, 'one is not asked for here');
  for (const [method, path, body] of changes) {
    for (const headers of [{}, { Authorization: `Bearer spillway_${'a'.repeat(43)}` }])
      assert.equal(await ask(method, path, body, headers), 401, `${method} ${path}`);
    assert.notEqual(await ask(method, path, body, await authorized(admin)), 401, `${method} ${path}`);
  }
  for (const path of ['/api/state', '/api/slo', '/api/slo/ledger', '/api/changes', '/metrics', '/api/token'])
    assert.equal(await ask('GET', path, undefined), 200, path);
  assert.equal(await ask('POST', '/api/explain', { url: '/' }), 200);
  for (const path of ['/v1/traces', '/v1/metrics', '/v1/logs']) assert.equal(await ask('POST', path, {}), 200, path);
  await gateway.printed(/admin: POST \/api\/reload by api, no token, from 127\.0\.0\.1:\d+: refused: 401 Unauthorized/);
  await gateway.printed(/admin: POST \/api\/drain by api, made token, from \S+: done/);
});

test('commands of the same user find it, after its file was deleted too; it is nowhere to be read', async () => {
  await using running = await up('127.0.0.1:0', `data: ./kept-${files}`);
  const { admin, cli, gateway, file } = running;
  const kept = join(folder, `kept-${files - 1}`, 'admin-token');
  assert.equal(statSync(kept).mode & 0o777, 0o600);
  assert.ok(gateway.err.includes(`changing something takes a token, which is in ${kept}\n`), gateway.err);
  const first = await tokenOf(admin);
  assert.equal((await cli('reload')).code, exitCodes.ok);
  assert.equal((await cli('drain', '127.0.0.1:1')).code, exitCodes.ok);
  rmSync(kept);
  const back = await cli('undrain', '127.0.0.1:1');
  assert.equal(back.code, exitCodes.ok, back.err);
  const second = await tokenOf(admin);
  assert.notEqual(second, first);
  const stale = await fetch(`http://${admin}/api/reload`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${first}` },
  });
  assert.equal(stale.status, 401);
  writeFileSync(file, readFileSync(file, 'utf8').replace('127.0.0.1:2', '127.0.0.1:4'));
  await gateway.printed(/reloaded: config 2 is in use/);
  const rolled = await cli('rollback');
  assert.equal(rolled.code, exitCodes.ok, rolled.err);
  await gateway.printed(/admin: POST \/api\/rollback by cli, made token, from \S+: done/);
  const told = ['/api/state', '/api/changes', '/api/config/1', '/metrics', '/api/token', '/api/logs'];
  const texts = await Promise.all(told.map(async (path) => (await fetch(`http://${admin}${path}`)).text()));
  for (const text of [...texts, gateway.err, gateway.out, rolled.out, stale.statusText])
    for (const token of [first, second]) assert.ok(!text.includes(token));
});

test('it outlives the process', async () => {
  const data = 'data: ./outlives';
  const before = await (async () => {
    await using running = await up('127.0.0.1:0', data);
    return await tokenOf(running.admin);
  })();
  await using again = await up('127.0.0.1:0', data);
  assert.equal(await tokenOf(again.admin), before);
});

test('a socket takes it too, and its user has it', async () => {
  await using running = await up(`unix:${join(folder, 'admin.sock')}`);
  const { code, err } = await running.cli('reload');
  assert.equal(code, exitCodes.ok, err);
});

test('on a terminal, and there alone, the address is a link with the token', async () => {
  await using first = await up('127.0.0.1:0', 'data: ./terminal');
  const token = await tokenOf(first.admin);
  assert.ok(!first.gateway.err.includes(token));
  await first[Symbol.asyncDispose]();
  const command = [process.execPath, '--conditions=spillway-source', CliProcess.program, 'up', first.file].join(' ');
  await using again = new CliProcess(['-qec', command, '/dev/null'], { executable: 'script' });
  const [, pid] = await again.printed(/, pid (\d+)/, 'out');
  try {
    const [, port, shown] = await again.printed(/admin +http:\/\/127\.0\.0\.1:(\d+)\/#token=(\S+)/, 'out');
    assert.equal(shown, token);
    assert.equal(await tokenOf(`127.0.0.1:${port}`), token);
  } finally {
    // It is in a session of its own, and would outlive its terminal.
    process.kill(Number(pid), 'SIGKILL');
  }
  await again.exit;
});

// Node and the source are to be read by anybody; a user without a name needs a machine where one is root.
const isRoot = process.geteuid?.() === 0;
test('another user, or one who may not read the file, is refused and told what to do', async () => {
  await using running = await up();
  const { admin } = running;
  const { admin: state } = (await (await fetch(`http://${admin}/api/state`)).json()) as {
    admin: { madeToken: { file: string } };
  };
  const { file } = state.madeToken;
  const args = ['reload', '--admin', admin];
  const as = (uid: number): Promise<Exit> =>
    new CliProcess(
      ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups', process.execPath, ...execArguments, ...args],
      {
        executable: 'setpriv',
      },
    ).exit;
  const execArguments = ['--conditions=spillway-source', CliProcess.program];
  const { code, err } = isRoot ? await as(OTHER_USER) : (chmodSync(file, 0), await runCli(args));
  if (!isRoot) chmodSync(file, 0o600);
  assert.equal(code, exitCodes.unreachable, err);
  assert.ok(err.includes(`This user may not read ${file} (EACCES).`), err);
  assert.match(err, /--token-file, or set SPILLWAY_ADMIN_TOKEN/);
});

test('no token is shown to whoever pretends to be a gateway, nor another file than that of a token', async () => {
  await using running = await up();
  const token = join(folder, 'a-token');
  writeFileSync(token, `${await tokenOf(running.admin)}\n`, { mode: 0o600 });
  const connection = connect(Number(new URL(`http://${running.admin}`).port), '127.0.0.1');
  // Who has answered has accepted.
  connection.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(connection, 'data');
  after(() => connection.destroy());
  assert.equal((await findToken({ hostname: '127.0.0.1', connection }, token)).kind, 'token');
  const reasonOf = async (place: Parameters<typeof findToken>[0], file: string): Promise<string> => {
    const found = await findToken(place, file);
    return found.kind === 'none' ? found.reason : found.kind;
  };
  const here = { hostname: '127.0.0.1', connection };
  assert.match(await reasonOf({ hostname: '192.0.2.1', connection }, token), /not on this machine/);
  assert.match(await reasonOf({ hostname: 'shop.example', connection }, token), /not on this machine/);
  assert.match(await reasonOf(here, 'a-token'), /no absolute path/);
  assert.match(await reasonOf(here, join(folder, 'none')), /There is no file/);
  const secret = join(folder, 'secret');
  writeFileSync(secret, 'a-key-of-something-else\n', { mode: 0o600 });
  assert.match(await reasonOf(here, secret), /is no file with a token/);
  chmodSync(token, 0o644);
  assert.match(await reasonOf(here, token), /may be used by others/);
  chmodSync(token, 0o600);
  // There is no such connection.
  const gone = { localAddress: '127.0.0.1', localPort: 1, remoteAddress: '127.0.0.1', remotePort: 1 };
  assert.match(await reasonOf({ hostname: '127.0.0.1', connection: gone }, token), /Who answers there cannot be seen/);
  // One that wants another connection for the token: who is there then may be another.
  let [connections, asked] = [0, 0];
  const fickle = createServer((request, response) => {
    asked += 1;
    response.setHeader('Connection', 'close');
    response.end(JSON.stringify({ madeToken: { file: token } }));
    if (request.headers.authorization !== undefined) asked += 100;
  });
  fickle.on('connection', () => (connections += 1)).listen(join(folder, 'fickle.sock'));
  await once(fickle, 'listening');
  after(() => fickle.close());
  const { code: left, err: why } = await runCli(['reload', '--admin', `unix:${join(folder, 'fickle.sock')}`]);
  assert.equal(left, exitCodes.unreachable, why);
  assert.match(why, /it closed the connection on which it had answered/);
  assert.equal(asked, 1, `on ${connections} connections`);
  chmodSync(folder, 0o777);
  const open = { socketPath: join(folder, 'fickle.sock'), connection: {} };
  assert.match(await reasonOf(open, token), /Other users can put a socket in place of that one/);
  chmodSync(folder, 0o700);
  if (!isRoot) return;
  // A process of another user that says where a token of ours is, and waits.
  const heard = join(mkdtempSync(join(tmpdir(), 'spillway-other-')), 'heard');
  after(() => rmSync(join(heard, '..'), { recursive: true, force: true }));
  chmodSync(join(heard, '..'), 0o777);
  const program = `
    require('node:http').createServer((request, response) => {
      if (request.headers.authorization) require('node:fs').writeFileSync(${JSON.stringify(heard)}, '');
      response.end(JSON.stringify({ madeToken: { file: ${JSON.stringify(token)} } }));
    }).listen(0, '127.0.0.1', function () { console.log(this.address().port); });`;
  const user = ['--reuid', `${OTHER_USER}`, '--regid', `${OTHER_USER}`, '--clear-groups'];
  await using other = new CliProcess([...user, process.execPath, '-e', program], { executable: 'setpriv' });
  const [listening] = await other.printed(/\d+/, 'out');
  const { code, err } = await runCli(['reload', '--admin', `127.0.0.1:${listening}`]);
  assert.equal(code, exitCodes.unreachable, err);
  assert.match(err, /Another user answers there than the one whose file that is/);
  assert.equal(existsSync(heard), false);
});

test('a gateway whose token is in memory alone says so, and what to do', async () => {
  const blocked = join(folder, 'blocked');
  writeFileSync(blocked, '');
  const file = join(folder, 'memory.yaml');
  writeFileSync(
    file,
    `listeners: [{ name: web, address: "127.0.0.1:0" }]
routes: [{ redirect: { to: "https://shop.example" } }]
admin: { address: "127.0.0.1:0" }
workers: 1
`,
  );
  await using gateway = new CliProcess(['up', file], { environment: { XDG_STATE_HOME: blocked } });
  await gateway.printed(/Ctrl-C drains/);
  await gateway.printed(/The admin token is in memory alone.*Set `data`/);
  assert.match(gateway.err, /changing something takes a token, which is in memory alone/);
  assert.doesNotMatch(gateway.err, /spillway_[A-Za-z0-9_-]{43}/);
  const [, admin = ''] = /admin +http:\/\/(\S+)/.exec(gateway.err) ?? [];
  const { code, err } = await runCli(['reload', '--admin', admin]);
  assert.equal(code, exitCodes.unreachable);
  assert.match(err, /the token that the gateway has in memory alone/);
});
