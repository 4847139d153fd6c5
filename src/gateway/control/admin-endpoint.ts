/**
 * The admin API's place: opens it, moves it when a reload changes its address, and closes it. A move is prepared first and
 * made afterwards, so a reload that is refused in between changes nothing here either.
 */
import { isDeepStrictEqual } from 'node:util';
import type { AdminBackend } from '../admin/backend.ts';
import { formatAdminAddress } from '../admin/listen.ts';
import type { AdminPlace } from '../admin/guard.ts';
import { AdminServer } from '../admin/server.ts';
import type { Config } from '../config/index.ts';
import { MadeToken, type MadeTokenOptions } from './made-token.ts';
import { adminPlace } from './read-config.ts';

export interface AdminMove {
  /** The new place is the place; the old one is left once its answers are written. */
  commit(): void;
  abort(): Promise<void>;
}

export class AdminEndpoint {
  readonly #backend: AdminBackend;
  readonly #token: MadeToken;
  #open: { readonly server: AdminServer; readonly place: AdminPlace; readonly config: Config } | null = null;
  #news: string | null = null;

  constructor(onNotice: MadeTokenOptions['onNotice'], backend: Omit<AdminBackend, 'madeToken' | 'renewToken'>) {
    this.#backend = {
      ...backend,
      madeToken: () => this.made,
      // Not before the gateway itself has: until then it may be root, which is to own nothing here.
      renewToken: async () => {
        if (this.#token.held !== null) await this.renewToken();
      },
    };
    this.#token = new MadeToken({ onNotice });
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

  /** What is kept of the token that the gateway made: where. Null if the config names its tokens, or there is no API. */
  get made(): { readonly file: string | null } | null {
    return this.#open?.place.policy.made ?? null;
  }

  /** The token that the gateway made; null if it made none. */
  get token(): string | null {
    return this.made === null ? null : (this.#token.held?.text ?? null);
  }

  /** Has the token that the gateway made be the one that is kept now; for whoever shows one, or needs one. */
  async renewToken(): Promise<void> {
    if (this.made === null) return;
    const { config } = this.#open!;
    await this.#token.renew(config);
    const open = this.#open;
    if (open?.config !== config) return; // a reload came between, and asks for itself
    const place = adminPlace(config, this.#token.held)!;
    open.server.policy = place.policy;
    this.#open = { ...open, place };
  }

  /** The address, if it is new since this was last asked. */
  takeNews(): string | null {
    const news = this.#news;
    this.#news = null;
    return news;
  }

  /**
   * Binds the place that a config asks for, if it is another one. Throws `LISTEN_FAILED`, and then nothing has changed. The token of the
   * gateway's own making is there after `renewToken`.
   */
  async prepare(config: Config): Promise<AdminMove> {
    const place = adminPlace(config, this.#token.held);
    const before = this.#open;
    if (before !== null && place !== null && isDeepStrictEqual(before.place.at, place.at)) {
      const commit = (): void => {
        before.server.policy = place.policy;
        this.#open = { server: before.server, place, config };
      };
      return { commit, abort: async () => {} };
    }
    const server = place === null ? null : new AdminServer(this.#backend, place.policy);
    if (server !== null && place !== null) await server.listen(place.at);
    const commit = (): void => {
      this.#open = server === null || place === null ? null : { server, place, config };
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
