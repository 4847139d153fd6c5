/**
 * Two gateways, one Redis, one limit: together they admit exactly the limit, and without Redis as much as the config says.
 *
 *     npm run rate-limit
 *
 * Real processes all of them: a Redis server (found, or installed where that needs no asking) and `spillway up` twice, with the same
 * spillway.yaml. Redis is killed, and started again. Ends by itself after some ten seconds; exit code 0 if each time exactly
 * as many were admitted as must be, else 1. Ports are free ones, and nothing is left.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureServers } from '../../scripts/servers.ts';
import { RedisServer } from '../../test/servers/redis.ts';

const spillwayFile = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const configFile = fileURLToPath(new URL('spillway.yaml', import.meta.url));
/** As the config has it. */
const LIMIT = 100;
const REQUESTS = 400;
/** Between two looks at whether a gateway has its Redis again. */
const LOOK_MS = 50;
/** A gateway asks again after five seconds at the latest; three times that, for a machine that is busy. */
const BACK_MS = 15_000;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

interface Gateway {
  readonly child: ChildProcess;
  readonly origin: string;
  readonly admin: string;
}

/** `folder` is where it keeps the token of its admin API. */
async function startGateway(redisUrl: string, folder: string): Promise<Gateway> {
  const child = spawn(process.execPath, [...process.execArgv, spillwayFile, 'up', configFile], {
    env: { ...process.env, REDIS_URL: redisUrl, STATE_DIRECTORY: folder },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.setEncoding('utf8');
  const screen = Promise.withResolvers<{ readonly origin: string; readonly admin: string }>();
  let text = '';
  // To the end: who does not read on would stop it with a full pipe.
  child.stderr.on('data', (more: string) => {
    text = (text + more).slice(-20_000);
    const [, origin] = /listener +web +(http:\S+)/.exec(text) ?? [];
    const [, admin] = /admin +http:\/\/(\S+)/.exec(text) ?? [];
    if (origin !== undefined && admin !== undefined && text.includes('Ctrl-C')) screen.resolve({ origin, admin });
  });
  child.on('exit', () => screen.reject(new Error(`a gateway ended; it said:\n${text}`)));
  return { child, ...(await screen.promise) };
}

/** Ends it as an operator would. */
async function stop({ child }: Gateway): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}

async function isAdmitted({ origin }: Gateway, key: string): Promise<boolean> {
  // A connection each, so that all workers of a gateway are asked.
  const response = await fetch(origin, { headers: { 'x-api-key': key, connection: 'close' } });
  await response.arrayBuffer();
  if (response.status === 200 || response.status === 429) return response.status === 200;
  throw new Error(`a gateway answered ${response.status}`);
}

/** Asks the gateways in turn, all at once, with one key; true if they admitted the limit. */
async function measure(gateways: readonly Gateway[], key: string): Promise<boolean> {
  const each = REQUESTS / gateways.length;
  const admitted = gateways.map(() => 0);
  const ask = async (number: number): Promise<void> => {
    const index = number % gateways.length;
    if (await isAdmitted(gateways[index]!, key)) admitted[index]! += 1;
  };
  await Promise.all(Array.from({ length: REQUESTS }, async (_, number) => ask(number)));
  for (const [index, count] of admitted.entries()) say(`  gateway ${index + 1}: ${count} of ${each} admitted`);
  const together = admitted.reduce((sum, count) => sum + count, 0);
  say(`  together:  ${together}; the limit is ${LIMIT}`);
  return together === LIMIT;
}

interface State {
  readonly stores: readonly { readonly downFor: number }[];
  readonly limits: readonly { readonly store: { readonly decisions: Readonly<Record<string, number>> } | null }[];
}

async function stateOf({ admin }: Gateway): Promise<State> {
  return (await (await fetch(`http://${admin}/api/state`)).json()) as State;
}

/** Until all workers have an answer of Redis again. They ask it when they are asked, and not before. */
async function waitForRedis(gateways: readonly Gateway[]): Promise<void> {
  const late = AbortSignal.timeout(BACK_MS);
  for (const [index, gateway] of gateways.entries()) {
    for (let look = 0; (await stateOf(gateway)).stores[0]!.downFor > 0; look++) {
      if (late.aborted) {
        throw new Error(`gateway ${index + 1} has no answer of Redis ${BACK_MS / 1000} s after its start`);
      }
      await Promise.all(Array.from({ length: 8 }, () => isAdmitted(gateway, `look-${look}`)));
      await new Promise<void>((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
}

async function sayWhoDecided(gateways: readonly Gateway[]): Promise<void> {
  for (const [index, gateway] of gateways.entries()) {
    const decisions = Object.entries((await stateOf(gateway)).limits[0]?.store?.decisions ?? {});
    const shown = decisions.filter(([, count]) => count > 0).map(([who, count]) => `${who} ${count}`);
    say(`  gateway ${index + 1}, decided by: ${shown.join(', ')}`);
  }
}

async function run(redis: RedisServer, gateways: readonly Gateway[]): Promise<boolean> {
  say(`Two gateways, one Redis, one limit: ${LIMIT} for each API key.\n`);
  say(`${REQUESTS} requests with one key, half of them to each gateway:`);
  const shared = await measure(gateways, 'ann');
  say(`\nRedis is killed. ${REQUESTS} requests with another key; each gateway admits half of the limit by itself:`);
  await redis.kill();
  const alone = await measure(gateways, 'bob');
  say('\nRedis is back, without anybody doing anything to the gateways. A third key:');
  await redis.restart();
  await waitForRedis(gateways);
  const again = await measure(gateways, 'cid');
  say('\nWho decided, as /api/state and /metrics tell:');
  await sayWhoDecided(gateways);
  return shared && alone && again;
}

const faults = ensureServers(['redis']);
for (const fault of faults) process.stderr.write(`rate-limit: ${fault}\n`);
if (faults.length > 0) {
  process.exitCode = 1;
} else {
  await using redis = await RedisServer.start();
  const folder = mkdtempSync(join(tmpdir(), 'spillway-rate-limit-'));
  const gateways: Gateway[] = [];
  try {
    for (let count = 0; count < 2; count++) gateways.push(await startGateway(redis.url, folder));
    const exact = await run(redis, gateways);
    say(exact ? '\nExactly the limit, each time.' : '\nNot what the limit says.');
    process.exitCode = exact ? 0 : 1;
  } catch (error) {
    process.stderr.write(`rate-limit: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  } finally {
    await Promise.all(gateways.map(stop));
    rmSync(folder, { recursive: true });
  }
}
