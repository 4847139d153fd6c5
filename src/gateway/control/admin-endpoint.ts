/**
 * The admin API's place: opens it, moves it when a reload changes its address, and closes it. A move is prepared first and
 * made afterwards, so a reload that is refused in between changes nothing here either.
 */
import type { AdminBackend } from '../admin/api.ts';
import { AdminServer } from '../admin/server.ts';
import { joinAddress } from '../config/address.ts';

/** Where the admin API is, and who may call it. */
export interface AdminPlace {
  readonly host: string;
  readonly port: number;
  readonly token: string | null;
}

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

  /** `host:port` as bound, or null. */
  get address(): string | null {
    const bound = this.#open?.server.address ?? null;
    return bound === null ? null : joinAddress(bound.host, bound.port);
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
    if (before !== null && place !== null && before.place.host === place.host && before.place.port === place.port) {
      const commit = (): void => {
        before.server.policy = place;
        this.#open = { server: before.server, place };
      };
      return { commit, abort: async () => {} };
    }
    const server = place === null ? null : new AdminServer(this.#backend, place);
    if (server !== null && place !== null) await server.listen(place);
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
