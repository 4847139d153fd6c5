/**
 * What the README and the guides show is true: the tour's commands are executed exactly as written, in a copy of the tree,
 * and print what is shown; programs run; whole configs are valid.
 *
 * In a `console` block a line that begins with `$ ` is a command for sh, the lines after it are what it prints; `…` stands for
 * anything within a line, and a line of its own for any lines. Serial, because the tour uses the quickstart's ports.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { parseConfig } from '../src/gateway/config/index.ts';
import { parseSlos } from '../src/observe/index.ts';
import { serverPath } from '../scripts/servers.ts';
import { CliProcess } from './cli-process.ts';
import { PostgresServer } from './servers/postgres.ts';
import { RedisServer } from './servers/redis.ts';

const root = resolve(import.meta.dirname, '..');
const pages = ['README.md', ...globSync('docs/guides/*.md', { cwd: root })];
const clone = mkdtempSync(join(tmpdir(), 'spillway-readme-'));
after(() => rmSync(clone, { recursive: true }));

// What a program of a guide finds under the address that its text reads.
const redis = await RedisServer.start();
after(() => redis[Symbol.asyncDispose]());
const postgres = await PostgresServer.start();
after(() => postgres[Symbol.asyncDispose]());

// npx prepares the package that it finds itself in, as it does in a checkout.
for (const part of ['src', 'bin', 'examples', 'scripts', 'package.json', 'tsconfig.json']) {
  cpSync(join(root, part), join(clone, part), { recursive: true });
}
symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'));

/** The environment of a person's shell: nothing that npm or the test runner put there. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_(TEST|OPTIONS)|^INIT_CWD$|^FORCE_COLOR$/i.test(name)),
);

function blocks(page: string, language: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(([, block = '']) => block);
}

/** `…` within a line is anything in it; alone on a line, any lines. */
function expected(text: string): RegExp {
  const escaped = text
    .trimEnd()
    .split('\n')
    .map((line) =>
      line === '…'
        ? '[^]*?'
        : line
            .trimEnd()
            .replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
            .replaceAll('…', '.*'),
    );
  return new RegExp(`^${escaped.join('\\s*?\\n')}\\s*$`);
}

/** What a command prints, in the copy of the tree. */
function shell(command: string): string {
  const done = spawnSync('sh', ['-c', `exec 2>&1; ${command}`], { cwd: clone, env: environment, encoding: 'utf8' });
  // npm speaks of itself: of the machine's Node, of its own next version.
  return done.stdout.replaceAll(/^npm (warn|notice).*\n/gm, '');
}

test('the tour of the README, command by command', async () => {
  await using start = new CliProcess(['start'], { executable: 'npm', cwd: clone, environment });
  await start.printed(/Try, in another terminal/);
  let commands = 0;
  for (const block of blocks('README.md', 'console')) {
    for (const step of block.split(/^\$ /m).slice(1)) {
      const [command = '', ...output] = step.split('\n');
      assert.match(shell(command), expected(output.join('\n')), command);
      commands++;
    }
  }
  assert.ok(commands >= 6, 'the tour has gone missing');
  await start.printed(
    /endpoint 127\.0\.0\.1:9002 of shop is down: (\d+ errors in a row: 502 )?connection (refused|reset)/,
  );
  await start.printed(/reloaded: config 2 is in use[^]*9001[^]*weight/);
  await start.printed(/endpoint 127\.0\.0\.1:9002 of shop is up after/);
  const pid = Number(/pid (\d+)/.exec(start.err)?.[1]);
  process.kill(pid, 'SIGTERM');
  const { code, err } = await start.exit;
  assert.equal(code, 0, err);
  assert.doesNotMatch(err, /failed: \d|broken: \d|status 5\d\d/, 'no demo request may fail');
});

test('every whole config in the README and the guides is valid', () => {
  let configs = 0;
  for (const page of pages) {
    for (const block of blocks(page, 'yaml').filter((text) => text.startsWith('listeners:'))) {
      const { config, mistakes } = parseConfig(block, { file: page });
      assert.notEqual(config, null, `${page}: ${JSON.stringify(mistakes)}\n${block}`);
      assert.deepEqual(mistakes, [], page);
      configs++;
    }
  }
  assert.ok(configs >= 5);
});

test('the guide to objectives: its files are valid, and its commands print what is shown', () => {
  serverPath('prometheus');
  const page = 'docs/guides/slo.md';
  const files = blocks(page, 'yaml');
  assert.ok(files.length >= 4);
  for (const text of files) assert.deepEqual(parseSlos(text, page).mistakes, [], text);
  writeFileSync(join(clone, 'shop.slo.yaml'), files[0] ?? '');
  const commands = blocks(page, 'console').flatMap((block) => block.split(/^\$ /m).slice(1));
  assert.ok(commands.length >= 4);
  for (const step of commands) {
    const [command = '', ...output] = step.split('\n');
    assert.match(shell(command), expected(output.join('\n')), command);
  }
});

for (const [number, [page, text]] of pages
  .flatMap((page) => blocks(page, 'ts').map((text) => [page, text] as const))
  .entries()) {
  test(`program ${number + 1}, of ${page}, runs and prints what its comments say`, () => {
    const file = join(clone, `program-${number}.ts`);
    writeFileSync(file, text);
    const args = ['--conditions=spillway-source', file];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, {
      cwd: clone,
      env: { ...environment, REDIS_URL: redis.url, POSTGRES_URL: postgres.url },
      encoding: 'utf8',
      timeout: 60_000,
    });
    assert.equal(status, 0, stderr);
    assert.ok(stdout.length > 0);
    for (const [, said = ''] of text.matchAll(/console\.log\(.*\/\/ (.*)$/gm)) assert.ok(stdout.includes(said), stdout);
  });
}
