/**
 * The TLS side of a listener: which certificate a client gets, which versions and ciphers, and which sessions it may resume.
 *
 * Invariants: a new plan is built as a whole before it takes the place of the old one, and only new handshakes see it; TLS
 * 1.2 with forward secrecy and AEAD at the least, no renegotiation; ALPN is `http/1.1` or nothing, and a client that
 * offers only other protocols is refused (RFC 7301 §3.2); a session resumes only on the listener that made it, and only
 * while the authorities for client certificates are the same, so that it carries no proof to another virtual host.
 *
 * Cost: one SecureContext for each set of names; the choice is two map look-ups per handshake.
 * Sources: RFC 9325 §3 and §4, RFC 6066 §3, RFC 9525 §6.3.
 * What it is not: a check of certificates; the config has done that. Node gives no way to answer with the alert
 * `unrecognized_name`; a client of an unknown name gets `handshake_failure`.
 */
import { constants, createHash, hkdfSync } from 'node:crypto';
import tls from 'node:tls';
import type { ListenerTlsPlan } from '../snapshot.ts';
import { CIPHERS } from './ciphers.ts';

/** A client that puts ChaCha20 first has no AES in hardware: it gets what it asks for. */
const SECURE_OPTIONS =
  constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_CIPHER_SERVER_PREFERENCE | constants.SSL_OP_PRIORITIZE_CHACHA;

/** As long as the keys of the tickets live: rotated by control each hour. */
const SESSION_S = 3600;

const ALPN = ['http/1.1'];

interface Contexts {
  readonly plan: ListenerTlsPlan;
  /** For a client that names no server, or one that is not in the maps. */
  readonly fallback: tls.SecureContext;
  /** By lower-case name. */
  readonly exact: ReadonlyMap<string, tls.SecureContext>;
  /** `*.a.example` under `a.example`. */
  readonly wildcard: ReadonlyMap<string, tls.SecureContext>;
}

export class ServerContexts {
  readonly #listener: string;
  #contexts: Contexts;

  /** Throws what OpenSSL says about a certificate, key or authority that it cannot use. */
  constructor(listener: string, plan: ListenerTlsPlan) {
    this.#listener = listener;
    this.#contexts = build(listener, plan);
  }

  /** The plan in use. */
  get plan(): ListenerTlsPlan {
    return this.#contexts.plan;
  }

  /** Another plan for the handshakes to come. Throws as the constructor does, and then nothing has changed. */
  apply(plan: ListenerTlsPlan): void {
    this.#contexts = build(this.#listener, plan);
  }

  /** The context for a server name as the client sent it; '' if it sent none. */
  choose(serverName: string): tls.SecureContext {
    const { exact, wildcard, fallback } = this.#contexts;
    if (serverName === '') return fallback;
    // A final dot is the same name (RFC 6066 §3 forbids it, clients send it).
    const name = serverName.toLowerCase().replace(/\.$/, '');
    const found = exact.get(name);
    if (found !== undefined) return found;
    const dot = name.indexOf('.');
    return (dot > 0 ? wildcard.get(name.slice(dot + 1)) : undefined) ?? fallback;
  }

  /**
   * For `tls.createServer`. The server need not listen: a socket is given to it by `server.emit('connection', socket)`.
   * After `apply`, a server is told of the new context for clients without a name by `refresh`.
   */
  serverOptions(handshakeTimeoutMs: number): tls.TlsOptions {
    const { plan } = this.#contexts;
    const wantsCertificate = plan.clientCaPem !== null;
    return {
      ...defaultOptions(this.#listener, plan),
      ALPNProtocols: ALPN,
      // Without a context Node goes on with the server's own, and only that can hold two kinds of key.
      SNICallback: (name, done) => {
        const context = this.choose(name);
        done(null, context === this.#contexts.fallback ? undefined : context);
      },
      requestCert: wantsCertificate,
      rejectUnauthorized: wantsCertificate,
      handshakeTimeout: handshakeTimeoutMs,
    };
  }

  /** Gives a running server what its clients without a server name get. */
  refresh(server: tls.Server): void {
    server.setSecureContext(defaultOptions(this.#listener, this.#contexts.plan));
  }
}

function build(listener: string, plan: ListenerTlsPlan): Contexts {
  const exact = new Map<string, tls.SecureContext>();
  const wildcard = new Map<string, tls.SecureContext>();
  const fallback = tls.createSecureContext(defaultOptions(listener, plan));
  for (const [index, { names, cert, key }] of groupByNames(plan).entries()) {
    const isFallback = index === 0 && plan.unknownSni === 'default';
    const context = isFallback ? fallback : tls.createSecureContext({ ...commonOptions(listener, plan), cert, key });
    for (const name of names) {
      const map = name.startsWith('*.') ? wildcard : exact;
      const plain = name.toLowerCase().replace(/^\*\./, '');
      // The first certificate of the file that has a name serves it.
      if (!map.has(plain)) map.set(plain, context);
    }
  }
  return { plan, fallback, exact, wildcard };
}

interface Group {
  readonly names: readonly string[];
  readonly cert: string[];
  readonly key: string[];
}

/**
 * Certificates for the same names (an ECDSA and an RSA one) are one context: OpenSSL takes what the client can verify. Node
 * does so for the first group only; of any other chosen by name it uses the last (`SecureContext` copied to the connection).
 */
function groupByNames(plan: ListenerTlsPlan): Group[] {
  const groups = new Map<string, Group>();
  for (const { certificatePem, keyPem, names } of plan.certificates) {
    const id = names
      .map((name) => name.toLowerCase())
      .toSorted()
      .join(',');
    const group = groups.get(id) ?? { names, cert: [], key: [] };
    group.cert.push(certificatePem);
    group.key.push(keyPem);
    groups.set(id, group);
  }
  return [...groups.values()];
}

/** What a client gets that names no server, or one that is not known: the first certificate, or no handshake. */
function defaultOptions(listener: string, plan: ListenerTlsPlan): tls.SecureContextOptions {
  const common = commonOptions(listener, plan);
  const first = groupByNames(plan)[0];
  // A context without a certificate has no cipher in common with anyone.
  if (first === undefined || plan.unknownSni === 'reject') return common;
  return { ...common, cert: first.cert, key: first.key };
}

function commonOptions(listener: string, plan: ListenerTlsPlan): tls.SecureContextOptions {
  const scope = createHash('sha256')
    .update(`${listener}\0${plan.clientCaPem ?? ''}`)
    .digest();
  return {
    ciphers: CIPHERS,
    minVersion: plan.minVersion,
    maxVersion: 'TLSv1.3',
    secureOptions: SECURE_OPTIONS,
    sessionTimeout: SESSION_S,
    // 32 bytes are what OpenSSL keeps.
    sessionIdContext: scope.toString('hex').slice(0, 32),
    ticketKeys: Buffer.from(hkdfSync('sha256', plan.ticketKeys, scope, 'spillway tickets', 48)),
    ...(plan.clientCaPem === null ? {} : { ca: plan.clientCaPem }),
  };
}
