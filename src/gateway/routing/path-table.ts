/**
 * The routes of one host by path, walked in order of precedence: exact, whole patterns, regular expressions, then the longest
 * prefix or open pattern, then any. What each of them asks for beyond the path decides among its `Candidates`.
 *
 * Exact paths and prefixes lie in hash tables that are read in the one pass that hashes; each prefix knows the next shorter one.
 * Only a host with names in its patterns has a tree, which then holds its prefixes as well, because they are compared.
 */
import type { RoutePlan } from '../snapshot.ts';
import { ByteTable, hashByte, HASH_START, keyOf } from './byte-table.ts';
import { Candidates } from './candidates.ts';
import { createConditions } from './condition.ts';
import { parsePathPattern, type PathPattern } from './path-pattern.ts';
import { PatternTree } from './pattern-tree.ts';
import type { RoutedRequest } from './routed-request.ts';

const SLASH = 0x2f;

export class PathTable {
  readonly #exact = new ByteTable();
  readonly #exactRoutes: Candidates[] = [];
  readonly #prefixes = new ByteTable();
  readonly #prefixRoutes: Candidates[] = [];
  /** By prefix, the next shorter one that takes all its paths; -1 if there is none. */
  readonly #shorter: number[] = [];
  readonly #tree: PatternTree | null;
  readonly #regexes = new Candidates();
  readonly #any = new Candidates();

  /** Of `routes`, those at `indices`, in the order of the file. */
  constructor(routes: readonly RoutePlan[], indices: readonly number[]) {
    const matches = indices.map((index) => routes[index]!.match);
    const patterns = matches.map(({ path }) => (path === null ? null : parsePathPattern(path)));
    this.#tree = patterns.some((pattern) => pattern !== null && pattern.names.length > 0) ? new PatternTree() : null;
    const prefixes: string[] = [];
    for (const [at, index] of indices.entries()) {
      const match = matches[at]!;
      this.#candidates(match, patterns[at]!, prefixes).add(index, createConditions(match));
    }
    for (const [number, prefix] of prefixes.entries()) {
      const bytes = Buffer.from(prefix, 'latin1');
      this.#shorter[number] = this.#prefixBelow(bytes, 0, bytes.length);
    }
  }

  /** Where a route with this path belongs; `prefixes` collects the keys by entry number. */
  #candidates({ path, pathRegex }: RoutePlan['match'], pattern: PathPattern | null, prefixes: string[]): Candidates {
    if (pathRegex !== null) return this.#regexes;
    if (path === null || pattern === null) return this.#any;
    const isLiteral = pattern.names.length === 0;
    if (isLiteral && !pattern.open) return (this.#exactRoutes[this.#exact.add(keyOf(path))] ??= new Candidates());
    if (this.#tree !== null) return this.#tree.at(pattern);
    const prefix = path.slice(0, -2);
    const number = this.#prefixes.add(keyOf(prefix));
    prefixes[number] = prefix;
    return (this.#prefixRoutes[number] ??= new Candidates());
  }

  /** The longest prefix among the keys that ends at a slash of `bytes[start, end)`, or -1. */
  #prefixBelow(bytes: Uint8Array, start: number, end: number): number {
    let hash = HASH_START;
    let prefix = -1;
    for (let at = start; at < end; at++) {
      if (bytes[at] === SLASH) {
        const found = this.#prefixes.find(hash, bytes, start, at);
        if (found >= 0) prefix = found;
      }
      hash = hashByte(hash, bytes[at]!);
    }
    return prefix;
  }

  /** The best route for the path of the request, or -1. */
  route(request: RoutedRequest): number {
    const { bytes, start, end } = request.path;
    const prefixes = this.#prefixes;
    const isPath = start < end && bytes[start] === SLASH; // `*` of OPTIONS is taken by no pattern
    const prefixEnd = isPath ? start + prefixes.keyBytesMax : -1;
    const exactPossible = end - start <= this.#exact.keyBytesMax;
    const stop = exactPossible ? end : Math.min(end, prefixEnd + 1);
    let hash = HASH_START;
    let prefix = -1;
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
      const route = exact < 0 ? -1 : this.#exactRoutes[exact]!.first(request);
      if (route >= 0) return route;
    }
    if (stop === end && end <= prefixEnd) {
      const found = prefixes.find(hash, bytes, start, end);
      if (found >= 0) prefix = found;
    }
    return this.#patternRoute(request, isPath ? this.#tree : null, prefix);
  }

  /** The best route that does not name the path exactly. `prefix` is the longest prefix, if there is one. */
  #patternRoute(request: RoutedRequest, tree: PatternTree | null, prefix: number): number {
    let route = tree === null ? -1 : tree.whole(request);
    if (route < 0) route = this.#regexes.first(request);
    if (route < 0 && tree !== null) route = tree.open(request);
    for (let number = prefix; route < 0 && number >= 0; number = this.#shorter[number]!) {
      route = this.#prefixRoutes[number]!.first(request);
    }
    return route >= 0 ? route : this.#any.first(request);
  }
}
