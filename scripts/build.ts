/**
 * `npm run build`: what would be published, and the proof that it works.
 *
 * Compiles src/ to dist/ (plain tsc output with declarations), packs it as npm would, has publint and arethetypeswrong
 * judge the package, then installs it in an empty folder and uses it there as its users do: the command, every JavaScript
 * entry, a typed config, a gateway that answers a request, shows its dashboard and drains.
 * `--compile` stops after the first step.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { buildDashboard } from './dashboard.ts';

const root = resolve(import.meta.dirname, '..');

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;

/** Runs a step; a failure ends the build. */
function step(name: string, command: readonly string[], cwd: string): string {
  const [program = '', ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (status === 0) {
    console.log(`ok     ${name}`);
    return stdout;
  }
  console.error(`${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}\nFAILED ${name} (${command.join(' ')})`);
  throw new Error(`build: ${name} failed`);
}

async function compile(): Promise<void> {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  step('compile', ['tsc', '-p', 'tsconfig.build.json'], root);
  // What the program reads beside its modules: pages, scripts of servers, schemas.
  for (const file of globSync('src/!(dashboard)/**/*.{lua,sql,html,css,js,svg,json}', { cwd: root })) {
    const target = join(root, 'dist', relative('src', file));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(root, file), target);
  }
  await buildDashboard();
  console.log('ok     dashboard');
}

/** An empty folder with the package and its dependencies installed, the latter borrowed from this checkout. */
function install(tarball: string, folder: string): void {
  const modules = join(folder, 'node_modules');
  const home = join(modules, manifest.name);
  mkdirSync(home, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }\n');
  step('unpack', ['tar', '-xzf', tarball, '-C', home, '--strip-components=1'], folder);
  for (const dependency of Object.keys(manifest.dependencies)) {
    const target = join(modules, dependency);
    mkdirSync(dirname(target), { recursive: true });
    symlinkSync(join(root, 'node_modules', dependency), target, 'dir');
  }
  for (const path of Object.values(manifest.bin)) chmodSync(join(home, path), 0o755);
}

function smoke(folder: string): void {
  for (const [command, path] of Object.entries(manifest.bin)) {
    const program = join('node_modules', manifest.name, path);
    const said = step(`run ${command} --version`, ['node', program, '--version'], folder);
    if (!said.includes(manifest.version)) throw new Error(`build: ${command} --version said ${JSON.stringify(said)}`);
    step(`run ${command} --help`, ['node', program, '--help'], folder);
  }
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    if (typeof target === 'string') continue;
    const specifier = manifest.name + subpath.slice(1);
    step(`import ${specifier}`, ['node', '--input-type=module', '-e', `await import('${specifier}')`], folder);
  }
  step('stores', ['node', '--input-type=module', '-e', storesProgram], folder);
}

/** A store finds in the package what it sends to its server: a client that shows it is enough. */
const storesProgram = `import { createLimiter, fixedWindow, postgresStore, redisStore } from 'spillway/limit';

const sent = [];
const client = {
  isReady: true,
  async sendCommand([name, text]) {
    if (name === 'evalsha') throw new Error('NOSCRIPT');
    sent.push(text);
    return [1, 0, 0, 0];
  },
};
const limiter = createLimiter({ name: 'api', algorithm: fixedWindow({ limit: 1, per: '1m' }), store: redisStore(client) });
const { source } = await limiter.take('ann');
if (source !== 'store' || !sent.join('').startsWith('#!lua')) throw new Error(source + ': ' + limiter.outage?.error);

let migration = '';
await postgresStore({ query: async (text) => ((migration = text), { rows: [] }) }).migrate();
if (!migration.includes('CREATE OR REPLACE FUNCTION')) throw new Error('no migration');
`;

const userConfig = `import { defineConfig } from 'spillway';

export default defineConfig({
  listeners: [{ name: 'web', address: '127.0.0.1:0' }],
  services: [{ name: 'app', endpoints: ['127.0.0.1:1'], balance: 'round-robin' }],
  routes: [{ match: { path: '/*' }, service: 'app' }],
  admin: { address: '127.0.0.1:0' },
});

// @ts-expect-error: if this is no mistake, the published types say nothing
defineConfig({ listeners: 1 });
`;

/** A gateway run from the package, with a config that its types accept, answers and ends well. */
async function serve(folder: string): Promise<void> {
  writeFileSync(join(folder, 'spillway.config.ts'), userConfig);
  symlinkSync(join(root, 'node_modules', '@types'), join(folder, 'node_modules', '@types'), 'dir');
  const types = [
    'tsc',
    '--noEmit',
    '--strict',
    '--types',
    'node',
    '--module',
    'nodenext',
    '--target',
    'es2024',
    'spillway.config.ts',
  ];
  step('types of a config', types, folder);

  const program = join('node_modules', manifest.name, manifest.bin['spillway']!);
  const child = spawn('node', [program, 'up'], {
    cwd: folder,
    env: { ...process.env, STATE_DIRECTORY: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  let said = '';
  try {
    child.stdout.on('data', (text) => (said += String(text)));
    for await (const text of child.stderr) {
      said += String(text);
      const address = /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0];
      const admin = /admin\s+(http:\/\/127\.0\.0\.1:\d+)/.exec(said)?.[1];
      if (address === undefined || admin === undefined) continue;
      const { status } = await fetch(address, { signal: AbortSignal.timeout(10_000) });
      // The one endpoint does not exist, so this is the gateway speaking.
      if (status !== 502 && status !== 503) throw new Error(`the gateway answered ${status}`);
      const page = await (await fetch(admin, { signal: AbortSignal.timeout(10_000) })).text();
      const [script = ''] = /\/assets\/[^"]+\.js/.exec(page) ?? [];
      const { ok } = await fetch(admin + script, { signal: AbortSignal.timeout(10_000) });
      if (!ok || script === '') throw new Error(`the dashboard is not in the package: ${page.slice(0, 200)}`);
      break;
    }
    child.kill('SIGTERM');
    const [code] = (await ended) as [number | null];
    if (code !== 0) throw new Error(`up ended with ${code}`);
    console.log('ok     run spillway up');
  } catch (error) {
    throw new Error(`build: spillway up failed in the package; it said:\n${said}`, { cause: error });
  } finally {
    child.kill('SIGKILL');
  }
}

async function build(): Promise<void> {
  await compile();
  const scratch = mkdtempSync(join(tmpdir(), 'spillway-build-'));
  try {
    step('pack', ['npm', 'pack', '--ignore-scripts', '--pack-destination', scratch], root);
    const tarball = join(scratch, `${manifest.name}-${manifest.version}.tgz`);
    step('publint', ['publint', tarball, '--strict'], root);
    // A JSON schema has no types, and Node's older resolution has no exports: the package is for Node 24 and ESM only.
    const attw = ['attw', tarball, '--profile', 'esm-only', '--exclude-entrypoints', 'schema.json', 'package.json'];
    step('arethetypeswrong', attw, root);
    install(tarball, scratch);
    smoke(scratch);
    await serve(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

try {
  if (process.argv.includes('--compile')) await compile();
  else await build();
} catch (error) {
  console.error(error instanceof Error ? error.message : error, error instanceof Error ? (error.cause ?? '') : '');
  process.exitCode = 1;
}
