/**
 * The TLS side of a service: how its endpoints are verified, what the gateway shows of itself, and the sessions that save a
 * handshake.
 *
 * Invariants: verification, of chain and name, is on unless the config says otherwise; a session is used only towards the
 * endpoint it came from and under the options it was made with, so resuming skips no check that was not made once. Bytes
 * that a server sends before the handshake has ended are the handshake's and break it: none reaches the engine. TLS 1.2 with
 * forward secrecy and AEAD at the least, no renegotiation.
 *
 * Cost: one SecureContext a service; one session (about 2 KB) an endpoint, bounded.
 * Sources: RFC 9325 §3 and §4, RFC 9525 §6, RFC 8446 §2.2.
 */
import { constants } from 'node:crypto';
import { isIP, type LookupFunction } from 'node:net';
import tls from 'node:tls';
import type { EndpointPlan, UpstreamTlsPlan } from '../snapshot.ts';
import { CIPHERS } from './ciphers.ts';
import { requireCloseNotify } from './close-notify.ts';

/** Endpoints whose last session is kept; beyond, the one that has waited longest is forgotten. */
const SESSIONS_MAX = 1024;

/** What is spoken with the endpoints of a service, and what both sides show of themselves; health checks use the same. */
export function contextOptions(plan: UpstreamTlsPlan): tls.SecureContextOptions {
  return {
    ciphers: CIPHERS,
    minVersion: 'TLSv1.2',
    maxVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    ...(plan.caPem === null ? {} : { ca: plan.caPem }),
    ...(plan.certificatePem === null || plan.keyPem === null ? {} : { cert: plan.certificatePem, key: plan.keyPem }),
  };
}

export class UpstreamContext {
  readonly #plan: UpstreamTlsPlan;
  readonly #lookup: LookupFunction;
  readonly #context: tls.SecureContext;
  readonly #sessions = new Map<string, Buffer>();

  /** Throws what OpenSSL says about an authority, certificate or key that it cannot use. */
  constructor(plan: UpstreamTlsPlan, lookup: LookupFunction) {
    this.#plan = plan;
    this.#lookup = lookup;
    this.#context = tls.createSecureContext(contextOptions(plan));
  }

  /** Begins a connection and its handshake; it is there at `secureConnect`. */
  connect(endpoint: EndpointPlan): tls.TLSSocket {
    const identity = this.#plan.serverName ?? endpoint.identity;
    const session = this.#sessions.get(sessionKey(endpoint));
    const options: tls.ConnectionOptions & { readonly allowHalfOpen: boolean; readonly lookup: LookupFunction } = {
      host: endpoint.host,
      port: endpoint.port,
      lookup: this.#lookup,
      // RFC 6066 §3: an address is no server name.
      servername: isIP(identity) === 0 ? identity : '',
      secureContext: this.#context,
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: this.#plan.verify,
      checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(identity, certificate),
      allowHalfOpen: true,
      ...(session === undefined ? {} : { session }),
    };
    const socket = tls.connect(options);
    if (this.#plan.closeNotify === 'required') requireCloseNotify(socket);
    this.#remember(endpoint, socket);
    return socket;
  }

  /** Keeps the newest session of a connection to this endpoint, and forgets it if the handshake fails. */
  #remember(endpoint: EndpointPlan, socket: tls.TLSSocket): void {
    const id = sessionKey(endpoint);
    socket.on('session', (session) => {
      this.#sessions.delete(id);
      this.#sessions.set(id, session);
      if (this.#sessions.size > SESSIONS_MAX) this.#sessions.delete(this.#sessions.keys().next().value ?? id);
    });
    socket.once('error', () => this.#sessions.delete(id));
  }
}

/** A session was verified for one identity and says nothing of another. */
function sessionKey({ id, identity }: EndpointPlan): string {
  return `${id} ${identity}`;
}
