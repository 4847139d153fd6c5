/**
 * For a program that goes on when its session has expired: the session that lives, and another one when it does not any more. What was
 * held with the old one is lost; that session said so to whoever held it, who asks for it again with the new one.
 */
import { sessionEnded } from './failures.ts';
import type { ZookeeperOptions } from './options.ts';
import { ZookeeperSession } from './session.ts';

export class ZookeeperClient implements AsyncDisposable {
  readonly #options: ZookeeperOptions;
  readonly #listeners = new Set<(session: ZookeeperSession) => void>();
  #session: ZookeeperSession;
  #closing: Promise<void> | null = null;

  /** Opens the first session. */
  constructor(options: ZookeeperOptions) {
    this.#session = new ZookeeperSession(options);
    // Whoever takes a session on means that one; after it come new ones.
    const { resume: _, ...rest } = options;
    this.#options = rest;
  }

  /** Keep it for as long as what you hold with it: after an expiry the next look gives another, and tells the listeners. */
  get session(): ZookeeperSession {
    if (this.#session.state === 'expired') {
      if (this.#closing !== null) throw sessionEnded('it is closed');
      const session = new ZookeeperSession(this.#options);
      this.#session = session;
      for (const listener of this.#listeners) queueMicrotask(() => listener(session));
    }
    return this.#session;
  }

  /** Called with each session that follows one that expired, until what is returned is called. */
  onSession(listener: (session: ZookeeperSession) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#session.close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
