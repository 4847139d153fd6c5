/** A TLS server whose certificates can be replaced while it runs; handshakes that fail or take too long are counted. */
import tls from 'node:tls';
import type { ListenerTlsPlan } from '../snapshot.ts';
import { ServerContexts } from './server-contexts.ts';

export interface SecureServerOptions {
  readonly listenerId: string;
  readonly plan: ListenerTlsPlan;
  readonly handshakeMs: number;
  readonly onConnection: (socket: tls.TLSSocket) => void;
  readonly onFailure: () => void;
}

export class SecureServer {
  readonly server: tls.Server;
  readonly #listenerId: string;
  readonly #contexts: ServerContexts;

  constructor({ listenerId, plan, handshakeMs, onConnection, onFailure }: SecureServerOptions) {
    this.#listenerId = listenerId;
    this.#contexts = new ServerContexts(listenerId, plan);
    const options = { ...this.#contexts.serverOptions(handshakeMs), allowHalfOpen: true, noDelay: true };
    this.server = tls.createServer(options, onConnection);
    this.server.on('tlsClientError', (_error, socket) => {
      onFailure();
      socket.destroy();
    });
  }

  /** Throws if OpenSSL does not take a certificate, key or authority of `plan`. */
  check(plan: ListenerTlsPlan): void {
    if (!this.#isSame(plan)) new ServerContexts(this.#listenerId, plan).serverOptions(0);
  }

  /** Uses other certificates and keys for handshakes from now on. Throws, and changes nothing, if it cannot. */
  apply(plan: ListenerTlsPlan): void {
    if (this.#isSame(plan)) return;
    this.#contexts.apply(plan);
    this.#contexts.refresh(this.server);
  }

  #isSame(plan: ListenerTlsPlan): boolean {
    return JSON.stringify(this.#contexts.plan) === JSON.stringify(plan);
  }
}
