/**
 * The quickstart (`npm start`): three example servers, the gateway in front of them, and a light stream of requests.
 *
 * Ports are those of spillway.yaml. With `--free-ports`, or when a server's port is taken, a copy of the file with free ports
 * is used instead. Ends on Ctrl-C or SIGTERM and leaves nothing behind.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { processIo } from '../../src/cli/process-io.ts';
import { runGateway, shownToken } from '../../src/cli/up.ts';
import { dashboardLink, wallTime } from '../../src/cli/up-text.ts';
import { SpillwayError } from '../../src/kernel/errors.ts';
import { type DemoRequests, sendDemoRequests } from './demo-requests.ts';
import { startServers } from './servers.ts';

const ORIGINAL = fileURLToPath(new URL('spillway.yaml', import.meta.url));
const OBJECTIVES = fileURLToPath(new URL('shop.slo.yaml', import.meta.url));
const GATEWAY_PORT = 8080;
const ADMIN_PORT = 9900;
const SERVER_PORTS = [9001, 9002, 9003];

const io = processIo();
const say = (line: string): void => io.err.line(`${io.err.paint('dim', wallTime(io.clock.wallMs()))} ${line}`);

/** True if nothing listens there; 0 asks for any port. Gives the port that was tried. */
async function tryPort(port: number): Promise<number | null> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<number | null>();
  server.on('error', () => resolve(null));
  server.listen(port, '127.0.0.1', () => {
    const address = server.address();
    server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : null));
  });
  return promise;
}

interface Setting {
  readonly file: string;
  readonly serverPorts: readonly number[];
  readonly adminPort: number;
  /** For what is of this run alone: the copy, if there is one, and the leases of the servers. */
  readonly folder: string;
}

async function choosePorts(allFree: boolean): Promise<Setting> {
  const wanted = [GATEWAY_PORT, ADMIN_PORT, ...SERVER_PORTS];
  const tried = await Promise.all(wanted.map(async (port) => (allFree ? null : tryPort(port))));
  for (const [index, port] of [GATEWAY_PORT, ADMIN_PORT].entries()) {
    if (allFree || tried[index] !== null) continue;
    throw new SpillwayError(
      'LISTEN_FAILED',
      `Port ${port} of 127.0.0.1 is taken, and the quickstart needs it. End what has it (ss -ltnp shows it), ` +
        'or run: npm start -- --free-ports',
    );
  }
  const folder = mkdtempSync(join(tmpdir(), 'spillway-quickstart-'));
  if (tried.every((port) => port !== null)) {
    const file = relative(process.cwd(), ORIGINAL);
    return { file, serverPorts: SERVER_PORTS, adminPort: ADMIN_PORT, folder };
  }
  const free: number[] = [];
  for (const port of tried) free.push(port ?? (await freePort(free)));
  const file = join(folder, 'spillway.yaml');
  const text = wanted.reduce(
    (given, port, at) => given.replaceAll(`127.0.0.1:${port}`, `127.0.0.1:${free[at]}`),
    readFileSync(ORIGINAL, 'utf8'),
  );
  writeFileSync(file, text);
  copyFileSync(OBJECTIVES, join(folder, 'shop.slo.yaml'));
  return { file, serverPorts: free.slice(2), adminPort: free[1] ?? ADMIN_PORT, folder };
}

/** A port that is free now and was not given out before. */
async function freePort(given: readonly number[]): Promise<number> {
  for (;;) {
    const port = await tryPort(0);
    if (port !== null && !given.includes(port)) return port;
  }
}

function whatToTry(origin: string, { file, adminPort, serverPorts }: Setting, token: string | null): void {
  const admin = `127.0.0.1:${adminPort}`;
  const lines: readonly (readonly [string, string])[] = [
    [`open ${dashboardLink(admin, token)}`, 'the dashboard: what is wrong, where requests go, what changed'],
    [`curl ${origin}/`, 'another server answers each time'],
    [`kill $(curl -s 127.0.0.1:${serverPorts[1]}/pid)`, 'end a server: no request fails, and it is back after 10 s'],
    [`edit ${file}`, 'a valid change is applied when it is saved, a bad one refused'],
    [`npx spillway explain ${origin}/api/x --admin ${admin}`, 'what would happen to a request'],
    [`curl http://${admin}/metrics`, 'what is counted'],
  ];
  const width = Math.max(...lines.map(([command]) => command.length));
  io.err.line('\nTry, in another terminal:');
  for (const [command, what] of lines) io.err.line(`  ${command.padEnd(width)}  ${io.err.paint('dim', what)}`);
  io.err.line('');
}

async function main(): Promise<number> {
  const setting = await choosePorts(process.argv.includes('--free-ports'));
  // Whoever sends it, it ends the quickstart as Ctrl-C does; for `spillway up` it may mean to reload.
  process.on('SIGHUP', () => process.kill(process.pid, 'SIGTERM'));
  try {
    const { adminPort, folder, serverPorts } = setting;
    const admin = `http://127.0.0.1:${adminPort}`;
    // Where the token of the admin API is kept: nothing is left behind.
    process.env['STATE_DIRECTORY'] = folder;
    await using _servers = await startServers(serverPorts, [admin, folder], say);
    let demo: DemoRequests | null = null;
    try {
      return await runGateway(setting.file, io, (gateway) => {
        const origin = `http://${gateway.state().listeners[0]?.address}`;
        whatToTry(origin, setting, shownToken(gateway, io));
        demo = sendDemoRequests(origin, say);
      });
    } finally {
      (demo as DemoRequests | null)?.stop();
    }
  } finally {
    rmSync(setting.folder, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof SpillwayError)) throw error;
  io.err.line(`quickstart: ${error.message}`);
  process.exitCode = 3;
}
