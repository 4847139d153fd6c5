/**
 * The TLS server of a listener: shakes hands on sockets that are given to it, with certificates that can be replaced while it
 * runs. It does not listen and sets no deadline: who accepts counts, and ends what takes too long.
 *
 * Invariant: a client that sends FIN within its handshake is gone; one that sends it afterwards may still read.
 */
import type net from 'node:net';
import tls from 'node:tls';
import type { ListenerTlsPlan } from '../snapshot.ts';
import { ServerContexts } from './server-contexts.ts';

/** Node wants a limit of its own; longer than any that a listener sets. */
const HANDSHAKE_MS_MAX = 2 ** 31 - 1;

type Secured = (socket: tls.TLSSocket) => void;

export class SecureServer {
  readonly #server: tls.Server;
  readonly #listenerId: string;
  readonly #contexts: ServerContexts;
  /** Handshakes under way. Node tells of the secure socket and not of the one below it; both have the same two ends. */
  readonly #underWay = new Map<string, Secured>();

  constructor(listenerId: string, plan: ListenerTlsPlan) {
    this.#listenerId = listenerId;
    this.#contexts = new ServerContexts(listenerId, plan);
    this.#server = tls.createServer(this.#contexts.serverOptions(HANDSHAKE_MS_MAX), (socket) => {
      const secured = this.#underWay.get(keyOf(socket));
      if (secured === undefined) socket.destroy();
      else secured(socket);
    });
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy());
  }

  /** `secured` is told if it succeeds; if not, `socket` closes. */
  shakeHands(socket: net.Socket, secured: Secured): void {
    const key = keyOf(socket);
    const over = (): void => {
      // The same two ends may have met again before Node tells that they parted.
      if (this.#underWay.get(key) === told) this.#underWay.delete(key);
    };
    const told: Secured = (secure) => {
      over();
      // What the handshake needed is not kept for as long as the connection lasts.
      socket.off('close', over);
      secure.allowHalfOpen = true;
      secured(secure);
    };
    this.#underWay.set(key, told);
    socket.once('close', over);
    // The TLS socket takes it over from the one below.
    socket.allowHalfOpen = false;
    this.#server.emit('connection', socket);
  }

  /** Throws if OpenSSL does not take a certificate, key or authority of `plan`. */
  check(plan: ListenerTlsPlan): void {
    if (!this.#isSame(plan)) new ServerContexts(this.#listenerId, plan).serverOptions(0);
  }

  /** Uses other certificates and keys for handshakes from now on. Throws, and changes nothing, if it cannot. */
  apply(plan: ListenerTlsPlan): void {
    if (this.#isSame(plan)) return;
    this.#contexts.apply(plan);
    this.#contexts.refresh(this.#server);
  }

  #isSame(plan: ListenerTlsPlan): boolean {
    return JSON.stringify(this.#contexts.plan) === JSON.stringify(plan);
  }
}

function keyOf({ localAddress, localPort, remoteAddress, remotePort }: net.Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}
