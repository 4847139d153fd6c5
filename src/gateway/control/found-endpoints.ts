/**
 * Puts what was found of endpoints in force, once for whatever was found meanwhile, and again after a while if the workers would
 * not have it: whoever found it does not find it twice, and it must not be forgotten until the next change.
 *
 * Invariant: nothing is put in force after `close`.
 */
import type { Clock, Timer } from '../../kernel/clock.ts';
import { LatestWins } from './latest-wins.ts';

/** A worker that could not be started is tried again sooner; a machine without memory needs a while. */
const AGAIN_MS = 5000;

export interface FoundEndpointsOptions {
  readonly clock: Clock;
  /** Puts in force what is known now. Resolves to why it could not, or null. */
  readonly apply: () => Promise<string | null>;
  /** Nobody waits for this one. */
  readonly onRefused: (reason: string) => void;
}

export class FoundEndpoints {
  readonly #options: FoundEndpointsOptions;
  readonly #queue: LatestWins<null, string | null>;
  #again: Timer | null = null;
  #closed = false;

  constructor(options: FoundEndpointsOptions) {
    this.#options = options;
    this.#queue = new LatestWins(() => this.#apply());
  }

  /** Somebody waits for it, and is told why it could not be put in force; null if it was. */
  async put(): Promise<string | null> {
    return this.#queue.ask(null);
  }

  /** The same where nobody waits. */
  changed(): void {
    void this.put().then((refusal) => refusal === null || this.#options.onRefused(refusal));
  }

  close(): void {
    this.#closed = true;
    this.#again?.clear();
  }

  async #apply(): Promise<string | null> {
    if (this.#closed) return null;
    this.#again?.clear();
    this.#again = null;
    const refusal = await this.#options.apply().catch(String);
    if (refusal !== null && !this.#closed) {
      this.#again = this.#options.clock.after(AGAIN_MS, () => this.changed());
    }
    return refusal;
  }
}
