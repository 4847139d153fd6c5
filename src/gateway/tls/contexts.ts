/**
 * What a TLS listener answers with: one context per certificate, chosen by the name the client asks for.
 *
 * Policy (RFC 9325, Mozilla "intermediate"): TLS 1.2 and 1.3; for 1.2 only ECDHE with an AEAD; no renegotiation, no
 * compression; ALPN is `http/1.1`, and a client that offers only others is told `no_application_protocol`.
 *
 * Invariants: contexts are replaced as a whole, so a handshake sees the old certificates or the new ones; connections that are
 * open are not touched. Sessions carry the listener's name, so that none made on one listener resumes on another
 * (compare CVE-2025-23419); their keys are the same for all workers.
 */
import { constants } from 'node:crypto';
import tls from 'node:tls';
import type { ListenerTlsPlan } from '../snapshot.ts';

/** For TLS 1.2, in our order; 1.3 has only good ones. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** Options that every context of a listener shares. */
export function contextOptions(plan: ListenerTlsPlan, listenerId: string): tls.SecureContextOptions {
  return {
    minVersion: plan.minVersion,
    ciphers: CIPHERS,
    honorCipherOrder: true,
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
    sessionIdContext: sessionContext(listenerId),
    ticketKeys: Buffer.from(plan.ticketKeys),
    ...(plan.clientCaPem === null ? {} : { ca: plan.clientCaPem }),
  };
}

/** OpenSSL takes 32 bytes at most. */
function sessionContext(listenerId: string): string {
  return Buffer.from(listenerId).toString('hex').slice(-32);
}

/** The contexts of one plan. */
export class Contexts {
  readonly plan: ListenerTlsPlan;
  readonly #exact = new Map<string, tls.SecureContext>();
  readonly #wildcard = new Map<string, tls.SecureContext>();
  readonly #default: tls.SecureContext | null;

  constructor(plan: ListenerTlsPlan, listenerId: string) {
    this.plan = plan;
    const shared = contextOptions(plan, listenerId);
    const contexts = plan.certificates.map(({ certificatePem, keyPem, names }) => {
      const context = tls.createSecureContext({ ...shared, cert: certificatePem, key: keyPem });
      for (const name of names) this.#add(name.toLowerCase(), context);
      return context;
    });
    this.#default = plan.unknownSni === 'default' ? (contexts[0] ?? null) : null;
  }

  /** The context for a name, or null if the handshake is to be refused. */
  choose(serverName: string): tls.SecureContext | null {
    const name = serverName.toLowerCase();
    const dot = name.indexOf('.');
    return this.#exact.get(name) ?? (dot < 0 ? undefined : this.#wildcard.get(name.slice(dot))) ?? this.#default;
  }

  /** The first certificate that has the name is used. A wildcard stands for one label (RFC 6125 §6.4.3). */
  #add(name: string, context: tls.SecureContext): void {
    const [names, key] = name.startsWith('*.') ? [this.#wildcard, name.slice(1)] : [this.#exact, name];
    if (!names.has(key)) names.set(key, context);
  }
}
