/**
 * Spillway as a user starts it: `spillway up FILE`, one worker, everything at its default but the limits that a peer would
 * also have to be told to lift (requests on a connection, connections from one address).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ConfigInput } from '../../../src/gateway/config/schema.ts';
import { processTree } from '../accounting.ts';
import type { Contender, Setup } from '../contender.ts';
import { listening } from '../processes.ts';
import { freePort } from '../../../test/ports.ts';

const commandFile = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const packageFile = new URL('../../../package.json', import.meta.url);
const REQUESTS_MAX = 1_000_000_000;

export interface Variant {
  /** Added to the name: `spillway-net`. Empty for Spillway as it is. */
  readonly name: string;
  readonly env: Readonly<Record<string, string>>;
  /** Flags for Node itself. */
  readonly nodeArgs?: readonly string[];
  /** What is otherwise in its config. */
  readonly change?: (config: ConfigInput) => ConfigInput;
}

export function createSpillway(variant: Variant): Contender {
  return {
    name: variant.name === '' ? 'spillway' : `spillway-${variant.name}`,
    abilities: ['proxy', 'tls', 'everything-on', 'websocket'],

    async version() {
      const { default: manifest } = (await import(packageFile.href, { with: { type: 'json' } })) as {
        default: { version: string };
      };
      return `${manifest.version} on Node ${process.versions.node}`;
    },

    async start(setup) {
      const [port, tlsPort, adminPort] = [await freePort(), await freePort(), await freePort()];
      const file = join(setup.dir, 'spillway.yaml'); // JSON is YAML
      const logFile = join(setup.dir, 'access.log');
      const { change = (same) => same } = variant;
      writeFileSync(file, JSON.stringify(change(config(setup, { port, tlsPort, adminPort, logFile })), null, 2));
      const one = setup.processes.start(process.execPath, [...(variant.nodeArgs ?? []), commandFile, 'up', file], {
        cores: setup.core,
        env: { ...variant.env, STATE_DIRECTORY: setup.dir },
      });
      await listening(port, one);
      await listening(tlsPort, one);
      return {
        port,
        tlsPort,
        pids: () => processTree(one.pid),
        metricsUrl: `http://127.0.0.1:${adminPort}/metrics`,
        logFile,
        output: () => one.output(),
        stop: () => one.stop(),
      };
    },
  };
}

interface Places {
  readonly port: number;
  readonly tlsPort: number;
  readonly adminPort: number;
  readonly logFile: string;
}

function config(setup: Setup, places: Places): ConfigInput {
  const { certificateFile: certificate, keyFile: key } = setup.certificate;
  const limits = {
    requestsPerConnection: REQUESTS_MAX,
    connections: setup.connections + 100,
    connectionsPerIp: setup.connections + 100,
  };
  const timeouts = { idle: '300s' } as const;
  const active = { path: '/health', interval: '1s', timeout: '500ms', unhealthyAfter: 3, healthyAfter: 1 } as const;
  return {
    workers: 1,
    listeners: [
      { name: 'plain', address: `127.0.0.1:${places.port}`, limits, timeouts },
      { name: 'encrypted', address: `127.0.0.1:${places.tlsPort}`, limits, timeouts, tls: { certificate, key } },
    ],
    services: [
      {
        name: 'origin',
        endpoints: [`127.0.0.1:${setup.origin.port}`],
        limits: { requestsPerConnection: REQUESTS_MAX },
        ...(setup.everythingOn ? { health: { active } } : {}),
      },
      { name: 'echo', endpoints: [`127.0.0.1:${setup.origin.webSocketPort}`] },
      {
        name: 'due',
        endpoints: [`127.0.0.1:${setup.origin.duePort}`],
        limits: { requestsPerConnection: REQUESTS_MAX },
      },
    ],
    routes: [
      { match: { path: '/ws' }, service: 'echo', upgrade: ['websocket'] },
      { match: { path: '/due' }, service: 'due' },
      { match: {}, service: 'origin' },
    ],
    ...(setup.everythingOn
      ? { admin: { address: `127.0.0.1:${places.adminPort}` }, accessLog: { target: places.logFile } }
      : {}),
  };
}
