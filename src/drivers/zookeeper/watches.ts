/**
 * Which paths are watched, and who is to be told. A watch is told once: of a change, or of the end of the session; so whoever waits for one
 * does not wait for ever. A connection that is lost takes the server's watches with it; they are set anew from here.
 *
 * Cost: O(1) to add and to fire, O(listeners of the path) to remove.
 */
import type { NodeEvent, WatchedPaths } from './messages.ts';

/** `ended`: the session is over, and so is the watch. */
export type WatchEvent = NodeEvent | { readonly type: 'ended'; readonly path: string };

/** Called once, outside of everything else. */
export type Watch = (event: WatchEvent) => void;

export type WatchKind = 'data' | 'exists' | 'children';

const kinds = ['data', 'exists', 'children'] as const;

/** What an event says to whom: a deletion is one to everybody. */
const firedBy: Readonly<Record<NodeEvent['type'], readonly WatchKind[]>> = {
  created: ['data', 'exists'],
  changed: ['data', 'exists'],
  deleted: ['data', 'exists', 'children'],
  children: ['children'],
};

export class WatchTable {
  readonly #paths = {
    data: new Map<string, Set<Watch>>(),
    exists: new Map<string, Set<Watch>>(),
    children: new Map<string, Set<Watch>>(),
  };
  #count = 0;

  /** Watches that wait. */
  get count(): number {
    return this.#count;
  }

  add(kind: WatchKind, path: string, watch: Watch): void {
    const watches = this.#paths[kind].get(path) ?? new Set();
    this.#paths[kind].set(path, watches);
    if (watches.has(watch)) return;
    watches.add(watch);
    this.#count += 1;
  }

  /** Nobody is interested any more. */
  remove(path: string, watch: Watch): void {
    for (const kind of kinds) {
      const watches = this.#paths[kind].get(path);
      if (watches?.delete(watch) !== true) continue;
      this.#count -= 1;
      if (watches.size === 0) this.#paths[kind].delete(path);
    }
  }

  fire(event: NodeEvent): void {
    for (const watch of this.#take(firedBy[event.type], event.path)) tell(watch, event);
  }

  end(): void {
    for (const path of new Set(kinds.flatMap((kind) => [...this.#paths[kind].keys()]))) {
      for (const watch of this.#take(kinds, path)) tell(watch, { type: 'ended', path });
    }
  }

  /** All that must be set anew, in groups of at most so many bytes. */
  groups(bytesMax: number): WatchedPaths[] {
    const groups: { data: string[]; exists: string[]; children: string[] }[] = [];
    let bytes = Number.POSITIVE_INFINITY;
    for (const kind of kinds) {
      for (const path of this.#paths[kind].keys()) {
        bytes += 4 + Buffer.byteLength(path);
        if (bytes > bytesMax) {
          groups.push({ data: [], exists: [], children: [] });
          bytes = 0;
        }
        groups.at(-1)?.[kind].push(path);
      }
    }
    return groups;
  }

  /** One that is in several is taken once. */
  #take(from: readonly WatchKind[], path: string): Set<Watch> {
    const taken = new Set<Watch>();
    for (const kind of from) {
      const watches = this.#paths[kind].get(path);
      if (watches === undefined) continue;
      this.#paths[kind].delete(path);
      this.#count -= watches.size;
      for (const watch of watches) taken.add(watch);
    }
    return taken;
  }
}

/** What a watch throws is its own affair and must not end what is being read. */
function tell(watch: Watch, event: WatchEvent): void {
  queueMicrotask(() => watch(event));
}
