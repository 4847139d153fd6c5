/**
 * Which span of which trace a request is: ids as words, so that nothing is allocated for a request whose trace nobody keeps. A connection has
 * one, filled anew for each of its requests; the trace id itself stands in the head that goes out.
 *
 * Span ids of one request lie beside one another: that of the request, then one for each of its attempts.
 * Source: W3C Trace Context §3.2.
 */
import { hexDigit, writeHexWord } from '../../kernel/hex.ts';
import type { Random } from '../../kernel/random.ts';

/** From the first digit of the trace id, in `trace-id "-" parent-id "-" flags`. */
const SPAN_AT = 33;
const FLAGS_AT = 50;
const ZERO = 48;

export class RequestTrace {
  /** The span of the request here, or, if this gateway does not trace, the one that was sent on. */
  spanHigh = 0;
  spanLow = 0;
  /** Whoever asked us is in the same trace, as the span `parentHigh`, `parentLow`. */
  hasParent = false;
  parentHigh = 0;
  parentLow = 0;
  /** This gateway looks at it when it is over. */
  isTraced = false;
  /** The flag that goes out: that it will be kept is known from the beginning. */
  isSampled = true;

  /** Draws a span, and writes it behind the trace id that begins at `start`. */
  draw(random: Random, out: Uint8Array, start: number): void {
    // `| 1`: an id may not be all zeros (§3.2.2.4), nor become so when attempts are counted up.
    this.spanHigh = random.int32() | 1;
    this.spanLow = random.int32();
    this.hasParent = false;
    this.isTraced = false;
    this.isSampled = true;
    writeHexWord(this.spanLow, out, writeHexWord(this.spanHigh, out, start + SPAN_AT));
  }

  /** The caller's span goes on as ours. */
  follow(bytes: Uint8Array, start: number): void {
    this.spanHigh = readHexWord(bytes, start + SPAN_AT);
    this.spanLow = readHexWord(bytes, start + SPAN_AT + 8);
    this.hasParent = false;
    this.isTraced = false;
    this.isSampled = isSampledFlag(bytes, start);
  }

  /** Takes the caller's span for the parent, and its flag for what is to be done. */
  join(bytes: Uint8Array, start: number): void {
    this.parentHigh = readHexWord(bytes, start + SPAN_AT);
    this.parentLow = readHexWord(bytes, start + SPAN_AT + 8);
    this.hasParent = true;
    this.isSampled = isSampledFlag(bytes, start);
  }

  /** The parent of what the endpoint does for attempt `number`. */
  writeAttempt(number: number, out: Uint8Array, start: number): void {
    writeHexWord((this.spanLow + number) | 0, out, start + SPAN_AT + 8);
  }

  writeFlag(out: Uint8Array, start: number): void {
    out[start + FLAGS_AT] = ZERO;
    out[start + FLAGS_AT + 1] = this.isSampled ? ZERO + 1 : ZERO;
  }

  /** 16 digits; of an attempt, if `number` is above 0. */
  spanId(number = 0): string {
    return spanText(this.spanHigh, (this.spanLow + number) | 0);
  }

  get parentId(): string | null {
    return this.hasParent ? spanText(this.parentHigh, this.parentLow) : null;
  }
}

const digits = Buffer.alloc(16);

function spanText(high: number, low: number): string {
  writeHexWord(low, digits, writeHexWord(high, digits, 0));
  return digits.toString('latin1');
}

function isSampledFlag(bytes: Uint8Array, start: number): boolean {
  return (hexDigit(bytes[start + FLAGS_AT + 1]!) & 1) === 1;
}

function readHexWord(bytes: Uint8Array, at: number): number {
  let word = 0;
  for (let digit = at; digit < at + 8; digit++) word = (word << 4) | hexDigit(bytes[digit]!);
  return word;
}
