/**
 * What a lock protects, independent of every store: counters behind a socket, each of them twice. The *fenced* one refuses whoever comes with a
 * smaller token than it has seen, to read or to write; the *plain* one takes everything. Both log each access in the order in which they took it,
 * and that log, by no clock, is what a cell is judged by.
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import type { Access } from '../../../src/testing/index.ts';

export const places = ['fenced', 'plain'] as const;
export type Place = (typeof places)[number];

export interface ResourceQuestion {
  readonly id: number;
  readonly counter: string;
  readonly place: Place;
  readonly process: string;
  /** A bigint, as text. */
  readonly token: string;
  /** To write; null to read. */
  readonly value: number | null;
}

export interface ResourceAnswer {
  readonly id: number;
  readonly accepted: boolean;
  /** As it is after the access. */
  readonly value: number;
}

export interface Counter {
  value: number;
  highest: bigint;
  readonly log: Access[];
}

export class Resource implements AsyncDisposable {
  readonly path: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'spillway-resource-'));
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #counters = new Map<string, Counter>();

  private constructor() {
    this.path = join(this.#folder, 'socket');
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
      createInterface(socket).on('line', (line) => {
        socket.write(`${JSON.stringify(this.#access(JSON.parse(line) as ResourceQuestion))}\n`);
      });
    });
  }

  static async open(): Promise<Resource> {
    const resource = new Resource();
    resource.#server.listen(resource.path);
    await once(resource.#server, 'listening');
    return resource;
  }

  counter(name: string, place: Place): Counter {
    const key = `${place} ${name}`;
    const counter = this.#counters.get(key) ?? { value: 0, highest: 0n, log: [] };
    this.#counters.set(key, counter);
    return counter;
  }

  #access({ id, counter: name, place, process, token: text, value }: ResourceQuestion): ResourceAnswer {
    const counter = this.counter(name, place);
    const token = BigInt(text);
    const accepted = place === 'plain' || token >= counter.highest;
    counter.log.push({ process, token, op: value === null ? 'read' : 'write', accepted });
    if (accepted && token > counter.highest) counter.highest = token;
    if (accepted && value !== null) counter.value = value;
    return { id, accepted, value: counter.value };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
