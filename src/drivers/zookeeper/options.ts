/** What a session is opened with, and refused for. */
import type { ConnectionOptions as TlsOptions } from 'node:tls';

import { type Clock, systemClock } from '../../kernel/clock.ts';
import { checkInteger, checkKeys, invalid } from '../../kernel/options.ts';
import { createRandom, type Random } from '../../kernel/random.ts';

/** With it a session is taken on by another connection, also of another process. */
export interface SessionTicket {
  readonly id: bigint;
  readonly password: Uint8Array;
}

export interface ZookeeperAuth {
  readonly scheme: string;
  readonly credentials: string;
}

export interface ZookeeperOptions {
  /** `host` or `host:port` (2181 if none), one for each server of the ensemble; tried in an order of chance. */
  readonly servers: readonly string[];
  /**
   * How long the servers keep the session of a client that they do not hear of; they bring it into limits of theirs, by default 2 to 20
   * ticks of 2 s. @defaultValue 10000; 100 to 3600000
   */
  readonly sessionTimeoutMs?: number;
  /** Of `node:tls`; without it, connections are in the clear. */
  readonly tls?: TlsOptions;
  /**
   * Who this is, for access lists: `digest` with `name:password`, or another scheme of the servers. Said at each connection before all else;
   * if the servers do not know the scheme, once, and then the session is nobody's in particular.
   */
  readonly auth?: ZookeeperAuth;
  /** The session to take on, instead of a new one. */
  readonly resume?: SessionTicket;
  /** The largest message that is taken from a server; a longer one ends the connection. @defaultValue 4194304: a list of some 100,000 children */
  readonly answerBytesMax?: number;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

export interface ResolvedOptions {
  readonly servers: readonly ServerAddress[];
  readonly sessionTimeoutMs: number;
  readonly tls: TlsOptions | null;
  readonly auth: ZookeeperAuth | null;
  readonly resume: SessionTicket | null;
  readonly answerBytesMax: number;
  readonly clock: Clock;
  readonly random: Random;
}

const PORT = 2181;
const keys = ['servers', 'sessionTimeoutMs', 'tls', 'auth', 'resume', 'answerBytesMax', 'clock', 'random'];
/** Ensembles have 3 to 7 members; observers may be many. */
const SERVERS_MAX = 256;

function addressOf(text: unknown): ServerAddress {
  const match = /^(?:\[([0-9a-fA-F:.%\w]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/.exec(String(text));
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? PORT : Number(match[3]);
  if (typeof text !== 'string' || host === undefined || port < 1 || port > 65_535) {
    throw invalid(
      `servers has ${JSON.stringify(text)}; expected host, host:port or [IPv6]:port, and no path behind it.`,
    );
  }
  return { host, port };
}

export function resolveOptions(given: ZookeeperOptions): ResolvedOptions {
  checkKeys('A session of ZooKeeper', given, keys);
  const { servers, sessionTimeoutMs = 10_000, answerBytesMax = 4 * 2 ** 20, auth = null, resume = null } = given;
  if (!Array.isArray(servers) || servers.length === 0 || servers.length > SERVERS_MAX) {
    throw invalid(`servers must be an array of 1 to ${SERVERS_MAX} addresses.`);
  }
  if (auth !== null) {
    checkKeys('auth', auth, ['scheme', 'credentials']);
    if (typeof auth.scheme !== 'string' || typeof auth.credentials !== 'string') {
      throw invalid('auth has no scheme or no credentials; expected two texts, such as digest and name:password.');
    }
  }
  if (resume !== null && (typeof resume.id !== 'bigint' || !(resume.password instanceof Uint8Array))) {
    throw invalid('resume must be the ticket of a session: an id, which is a bigint, and a password, which is bytes.');
  }
  return {
    servers: servers.map(addressOf),
    sessionTimeoutMs: checkInteger('sessionTimeoutMs', sessionTimeoutMs, 100, 3_600_000),
    tls: given.tls ?? null,
    auth,
    resume,
    answerBytesMax: checkInteger('answerBytesMax', answerBytesMax, 1024, 2 ** 30),
    clock: given.clock ?? systemClock,
    random: given.random ?? createRandom(),
  };
}

/** In an order of chance, so that clients spread over the servers (Fisher and Yates). */
export function shuffled<T>(given: readonly T[], random: Random): T[] {
  const order = [...given];
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(random.unit() * (last + 1));
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}

/** A path that a server would take. What it would not is refused here, where the caller can be named. */
export function checkPath(path: string, { sequential = false }: { readonly sequential?: boolean } = {}): string {
  const whole = sequential ? `${path}0` : path;
  const parts = typeof path === 'string' ? whole.split('/') : [];
  const bad = parts.slice(1).some((part) => part === '' || part === '.' || part === '..');
  // Java refuses what is no character: controls, surrogates, private use at the end of the plane.
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  const strange = /[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/.test(path);
  if (path !== '/' && (parts.length < 2 || parts[0] !== '' || bad || strange)) {
    throw invalid(
      `${JSON.stringify(path)} is no path of ZooKeeper; expected one such as /locks/a, with no end in “/”.`,
    );
  }
  return path;
}
