/**
 * Path patterns with names in them, by segment: a tree that is walked in order of precedence, so the first that takes the request
 * is the right one.
 *
 * Cost: one hash and one look-up a segment; where text and a name both fit, both branches may be walked, at most the nodes of
 * the tree in all. Built only for hosts that have such patterns.
 */
import { ByteTable, hashByte, HASH_START, keyOf } from './byte-table.ts';
import { Candidates } from './candidates.ts';
import type { PathPattern } from './path-pattern.ts';
import type { RoutedRequest } from './routed-request.ts';

const SLASH = 0x2f;

interface Node {
  readonly texts: ByteTable;
  readonly children: Node[];
  /** Where any segment goes that is not empty. */
  named: Node | null;
  /** Of patterns that end here, and of those that end here with `/*`. */
  readonly whole: Candidates;
  readonly open: Candidates;
}

function createNode(): Node {
  return { texts: new ByteTable(), children: [], named: null, whole: new Candidates(), open: new Candidates() };
}

export class PatternTree {
  readonly #root = createNode();

  /** Where the routes of a pattern belong. */
  at({ segments, open }: PathPattern): Candidates {
    let node = this.#root;
    for (const segment of segments) {
      if (segment === null) node = node.named ??= createNode();
      else node = node.children[node.texts.add(keyOf(segment))] ??= createNode();
    }
    return open ? node.open : node.whole;
  }

  /** The best route whose pattern describes the whole path, or -1. */
  whole(request: RoutedRequest): number {
    return walk(this.#root, request, request.path.start, true);
  }

  /** The best route whose pattern is left open, or -1. */
  open(request: RoutedRequest): number {
    return walk(this.#root, request, request.path.start, false);
  }
}

/** Walks on from the slash at `at`, or from the end of the path. */
function walk(node: Node, request: RoutedRequest, at: number, whole: boolean): number {
  const { bytes, end } = request.path;
  if (at < end && bytes[at] === SLASH) {
    let hash = HASH_START;
    let to = at + 1;
    for (; to < end && bytes[to] !== SLASH; to++) hash = hashByte(hash, bytes[to]!);
    const text = node.texts.find(hash, bytes, at + 1, to);
    let route = text < 0 ? -1 : walk(node.children[text]!, request, to, whole);
    if (route < 0 && node.named !== null && to > at + 1) route = walk(node.named, request, to, whole);
    if (route >= 0) return route;
  }
  if (!whole) return node.open.first(request);
  return at === end ? node.whole.first(request) : -1;
}
