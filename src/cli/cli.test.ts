/** The commands that end by themselves, as real processes. `up` is in up.test.ts. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runCli } from '../../test/cli-process.ts';
import { packageVersion } from '../kernel/version.ts';
import { exitCodes } from './exit-codes.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-cli-'));
after(() => rmSync(folder, { recursive: true }));

const good = `
listeners: [{ name: web, address: 127.0.0.1:8080 }]
services:
  - { name: shop, endpoints: [127.0.0.1:9001, { address: 127.0.0.1:9002, weight: 0 }] }
routes:
  - { match: { host: shop.example, path: /api/* }, service: shop }
`;

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

const run = (...args: string[]) => runCli(args, { cwd: folder });

function noStack(text: string): void {
  assert.doesNotMatch(text, /^\s+at |node:internal|Error:/m);
}

test('--version, --help and no command at all', async () => {
  const version = await run('--version');
  assert.equal(version.out, `${packageVersion()}\n`);
  assert.equal(version.code, exitCodes.ok);
  const help = await run('--help');
  assert.equal(help.code, exitCodes.ok);
  assert.match(help.out, /up {2,}Run the gateway/);
  const nothing = await run();
  assert.equal(nothing.code, exitCodes.usage);
  assert.equal(nothing.err, help.out);
});

test('every command has a help', async () => {
  const { out: overview } = await run('--help');
  const commands = [...overview.matchAll(/^ {2}([a-z]+) {2}/gm)].map(([, command = '']) => command);
  assert.ok(commands.length >= 8, overview);
  for (const command of commands) {
    const { code, out } = await run(command, '--help');
    assert.equal(code, exitCodes.ok);
    assert.match(out, new RegExp(`^Usage: spillway ${command}`));
    for (const line of out.split('\n')) assert.ok(line.length <= 80, line);
    assert.equal((await run('help', command)).out, out);
  }
});

test('a wrong command or option gets the nearest name', async () => {
  const command = await run('chek');
  assert.equal(command.code, exitCodes.usage);
  assert.match(command.err, /no command "chek". Did you mean check\?/);
  const option = await run('check', '--jsno');
  assert.equal(option.code, exitCodes.usage);
  assert.match(option.err, /no option --jsno. Did you mean --json\?/);
  noStack(command.err + option.err);
});

test('check: a valid file is 0, in words and as JSON', async () => {
  const name = file('spillway.yaml', good);
  const words = await run('check');
  assert.equal(words.code, exitCodes.ok);
  assert.match(words.err, /spillway\.yaml: ok/);
  const json = await run('check', name, '--json');
  assert.equal(json.code, exitCodes.ok);
  const answer = JSON.parse(json.out) as { file: string; valid: boolean; mistakes: unknown[] };
  assert.equal(answer.file, name);
  assert.equal(answer.valid, true);
  assert.ok(Array.isArray(answer.mistakes));
});

test('check: every mistake has its place, and the exit code is 1', async () => {
  const name = file('bad.yaml', good.replace('service: shop', 'service: shp').replace('name: web', 'nmae: web'));
  const words = await run('check', name);
  assert.equal(words.code, exitCodes.no);
  assert.match(words.out, /^bad\.yaml:2:\d+: .*nmae.*Did you mean name\?/m);
  assert.match(words.out, /^bad\.yaml:6:\d+: .*shp.*Did you mean shop\?/m);
  noStack(words.out + words.err);
  const json = await run('check', name, '--json');
  assert.equal(json.code, exitCodes.no);
  const { valid, mistakes } = JSON.parse(json.out) as {
    valid: boolean;
    mistakes: { line: number; suggestion: string }[];
  };
  assert.equal(valid, false);
  assert.ok(mistakes.some(({ line, suggestion }) => line === 6 && suggestion === 'shop'));
});

test('a file that is not there is a mistake, not a crash', async () => {
  for (const command of ['check', 'up']) {
    const { code, err } = await run(command, 'nowhere.yaml');
    assert.equal(code, exitCodes.no);
    assert.match(err, /nowhere\.yaml/);
    noStack(err);
  }
});

test('check --json is JSON also of a file that is not there, or none', async () => {
  const empty = mkdtempSync(join(folder, 'empty-'));
  for (const [args, name] of [
    [['nowhere.yaml'], 'nowhere.yaml'],
    [[], null],
  ] as const) {
    const { code, out, err } = await runCli(['check', '--json', ...args], { cwd: empty });
    assert.equal(code, exitCodes.no);
    assert.equal(err, '');
    const answer = JSON.parse(out) as { file: string | null; valid: boolean; mistakes: { message: string }[] };
    assert.deepEqual([answer.file, answer.valid, answer.mistakes.length], [name, false, 1]);
    assert.match(answer.mistakes[0]!.message, name === null ? /no spillway\.yaml/ : /does not exist/);
  }
});

test('without a file in the folder, the message says what was looked for', async () => {
  const empty = mkdtempSync(join(folder, 'empty-'));
  const { code, err } = await runCli(['check'], { cwd: empty });
  assert.equal(code, exitCodes.no);
  assert.match(err, /no spillway\.yaml.*spillway init/);
});

test('init writes a file that check accepts, and never overwrites one unasked', async () => {
  const made = mkdtempSync(join(folder, 'init-'));
  const here = (...args: string[]) => runCli(args, { cwd: made });
  assert.equal((await here('init')).code, exitCodes.ok);
  const checked = await here('check');
  assert.equal(checked.code, exitCodes.ok, checked.out);
  writeFileSync(join(made, 'spillway.yaml'), '# mine\n');
  const again = await here('init');
  assert.equal(again.code, exitCodes.no);
  assert.match(again.err, /exists already.*--force/);
  assert.equal(readFileSync(join(made, 'spillway.yaml'), 'utf8'), '# mine\n');
  assert.equal((await here('init', '--force')).code, exitCodes.ok);
  assert.equal((await here('init', 'no-such-folder/spillway.yaml')).code, exitCodes.cannotRun);
  assert.equal((await here('init', 'spillway.toml')).code, exitCodes.usage);
});

test('explain: 0 if an endpoint would get it, 1 if it would be refused', async () => {
  const name = file('spillway.yaml', good);
  const wins = await run('explain', 'GET http://shop.example:8080/api/x?y=1', '-H', 'X-A: b');
  assert.equal(wins.code, exitCodes.ok, wins.err);
  assert.match(wins.out, /✓ shop\.example \/api\/\*/);
  assert.match(wins.out, /✓ 127\.0\.0\.1:9001/);
  assert.match(wins.out, /✗ 127\.0\.0\.1:9002 .*weight 0/);
  const lost = await run('explain', 'http://other.example/api/x', '--file', name);
  assert.equal(lost.code, exitCodes.no);
  assert.match(lost.out, /host other\.example is not shop\.example/);
  assert.match(lost.out, /refused: 404 no_route/);
  const json = await run('explain', 'POST', 'http://shop.example/api', '--json');
  assert.equal((JSON.parse(json.out) as { route: string }).route, 'shop.example /api/*');
});

test('explain --client: routes that look at the address', async () => {
  const office = good.replace('/api/*', '/api/*, clients: [10.0.0.0/8]');
  file('spillway.yaml', office);
  const url = 'http://shop.example/api/x';
  assert.equal((await run('explain', url)).code, exitCodes.no);
  assert.equal((await run('explain', url, '--client', '10.1.2.3')).code, exitCodes.ok);
});

test('explain: a wrong question is a usage error', async () => {
  file('spillway.yaml', good);
  for (const args of [
    [],
    ['GET a b'],
    ['/', '-H', 'nocolon'],
    ['/', '--admin', '127.0.0.1:1', '--file', 'x'],
    ['/', '--listener', 'wbe'],
    ['/', '--client', '10.0.0'],
  ]) {
    const { code, err } = await run('explain', ...args);
    assert.equal(code, exitCodes.usage, args.join(' '));
    noStack(err);
  }
});

test('explain --admin: nobody there, or somebody else, is 4', async () => {
  const nobody = await run('explain', '/', '--admin', '127.0.0.1:1');
  assert.equal(nobody.code, exitCodes.unreachable);
  assert.match(nobody.err, /127\.0\.0\.1:1: connection refused/);
  noStack(nobody.err);
  for (const body of ['<html>', '{}', 'null', '[1]']) {
    const other = createServer((_request, response) => response.end(body));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const answer = await run('explain', '/', '--admin', `127.0.0.1:${port}`);
    assert.equal(answer.code, exitCodes.unreachable, body);
    noStack(answer.err);
    other.close();
  }
});

test('a config cannot drive the terminal', async () => {
  const name = file('evil.yaml', good.replace('service: shop', 'service: "\\e]0;title\\a\\e[31m"'));
  const { out, err } = await run('check', name);
  // eslint-disable-next-line no-control-regex -- the point of the test
  assert.doesNotMatch(out + err, /[\u0000-\u0009\u000B-\u001F\u007F-\u009F]/);
});

test('docs/cli.md has every exit code', () => {
  const text = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  const listed = [...text.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  assert.deepEqual(listed, Object.values(exitCodes));
});
