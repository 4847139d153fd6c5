/**
 * One wire at a time, without the engine: a wire of each kind with a peer at its other end, for the contract in
 * `src/gateway/l7/wire.ts`, which every kind has to keep.
 */
import { constants } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import tls from 'node:tls';
import { Buffers } from '../../src/gateway/l7/buffers.ts';
import { NetWire } from '../../src/gateway/l7/net-wire.ts';
import { RawTransport } from '../../src/gateway/l7/raw-transport.ts';
import type { Wire, WireOwner } from '../../src/gateway/l7/wire.ts';
import { Authority, type KeyPair } from '../certificates.ts';
import { connectTo, Peer } from './peer.ts';

const TEST_TIMEOUT_MS = 60_000;

/** Which end of the connection the wire is, and what it is made of. */
export type WireKind = (typeof wireKinds)[number];

export const wireKinds = [
  'raw, accepted',
  'net, accepted',
  'raw, connected',
  'net, connected',
  'raw, TLS 1.2',
  'raw, TLS 1.3',
  'net, TLS 1.2',
  'net, TLS 1.3',
] as const;

/** Those that TLS clients meet. */
export const secureKinds = wireKinds.filter((kind) => kind.includes('TLS'));

/** An owner that keeps what it is told, in the order of telling. */
export class Recorder implements WireOwner {
  readonly events: string[] = [];
  bytes: Buffer = Buffer.alloc(0);
  /** Told of each event after it was kept. */
  onEvent: (event: string) => void = () => {};
  #waiting: (() => void)[] = [];

  onBytes(bytes: Uint8Array, from: number, to: number): void {
    this.bytes = Buffer.concat([this.bytes, bytes.subarray(from, to)]);
    this.#note('bytes');
  }

  onEnd(): void {
    this.#note('end');
  }

  onDrain(): void {
    this.#note('drain');
  }

  onClose(code: string): void {
    this.#note(`close ${code}`);
  }

  /** Waits until `condition` holds; looks after each event. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  get closed(): string | undefined {
    return this.events.find((event) => event.startsWith('close'));
  }

  #note(event: string): void {
    this.events.push(event);
    this.onEvent(event);
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** A wire, who owns it, and the other end. */
export interface Line {
  readonly kind: WireKind;
  readonly wire: Wire;
  readonly owner: Recorder;
  readonly peer: Peer;
  /** Of TLS: the peer's socket below it, which takes records of its own making. */
  readonly below: net.Socket;
  readonly buffers: Buffers;
}

/** Runs a test for each of `kinds`. */
export function onWires(title: string, kinds: readonly WireKind[], run: (line: Line) => Promise<void>): void {
  for (const kind of kinds) {
    test(`${title} [${kind}]`, { timeout: TEST_TIMEOUT_MS }, async () => {
      const buffers = new Buffers(64 * 1024 * 1024);
      const { wire, peer, below = peer.socket, close } = await open(kind, buffers);
      const owner = new Recorder();
      wire.owner = owner;
      try {
        await run({ kind, wire, owner, peer, below, buffers });
      } finally {
        wire.close();
        peer.destroy();
        await close();
      }
    });
  }
}

interface Opened {
  readonly wire: Wire;
  readonly peer: Peer;
  readonly below?: net.Socket;
  readonly close: () => Promise<void>;
}

async function open(kind: WireKind, buffers: Buffers): Promise<Opened> {
  const raw = kind.startsWith('raw') ? RawTransport.detect(buffers) : null;
  if (kind.includes('TLS')) return await openSecure(raw, kind.endsWith('1.2') ? 'TLSv1.2' : 'TLSv1.3', buffers);
  const server = net.createServer({ allowHalfOpen: true, noDelay: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const close = async (): Promise<void> => {
    server.close();
    await once(server, 'close');
  };
  if (kind.endsWith('accepted')) {
    const accepted = new Promise<Wire>((resolve) => {
      if (raw !== null) raw.serve(server, resolve);
      else server.on('connection', (socket) => resolve(new NetWire(socket, buffers)));
    });
    const peer = await connectTo(port);
    return { wire: await accepted, peer, close };
  }
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  const wire = raw === null ? await connectNet(port, buffers) : await connectRaw(raw, port);
  const [socket] = await accepted;
  return { wire, peer: new Peer(socket), close };
}

async function openSecure(raw: RawTransport | null, version: tls.SecureVersion, buffers: Buffers): Promise<Opened> {
  const { certificatePem, keyPem } = (keyPair ??= issue());
  const secureOptions = constants.SSL_OP_NO_RENEGOTIATION; // as the gateway's listeners have it
  const options = { cert: certificatePem, key: keyPem, minVersion: version, maxVersion: version, secureOptions };
  const secure = tls.createServer({ ...options, allowHalfOpen: true });
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => {});
    secure.emit('connection', socket);
  });
  const accepted = new Promise<Wire>((resolve) => {
    secure.on('secureConnection', (socket) => resolve(raw?.adopt(socket) ?? new NetWire(socket, buffers)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const below = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  const socket = tls.connect({ socket: below, rejectUnauthorized: false });
  const peer = new Peer(socket);
  below.on('error', () => {});
  await once(socket, 'secureConnect');
  const close = async (): Promise<void> => {
    server.close();
    await once(server, 'close');
  };
  return { wire: await accepted, peer, below, close };
}

let keyPair: KeyPair | null = null;

function issue(): KeyPair {
  using authority = new Authority();
  return authority.issue(['127.0.0.1']);
}

async function connectNet(port: number, buffers: Buffers): Promise<Wire> {
  const socket = net.connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  await once(socket, 'connect');
  return new NetWire(socket, buffers);
}

async function connectRaw(raw: RawTransport, port: number): Promise<Wire> {
  return await new Promise((resolve, reject) => {
    raw.connect('127.0.0.1', port, (wire, code) => (wire === null ? reject(new Error(code)) : resolve(wire)));
  });
}
