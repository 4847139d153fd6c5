/** A Redis server of a test's own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Redis } from 'ioredis';

import { redisPath } from '../../scripts/servers.ts';
import type { FakeClock } from '../faults/faketime.ts';
import { freePort } from '../ports.ts';
import { ServerProcess } from './server-process.ts';

export interface RedisOptions {
  readonly args?: readonly string[];
  /** Where it talks to the other nodes of its cluster; without one it is in none. */
  readonly busPort?: number;
  readonly clock?: FakeClock;
  /** The port of the primary that it follows, or of a relay to it. */
  readonly replicaOf?: number;
}

/** Between two looks at what has no event. */
const LOOK_MS = 20;

export class RedisServer {
  readonly port: number;
  readonly url: string;
  readonly #process: ServerProcess;
  readonly #folder: string;
  #admin: Redis | null = null;

  private constructor(port: number, folder: string, { args = [], busPort, clock, replicaOf }: RedisOptions) {
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
    this.#folder = folder;
    const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--repl-diskless-sync-delay', '0'];
    // Unless it is told, the bus is 10,000 above the port, where the system may have put somebody else.
    const cluster = busPort === undefined ? [] : ['--cluster-enabled', 'yes', '--cluster-port', String(busPort)];
    const primary = replicaOf === undefined ? [] : ['--replicaof', '127.0.0.1', String(replicaOf)];
    this.#process = new ServerProcess({
      command: [redisPath(), ...place, '--save', '', ...cluster, ...primary, ...args],
      environment: clock?.environment ?? {},
      ready: /Ready to accept connections/,
    });
  }

  /** A replica is ready when it has all that its primary has. */
  static async start(options: RedisOptions = {}): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), mkdtempSync(join(tmpdir(), 'spillway-redis-')), options);
    await server.#process.start();
    while (options.replicaOf !== undefined && !(await server.#follows())) {
      await new Promise<void>((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return server;
  }

  async #follows(): Promise<boolean> {
    return (await this.admin.info('replication')).includes('master_link_status:up');
  }

  /** A replica becomes a primary, with what has reached it. */
  async promote(): Promise<void> {
    await this.admin.call('replicaof', 'no', 'one');
  }

  /** For what a test does to the server. */
  get admin(): Redis {
    if (this.#admin === null) {
      this.#admin = new Redis(this.port, { maxRetriesPerRequest: null, retryStrategy: () => 20 });
      this.#admin.on('error', () => {});
    }
    return this.#admin;
  }

  kill(): Promise<void> {
    return this.#process.kill();
  }

  /** On the same port. */
  restart(): Promise<void> {
    return this.#process.start();
  }

  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#admin?.disconnect();
    await this.#process.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Several servers as one cluster, each with an equal part of the slots. */
export class RedisCluster {
  readonly nodes: readonly RedisServer[];

  private constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes;
  }

  static async start(size = 3, more: readonly string[] = []): Promise<RedisCluster> {
    const busPorts = await Promise.all(Array.from({ length: size }, freePort));
    const args = ['--cluster-node-timeout', '2000', ...more];
    const cluster = new RedisCluster(
      await Promise.all(busPorts.map((busPort) => RedisServer.start({ args, busPort }))),
    );
    await cluster.#join(busPorts[0]!);
    return cluster;
  }

  /** Each meets the first. */
  async #join(firstBusPort: number): Promise<void> {
    const { nodes } = this;
    const share = Math.ceil(16_384 / nodes.length);
    for (const [index, node] of nodes.entries()) {
      await node.admin.call('cluster', 'set-config-epoch', String(index + 1));
      const last = Math.min(16_384, (index + 1) * share) - 1;
      await node.admin.call('cluster', 'addslotsrange', String(index * share), String(last));
      if (index > 0) {
        await node.admin.call('cluster', 'meet', '127.0.0.1', String(nodes[0]!.port), String(firstBusPort));
      }
    }
    for (const node of nodes) {
      for (;;) {
        const info = String(await node.admin.call('cluster', 'info'));
        if (info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${nodes.length}`)) break;
        await new Promise<void>((resolve) => setTimeout(resolve, LOOK_MS));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}
