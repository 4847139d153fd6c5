/** The gateway of the soak as a process, what is around it, and what can happen to them. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { GatewayState } from '../../src/gateway/index.ts';
import type { Random } from '../../src/kernel/random.ts';
import { Authority } from '../certificates.ts';
import { authorized } from '../admin-token.ts';
import { CliProcess } from '../cli-process.ts';
import { SoakOrigin } from './origin.ts';

/** Far above what everything takes to come to rest. */
const REST_MS = 30_000;
/**
 * A check that this process answers at its busiest is in time: a server that was killed has to be found well again before the next one is. Those that
 * hang do so at times longer.
 */
const CHECK_MS = 500;

export class SoakWorld implements AsyncDisposable {
  readonly gateway: CliProcess;
  readonly #home: string;
  readonly #origins: readonly SoakOrigin[];
  readonly #certificates: readonly string[];
  #writes = 0;

  private constructor(home: string, origins: readonly SoakOrigin[], certificates: readonly string[]) {
    this.#home = home;
    this.#origins = origins;
    this.#certificates = certificates;
    this.#writeCertificate();
    this.#writeConfig();
    this.gateway = new CliProcess(['up'], { cwd: home });
  }

  static async start(): Promise<SoakWorld> {
    using authority = new Authority();
    const pairs = [authority.issue(['soak.example']), authority.issue(['soak.example', 'new.example'])];
    const origins = [new SoakOrigin(), new SoakOrigin(), new SoakOrigin()];
    await Promise.all(origins.map((origin) => origin.start()));
    const certificates = pairs.map(({ certificatePem, keyPem }) => `${certificatePem}${keyPem}`);
    const world = new SoakWorld(mkdtempSync(join(tmpdir(), 'spillway-soak-')), origins, certificates);
    await world.gateway.printed(/Ctrl-C drains/);
    return world;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.gateway[Symbol.asyncDispose]();
    await Promise.all(this.#origins.map((origin) => origin.kill()));
    rmSync(this.#home, { recursive: true });
  }

  get ports(): { readonly plainPort: number; readonly securePort: number } {
    return { plainPort: this.#printed(/plain +http:.*:(\d+)/), securePort: this.#printed(/secure +https:.*:(\d+)/) };
  }

  async state(): Promise<GatewayState> {
    return (await (await this.#ask('/api/state')).json()) as GatewayState;
  }

  /** The sum of its series. */
  async metric(name: string): Promise<number> {
    const text = await (await this.#ask('/metrics')).text();
    const values = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))];
    assert.ok(values.length > 0, `no ${name}`);
    return values.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  /** Of the gateway's process. */
  descriptors(): number {
    return readdirSync(`/proc/${this.gateway.child.pid}/fd`).length;
  }

  /** One thing goes wrong, or changes, and is over when this resolves. At most one server of three is ever away. */
  async fault(random: Random): Promise<void> {
    const draw = random.unit();
    const origin = this.#origins[Math.floor(random.unit() * this.#origins.length)]!;
    const durationMs = 100 + random.unit() * 800;
    if (draw < 0.3) {
      await origin.kill();
      await pause(durationMs);
      await origin.start();
    } else if (draw < 0.5) {
      origin.hang();
      await pause(2 * durationMs);
      origin.release();
    } else if (draw < 0.75) {
      this.#writeConfig();
      this.gateway.child.kill('SIGHUP');
      await pause(durationMs / 4);
    } else if (draw < 0.85) {
      await (await this.#ask('/api/rollback', 'POST')).text();
    } else {
      this.#writeCertificate();
      await pause(durationMs / 4);
    }
  }

  /** Waits until nothing is in flight, open, waiting or buffered, and as many descriptors are open as were. */
  async rest(descriptors: number): Promise<void> {
    const deadline = performance.now() + REST_MS;
    for (;;) {
      const left = await this.#left(descriptors);
      if (left.length === 0) return;
      if (performance.now() > deadline) assert.fail(`left behind: ${left.join(', ')}`);
      await pause(100);
    }
  }

  async #left(descriptors: number): Promise<string[]> {
    const { listeners, routes, services } = await this.state();
    const endpoints = services.flatMap((service) => service.endpoints);
    const counts: readonly (readonly [string, number])[] = [
      ...listeners.map(({ name, connections, tunnels }) => [`connections of ${name}`, connections + tunnels] as const),
      ...routes.map(({ name, inFlight }) => [`in flight on ${name}`, inFlight] as const),
      ...endpoints.flatMap(({ address, inFlight, connections, queued }) => [
        [`in flight at ${address}`, inFlight] as const,
        [`connections to ${address}`, connections] as const,
        [`waiting for ${address}`, queued] as const,
      ]),
      ['bytes in buffers', await this.metric('spillway_worker_buffer_bytes')],
      // The connection that asks for all this may be one.
      ['descriptors', Math.max(0, this.descriptors() - descriptors - 1)],
    ];
    return counts.filter(([, count]) => count !== 0).map(([what, count]) => `${count} ${what}`);
  }

  async #ask(path: string, method = 'GET'): Promise<Response> {
    const [, admin = ''] = /admin +http:\/\/(\S+)/.exec(this.gateway.err) ?? [];
    const token = method === 'GET' ? {} : await authorized(admin);
    return fetch(`http://${admin}${path}`, { method, headers: { Connection: 'close', ...token } });
  }

  #printed(pattern: RegExp): number {
    return Number(pattern.exec(this.gateway.err)?.[1]);
  }

  #writeCertificate(): void {
    this.#write('tls.pem', this.#certificates[this.#writes % this.#certificates.length]!);
  }

  /** Each differs from the last in what a reload has to touch: weights, limits, a route more or less. */
  #writeConfig(): void {
    const turn = this.#writes;
    const endpoints = this.#origins.map(
      ({ address }, index) => `{ address: "${address}", weight: ${1 + ((turn + index) % 3)} }`,
    );
    // A client that writes byte by byte is as slow as the machine.
    const slow = 'timeouts: { header: 60s }, limits: { requestBodyRate: 0b }';
    const more = turn % 2 === 0 ? '' : '\n  - { name: more, match: { host: more.example }, service: shop }';
    this.#write(
      'spillway.yaml',
      `
listeners:
  - { name: plain, address: "127.0.0.1:0", ${slow} }
  - { name: secure, address: "127.0.0.1:0", ${slow}, tls: { certificate: tls.pem, key: tls.pem } }
services:
  - name: shop
    endpoints: [${endpoints.join(', ')}]
    timeouts: { connect: 500ms, responseHeader: ${600 + (turn % 5)}ms, idle: 500ms }
    health: { active: { path: /, interval: ${CHECK_MS}ms, timeout: ${CHECK_MS}ms, unhealthyAfter: 1 } }
routes:
  - { name: all, service: shop, upgrade: [websocket] }${more}
admin: { address: "127.0.0.1:0" }
accessLog: { target: access.log }
workers: 2
`,
    );
  }

  #write(name: string, text: string): void {
    this.#writes += 1;
    const path = join(this.#home, name);
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
}
