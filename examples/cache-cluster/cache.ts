/**
 * A cache over several Redis servers: a placement says which of them has a key, and what none has is loaded and kept there.
 * A server that cannot be reached has nothing: its keys are loaded each time, at once, until it is back.
 *
 * The placement is the only thing that decides, and it is replaced as a whole: a reader sees the old one or the new one.
 */
import { Redis } from 'ioredis';
import type { Placement } from 'spillway/ring';

export interface Answer {
  readonly value: string;
  readonly isHit: boolean;
}

export class CacheCluster {
  readonly #load: (key: string) => Promise<string>;
  readonly #clients = new Map<string, Redis>();
  #placement: Placement;

  /** `placement` without nodes: servers join one by one. `load` asks whoever has the truth. */
  constructor(placement: Placement, load: (key: string) => Promise<string>) {
    this.#placement = placement;
    this.#load = load;
  }

  get placement(): Placement {
    return this.#placement;
  }

  /** The server is connected first and has keys from then on. Its name, not its address, says which: it may move house. */
  async join(name: string, port: number): Promise<void> {
    // With a queue and retries a request for a server that is gone would wait ten seconds, and fail.
    const client = new Redis({
      port,
      lazyConnect: true,
      enableAutoPipelining: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
    });
    client.on('error', ({ message }) => process.stderr.write(`${name}: ${message}\n`));
    await client.connect();
    this.#clients.set(name, client);
    this.#placement = this.#placement.with([...this.#placement.nodes, name]);
  }

  async get(key: string): Promise<Answer> {
    const client = this.#clients.get(this.#placement.get(key)!)!;
    const kept = await client.get(key).catch(() => null);
    if (kept !== null) return { value: kept, isHit: true };
    const value = await this.#load(key);
    await client.set(key, value).catch(() => {});
    return { value, isHit: false };
  }

  [Symbol.dispose](): void {
    for (const client of this.#clients.values()) client.disconnect();
  }
}
