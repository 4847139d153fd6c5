/**
 * Numbers as text, written in place: no string, no allocation. Each function that takes a key returns the index after the number.
 */
import type { FixedText, LineOut } from './fixed-text.ts';

const DOT = 46;
const ZERO = 48;

/** A key and a whole number. */
export function integer(key: FixedText, value: number, out: LineOut, at: number): number {
  return digits(value, out.bytes, key.write(out, at));
}

/** A key and milliseconds with three decimals. */
export function duration(key: FixedText, ms: number, out: LineOut, at: number): number {
  const { bytes } = out;
  const micros = Math.round(ms * 1000);
  const whole = Math.floor(micros / 1000);
  at = digits(whole, bytes, key.write(out, at));
  bytes[at] = DOT;
  thousandths(micros - whole * 1000, bytes, at + 1);
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
  if (value < 10) {
    out[at] = ZERO + value;
    return at + 1;
  }
  // Whole numbers of 32 bits are divided at a fraction of the cost.
  if (value > 0x7fff_ffff) {
    const upper = Math.floor(value / 1e6);
    at = digits(upper, out, at);
    const lower = value - upper * 1e6;
    thousandths((lower / 1000) | 0, out, at);
    thousandths(lower % 1000, out, at + 3);
    return at + 6;
  }
  let rest = value | 0;
  const end = at + lengthOf(rest);
  for (let index = end - 1; index >= at; index--) {
    const tens = (rest / 10) | 0;
    out[index] = ZERO + rest - tens * 10;
    rest = tens;
  }
  return end;
}

function lengthOf(value: number): number {
  let count = 2;
  for (let left = (value / 100) | 0; left > 0; left = (left / 10) | 0) count++;
  return count;
}
