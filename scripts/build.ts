/**
 * `npm run build`: what would be published, and the proof that it works.
 *
 * Compiles src/ to dist/ (plain tsc output with declarations), packs it as npm would, has publint and arethetypeswrong
 * judge the package, then installs it in an empty folder and runs its command and every JavaScript entry there.
 * `--compile` stops after the first step.
 */
import { spawnSync } from 'node:child_process';
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

function compile(): void {
  rmSync(join(root, 'dist'), { recursive: true, force: true });
  step('compile', ['tsc', '-p', 'tsconfig.build.json'], root);
  // What the program reads beside its modules: pages, scripts of servers, schemas.
  for (const file of globSync('src/**/*.{lua,sql,html,css,js,svg,json}', { cwd: root })) {
    const target = join(root, 'dist', relative('src', file));
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(root, file), target);
  }
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
}

function build(): void {
  compile();
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
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

try {
  if (process.argv.includes('--compile')) compile();
  else build();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
