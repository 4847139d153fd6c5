/**
 * The admin API's place: opens it, moves it when a reload changes its address, and closes it. A move is prepared first and
 * made afterwards, so a reload that is refused in between changes nothing here either.
 */
import { isDeepStrictEqual } from 'node:util';
import type { AdminBackend } from '../admin/backend.ts';
import { formatAdminAddress } from '../admin/listen.ts';
import type { AdminPlace } from '../admin/guard.ts';
import { AdminServer } from '../admin/server.ts';

export interface AdminMove {
  /** The new place is the place; the old one is left once its answers are written. */
  commit(): void;
  abort(): Promise<void>;
}

export class AdminEndpoint {
  readonly #backend: AdminBackend;
  #open: { readonly server: AdminServer; readonly place: AdminPlace } | null = null;
  #news: string | null = null;

  constructor(backend: AdminBackend) {
    this.#backend = backend;
  }

  /** `host:port` as bound, or `unix:PATH`; null if there is none. */
  get address(): string | null {
    const bound = this.#open?.server.address ?? null;
    return bound === null ? null : formatAdminAddress(bound);
  }

  /** As bound; null if there is none, or at a path. */
  get port(): number | null {
    const bound = this.#open?.server.address ?? null;
    return bound !== null && 'port' in bound ? bound.port : null;
  }

  /** The address, if it is new since this was last asked. */
  takeNews(): string | null {
    const news = this.#news;
    this.#news = null;
    return news;
  }

  /** Binds the new place, if it is another one; null is none. Throws `LISTEN_FAILED`, and then nothing has changed. */
  async prepare(place: AdminPlace | null): Promise<AdminMove> {
    const before = this.#open;
    if (before !== null && place !== null && isDeepStrictEqual(before.place.at, place.at)) {
      const commit = (): void => {
        before.server.policy = place.policy;
        this.#open = { server: before.server, place };
      };
      return { commit, abort: async () => {} };
    }
    const server = place === null ? null : new AdminServer(this.#backend, place.policy);
    if (server !== null && place !== null) await server.listen(place.at);
    const commit = (): void => {
      this.#open = server === null || place === null ? null : { server, place };
      this.#news = this.address;
      before?.server.retire();
    };
    return { commit, abort: async () => server?.close() };
  }

  async close(): Promise<void> {
    const server = this.#open?.server;
    this.#open = null;
    await server?.close();
  }
}
