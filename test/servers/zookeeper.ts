/**
 * ZooKeeper servers of a test's own: one, or an ensemble. Ticks are short, so that a session may end within a second; what is acknowledged
 * is on disk (`forceSync`), as it must be where locks are kept.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { serverPath } from '../../scripts/servers.ts';
import type { FakeClock } from '../faults/faketime.ts';
import { freePort } from '../ports.ts';
import { ServerProcess } from './server-process.ts';

/** Sessions end at a multiple of it; the shortest that may be asked for is two. */
export const TICK_MS = 250;
/** A peer that is silent for as many ticks is left; more than a busy machine holds a JVM up. */
const PEER_TICKS = 12;
/** What the asked-for timeout of a session is brought into. */
const sessionTimeoutsMs = { min: 2 * TICK_MS, max: 60_000 } as const;

// Start quickly and stay small: three of them run beside the tests.
const javaOptions = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData'];
const properties = {
  'java.net.preferIPv4Stack': 'true',
  'zookeeper.4lw.commands.whitelist': '*',
  'zookeeper.admin.enableServer': 'false',
  'zookeeper.jmx.log4j.disable': 'true',
  'zookeeper.forceSync': 'yes',
};
const classPath = ['/usr/share/java/zookeeper.jar', '/usr/share/java/slf4j-simple.jar'];

export type ZookeeperMode = 'leader' | 'follower' | 'standalone';

/** What a config says about an ensemble; one line a member. */
interface Membership {
  readonly id: number;
  readonly members: readonly string[];
}

export interface ZookeeperServerOptions {
  /** Makes a JVM slow to start: it looks at its clock very often. @defaultValue the machine's */
  readonly clock?: FakeClock;
  /** @defaultValue 60000 */
  readonly sessionTimeoutMsMax?: number;
}

export class ZookeeperServer {
  readonly port: number;
  readonly #process: ServerProcess;
  readonly #folder: string;
  readonly #membership: Membership | null;

  /** Written down and not started. */
  constructor(
    port: number,
    membership: Membership | null = null,
    { clock, sessionTimeoutMsMax = sessionTimeoutsMs.max }: ZookeeperServerOptions = {},
  ) {
    this.port = port;
    this.#membership = membership;
    this.#folder = mkdtempSync(join(tmpdir(), 'spillway-zookeeper-'));
    const config = join(this.#folder, 'zoo.cfg');
    const settings = {
      tickTime: TICK_MS,
      initLimit: 2 * PEER_TICKS,
      syncLimit: PEER_TICKS,
      dataDir: join(this.#folder, 'data'),
      clientPort: port,
      clientPortAddress: '127.0.0.1',
      minSessionTimeout: sessionTimeoutsMs.min,
      maxSessionTimeout: sessionTimeoutMsMax,
      maxClientCnxns: 0,
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    writeFileSync(config, [...lines, ...(membership?.members ?? []), ''].join('\n'));
    this.#emptyData();
    this.#process = new ServerProcess({
      command: [
        serverPath('zookeeper'),
        ...javaOptions,
        ...Object.entries(properties).map(([name, value]) => `-D${name}=${value}`),
        '-cp',
        classPath.join(':'),
        'org.apache.zookeeper.server.quorum.QuorumPeerMain',
        config,
      ],
      ready: /binding to port/,
      environment: clock?.environment ?? {},
    });
  }

  static async start(options: ZookeeperServerOptions = {}): Promise<ZookeeperServer> {
    const server = new ZookeeperServer(await freePort(), null, options);
    await server.restart();
    return server;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** What a four-letter word answers; '' if nobody does, or nobody in time. */
  async ask(word: string): Promise<string> {
    const socket = connect(this.port, '127.0.0.1')
      .setEncoding('utf8')
      .setTimeout(1000, () => socket.destroy());
    let said = '';
    socket.on('error', () => {});
    socket.on('data', (text: string) => (said += text));
    socket.end(word);
    await new Promise<void>((resolve) => socket.on('close', () => resolve()));
    return said;
  }

  /** What it is at present; null if it serves nobody. */
  async mode(): Promise<ZookeeperMode | null> {
    const mode = /^Mode: (\w+)$/m.exec(await this.ask('srvr'))?.[1];
    return (mode as ZookeeperMode | undefined) ?? null;
  }

  /** Until it serves, which one of an ensemble does once there are enough. */
  async serving(): Promise<void> {
    while ((await this.mode()) === null) await new Promise<void>((resolve) => setTimeout(resolve, 20));
  }

  /** It dies at once, without a word; what it acknowledged is on disk. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  /** On the same port, with its data or without; does not wait until one of an ensemble serves. */
  async restart({ data = true }: { readonly data?: boolean } = {}): Promise<void> {
    if (!data) this.#emptyData();
    await this.#process.start();
    if (this.#membership === null) await this.serving();
  }

  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  #emptyData(): void {
    const data = join(this.#folder, 'data');
    rmSync(data, { recursive: true, force: true });
    mkdirSync(data);
    if (this.#membership !== null) writeFileSync(join(data, 'myid'), `${this.#membership.id}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export class ZookeeperEnsemble {
  readonly servers: readonly ZookeeperServer[];

  private constructor(servers: readonly ZookeeperServer[]) {
    this.servers = servers;
  }

  /** An odd number of members: more than half of them are needed. Those that `options` has none for are as usual. */
  static async start(size = 3, options: readonly ZookeeperServerOptions[] = []): Promise<ZookeeperEnsemble> {
    const free = await Promise.all(Array.from({ length: 3 * size }, freePort));
    const members = Array.from({ length: size }, (_, index) => {
      const [peer, election] = free.slice(size + 2 * index);
      return `server.${index + 1}=127.0.0.1:${peer}:${election}`;
    });
    const servers = members.map(
      (_, index) => new ZookeeperServer(free[index]!, { id: index + 1, members }, options[index]),
    );
    const ensemble = new ZookeeperEnsemble(servers);
    await Promise.all(servers.map((server) => server.restart()));
    await Promise.all(servers.map((server) => server.serving()));
    return ensemble;
  }

  get addresses(): string[] {
    return this.servers.map(({ address }) => address);
  }

  /** The one that leads, as soon as one does. */
  async leader(): Promise<ZookeeperServer> {
    for (;;) {
      const modes = await Promise.all(this.servers.map((server) => server.mode()));
      const leader = this.servers[modes.indexOf('leader')];
      if (leader !== undefined) return leader;
      await new Promise<void>((resolve) => setTimeout(resolve, 20));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.servers.map((server) => server[Symbol.asyncDispose]()));
  }
}
