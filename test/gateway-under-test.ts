/**
 * A real gateway in this process and servers behind it, for tests: whatever a test makes here is taken away after it. Event by
 * event, so that a test waits for what it means and never for a time.
 */
import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { ConfigInput } from '../src/gateway/config/index.ts';
import { createGateway, type GatewayEvent, type GatewayOptions } from '../src/gateway/index.ts';
import { useOwnStateFolder } from './state-folder.ts';

useOwnStateFolder();

/** Run in reverse after the test. */
export const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

export async function origin(name: string): Promise<string> {
  const server: Server = createServer((_request, response) => void response.end(name));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'spillway-gateway-'));
  cleanups.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A data plane as it is, whose worker of one lane throws as soon as it is told to. */
export function mortalWorker(lane: number): { readonly entry: URL; kill(): void } {
  const home = folder();
  const poison = join(home, 'poison');
  const entry = join(home, 'worker.mjs');
  writeFileSync(
    entry,
    `import { existsSync, rmSync } from 'node:fs';
    import { workerData } from 'node:worker_threads';
    await import(${JSON.stringify(new URL('../src/gateway/worker.ts', import.meta.url).href)});
    const kill = () => { if (existsSync(${JSON.stringify(poison)})) { rmSync(${JSON.stringify(poison)}); throw new Error('killed'); } };
    if (workerData.lane === ${lane}) setInterval(kill, 5);`,
  );
  return { entry: pathToFileURL(entry), kill: () => writeFileSync(poison, '') };
}

export function config(endpoint: string, given: Partial<ConfigInput> = {}): ConfigInput {
  return {
    listeners: [{ name: 'web', address: '127.0.0.1:0' }],
    services: [{ name: 'shop', endpoints: [endpoint] }],
    routes: [{ name: 'all', service: 'shop' }],
    ...given,
  };
}

type EventOf<Kind extends GatewayEvent['kind']> = Extract<GatewayEvent, { readonly kind: Kind }>;

export function create(options: GatewayOptions) {
  const emitter = new EventEmitter();
  const seen: GatewayEvent[] = [];
  const gateway = createGateway({
    workers: 2,
    ...options,
    onEvent: (event) => {
      seen.push(event);
      emitter.emit(event.kind, event);
    },
  });
  cleanups.push(() => gateway.stop());
  const next = <Kind extends GatewayEvent['kind']>(kind: Kind): Promise<EventOf<Kind>> =>
    new Promise((resolve) => emitter.once(kind, resolve));
  const address = (): string => gateway.state().listeners[0]!.address;
  const get = async (at = address()): Promise<string> => (await fetch(`http://${at}/`)).text();
  return { gateway, seen, next, address, get };
}
