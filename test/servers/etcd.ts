/**
 * etcd servers of a test's own: one, or a cluster of three. Elections are fast (a new leader some 300 ms after the old one died), and so
 * a lease may be as short as one second.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { serverPath } from '../../scripts/servers.ts';
import type { KeyPair } from '../certificates.ts';
import { freePort } from '../ports.ts';
import { ServerProcess } from './server-process.ts';

const HEARTBEAT_MS = 50;
const ELECTION_MS = 250;
/** Between two looks at what has no event. */
const LOOK_MS = 20;

export interface EtcdOptions {
  /** Clients are served by TLS, and asked for a certificate of the authority if there is one. */
  readonly tls?: { readonly server: KeyPair; readonly caPem?: string };
  readonly args?: readonly string[];
}

interface Place {
  readonly name: string;
  readonly port: number;
  readonly peerPort: number;
}

async function freePlace(index: number): Promise<Place> {
  return { name: `node${index}`, port: await freePort(), peerPort: await freePort() };
}

const peerUrl = ({ peerPort }: Place): string => `http://127.0.0.1:${peerPort}`;

export class EtcdServer {
  readonly name: string;
  readonly port: number;
  /** What its peers find it by. */
  readonly peerUrl: string;
  /** What a client is given. */
  readonly url: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'spillway-etcd-'));
  readonly #options: EtcdOptions;
  readonly #initialCluster: string;
  #process: ServerProcess;

  private constructor(place: Place, members: readonly Place[], options: EtcdOptions) {
    this.name = place.name;
    this.port = place.port;
    this.peerUrl = peerUrl(place);
    this.url = `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${place.port}`;
    this.#options = options;
    this.#initialCluster = members.map((member) => `${member.name}=${peerUrl(member)}`).join(',');
    this.#process = this.#launch('new');
  }

  /** A server that is a cluster by itself. */
  static async start(options: EtcdOptions = {}): Promise<EtcdServer> {
    const place = await freePlace(0);
    const server = new EtcdServer(place, [place], options);
    await server.#process.start();
    return server;
  }

  /** All at once: none is ready before most of them have met. */
  static async startMembers(size: number, options: EtcdOptions): Promise<EtcdServer[]> {
    const places: Place[] = [];
    for (let index = 0; index < size; index++) places.push(await freePlace(index));
    const servers = places.map((place) => new EtcdServer(place, places, options));
    await Promise.all(servers.map((server) => server.#process.start()));
    return servers;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** It saves nothing and says goodbye to nobody. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  /** On the same port, with the data it had. */
  restart(): Promise<void> {
    return this.#process.start();
  }

  /**
   * On the same port, of what it knew nothing is left. As one of a cluster it must be a new member by then
   * (`EtcdCluster.restartEmpty` sees to that): a cluster takes none back that has lost its memory.
   */
  async restartEmpty(cluster: 'new' | 'existing' = 'new'): Promise<void> {
    rmSync(join(this.#folder, 'data'), { recursive: true, force: true });
    this.#process = this.#launch(cluster);
    await this.#process.start();
  }

  freeze(): void {
    this.#process.freeze();
  }

  thaw(): void {
    this.#process.thaw();
  }

  /** Asks it by its gateway, without a client, and again if it learns of another leader meanwhile; only where there is no TLS. */
  async ask<Answer>(path: string, request: object = {}): Promise<Answer> {
    const response = await fetch(this.url + path, { method: 'POST', body: JSON.stringify(request) });
    const text = await response.text();
    if (response.status === 503 && text.includes('leader changed')) return await this.ask(path, request);
    if (!response.ok) throw new Error(`${this.name} answered ${response.status} to ${path}: ${text}`);
    return JSON.parse(text) as Answer;
  }

  /** Whether it takes itself for the leader. */
  async leads(): Promise<boolean> {
    const { header, leader } = await this.ask<{ header: { member_id: string }; leader?: string }>(
      '/v3/maintenance/status',
    );
    return leader === header.member_id;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #launch(cluster: 'new' | 'existing'): ServerProcess {
    const { tls, args = [] } = this.#options;
    return new ServerProcess({
      command: [
        serverPath('etcd'),
        ...['--name', this.name, '--data-dir', join(this.#folder, 'data')],
        ...['--listen-client-urls', this.url, '--advertise-client-urls', this.url],
        ...['--listen-peer-urls', this.peerUrl, '--initial-advertise-peer-urls', this.peerUrl],
        ...['--initial-cluster', this.#initialCluster, '--initial-cluster-state', cluster],
        ...['--heartbeat-interval', String(HEARTBEAT_MS), '--election-timeout', String(ELECTION_MS)],
        // Members may change while one is away, and at once.
        '--strict-reconfig-check=false',
        ...(tls === undefined ? [] : this.#tlsArgs(tls)),
        ...args,
      ],
      ready: /ready to serve client requests/,
    });
  }

  #tlsArgs({ server, caPem }: NonNullable<EtcdOptions['tls']>): string[] {
    const write = (file: string, pem: string): string => {
      const path = join(this.#folder, file);
      writeFileSync(path, pem, { mode: 0o600 });
      return path;
    };
    const own = [
      '--cert-file',
      write('cert.pem', server.certificatePem),
      '--key-file',
      write('key.pem', server.keyPem),
    ];
    return caPem === undefined ? own : [...own, '--client-cert-auth', '--trusted-ca-file', write('ca.pem', caPem)];
  }
}

/** Several servers that are one cluster. */
export class EtcdCluster {
  readonly nodes: readonly EtcdServer[];

  private constructor(nodes: readonly EtcdServer[]) {
    this.nodes = nodes;
  }

  static async start({ size = 3, ...options }: EtcdOptions & { readonly size?: number } = {}): Promise<EtcdCluster> {
    return new EtcdCluster(await EtcdServer.startMembers(size, options));
  }

  get endpoints(): string[] {
    return this.nodes.map(({ url }) => url);
  }

  /** The leader, as soon as there is one. Only nodes that answer may be asked: name those that are killed or frozen. */
  async leader({ except = [] }: { readonly except?: readonly EtcdServer[] } = {}): Promise<EtcdServer> {
    for (;;) {
      for (const node of this.nodes) if (!except.includes(node) && (await node.leads())) return node;
      await new Promise<void>((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }

  /** A node that was killed comes back without its data: the others forget the old member and take a new one at its place. */
  async restartEmpty(node: EtcdServer): Promise<void> {
    const other = await this.leader({ except: [node] });
    const { members } = await other.ask<{ members: { ID: string; name: string }[] }>('/v3/cluster/member/list');
    const { ID } = members.find(({ name }) => name === node.name) ?? {};
    await other.ask('/v3/cluster/member/remove', { ID });
    await other.ask('/v3/cluster/member/add', { peerURLs: [node.peerUrl] });
    await node.restartEmpty('existing');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}
