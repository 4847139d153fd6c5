/**
 * Calls of a client that have no answer yet, those that nobody waits for any more included: the client still holds them. Clients differ in
 * what they time out, some in nothing, and while a server is silent there would be ever more.
 */
import { SpillwayError } from '../kernel/errors.ts';

export class Unanswered {
  readonly #what: string;
  readonly #max: number;
  #calls = 0;

  constructor(what: string, max: number) {
    this.#what = what;
    this.#max = max;
  }

  get calls(): number {
    return this.#calls;
  }

  /** Before a call; throws if too many are open already. */
  begin(): void {
    if (this.#calls >= this.#max) {
      throw new SpillwayError(
        'STORE_UNAVAILABLE',
        `${this.#what} has not answered the last ${this.#max} calls; no more are made until it does or its connection ends.`,
        { retryable: true },
      );
    }
    this.#calls += 1;
  }

  /** After it. */
  end(): void {
    this.#calls -= 1;
  }
}
