/**
 * Which route a request takes: `match(request) → index into snapshot.routes, or -1`.
 *
 * Precedence is total, so two readers of one file never disagree. Of the routes that match, the winner is decided by
 *   1. host: exact, then the longest `*.suffix`, then any;
 *   2. path: exact, then a whole pattern (`/users/{id}`), then regular expressions, then prefixes and open patterns (`/x/*`) by the
 *      order of path-pattern.ts, the longest first, then any;
 *   3. conditions on anything else (condition.ts): who asks for more;
 *   4. the order in the file.
 * A more specific route whose conditions do not hold loses to a less specific one whose do: a route is never hidden by one that
 * cannot answer.
 *
 * Matching: hosts are compared without case, port and one final dot; `*.shop.example` takes one or more labels, never
 * `shop.example` itself. Paths are compared byte for byte, in the form `target.ts` makes; `/api/*` takes `/api`, `/api/`
 * and `/api/x`, never `/apix`.
 *
 * How: keys lie in hash tables that are read in the same pass that hashes. A host is hashed from its end, so at every dot
 * the hash is that of a suffix; a path from its start, so at every slash it is that of a prefix. Each entry knows the next
 * less specific one (`fallback`), so after one pass the candidates are a chain in order of precedence, and conditions are
 * looked at along it.
 *
 * Cost: O(host + path) byte steps, no allocation; at most one probe per dot and slash, none past the longest key
 * (`router.bench.ts`); then one look per condition of each candidate. Regular expressions of a host are tried one by one. Built in
 * O(routes × key length).
 */
import type { RoutePlan } from '../snapshot.ts';
import { ByteTable, hashByte, HASH_START } from './byte-table.ts';
import { PathTable } from './path-table.ts';
import type { RoutedRequest } from './routed-request.ts';

const DOT = 0x2e;

/** Hosts remembered per listener and worker: 64 covers a gateway's busy names; 6 KiB. */
const MEMO_SLOTS = 64;
/** Longer hosts are rare and looked up each time. */
const MEMO_HOST_BYTES_MAX = 96;

/** Folds `A`–`Z`; every other byte is itself. */
function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

const NO_PATHS = new PathTable([], []);

interface HostEntry {
  paths: PathTable;
  /** The next less specific entry that takes every host this one takes; null after `any`. */
  fallback: HostEntry | null;
}

/** The routes of one listener. Made by `createRouter`; valid as long as its snapshot. */
export class RouteTable {
  readonly #exact = new ByteTable();
  readonly #exactHosts: HostEntry[] = [];
  readonly #suffixes = new ByteTable();
  readonly #suffixHosts: HostEntry[] = [];
  readonly #any: HostEntry = { paths: NO_PATHS, fallback: null };
  // The last host of each memo slot as it was written, its length and its entry.
  readonly #memo = new Uint8Array(MEMO_SLOTS * MEMO_HOST_BYTES_MAX);
  readonly #memoLengths = new Uint8Array(MEMO_SLOTS);
  readonly #memoHosts: HostEntry[] = Array.from({ length: MEMO_SLOTS }, () => this.#any);

  constructor(routes: readonly RoutePlan[], listenerId: string | null) {
    const suffixes: string[] = [];
    const hosts: string[] = [];
    const indices = new Map<HostEntry, number[]>();
    for (const [index, { match }] of routes.entries()) {
      if (match.listeners !== null && (listenerId === null || !match.listeners.includes(listenerId))) continue;
      const entry = this.#entry(hostPattern(match), hosts, suffixes);
      const before = indices.get(entry);
      if (before === undefined) indices.set(entry, [index]);
      else before.push(index);
    }
    for (const [entry, own] of indices) entry.paths = new PathTable(routes, own);
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
    return ((wild ? this.#suffixHosts : this.#exactHosts)[number] ??= { paths: NO_PATHS, fallback: this.#any });
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

  /** The index of the route that takes the request, or -1. */
  match(request: RoutedRequest): number {
    const { buffer, hostStart, hostNameEnd } = request.head;
    let entry: HostEntry | null = this.#remembered(buffer, hostStart, hostNameEnd);
    while (entry !== null) {
      const route = entry.paths.route(request);
      if (route >= 0) return route;
      entry = entry.fallback;
    }
    return -1;
  }
}

export interface Router {
  /** The table of a listener; look it up once per listener, not per request. */
  table(listenerId: string): RouteTable;
}

/** Compiles the routes of a snapshot. */
export function createRouter(routes: readonly RoutePlan[]): Router {
  const named = new Set(routes.flatMap((route) => route.match.listeners ?? []));
  const tables = new Map([...named].map((id) => [id, new RouteTable(routes, id)]));
  const others = new RouteTable(routes, null);
  return { table: (listenerId) => tables.get(listenerId) ?? others };
}

/** The host a route asks for as it is compared: lower case, without a final dot. Null is any. */
export function hostPattern(match: RoutePlan['match']): string | null {
  const host = match.host?.toLowerCase().replace(/(.)\.$/, '$1') ?? null;
  return host === '*' ? null : host;
}

function hashKeyBackwards(key: string): { hash: number; bytes: Uint8Array } {
  const bytes = Buffer.from(key, 'latin1');
  let hash = HASH_START;
  for (let at = bytes.length - 1; at >= 0; at--) hash = hashByte(hash, bytes[at]!);
  return { hash, bytes };
}
