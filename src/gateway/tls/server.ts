/** A TLS server whose certificates can be replaced while it runs; handshakes that fail or take too long are counted. */
import tls from 'node:tls';
import type { ListenerTlsPlan } from '../snapshot.ts';
import { contextOptions, Contexts } from './contexts.ts';

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
  #contexts: Contexts;

  constructor({ listenerId, plan, handshakeMs, onConnection, onFailure }: SecureServerOptions) {
    this.#listenerId = listenerId;
    this.#contexts = new Contexts(plan, listenerId);
    this.server = tls.createServer(
      {
        ...contextOptions(plan, listenerId),
        ...firstCertificate(plan),
        ALPNProtocols: ['http/1.1'],
        SNICallback: (serverName, done) => {
          const context = this.#contexts.choose(serverName);
          if (context === null) done(new Error('unknown server name'));
          else done(null, context);
        },
        handshakeTimeout: handshakeMs,
        requestCert: plan.clientCaPem !== null,
        rejectUnauthorized: plan.clientCaPem !== null,
        allowHalfOpen: true,
        noDelay: true,
      },
      (socket) => {
        // A client that names no server never reaches the callback above.
        if (this.#contexts.plan.unknownSni === 'reject' && !socket.servername) {
          onFailure();
          socket.destroy();
        } else onConnection(socket);
      },
    );
    this.server.on('tlsClientError', (_error, socket) => {
      onFailure();
      socket.destroy();
    });
  }

  /** Uses other certificates and keys for handshakes from now on. */
  apply(plan: ListenerTlsPlan): void {
    const before = this.#contexts.plan;
    if (JSON.stringify(before) === JSON.stringify(plan)) return;
    // Throws before anything is changed if a certificate cannot be used.
    this.#contexts = new Contexts(plan, this.#listenerId);
    this.server.setSecureContext({ ...contextOptions(plan, this.#listenerId), ...firstCertificate(plan) });
  }
}

function firstCertificate(plan: ListenerTlsPlan): { readonly cert: string; readonly key: string } {
  const first = plan.certificates[0];
  if (first === undefined) throw new RangeError('a TLS listener has no certificate');
  return { cert: first.certificatePem, key: first.keyPem };
}
