/**
 * An index of things that come and go and sometimes move: listings, events, parked cars. It fits itself to where they are, however
 * unevenly, and its positions are exact.
 *
 * A search looks into the nearest child first and leaves out those of which even the nearest spot is too far. How near a spot of a
 * rectangle of degrees can be is exact too: over a pole and across the antimeridian a rectangle is near on the side where nobody expects it.
 *
 * Cost: O(depth) to put and to take; searching O(log n + what is found) where things are spread. See
 * quadtree-nodes.ts for memory. For things that all move all the time take moving.ts; for those that never change points.ts, which
 * answers four times as fast from less memory (`npm run bench -- geo`).
 */
import { checkInteger, checkKeys } from '../kernel/options.ts';
import { haversineToBox } from './bounds.ts';
import type { Collector } from './collector.ts';
import { createMutable, type MutableGeoIndex } from './mutable-index.ts';
import type { Box } from './position.ts';
import { QuadtreeNodes } from './quadtree-nodes.ts';
import type { MeasureOptions, Shelf, Visit } from './searchable.ts';

const LEAF_MAX = 16;
const LEAF_MAX_MOST = 1024;
/** On each of 26 levels three are left behind. */
const STACK = 128;
/** As many as keep node numbers in 32 bits. */
const CAPACITY_MAX = 2 ** 26;
/** What the bound of a rectangle may be off by: half a metre where it is 0, a billionth elsewhere. */
const [BOUND_SPARE, BOUND_ERROR] = [1e-9, 1e-15] as const;

export interface QuadtreeOptions extends MeasureOptions {
  /** How many there can be, and one above the largest id. */
  readonly capacity: number;
  /** A leaf with more things is split. Few: deeper, and less to look at in a leaf. 1 to 1024. @defaultValue 16 */
  readonly leafMax?: number;
}

export interface Quadtree extends MutableGeoIndex {
  /** Memory in use, in bytes. */
  readonly bytes: number;
}

class QuadtreeShelf implements Shelf {
  isSearched = false;
  readonly #nodes: QuadtreeNodes;
  readonly #stack = new Int32Array(STACK);
  /** For each on the stack: bound, south, west, height; a rectangle is twice as wide as high. */
  readonly #places = new Float64Array(STACK * 4);

  constructor(nodes: QuadtreeNodes) {
    this.#nodes = nodes;
  }

  get size(): number {
    return this.#nodes.size;
  }

  offerNear(lat: number, lon: number, collector: Collector): void {
    const nodes = this.#nodes;
    const places = this.#places;
    let top = this.#push(0, 0, { bound: 0, south: -90, west: -180, height: 180 });
    while (top > 0) {
      top--;
      if (places[4 * top]! > collector.haversineMax) continue;
      const node = this.#stack[top]!;
      const first = nodes.childrenOf(node);
      if (first === -1) {
        for (let id = nodes.firstOf(node); id !== -1; id = nodes.nextOf(id)) {
          const atLat = nodes.lats[id]!;
          const atLon = nodes.lons[id]!;
          if (collector.mayKeep(atLat, atLon)) collector.offer(id);
        }
        continue;
      }
      const base = top;
      const [south, west, height] = [places[4 * top + 1]!, places[4 * top + 2]!, places[4 * top + 3]! / 2];
      for (let child = 0; child < 4; child++) {
        const place = {
          bound: 0,
          south: south + (child >= 2 ? height : 0),
          west: west + (child % 2 === 1 ? 2 * height : 0),
          height,
        };
        place.bound = haversineToBox(lat, lon, place) * (1 - BOUND_SPARE) - BOUND_ERROR;
        if (place.bound <= collector.haversineMax) top = this.#pushSorted(base, top, first + child, place);
      }
    }
  }

  #push(at: number, node: number, { bound, south, west, height }: Place): number {
    this.#stack[at] = node;
    this.#places[4 * at] = bound;
    this.#places[4 * at + 1] = south;
    this.#places[4 * at + 2] = west;
    this.#places[4 * at + 3] = height;
    return at + 1;
  }

  /** Puts one among those of its parent, from `base` on, the nearest on top. */
  #pushSorted(base: number, top: number, node: number, place: Place): number {
    let at = top;
    while (at > base && this.#places[4 * (at - 1)]! < place.bound) {
      this.#stack[at] = this.#stack[at - 1]!;
      this.#places.copyWithin(4 * at, 4 * (at - 1), 4 * at);
      at--;
    }
    this.#push(at, node, place);
    return top + 1;
  }

  visitBox(box: Box, visit: Visit): void {
    this.#visitNode(0, { bound: 0, south: -90, west: -180, height: 180 }, box, visit);
  }

  #visitNode(node: number, { south, west, height }: Place, box: Box, visit: Visit): void {
    if (!meets(box, south, west, height)) return;
    const nodes = this.#nodes;
    const first = nodes.childrenOf(node);
    for (let id = nodes.firstOf(node); id !== -1; id = nodes.nextOf(id)) visit(id, nodes.lats[id]!, nodes.lons[id]!);
    if (first === -1) return;
    const half = height / 2;
    for (let child = 0; child < 4; child++) {
      const place = {
        bound: 0,
        south: south + (child >= 2 ? half : 0),
        west: west + (child % 2 === 1 ? height : 0),
        height: half,
      };
      this.#visitNode(first + child, place, box, visit);
    }
  }
}

interface Place {
  bound: number;
  readonly south: number;
  readonly west: number;
  readonly height: number;
}

/** True if a rectangle and a box have a position in common. */
function meets(box: Box, south: number, west: number, height: number): boolean {
  const north = south + height;
  const east = west + 2 * height;
  if (north < box.south || south > box.north) return false;
  // A pole is at every longitude.
  if ((north === 90 && box.north === 90) || (south === -90 && box.south === -90)) return true;
  if (box.west > box.east) return east >= box.west || west <= box.east;
  if (east >= box.west && west <= box.east) return true;
  return (east === 180 && box.west === -180) || (west === -180 && box.east === 180);
}

/**
 * An index of things that come and go.
 *
 * @example
 * const listings = createQuadtree({ capacity: 10_000 });
 * listings.set(1, { lat: 48.2, lon: 16.37 });
 * listings.set(2, { lat: 47.07, lon: 15.44 });
 * listings.remove(1);
 * console.log(listings.nearest({ lat: 48.2, lon: 16.37 }, 5).map(({ id }) => id)); // [ 2 ]
 */
export function createQuadtree(options: QuadtreeOptions): Quadtree {
  checkKeys('createQuadtree', options, ['capacity', 'leafMax', 'measure']);
  const { capacity, leafMax = LEAF_MAX, measure } = options;
  checkInteger('capacity', capacity, 1, CAPACITY_MAX);
  checkInteger('leafMax', leafMax, 1, LEAF_MAX_MOST);
  const nodes = new QuadtreeNodes(capacity, leafMax);
  const shelf = new QuadtreeShelf(nodes);
  const contents = {
    capacity,
    put: (id: number, lat: number, lon: number) => nodes.put(id, lat, lon),
    take: (id: number) => nodes.take(id),
    at: (id: number) => (nodes.has(id) ? { lat: nodes.lats[id]!, lon: nodes.lons[id]! } : null),
  };
  return {
    ...createMutable(shelf, contents, measure),
    get size(): number {
      return shelf.size;
    },
    get bytes(): number {
      return nodes.bytes;
    },
  };
}
