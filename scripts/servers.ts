/**
 * The real servers and tools that tests and benchmarks talk to: found, or installed, never skipped.
 *
 * As root (or with sudo that asks nothing) on Debian and its like, what is missing is installed with apt-get, and the
 * instances that Debian would start by itself are kept from starting: tests start their own, on free ports, in temporary
 * folders. Anywhere else the exit code is 1 and the message says exactly what to install.
 *
 *     npm run servers            all that this version needs
 *     npm run servers -- nginx   only those named
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';

interface Server {
  /** Every one must be found; the first is the one to run. */
  readonly commands: readonly string[];
  /** Patterns of files that must be there too: what a server loads by itself. */
  readonly files?: readonly string[];
  /** What Debian and Ubuntu call the packages that hold them. */
  readonly packages: readonly string[];
  /** Who would miss it. */
  readonly neededBy: string;
}

export const servers = {
  nginx: { commands: ['nginx'], packages: ['nginx'], neededBy: 'oracle tests, benchmarks' },
  haproxy: { commands: ['haproxy'], packages: ['haproxy'], neededBy: 'oracle tests, benchmarks' },
  luajit: { commands: ['luajit'], packages: ['luajit'], neededBy: 'benchmarks: the load on a schedule, and its test' },
  openssl: { commands: ['openssl'], packages: ['openssl'], neededBy: 'TLS tests' },
  dnsmasq: { commands: ['dnsmasq'], packages: ['dnsmasq-base'], neededBy: 'tests of discovery by DNS' },
  redis: { commands: ['redis-server'], packages: ['redis-server'], neededBy: 'tests of stores, examples, benchmarks' },
  postgres: { commands: ['postgres', 'initdb'], packages: ['postgresql'], neededBy: 'tests of stores' },
  postgis: {
    commands: ['postgres'],
    files: ['/usr/share/postgresql/*/extension/postgis.control'],
    packages: ['postgresql-postgis'],
    neededBy: 'tests of geo stores',
  },
  zookeeper: {
    // The server is a class of this library, and Debian's own script for it starts a daemon.
    commands: ['java'],
    files: ['/usr/share/java/zookeeper.jar'],
    packages: ['libzookeeper-java', 'default-jre-headless'],
    neededBy: 'tests of the ZooKeeper client, locks and elections',
  },
  pgbouncer: { commands: ['pgbouncer'], packages: ['pgbouncer'], neededBy: 'tests of locks in PostgreSQL' },
  faketime: {
    commands: ['faketime'],
    files: ['/usr/lib/*/faketime/libfaketime.so.1'],
    packages: ['faketime', 'libfaketime'],
    neededBy: 'tests of clocks that are wrong',
  },
  etcd: { commands: ['etcd'], packages: ['etcd-server'], neededBy: 'tests of locks and leaders' },
  prometheus: {
    commands: ['promtool', 'prometheus'],
    packages: ['prometheus'],
    neededBy: 'tests of alerts and metrics',
  },
  openmetrics: {
    // Debian's Python is the one that Debian's packages are for.
    commands: ['python3'],
    files: ['/usr/lib/python3/dist-packages/prometheus_client/openmetrics/parser.py'],
    packages: ['python3', 'python3-prometheus-client'],
    neededBy: 'tests of metrics: a strict parser of OpenMetrics',
  },
  protoc: {
    commands: ['protoc'],
    packages: ['protobuf-compiler'],
    neededBy: 'tests of OTLP: reads what is written, and writes what is read',
  },
  alertmanager: {
    commands: ['amtool', 'prometheus-alertmanager'],
    packages: ['prometheus-alertmanager'],
    neededBy: 'tests of alerts and their routes',
  },
  libmemcached: {
    commands: ['python3', 'memcstat'],
    packages: ['python3', 'libmemcached-tools'],
    neededBy: 'tests of rings: the library itself says where keys lie, called from Python',
  },
  chromium: { commands: ['chromium'], packages: ['chromium'], neededBy: 'tests of pages' },
  curl: { commands: ['curl'], packages: ['curl'], neededBy: 'the tour of the README' },
} as const satisfies Record<string, Server>;

export type ServerName = keyof typeof servers;

// Daemons live in sbin, which is not in everybody's PATH, and those of PostgreSQL, for which Debian has its own place, in none; the newest first.
function folders(): string[] {
  const postgres = globSync('/usr/lib/postgresql/*/bin').toSorted().reverse();
  return [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin', ...postgres];
}

/** The full path of a command, or null. */
export function findCommand(command: string): string | null {
  for (const folder of folders()) {
    if (folder === '') continue;
    const path = join(folder, command);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

/** The full path of a server's program. Throws if it is missing: a test that needs it must fail, not pass unrun. */
export function serverPath(name: ServerName): string {
  const path = findCommand(servers[name].commands[0]);
  if (path === null) throw new Error(`${name} is not installed; run: npm run servers -- ${name}`);
  return path;
}

/** The full path of the first of the files that a server loads. Throws if it is missing. */
export function serverFile(name: ServerName): string {
  const { files = [] }: Server = servers[name];
  const path = globSync([...files])[0];
  if (path === undefined) throw new Error(`${name} is not installed; run: npm run servers -- ${name}`);
  return path;
}

/** Where Redis 8 and Redis Stack put the module; nothing that is installed here brings it. */
const redisBloomPlaces = [
  '/usr/local/lib/redis/modules/redisbloom.so',
  '/usr/lib/redis/modules/redisbloom.so',
  '/opt/redis-stack/lib/redisbloom.so',
];

/** RedisBloom, which some have: that of `SPILLWAY_REDISBLOOM`, or of a Redis that came with it; null if there is none. */
export function redisBloomPath(): string | null {
  const named = process.env['SPILLWAY_REDISBLOOM'];
  if (named === undefined) return redisBloomPlaces.find((path) => existsSync(path)) ?? null;
  if (existsSync(named)) return named;
  throw new Error(`SPILLWAY_REDISBLOOM is ${named}, and no such file is there`);
}

/** The server of tests and benchmarks of Redis: that of `SPILLWAY_REDIS`, such as a `valkey-server`, or the one that is installed. */
export function redisPath(): string {
  const named = process.env['SPILLWAY_REDIS'];
  if (named === undefined) return serverPath('redis');
  if (existsSync(named)) return named;
  throw new Error(`SPILLWAY_REDIS is ${named}, and no such file is there`);
}

function missing(names: readonly ServerName[]): ServerName[] {
  return names.filter((name) => {
    const { commands, files = [] }: Server = servers[name];
    const found = commands.every((command) => findCommand(command) !== null);
    return !found || files.some((pattern) => globSync(pattern).length === 0);
  });
}

/** The words before apt-get that make it root, or null if there is no way that asks nothing. */
function rootPrefix(): readonly string[] | null {
  if (process.getuid?.() === 0) return [];
  const sudo = findCommand('sudo');
  if (sudo === null) return null;
  return spawnSync(sudo, ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? [sudo, '-n'] : null;
}

function runAs(root: readonly string[], command: readonly string[]): boolean {
  const [program = '', ...args] = [...root, 'env', 'DEBIAN_FRONTEND=noninteractive', ...command];
  return spawnSync(program, args, { stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}

// Debian asks this program before it starts the service of a package just installed; 101 means no.
const policyPath = '/usr/sbin/policy-rc.d';

function withoutServices(root: readonly string[], install: () => boolean): boolean {
  if (existsSync(policyPath)) return install();
  const write = `printf '#!/bin/sh\\nexit 101\\n' > ${policyPath} && chmod 755 ${policyPath}`;
  if (!runAs(root, ['sh', '-c', write])) return false;
  try {
    return install();
  } finally {
    runAs(root, ['rm', '-f', policyPath]);
  }
}

/**
 * Makes sure that each server is there, installing what is not.
 * @returns one sentence for each that is still missing, with the command that would install it
 */
export function ensureServers(names: readonly ServerName[]): string[] {
  const absent = missing(names);
  if (absent.length === 0) return [];
  const packages = absent.flatMap((name) => servers[name].packages);
  const root = rootPrefix();
  const apt = findCommand('apt-get');
  if (root !== null && apt !== null) {
    console.log(`installing ${packages.join(', ')}`);
    const install = ['-y', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', 'install', ...packages];
    withoutServices(
      root,
      () => runAs(root, [apt, ...install]) || (runAs(root, [apt, 'update']) && runAs(root, [apt, ...install])),
    );
  }
  return missing(names).map(
    (name) =>
      `${name} is missing (needed by ${servers[name].neededBy}). ` +
      `On Debian and Ubuntu: sudo apt-get install ${servers[name].packages.join(' ')}; elsewhere, put ` +
      `${servers[name].commands.join(', ')} in PATH.`,
  );
}

function isServer(name: string): name is ServerName {
  return Object.hasOwn(servers, name);
}

if (import.meta.main) {
  const asked = process.argv.slice(2);
  const unknown = asked.filter((name) => !isServer(name));
  const all = Object.keys(servers).filter(isServer);
  for (const name of unknown) console.error(`servers: nothing is named ${name}; there are ${all.join(', ')}`);
  const faults = unknown.length > 0 ? [] : ensureServers(asked.length > 0 ? asked.filter(isServer) : all);
  for (const fault of faults) console.error(`servers: ${fault}`);
  process.exitCode = unknown.length > 0 ? 2 : faults.length > 0 ? 1 : 0;
  if (process.exitCode === 0) for (const name of all) console.log(`${name}: ${findCommand(servers[name].commands[0])}`);
}
