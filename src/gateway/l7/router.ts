/**
 * Which route a request takes: `match(host, path) → index into snapshot.routes, or -1`.
 *
 * Precedence is total, so two readers of one file never disagree. Of the routes that match, the winner is decided by
 *   1. host: exact, then the longest `*.suffix`, then any;
 *   2. path: exact, then the longest prefix `/x/*`, then any;
 *   3. the order in the file.
 * A more specific host whose paths do not match loses to a less specific host whose paths do: a route is never hidden by
 * one that cannot answer.
 *
 * Matching: hosts are compared without case, port and one final dot; `*.shop.example` takes one or more labels, never
 * `shop.example` itself. Paths are compared byte for byte, in the form `target.ts` makes; `/api/*` takes `/api`, `/api/`
 * and `/api/x`, never `/apix`.
 *
 * How: keys lie in hash tables that are read in the same pass that hashes. A host is hashed from its end, so at every dot
 * the hash is that of a suffix; a path from its start, so at every slash it is that of a prefix. Each entry knows the next
 * less specific one (`fallback`), so after one pass the candidates are a chain in order of precedence. A condition on
 * anything else (method, header, query) belongs at the end of that chain, in `PathTable.route`.
 *
 * Cost: O(host + path) byte steps, no allocation; at most one probe per dot and slash, none past the longest key
 * (`router.bench.ts`). Built in O(routes × key length).
 */
import type { RoutePlan } from '../snapshot.ts';
import { ByteTable, hashByte, HASH_START } from './byte-table.ts';

const DOT = 0x2e;
const SLASH = 0x2f;

/** Hosts remembered per listener and worker: 64 covers a gateway's busy names; 6 KiB. */
const MEMO_SLOTS = 64;
/** Longer hosts are rare and looked up each time. */
const MEMO_HOST_BYTES_MAX = 96;

/** Folds `A`–`Z`; every other byte is itself. */
function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** The routes of one host key, by path. */
class PathTable {
  readonly #exact = new ByteTable();
  readonly #prefixes = new ByteTable();
  /** Route of an exact path, and of a prefix, by entry number. The first in the file wins, so there is one. */
  readonly #exactRoutes: number[] = [];
  readonly #prefixRoutes: number[] = [];
  #any = -1;

  /** Adds a route; one added earlier with the same path keeps its place. */
  add(path: string | null, route: number): void {
    if (path === null) {
      if (this.#any < 0) this.#any = route;
    } else if (path.endsWith('/*')) {
      this.#prefixRoutes[this.#prefixes.add(hashKey(path.slice(0, -2)))] ??= route;
    } else {
      this.#exactRoutes[this.#exact.add(hashKey(path))] ??= route;
    }
  }

  /** The best route for a path, or -1. */
  route(bytes: Uint8Array, start: number, end: number): number {
    let hash = HASH_START;
    let prefix = -1;
    const prefixes = this.#prefixes;
    const isPath = start < end && bytes[start] === SLASH; // `*` of OPTIONS is taken by no prefix
    const prefixEnd = isPath ? start + prefixes.keyBytesMax : -1;
    const exactPossible = end - start <= this.#exact.keyBytesMax;
    const stop = exactPossible ? end : Math.min(end, prefixEnd + 1);
    for (let at = start; at < stop; at++) {
      const byte = bytes[at]!;
      if (byte === SLASH && at <= prefixEnd) {
        const found = prefixes.find(hash, bytes, start, at);
        if (found >= 0) prefix = found;
      }
      hash = hashByte(hash, byte);
    }
    if (exactPossible) {
      const exact = this.#exact.find(hash, bytes, start, end);
      if (exact >= 0) return this.#exactRoutes[exact]!;
    }
    if (stop === end && end <= prefixEnd) {
      const found = prefixes.find(hash, bytes, start, end);
      if (found >= 0) prefix = found;
    }
    return prefix >= 0 ? this.#prefixRoutes[prefix]! : this.#any;
  }
}

interface HostEntry {
  readonly paths: PathTable;
  /** The next less specific entry that takes every host this one takes; null after `any`. */
  fallback: HostEntry | null;
}

/** The routes of one listener. Made by `createRouter`; valid as long as its snapshot. */
export class RouteTable {
  readonly #exact = new ByteTable();
  readonly #exactHosts: HostEntry[] = [];
  readonly #suffixes = new ByteTable();
  readonly #suffixHosts: HostEntry[] = [];
  readonly #any: HostEntry = { paths: new PathTable(), fallback: null };
  #scratch = new Uint8Array(1024);
  // The last host of each memo slot as it was written, its length and its entry.
  readonly #memo = new Uint8Array(MEMO_SLOTS * MEMO_HOST_BYTES_MAX);
  readonly #memoLengths = new Uint8Array(MEMO_SLOTS);
  readonly #memoHosts: HostEntry[] = Array.from({ length: MEMO_SLOTS }, () => this.#any);

  constructor(routes: readonly RoutePlan[], listenerId: string | null) {
    const suffixes: string[] = [];
    const hosts: string[] = [];
    for (const [index, { match }] of routes.entries()) {
      if (match.listeners !== null && (listenerId === null || !match.listeners.includes(listenerId))) continue;
      this.#entry(hostPattern(match), hosts, suffixes).paths.add(match.path, index);
    }
    // An entry falls back to the longest suffix that also takes its hosts: found by looking it up as a request would be.
    for (const [at, host] of hosts.entries()) this.#exactHosts[at]!.fallback = this.#wildcard(host);
    for (const [at, suffix] of suffixes.entries()) this.#suffixHosts[at]!.fallback = this.#wildcard(suffix);
  }

  /** Adds the key of a host if it is new; `hosts` and `suffixes` collect the keys by entry number. */
  #entry(host: string | null, hosts: string[], suffixes: string[]): HostEntry {
    if (host === null) return this.#any;
    const wild = host.startsWith('*.');
    const key = wild ? host.slice(2) : host;
    const number = (wild ? this.#suffixes : this.#exact).add(hashKeyBackwards(key));
    (wild ? suffixes : hosts)[number] = key;
    return ((wild ? this.#suffixHosts : this.#exactHosts)[number] ??= { paths: new PathTable(), fallback: this.#any });
  }

  /** The longest suffix entry that takes `host`, else any. */
  #wildcard(host: string): HostEntry {
    const bytes = Buffer.from(host, 'latin1');
    return this.#host(bytes, 0, bytes.length, true);
  }

  #host(bytes: Uint8Array, start: number, end: number, wildcardOnly: boolean): HostEntry {
    if (end - start > 1 && bytes[end - 1] === DOT) end--;
    const suffixes = this.#suffixes;
    const longest = Math.max(suffixes.keyBytesMax, this.#exact.keyBytesMax);
    const stop = Math.max(start, end - longest - 1);
    let hash = HASH_START;
    let suffix = -1;
    for (let at = end - 1; at >= stop; at--) {
      const byte = bytes[at]!;
      if (byte === DOT && at > start) {
        const found = suffixes.findFolded(hash, bytes, at + 1, end);
        if (found >= 0) suffix = found;
      }
      hash = hashByte(hash, lowerCase(byte));
    }
    if (!wildcardOnly && end - start <= this.#exact.keyBytesMax) {
      const exact = this.#exact.findFolded(hash, bytes, start, end);
      if (exact >= 0) return this.#exactHosts[exact]!;
    }
    return suffix >= 0 ? this.#suffixHosts[suffix]! : this.#any;
  }

  /** `#host`, through the memo: comparing a host is several times cheaper than hashing and folding it. */
  #remembered(bytes: Uint8Array, start: number, end: number): HostEntry {
    const length = end - start;
    if (length === 0 || length > MEMO_HOST_BYTES_MAX) return this.#host(bytes, start, end, false);
    const slot = (length + bytes[start]! + 7 * bytes[start + (length >> 1)]!) & (MEMO_SLOTS - 1);
    const base = slot * MEMO_HOST_BYTES_MAX;
    const memo = this.#memo;
    let at = this.#memoLengths[slot] === length ? 0 : -1;
    while (at >= 0 && at < length) at = memo[base + at] === bytes[start + at] ? at + 1 : -1;
    if (at >= 0) return this.#memoHosts[slot]!;
    const entry = this.#host(bytes, start, end, false);
    for (at = 0; at < length; at++) memo[base + at] = bytes[start + at]!;
    this.#memoLengths[slot] = length;
    this.#memoHosts[slot] = entry;
    return entry;
  }

  /**
   * The route for the host name at `[hostStart, hostEnd)` of `hostBytes` (no port) and the path at `[start, end)` of
   * `bytes` (no query), or -1.
   */
  // WHY six parameters: called once per request with offsets of two buffers; an object would be allocated for each.
  matchBytes(
    hostBytes: Uint8Array,
    hostStart: number,
    hostEnd: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): number {
    let entry: HostEntry | null = this.#remembered(hostBytes, hostStart, hostEnd);
    while (entry !== null) {
      const route = entry.paths.route(bytes, start, end);
      if (route >= 0) return route;
      entry = entry.fallback;
    }
    return -1;
  }

  /** The same on latin1 strings; a port in `host` is ignored. For tests, `explain` and whoever has strings already. */
  match(host: string, path: string): number {
    const name = hostName(host);
    if (this.#scratch.length < name.length + path.length)
      this.#scratch = new Uint8Array(2 * (name.length + path.length));
    const scratch = this.#scratch;
    const pathStart = name.length;
    for (let at = 0; at < name.length; at++) scratch[at] = name.charCodeAt(at);
    for (let at = 0; at < path.length; at++) scratch[pathStart + at] = path.charCodeAt(at);
    return this.matchBytes(scratch, 0, pathStart, scratch, pathStart, pathStart + path.length);
  }
}

export interface Router {
  /** The table of a listener; look it up once per listener, not per request. */
  table(listenerId: string): RouteTable;
  /** The route of a request as an index into `routes`, or -1. */
  match(listenerId: string, host: string, path: string): number;
}

/** Compiles the routes of a snapshot. */
export function createRouter(routes: readonly RoutePlan[]): Router {
  const named = new Set(routes.flatMap((route) => route.match.listeners ?? []));
  const tables = new Map([...named].map((id) => [id, new RouteTable(routes, id)]));
  const others = new RouteTable(routes, null);
  const table = (listenerId: string): RouteTable => tables.get(listenerId) ?? others;
  return { table, match: (listenerId, host, path) => table(listenerId).match(host, path) };
}

/** The host a route asks for as it is compared: lower case, without a final dot. Null is any. */
export function hostPattern(match: RoutePlan['match']): string | null {
  const host = match.host?.toLowerCase().replace(/(.)\.$/, '$1') ?? null;
  return host === '*' ? null : host;
}

/** `host` of `host:port`; `[::1]` of `[::1]:80`. */
export function hostName(host: string): string {
  const colon = host.startsWith('[') ? host.indexOf(':', host.indexOf(']')) : host.indexOf(':');
  return colon < 0 ? host : host.slice(0, colon);
}

function hashKey(key: string): { hash: number; bytes: Uint8Array } {
  const bytes = Buffer.from(key, 'latin1');
  let hash = HASH_START;
  for (const byte of bytes) hash = hashByte(hash, byte);
  return { hash, bytes };
}

function hashKeyBackwards(key: string): { hash: number; bytes: Uint8Array } {
  const bytes = Buffer.from(key, 'latin1');
  let hash = HASH_START;
  for (let at = bytes.length - 1; at >= 0; at--) hash = hashByte(hash, bytes[at]!);
  return { hash, bytes };
}
