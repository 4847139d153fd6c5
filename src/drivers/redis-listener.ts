/**
 * Listening to Redis (pub/sub) through a connection of its own: a client that listens can do nothing else. It is a duplicate of the client
 * that the program has, of ioredis or node-redis, with its address, credentials and way of connecting again.
 *
 * Messages of a time without a connection are lost. So each channel is told when it is listened to, at first and after each loss: what was missed
 * can be asked for then; and when it is so no more. Nothing here throws and nothing rejects; if the client gives up connecting, `onOver` says so, once.
 */
interface Emitter {
  on(event: string, listener: (first: string, second: string) => void): unknown;
}

interface IoredisListener extends Emitter {
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  disconnect(): void;
}

/** What is used of ioredis beside commands. */
export interface IoredisDuplicates {
  readonly pipeline: unknown;
  readonly options: { readonly keyPrefix?: string | undefined };
  duplicate(options: { readonly [name: string]: unknown }): IoredisListener;
}

interface NodeRedisListener extends Emitter {
  readonly isOpen: boolean;
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  destroy(): void;
}

/** What is used of node-redis beside commands. */
export interface NodeRedisDuplicates {
  duplicate(): NodeRedisListener;
}

export type RedisDuplicates = IoredisDuplicates | NodeRedisDuplicates;

/** What the client puts before every key, and so before a channel that a script names like its key. */
export function keyPrefixOf(client: RedisDuplicates): string {
  return 'pipeline' in client ? (client.options.keyPrefix ?? '') : '';
}

export interface Channel {
  /** It is listened to now; what was said before may have been missed. */
  readonly onListening: () => void;
  readonly onLost: () => void;
  readonly onMessage: (message: string) => void;
}

export interface RedisListenerOptions {
  readonly client: RedisDuplicates;
  readonly onOver: () => void;
}

interface Line {
  subscribe(name: string): Promise<unknown>;
  unsubscribe(name: string): Promise<unknown>;
  close(): void;
}

interface Hears {
  readonly ready: () => void;
  readonly message: (channel: string, text: string) => void;
  readonly lost: () => void;
  readonly over: () => void;
}

const nothing = (): void => {};

function viaIoredis(client: IoredisDuplicates, { ready, message, lost, over }: Hears): Line {
  // To know when it listens, this subscribes by itself.
  const line = client.duplicate({ autoResubscribe: false, lazyConnect: false });
  line.on('error', nothing);
  line.on('ready', ready);
  line.on('message', message);
  line.on('close', lost);
  line.on('end', over);
  return {
    subscribe: (name) => line.subscribe(name),
    unsubscribe: (name) => line.unsubscribe(name),
    close: () => line.disconnect(),
  };
}

function viaNodeRedis(client: NodeRedisDuplicates, { ready, message, lost, over }: Hears): Line {
  const line = client.duplicate();
  const hear = new Map<string, (text: string) => void>();
  line.on('error', () => {
    lost();
    if (!line.isOpen) over();
  });
  line.on('reconnecting', lost);
  line.on('ready', ready);
  line.connect().catch(over);
  return {
    subscribe: (name) => {
      // The same function each time: it is called once for each that was handed in.
      const listener = hear.get(name) ?? ((text: string): void => message(name, text));
      hear.set(name, listener);
      return line.subscribe(name, listener);
    },
    unsubscribe: (name) => {
      hear.delete(name);
      return line.unsubscribe(name);
    },
    close: () => {
      if (line.isOpen) line.destroy();
    },
  };
}

export class RedisListener {
  readonly #channels = new Map<string, Channel>();
  readonly #line: Line;
  readonly #onOver: () => void;
  /** Channels whose messages are heard now. */
  readonly #heard = new Set<string>();
  #isReady = false;
  #isOver = false;

  constructor({ client, onOver }: RedisListenerOptions) {
    this.#onOver = onOver;
    const hears: Hears = {
      ready: () => {
        this.#isReady = true;
        for (const name of this.#channels.keys()) this.#subscribe(name);
      },
      message: (name, text) => this.#channels.get(name)?.onMessage(text),
      lost: () => this.#lost(),
      over: () => this.#over(),
    };
    this.#line = 'pipeline' in client ? viaIoredis(client, hears) : viaNodeRedis(client, hears);
  }

  /** Whether what is said there now is heard. */
  hears(name: string): boolean {
    return this.#heard.has(name);
  }

  add(name: string, channel: Channel): void {
    this.#channels.set(name, channel);
    if (this.#isReady) this.#subscribe(name);
  }

  remove(name: string): void {
    this.#channels.delete(name);
    this.#heard.delete(name);
    // Without a connection there is nothing to end.
    if (this.#isReady) this.#line.unsubscribe(name).catch(nothing);
  }

  close(): void {
    this.#channels.clear();
    this.#heard.clear();
    this.#isOver = true;
    this.#line.close();
  }

  #subscribe(name: string): void {
    // Refused or cut off: whoever waits asks from time to time anyway, and a connection that comes back is subscribed anew.
    this.#line.subscribe(name).then(() => {
      const channel = this.#channels.get(name);
      if (channel === undefined) return;
      this.#heard.add(name);
      channel.onListening();
    }, nothing);
  }

  #lost(): void {
    const lost = [...this.#heard];
    this.#heard.clear();
    for (const name of lost) this.#channels.get(name)?.onLost();
  }

  #over(): void {
    if (this.#isOver) return;
    this.#lost();
    this.close();
    this.#onOver();
  }
}
