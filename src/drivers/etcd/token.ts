/**
 * The token by which a server knows a user: got when it is first needed, once for all who wait for it, and again when a server no
 * longer takes it. It ends five minutes after it was last used, and with the server that gave it.
 */
import { abortable } from '../../kernel/abort.ts';

export class EtcdToken {
  readonly #fetch: () => Promise<string | null>;
  #token: Promise<string | null> | null = null;

  /** `fetch` answers null where servers ask for none. */
  constructor(fetch: () => Promise<string | null>) {
    this.#fetch = fetch;
  }

  async get(signal: AbortSignal): Promise<{ readonly text: string | null; readonly drop: () => void }> {
    const token = (this.#token ??= this.#fetch());
    const drop = (): void => {
      // Whoever was refused with an older one must not throw away the new one.
      if (this.#token === token) this.#token = null;
    };
    // A failure is for those who wait now; the next one asks again.
    token.catch(drop);
    return { text: await abortable(token, signal), drop };
  }
}
