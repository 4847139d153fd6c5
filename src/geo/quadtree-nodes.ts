/**
 * The nodes of a quadtree and the things in them, in typed arrays.
 *
 * A node covers a rectangle of degrees, the root all of them. A leaf has a doubly linked list of things; one with too many is
 * split into four, and four leaves that together have few become one again (R. A. Finkel, J. L. Bentley, "Quad Trees", 1974). Rectangles are
 * not stored: they follow from the way down, and halving 90 and 180 is exact.
 *
 * Invariants: a node has four children in a row or none; what lies on a dividing line is in the north and in the east; a leaf above the
 * greatest depth has at most `leafMax` things.
 * Cost: 28 B for each id below the capacity and 16 B a node, of which there are at most 4 × depth for every `leafMax` things.
 */
const NONE = -1;
/** Leaves are then 0.6 m wide at the equator; what is nearer together shares one. */
const DEPTH_MAX = 26;

const [CHILDREN, HEAD, COUNT, PARENT, NODE_WORDS] = [0, 1, 2, 3, 4] as const;

export class QuadtreeNodes {
  size = 0;
  readonly lats: Float64Array;
  readonly lons: Float64Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** The leaf of each thing. */
  readonly #leaves: Int32Array;
  readonly #leafMax: number;
  #nodes = new Int32Array(64 * NODE_WORDS);
  #nodeCount = 1;
  /** The first of four nodes that are free; each four say in `PARENT` of their first which are next. */
  #free = NONE;
  /** How deep the leaf is that `#leafAt` found. */
  #depth = 0;
  #south = 0;
  #west = 0;

  constructor(capacity: number, leafMax: number) {
    this.lats = new Float64Array(capacity);
    this.lons = new Float64Array(capacity);
    this.#next = new Int32Array(capacity);
    this.#previous = new Int32Array(capacity);
    this.#leaves = new Int32Array(capacity).fill(NONE);
    this.#leafMax = leafMax;
    this.#clear(0, NONE);
  }

  get bytes(): number {
    return this.lats.length * 28 + this.#nodes.byteLength;
  }

  /** Nodes in use. */
  get nodeCount(): number {
    let free = 0;
    for (let first = this.#free; first !== NONE; first = this.#nodes[first * NODE_WORDS + PARENT]!) free += 4;
    return this.#nodeCount - free;
  }

  /** The first of four children in a row (south-west, south-east, north-west, north-east), or −1 for a leaf. */
  childrenOf(node: number): number {
    return this.#nodes[node * NODE_WORDS + CHILDREN]!;
  }

  /** The first thing of a leaf, −1 if there is none. */
  firstOf(leaf: number): number {
    return this.#nodes[leaf * NODE_WORDS + HEAD]!;
  }

  nextOf(id: number): number {
    return this.#next[id]!;
  }

  has(id: number): boolean {
    return this.#leaves[id] !== NONE;
  }

  put(id: number, lat: number, lon: number): void {
    const from = this.#leaves[id]!;
    const to = this.#leafAt(lat, lon);
    this.lats[id] = lat;
    this.lons[id] = lon;
    if (from === to) return;
    if (from === NONE) this.size++;
    else this.#unlink(id, from);
    // Leaves may have become one.
    const leaf = from === NONE ? to : this.#leafAt(lat, lon);
    this.#link(id, leaf);
    this.#split(leaf);
  }

  take(id: number): boolean {
    const leaf = this.#leaves[id]!;
    if (leaf === NONE) return false;
    this.#unlink(id, leaf);
    this.#leaves[id] = NONE;
    this.size--;
    return true;
  }

  #leafAt(lat: number, lon: number): number {
    let node = 0;
    let height = 180;
    this.#depth = 0;
    this.#south = -90;
    this.#west = -180;
    for (;;) {
      const children = this.#nodes[node * NODE_WORDS]!;
      if (children === NONE) return node;
      height /= 2;
      node = children;
      if (lon >= this.#west + 2 * height) {
        this.#west += 2 * height;
        node += 1;
      }
      if (lat >= this.#south + height) {
        this.#south += height;
        node += 2;
      }
      this.#depth++;
    }
  }

  #link(id: number, leaf: number): void {
    const at = leaf * NODE_WORDS;
    const first = this.#nodes[at + HEAD]!;
    this.#next[id] = first;
    this.#previous[id] = NONE;
    if (first !== NONE) this.#previous[first] = id;
    this.#nodes[at + HEAD] = id;
    this.#nodes[at + COUNT]!++;
    this.#leaves[id] = leaf;
  }

  #unlink(id: number, leaf: number): void {
    const at = leaf * NODE_WORDS;
    const next = this.#next[id]!;
    const previous = this.#previous[id]!;
    if (next !== NONE) this.#previous[next] = previous;
    if (previous === NONE) this.#nodes[at + HEAD] = next;
    else this.#next[previous] = next;
    this.#nodes[at + COUNT]!--;
    this.#merge(this.#nodes[at + PARENT]!);
  }

  /** Splits the leaf that `#leafAt` found, and of its children those that have all that it had. */
  #split(leaf: number): void {
    let height = 180 / 2 ** this.#depth;
    while (this.#nodes[leaf * NODE_WORDS + COUNT]! > this.#leafMax && this.#depth < DEPTH_MAX) {
      const first = this.#take4(leaf);
      let id = this.#nodes[leaf * NODE_WORDS + HEAD]!;
      height /= 2;
      this.#nodes[leaf * NODE_WORDS + CHILDREN] = first;
      this.#nodes[leaf * NODE_WORDS + HEAD] = NONE;
      this.#nodes[leaf * NODE_WORDS + COUNT] = 0;
      while (id !== NONE) {
        const next = this.#next[id]!;
        const east = this.lons[id]! >= this.#west + 2 * height ? 1 : 0;
        const north = this.lats[id]! >= this.#south + height ? 2 : 0;
        this.#link(id, first + east + north);
        id = next;
      }
      const fullest = this.#fullest(first);
      if ((fullest - first) % 2 === 1) this.#west += 2 * height;
      if (fullest - first >= 2) this.#south += height;
      this.#depth++;
      leaf = fullest;
    }
  }

  #fullest(first: number): number {
    let fullest = first;
    for (let child = first + 1; child < first + 4; child++) {
      if (this.#nodes[child * NODE_WORDS + COUNT]! > this.#nodes[fullest * NODE_WORDS + COUNT]!) fullest = child;
    }
    return fullest;
  }

  /** Makes a node a leaf again while its four are leaves that have half of what a leaf may have: then a single thing does not split it again. */
  #merge(node: number): void {
    while (node !== NONE) {
      const first = this.#nodes[node * NODE_WORDS]!;
      let count = 0;
      for (let child = first; child < first + 4; child++) {
        if (this.#nodes[child * NODE_WORDS]! !== NONE) return;
        count += this.#nodes[child * NODE_WORDS + COUNT]!;
      }
      if (count > this.#leafMax / 2) return;
      this.#nodes[node * NODE_WORDS + CHILDREN] = NONE;
      for (let child = first; child < first + 4; child++) {
        for (let id = this.#nodes[child * NODE_WORDS + HEAD]!; id !== NONE;) {
          const next = this.#next[id]!;
          this.#link(id, node);
          id = next;
        }
      }
      this.#nodes[first * NODE_WORDS + PARENT] = this.#free;
      this.#free = first;
      node = this.#nodes[node * NODE_WORDS + PARENT]!;
    }
  }

  #take4(parent: number): number {
    let first = this.#free;
    if (first === NONE) {
      first = this.#nodeCount;
      this.#nodeCount += 4;
      if (this.#nodeCount * NODE_WORDS > this.#nodes.length) {
        const nodes = new Int32Array(this.#nodes.length * 2);
        nodes.set(this.#nodes);
        this.#nodes = nodes;
      }
    } else {
      this.#free = this.#nodes[first * NODE_WORDS + PARENT]!;
    }
    for (let child = first; child < first + 4; child++) this.#clear(child, parent);
    return first;
  }

  #clear(node: number, parent: number): void {
    this.#nodes[node * NODE_WORDS + CHILDREN] = NONE;
    this.#nodes[node * NODE_WORDS + HEAD] = NONE;
    this.#nodes[node * NODE_WORDS + COUNT] = 0;
    this.#nodes[node * NODE_WORDS + PARENT] = parent;
  }
}
