/**
 * The `Date` line for answers of servers that sent none (RFC 9110 §6.6.1), as bytes.
 *
 * Cost: a reading of the clock; the text is made anew once a second.
 */
import { ascii } from '../../kernel/bytes.ts';
import type { Clock } from '../../kernel/clock.ts';

export class HttpDate {
  readonly #clock: Clock;
  #second = -1;
  #line: Uint8Array = new Uint8Array(0);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get line(): Uint8Array {
    const second = Math.floor(this.#clock.wallMs() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#line = ascii(`Date: ${new Date(second * 1000).toUTCString()}\r\n`);
    }
    return this.#line;
  }
}
