/** Watching one node of ZooKeeper, or what is under it, for one who waits: watches there are told of once, and may come too late. */
import { isRefusal } from '../drivers/zookeeper/failures.ts';
import type { ZookeeperSession } from '../drivers/zookeeper/session.ts';

/** `end`: of that node; `turn`: its end, or that it is written; `room`: whatever changes under it. */
export type WatchedFor = 'end' | 'turn' | 'room';

/** One watch at a time. */
export class Watcher {
  readonly #wake: () => void;
  #stopped = false;
  #current: { readonly session: ZookeeperSession; readonly path: string; readonly watch: () => void } | null = null;

  constructor(wake: () => void) {
    this.#wake = wake;
  }

  wakeSoon(): void {
    queueMicrotask(() => {
      if (!this.#stopped) this.#wake();
    });
  }

  /** Wakes when that happens, after calling `next`; and if it may have happened before anybody watched. */
  on(session: ZookeeperSession, path: string, kind: WatchedFor, next = (): void => {}): void {
    if (this.#stopped || (this.#current?.session === session && this.#current.path === path)) return;
    this.#leave();
    const watch = (): void => {
      if (this.#current?.watch !== watch) return;
      this.#current = null;
      next();
      this.#wake();
    };
    this.#current = { session, path, watch };
    const looked = kind === 'room' ? lookUnder(session, path, watch) : lookAt(session, path, kind, watch);
    looked.then(
      (changed) => {
        // It may have been left while the server was asked, and is watched from the answer on.
        const isOver = changed || this.#current?.watch !== watch;
        if (isOver) session.unwatch(path, watch);
        if (changed) watch();
        else if (!isOver && kind === 'room') this.#wake();
      },
      // Whoever waits asks again before its place is forgotten.
      () => {
        if (this.#current?.watch === watch) this.#current = null;
      },
    );
  }

  stop(): void {
    this.#stopped = true;
    this.#leave();
  }

  #leave(): void {
    this.#current?.session.unwatch(this.#current.path, this.#current.watch);
    this.#current = null;
  }
}

/** True if the node is gone already: then nothing watches, as `exists` would, for one that nobody makes again. Or if it has been written. */
async function lookAt(
  session: ZookeeperSession,
  path: string,
  kind: 'end' | 'turn',
  watch: () => void,
): Promise<boolean> {
  const found = await existing(session.get(path, { watch }));
  return found === null || (kind === 'turn' && found.stat.version > 0);
}

/** True if the node has come to be meanwhile. */
async function lookUnder(session: ZookeeperSession, path: string, watch: () => void): Promise<boolean> {
  const found = await existing(session.children(path, { watch }));
  return found === null && (await session.exists(path, { watch })) !== null;
}

/** Null if there is no such node. */
export async function existing<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (isRefusal(error, 'NO_NODE')) return null;
    throw error;
  }
}

/** Whether it was not there before. */
export async function made(asked: Promise<unknown>): Promise<boolean> {
  try {
    await asked;
    return true;
  } catch (error) {
    if (!isRefusal(error, 'NODE_EXISTS')) throw error;
    return false;
  }
}
