/**
 * Numbers as text, written in place: no string, no allocation. Each function that takes a key returns the index after the number.
 */
import { copyBytes } from '../../kernel/bytes.ts';

const DOT = 46;
const ZERO = 48;

/** A key and a whole number. */
export function integer(key: Uint8Array, value: number, out: Uint8Array, at: number): number {
  return digits(value, out, copyBytes(key, 0, key.length, out, at));
}

/** A key and milliseconds with three decimals. */
export function duration(key: Uint8Array, ms: number, out: Uint8Array, at: number): number {
  const micros = Math.round(ms * 1000);
  const whole = Math.floor(micros / 1000);
  at = digits(whole, out, copyBytes(key, 0, key.length, out, at));
  out[at] = DOT;
  thousandths(micros - whole * 1000, out, at + 1);
  return at + 4;
}

/** Three digits, of 0 to 999. */
export function thousandths(value: number, out: Uint8Array, at: number): void {
  out[at] = ZERO + ((value / 100) | 0);
  out[at + 1] = ZERO + (((value / 10) | 0) % 10);
  out[at + 2] = ZERO + (value % 10);
}

/** A whole number from 0 to 2^53 - 1. */
function digits(value: number, out: Uint8Array, at: number): number {
  let count = 1;
  for (let power = 10; power <= value && count < 16; power *= 10) count++;
  for (let index = at + count - 1; index >= at; index--) {
    out[index] = ZERO + (value % 10);
    value = Math.floor(value / 10);
  }
  return at + count;
}
