/** `spillway up` as a real process, with real servers, signals and files. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { CliProcess, type Exit, runCli } from '../../test/cli-process.ts';
import { freePort } from '../../test/ports.ts';
import { exitCodes, signalExitCodes } from './exit-codes.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-up-'));
after(() => rmSync(folder, { recursive: true }));

let files = 0;

/** A config file with free ports: its listener and admin are read from the screen. */
function config(endpoints: readonly string[], more = '', address = '127.0.0.1:0'): string {
  const file = join(folder, `${++files}.yaml`);
  writeFileSync(file, configText(endpoints, more, address));
  return file;
}

function configText(endpoints: readonly string[], more = '', address = '127.0.0.1:0'): string {
  return `
listeners: [{ name: web, address: "${address}" }]
services:
  - name: shop
    endpoints: [${endpoints.join(', ')}]
    health: { active: { path: /health, interval: 1s, timeout: 1s, unhealthyAfter: 1 } }
routes: [{ service: shop }]
admin: { address: 127.0.0.1:0 }
workers: 1
${more}
`;
}

interface Origin extends AsyncDisposable {
  readonly address: string;
  stop(): Promise<void>;
}

/** `null` is no answer, ever. */
async function origin(answer: (path: string) => string | null | Promise<string>, given?: number): Promise<Origin> {
  const port = given ?? (await freePort());
  const server = createServer((request, response) => {
    void Promise.resolve(request.url === '/health' ? 'up' : answer(request.url ?? '')).then(
      (body) => body !== null && response.end(body),
    );
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const stop = (): Promise<void> => {
    server.closeAllConnections();
    return new Promise((resolve) => void server.close(() => resolve()));
  };
  return { address: `127.0.0.1:${port}`, stop, [Symbol.asyncDispose]: stop };
}

async function fetchText(url: string): Promise<string> {
  return (await fetch(url)).text();
}

/** The addresses on the screen, once it is there. */
async function running(gateway: CliProcess): Promise<{ web: string; admin: string }> {
  await gateway.printed(/Ctrl-C drains/);
  const web = /listener +web +(http:\S+)/.exec(gateway.err)?.[1];
  const admin = /admin +http:\/\/(\S+)/.exec(gateway.err)?.[1];
  assert.ok(web !== undefined && admin !== undefined, gateway.err);
  return { web, admin };
}

test('the screen has listeners, routes, services and endpoints; requests go through; SIGTERM ends it with 0', async () => {
  await using shop = await origin(() => 'hello');
  await using gateway = new CliProcess(['up', config([shop.address])]);
  const { web } = await running(gateway);
  assert.match(gateway.err, /^ {2}route {11}any host any path {2}→ shop\n/m);
  assert.match(gateway.err, /^ {2}service {3}shop {2}round-robin {2}127\.0\.0\.1:\d+\n/m);
  assert.equal(await fetchText(web), 'hello');
  assert.equal(gateway.out, '', 'stdout is for the access log');
  gateway.child.kill('SIGTERM');
  const { code, err } = await gateway.exit;
  assert.equal(code, exitCodes.ok, err);
  assert.match(err, /draining[^]*stopped/);
});

test('what is said while it starts comes after the screen', async () => {
  const folders = configText(['127.0.0.1:1']).replace('name: web', 'name: web, trustedProxies: [0.0.0.0/0]');
  const file = join(folder, 'warned.yaml');
  writeFileSync(file, folders);
  await using gateway = new CliProcess(['up', file]);
  await gateway.printed(/Changes follow, one a line\.\n[^]*everyone is trusted/);
  assert.doesNotMatch(gateway.err, /everyone is trusted[^]*Changes follow/);
});

test('the screen says where a route leads that leads to several services, or to none', async () => {
  const file = join(folder, 'shapes.yaml');
  const routes = `
  - { name: try, match: { path: /try/*, methods: [GET] }, split: { arms: [{ service: shop, weight: 9 }, { service: new-shop, weight: 1 }] } }
  - { match: { path: /old }, redirect: { to: /new } }
  - { match: { path: /tea }, respond: { status: 418 } }
`;
  const services = 'services: [{ name: shop, endpoints: [127.0.0.1:1] }, { name: new-shop, endpoints: [127.0.0.1:2] }]';
  const listeners = 'listeners: [{ name: web, address: 127.0.0.1:0 }]\nworkers: 1';
  writeFileSync(file, `${listeners}\n${services}\nroutes:${routes}`);
  await using gateway = new CliProcess(['up', file]);
  await gateway.printed(/Ctrl-C drains/);
  assert.match(gateway.err, /^ {2}route {5}try +any host \/try\/\* method is GET +→ shop 90 %, new-shop 10 %$/m);
  assert.match(gateway.err, /^ +any host \/old +→ 308 \/new$/m);
  assert.match(gateway.err, /^ +any host \/tea +→ 418$/m);
  assert.match(gateway.err, /^ {2}service {3}shop {6}round-robin {2}127\.0\.0\.1:1\n +new-shop {2}round-robin {2}127/m);
});

test('says when an endpoint goes down and why, and when it is back', async () => {
  await using shop = await origin(() => 'hello');
  await using gateway = new CliProcess(['up', config([shop.address])]);
  await running(gateway);
  await shop.stop();
  await gateway.printed(/\d\d:\d\d:\d\d endpoint \S+ of shop is down: connection (refused|reset)/);
  await using _again = await origin(() => 'hello', Number(shop.address.split(':')[1]));
  await gateway.printed(/\d\d:\d\d:\d\d endpoint \S+ of shop is up after \S+: status 200/);
});

test('SIGHUP applies a changed file; a bad one is refused and says why', async () => {
  await using first = await origin(() => 'first');
  await using second = await origin(() => 'second');
  const file = config([first.address]);
  await using gateway = new CliProcess(['up', file]);
  const { web } = await running(gateway);
  writeFileSync(file, configText([second.address]));
  gateway.child.kill('SIGHUP');
  await gateway.printed(new RegExp(`reloaded: config 2 is in use\\n +service shop: endpoint ${first.address} removed`));
  assert.equal(await fetchText(web), 'second');
  writeFileSync(file, configText([second.address]).replace('workers: 1', 'wrokers: 1'));
  gateway.child.kill('SIGHUP');
  await gateway.printed(/reload refused, config 2 goes on[^]*wrokers[^]*Did you mean workers\?/);
  assert.equal(await fetchText(web), 'second');
});

test('a request that runs is finished by a drain, and cut by a second signal', async () => {
  const asked = Promise.withResolvers<void>();
  await using shop = await origin((path) => {
    if (path !== '/slow') return 'hello';
    asked.resolve();
    return null;
  });
  await using gateway = new CliProcess(['up', config([shop.address])]);
  const { web } = await running(gateway);
  const cut = Promise.withResolvers<string>();
  get(`${web}/slow`, () => cut.resolve('answered')).on('error', () => cut.resolve('cut'));
  await asked.promise;
  gateway.child.kill('SIGINT');
  await gateway.printed(/draining/);
  assert.equal(gateway.child.exitCode, null);
  const { code, signal } = await pressUntilEnd(gateway);
  // To a shell it is the same: on a busy machine the workers take longer than a second, and are not waited for.
  assert.equal(signal ?? code, signal === null ? signalExitCodes.SIGINT : 'SIGINT');
  assert.equal(await cut.promise, 'cut');
});

/** As a person does who presses Ctrl-C until something happens. */
async function pressUntilEnd(gateway: CliProcess): Promise<Exit> {
  const pressing = setInterval(() => gateway.child.kill('SIGINT'), 50);
  return gateway.exit.finally(() => clearInterval(pressing));
}

test('Ctrl-C that arrives twice at once, as under npx, is one: what runs is finished', async () => {
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<string>();
  await using shop = await origin(() => {
    asked.resolve();
    return answer.promise;
  });
  // One signal for both: two of a kind that wait are one to the kernel.
  const program = `
    import { processIo } from ${JSON.stringify(import.meta.resolve('./process-io.ts'))};
    import { runGateway } from ${JSON.stringify(import.meta.resolve('./up.ts'))};
    process.on('SIGUSR1', () => void (process.emit('SIGINT'), process.emit('SIGINT')));
    process.exitCode = await runGateway(process.argv[1], processIo());`;
  const args = ['--input-type=module', '-e', program, config([shop.address])];
  await using gateway = new CliProcess(args, { executable: process.execPath });
  const { web } = await running(gateway);
  const text = fetchText(web);
  await asked.promise;
  gateway.child.kill('SIGUSR1');
  await gateway.printed(/draining/);
  answer.resolve('finished');
  assert.equal(await text, 'finished');
  assert.equal((await gateway.exit).code, exitCodes.ok);
});

test('a port that is taken is 3, named, and no stack', async () => {
  const taken = createTcpServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as AddressInfo;
  const { code, err } = await runCli(['up', config(['127.0.0.1:1'], '', `127.0.0.1:${port}`)]);
  assert.equal(code, exitCodes.cannotRun, err);
  assert.match(err, new RegExp(`web.*${port}`));
  assert.doesNotMatch(err, /^\s+at /m);
  await new Promise((resolve) => taken.close(resolve));
});

test('a config with mistakes lists them and is 1', async () => {
  const { code, err } = await runCli(['up', config(['127.0.0.1:99999'], 'wrokers: 2')]);
  assert.equal(code, exitCodes.no);
  assert.match(err, /:\d+:\d+: .*99999/);
  assert.match(err, /Did you mean workers\?/);
  assert.doesNotMatch(err, /^\s+at /m);
});

test('explain asks a running gateway what it knows now', async () => {
  await using shop = await origin(() => 'hello');
  await using gateway = new CliProcess(['up', config([shop.address, '127.0.0.1:1'])]);
  const { admin } = await running(gateway);
  await gateway.printed(/127\.0\.0\.1:1 of shop is down/);
  const { code, out } = await runCli(['explain', 'http://any.example/x', '--admin', admin]);
  assert.equal(code, exitCodes.ok, out);
  assert.match(out, /✗ 127\.0\.0\.1:1 .*down/);
  assert.match(out, new RegExp(`sends it to ${shop.address}`));
  const wrong = await runCli(['explain', '/', '--listener', 'wbe', '--admin', admin]);
  assert.equal(wrong.code, exitCodes.usage, wrong.err);
});

test('explain needs the token of an admin API that has one', async () => {
  const token = 'a-token-of-some-length';
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
  const file = config(['127.0.0.1:1']);
  writeFileSync(
    file,
    configText(['127.0.0.1:1']).replace(
      'admin: { address: 127.0.0.1:0 }',
      `admin: { address: 127.0.0.1:0, token: ${token} }`,
    ),
  );
  await using gateway = new CliProcess(['up', file]);
  const { admin } = await running(gateway);
  const without = await runCli(['explain', '/', '--admin', admin]);
  assert.equal(without.code, exitCodes.unreachable);
  assert.match(without.err, /token/);
  const environment = { SPILLWAY_ADMIN_TOKEN: token };
  assert.equal((await runCli(['explain', '/', '--admin', admin, '--json'], { environment })).err, '');
  assert.equal((await runCli(['explain', '/', '--admin', admin, '--json', '--token-file', tokenFile])).err, '');
});

test('the admin API on a socket, with tokens from a file and from the environment, none of which is ever shown', async () => {
  const [all, reading] = ['everything-0123456789', 'reading-0123456789'];
  writeFileSync(join(folder, 'all'), `${all}\n`, { mode: 0o600 });
  const file = config([]);
  const admin = 'admin: { address: "unix:admin.sock", token: "file:all", readToken: "env:READ_TOKEN" }';
  writeFileSync(file, configText(['127.0.0.1:1']).replace('admin: { address: 127.0.0.1:0 }', admin));
  const unset = await runCli(['check', file]);
  assert.match(unset.out, /the environment variable READ_TOKEN is not set/);
  await using gateway = new CliProcess(['up', file], { environment: { READ_TOKEN: reading } });
  await gateway.printed(/Ctrl-C drains/);
  const socket = `unix:${join(folder, 'admin.sock')}`;
  assert.ok(gateway.err.includes(`admin           ${socket}\n`), gateway.err);
  const explain = (token: string): Promise<Exit> =>
    runCli(['explain', '/', '--admin', socket, '--json'], { environment: { SPILLWAY_ADMIN_TOKEN: token } });
  assert.equal((await explain('something-else-012')).code, exitCodes.unreachable);
  assert.equal((await explain(reading)).err, '');
  writeFileSync(join(folder, 'all'), 'another-0123456789\n', { mode: 0o600 });
  await gateway.printed(/config 2 is in use\n +admin: tokens changed/);
  assert.equal((await explain(all)).code, exitCodes.unreachable);
  assert.equal((await explain('another-0123456789')).err, '');
  gateway.child.kill('SIGTERM');
  const { err, out } = await gateway.exit;
  assert.doesNotMatch(err + out, /0123456789/);
  assert.equal(existsSync(join(folder, 'admin.sock')), false);
});

test('reload reads the file again and says what came of it', async () => {
  await using shop = await origin(() => 'hello');
  const file = config([shop.address]);
  await using gateway = new CliProcess(['up', file]);
  const { web, admin } = await running(gateway);
  const reload = (): Promise<Exit> => runCli(['reload', '--admin', admin]);
  const same = await reload();
  assert.deepEqual([same.code, same.out], [exitCodes.ok, 'reloaded: nothing changed\n']);
  writeFileSync(file, configText([shop.address]).replace('workers: 1', 'wrokers: 1'));
  const refused = await reload();
  assert.equal(refused.code, exitCodes.no);
  assert.match(refused.err, /^reload refused, config 1 goes on: /);
  assert.match(refused.err, /Did you mean workers\?/);
  assert.equal(await fetchText(web), 'hello');
  gateway.child.kill('SIGTERM');
  await gateway.exit;
  assert.equal((await reload()).code, exitCodes.unreachable);
});

test('apply puts another file in force, on trial first if asked', async () => {
  await using first = await origin(() => 'first');
  await using second = await origin(() => 'second');
  const file = config([first.address]);
  const next = join(dirname(file), 'next.yaml');
  await using gateway = new CliProcess(['up', file]);
  const { web, admin } = await running(gateway);
  const apply = (...args: string[]): Promise<Exit> => runCli(['apply', next, ...args, '--admin', admin]);
  const missing = await apply();
  assert.equal(missing.code, exitCodes.no);
  assert.match(missing.err, /next\.yaml/);
  writeFileSync(next, configText([second.address]));
  assert.equal((await apply('--canary', '10%')).code, exitCodes.usage);
  const wrong = await apply('--canary', '200%', '--watch', '1s');
  assert.equal(wrong.code, exitCodes.usage);
  assert.match(wrong.err, /canary must be a percentage/);
  // Nobody asks anything: nothing is proved.
  const quiet = await apply('--canary', '50%', '--watch', '1s');
  assert.equal(quiet.code, exitCodes.no, quiet.out);
  assert.match(quiet.err, /next\.yaml is taken back: only 0 requests came its way/);
  assert.equal(await fetchText(web), 'first');
  const done = await apply();
  assert.equal(done.code, exitCodes.ok, done.err);
  assert.match(done.out, /^reloaded: config 2 is in use\n/);
  assert.equal(await fetchText(web), 'second');
});

test('history lists what was in force and rollback puts it back, until the file is applied again', async () => {
  await using first = await origin(() => 'first');
  await using second = await origin(() => 'second');
  const file = config([first.address]);
  await using gateway = new CliProcess(['up', file]);
  const { web, admin } = await running(gateway);
  const cli = (...args: string[]): Promise<Exit> => runCli([...args, '--admin', admin]);
  const none = await cli('rollback');
  assert.equal(none.code, exitCodes.no);
  assert.match(
    none.err,
    /rollback refused, config 1 goes on: There is no config before this one to go back to: only 1 is kept/,
  );

  writeFileSync(file, configText([second.address], 'drainTimeout: 5s').replace('workers: 1', 'workers: 2'));
  await gateway.printed(/config 2 is in use\n(.*\n)+ +not in effect yet: workers: 1 run until the next start, then 2/);
  assert.equal(await fetchText(web), 'second');
  const back = await cli('rollback');
  assert.equal(back.code, exitCodes.ok, back.err);
  assert.match(back.out, /^rolled back to config 1: config 3 is in use\n/);
  assert.ok(back.out.includes(`  service shop: endpoint ${second.address} removed\n`), back.out);
  assert.match(back.out, /The file still says otherwise: its next change, or SIGHUP, applies it again\.\n$/);
  assert.equal(await fetchText(web), 'first');

  const { out } = await cli('history');
  const [third = '', secondLine = '', firstLine = ''] = out.split('\n').filter((line) => /^ +\d+ /.test(line));
  assert.match(third, /^ +3 .* config 1 again {2}in use$/);
  assert.match(secondLine, /^ +2 .* file$/);
  assert.match(firstLine, /^ +1 .* start$/);
  assert.match(out, /drainTimeout 25s → 5s[^]*drainTimeout|drainTimeout 5s → 25s[^]*drainTimeout/);
  const list = JSON.parse((await cli('history', '--json')).out) as { fingerprint: string }[];
  assert.equal(list[0]?.fingerprint, list[2]?.fingerprint);
  assert.notEqual(list[0]?.fingerprint, list[1]?.fingerprint);

  const wrong = await cli('rollback', '9');
  assert.equal(wrong.code, exitCodes.no);
  assert.match(wrong.err, /There is no config 9 to go back to: 1 to 3 are kept/);
  gateway.child.kill('SIGHUP');
  await gateway.printed(/reloaded: config 4 is in use/);
  assert.equal(await fetchText(web), 'second');
});

test('a screen that nobody reads any more does not end the gateway', async () => {
  await using shop = await origin(() => 'hello');
  await using gateway = new CliProcess(['up', config([shop.address])]);
  const { web } = await running(gateway);
  gateway.child.stdout?.destroy();
  gateway.child.stderr?.destroy();
  gateway.child.kill('SIGHUP'); // has something to say
  for (let sent = 0; sent < 20; sent++) assert.equal(await fetchText(web), 'hello');
  gateway.child.kill('SIGTERM');
  assert.equal((await gateway.exit).code, exitCodes.ok);
});

test('stdout is the access log alone, and its reader may leave', async () => {
  await using shop = await origin(() => 'hello');
  const file = config([shop.address], 'accessLog: stdout');
  const pipeline = ['-c', '"$0" "$@" | head -n 1', process.execPath, CliProcess.program, 'up', file];
  await using gateway = new CliProcess(pipeline, { executable: 'sh' });
  const { web } = await running(gateway);
  assert.equal(await fetchText(web), 'hello');
  const [line] = await gateway.printed(/.*\n/, 'out');
  assert.equal((JSON.parse(line) as { status: number }).status, 200);
  // `head` has left: what is written now meets EPIPE.
  for (let sent = 0; sent < 20; sent++) assert.equal(await fetchText(web), 'hello');
  const pid = Number(/pid (\d+)/.exec(gateway.err)?.[1]);
  process.kill(pid, 'SIGTERM');
  const { err } = await gateway.exit;
  assert.match(err, /stopped/);
});
