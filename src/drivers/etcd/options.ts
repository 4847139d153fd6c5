/** What a client of etcd is made with, checked: every mistake is refused before anything runs. */
import type { Clock } from '../../kernel/clock.ts';
import { systemClock } from '../../kernel/clock.ts';
import { checkInteger, checkKeys, invalid } from '../../kernel/options.ts';
import { createRandom, type Random } from '../../kernel/random.ts';
import type { EtcdTls } from './transport.ts';

export interface EtcdOptions {
  /** URLs of servers of one cluster, such as `http://10.0.0.1:2379`; 1 to 32. A client begins with any of them. */
  readonly endpoints: readonly string[];
  /** For endpoints with `https:`. @defaultValue authorities of Node, no certificate of its own */
  readonly tls?: EtcdTls;
  /** @defaultValue none: for servers that ask for no user */
  readonly user?: { readonly name: string; readonly password: string };
  /** How long a call may take, all its attempts together; 1 ms to 10 min. @defaultValue 5000 */
  readonly timeoutMs?: number;
  /**
   * How long a watch may hear nothing before its server is asked for a sign of life, and how long that may take; 10 ms to 10 min. A watch
   * on a server that hangs is elsewhere after at most twice this. @defaultValue 5000
   */
  readonly silenceMs?: number;
  /** @defaultValue the machine's */
  readonly clock?: Clock;
  readonly random?: Random;
}

/** Of one call. */
export interface CallOptions {
  /** Nobody waits any more: the call is rejected with the signal's reason. What it was to change may have been changed. */
  readonly signal?: AbortSignal;
  /** @defaultValue that of the client */
  readonly timeoutMs?: number;
}

/** Longer is not a call any more, and as much as a timer of Node holds with room to spare. */
const TIME_MS_MAX = 600_000;
/** A cluster of etcd has at most seven voting members; more is a mistake. */
const ENDPOINTS_MAX = 32;
/** Below, a watch asks more than it is told. */
const SILENCE_MS_MIN = 10;

export interface ResolvedOptions {
  readonly endpoints: readonly URL[];
  readonly tls: EtcdTls;
  readonly user: { readonly name: string; readonly password: string } | null;
  readonly timeoutMs: number;
  readonly silenceMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

export function checkTimeout(timeoutMs: number): number {
  return checkInteger('timeoutMs', timeoutMs, 1, TIME_MS_MAX);
}

function endpointOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`) {
    throw invalid(
      `An endpoint is “${text}”; expected http:// or https:// with a host and a port and nothing behind it.`,
    );
  }
  return url;
}

export function resolveOptions(options: EtcdOptions): ResolvedOptions {
  checkKeys('etcd', options, ['endpoints', 'tls', 'user', 'timeoutMs', 'silenceMs', 'clock', 'random']);
  const { endpoints, tls = {}, user, timeoutMs = 5000, silenceMs = 5000 } = options;
  if (!Array.isArray(endpoints)) throw invalid('endpoints is no list; expected URLs of servers.');
  checkInteger('The number of endpoints', endpoints.length, 1, ENDPOINTS_MAX);
  const urls = endpoints.map(endpointOf);
  if (new Set(urls.map(({ href }) => href)).size < urls.length) throw invalid('An endpoint is listed twice.');
  checkKeys('tls', tls, ['ca', 'cert', 'key', 'serverName']);
  if ((tls.cert === undefined) !== (tls.key === undefined)) throw invalid('tls has only one of cert and key.');
  if (options.tls !== undefined && urls.some(({ protocol }) => protocol === 'http:')) {
    throw invalid('tls is given, and an endpoint begins with http:; expected https: for all.');
  }
  if (user !== undefined) {
    checkKeys('user', user, ['name', 'password']);
    if (typeof user.name !== 'string' || typeof user.password !== 'string') {
      throw invalid('user has no name or no password; expected two texts.');
    }
  }
  return {
    endpoints: urls,
    tls,
    user: user ?? null,
    timeoutMs: checkTimeout(timeoutMs),
    silenceMs: checkInteger('silenceMs', silenceMs, SILENCE_MS_MIN, TIME_MS_MAX),
    clock: options.clock ?? systemClock,
    random: options.random ?? createRandom(),
  };
}
