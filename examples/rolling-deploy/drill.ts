/**
 * A drill: three servers get a new version one after another, under load, and nobody notices.
 *
 *     npm run drill
 *
 * Real processes all of them: three servers, `spillway up` in front, and for each server what an operator (or a script) does:
 *
 *     spillway drain ADDRESS --within 3s   no new work; waits until nothing is left there
 *     kill -9 …                            whatever it still did would be lost
 *     node server.ts PORT 2                the new version
 *     spillway undrain ADDRESS             work again, once its check says that it is up
 *
 * Beside it are short requests, requests that take two seconds, and WebSockets. Ends by itself after about 15 s with a table of what
 * happened; exit code 0 if not a single request failed, else 1. Ports are free ones, files temporary, and nothing is left.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Load, type Tally } from './load.ts';

const serverFile = fileURLToPath(new URL('server.ts', import.meta.url));
const spillwayFile = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const SERVERS = 3;
/** Longer than the longest request; WebSockets, which do not end by themselves, are told to go when it is over. */
const WITHIN = '3s';
/** Between two looks at whether a server is up. */
const LOOK_MS = 100;
/** A second of each state, so that the load meets it. */
const SETTLE_MS = 1000;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Everything that was started; ended in any case. */
const children = new Set<ChildProcess>();

function start(args: readonly string[], stdio: 'ipc' | 'pipe'): ChildProcess {
  const child = spawn(process.execPath, args, {
    // Where the gateway keeps the token of its admin API, which commands find by themselves.
    env: { ...process.env, STATE_DIRECTORY: folder },
    stdio: ['ignore', 'pipe', 'pipe', ...(stdio === 'ipc' ? ['ipc' as const] : [])],
  });
  children.add(child);
  child.on('exit', () => children.delete(child));
  child.stdout?.setEncoding('utf8');
  child.stderr?.setEncoding('utf8');
  return child;
}

interface Server {
  readonly port: number;
  child: ChildProcess;
}

async function startServer(port: number, version: number): Promise<Server> {
  const child = start([serverFile, String(port), String(version)], 'ipc');
  child.stderr?.on('data', (text: string) => say(`server ${port}: ${text.trimEnd()}`));
  const gone = once(child, 'exit').then(() => {
    throw new Error(`server ${port} did not start`);
  });
  const [bound] = (await Promise.race([once(child, 'message'), gone])) as [number];
  gone.catch(() => null); // from now on its end is no failure
  return { port: bound, child };
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await gone;
}

interface Gateway {
  readonly origin: string;
  readonly admin: string;
}

async function startGateway(file: string): Promise<Gateway> {
  const child = start([spillwayFile, 'up', file], 'pipe');
  let screen = '';
  for await (const text of child.stderr!) {
    screen += String(text);
    const [, origin] = /listener +web +(http:\S+)/.exec(screen) ?? [];
    const [, admin] = /admin +http:\/\/(\S+)/.exec(screen) ?? [];
    if (origin === undefined || admin === undefined || !screen.includes('Ctrl-C')) continue;
    return { origin, admin };
  }
  throw new Error(`the gateway did not start:\n${screen}`);
}

/** Runs a command of Spillway to its end, shows what it says, and throws unless it ends well. */
async function spillway(...args: readonly string[]): Promise<void> {
  say(`$ spillway ${args.join(' ')}`);
  const child = start([spillwayFile, ...args], 'pipe');
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (text: string) => say(text.trimEnd().replaceAll(/^/gm, '  ')));
  }
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`spillway ${args[0]} ended with ${code}`);
}

interface State {
  readonly services: readonly {
    readonly endpoints: readonly { readonly address: string; readonly health: string }[];
  }[];
}

async function isUp({ admin }: Gateway, address: string): Promise<boolean> {
  const state = (await (await fetch(`http://${admin}/api/state`)).json()) as State;
  const endpoint = state.services[0]?.endpoints.find((each) => each.address === address);
  return endpoint?.health === 'up';
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function configText(addresses: readonly string[]): string {
  return `
listeners: [{ name: web, address: "127.0.0.1:0" }]
services:
  - name: shop
    endpoints: [${addresses.map((address) => JSON.stringify(address)).join(', ')}]
    health: { active: { path: /health, interval: 250ms, timeout: 250ms } }
routes: [{ service: shop, upgrade: [websocket] }]
admin: { address: "127.0.0.1:0" }
`;
}

async function replace(server: Server, gateway: Gateway): Promise<Server> {
  const address = `127.0.0.1:${server.port}`;
  await spillway('drain', address, '--within', WITHIN, '--admin', gateway.admin);
  await kill(server.child);
  say(`  server ${server.port} is killed, version 2 starts`);
  const next = await startServer(server.port, 2);
  await spillway('undrain', address, '--admin', gateway.admin);
  while (!(await isUp(gateway, address))) await pause(LOOK_MS);
  return next;
}

function table({ short, long, messages, sockets }: Load): string[] {
  const row = (...cells: readonly (string | number)[]): string =>
    cells.map((cell, at) => (at === 0 ? String(cell).padEnd(16) : String(cell).padStart(11))).join('');
  const timed = (name: string, tally: Tally): string => {
    const by = (version: string): number => tally.versions.get(version) ?? 0;
    return row(name, tally.done, tally.failed, `${Math.round(tally.slowestMs)} ms`, by('1'), by('2'));
  };
  return [
    row('', 'done', 'failed', 'slowest', 'version 1', 'version 2'),
    timed('short requests', short),
    timed('long requests', long),
    row('messages', messages.done, messages.failed),
    row('WebSockets', sockets.done, sockets.failed),
  ];
}

/** The number of failures. */
async function drill(folder: string): Promise<number> {
  let servers = await Promise.all(Array.from({ length: SERVERS }, () => startServer(0, 1)));
  const file = join(folder, 'spillway.yaml');
  writeFileSync(file, configText(servers.map(({ port }) => `127.0.0.1:${port}`)));
  const gateway = await startGateway(file);
  const load = new Load(gateway.origin);
  await pause(SETTLE_MS);
  for (const server of servers) {
    const next = await replace(server, gateway);
    servers = servers.map((each) => (each === server ? next : each));
  }
  await pause(SETTLE_MS);
  await load.stop();
  const tallies = [load.short, load.long, load.messages, load.sockets];
  for (const line of ['', ...table(load)]) say(line);
  say(`WebSockets told to go (1001), and back at once: ${load.toldToGo}`);
  for (const problem of tallies.flatMap(({ problems }) => [...problems])) say(`failed: ${problem}`);
  return tallies.reduce((sum, { failed }) => sum + failed, 0);
}

const folder = mkdtempSync(join(tmpdir(), 'spillway-drill-'));
try {
  const failed = await drill(folder);
  say(failed === 0 ? '\nThree servers replaced, no request failed.' : `\n${failed} failed.`);
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  await Promise.all([...children].map(kill));
  rmSync(folder, { recursive: true, force: true });
}
