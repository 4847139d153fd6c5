/**
 * Reading what a caller gives: each mistake is refused with the name, the value and what was expected, before anything runs.
 */
import { SpillwayError } from '../kernel/errors.ts';
import { nearest } from '../kernel/nearest.ts';
import { durationExpected, parseDuration } from '../kernel/units.ts';

/** A refusal of options or arguments that mean nothing. */
export function invalid(message: string): SpillwayError {
  return new SpillwayError('OPTIONS_INVALID', message);
}

/** Refuses an option that does not exist: a misspelt limit would be no limit. */
export function checkKeys(what: string, given: object, known: readonly string[]): void {
  if (given === null || typeof given !== 'object')
    throw invalid(`${what}: expected an object with ${known.join(', ')}.`);
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    const guess = nearest(key, known);
    const hint = guess === null ? '' : ` Did you mean ${guess}?`;
    throw invalid(`${what} has no option “${key}”. Expected one of: ${known.join(', ')}.${hint}`);
  }
}

export function checkInteger(what: string, value: unknown, min: number, max: number): number {
  if (Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max) return Number(value);
  throw invalid(`${what} is ${String(value)}; expected an integer from ${min} to ${max}.`);
}

const YEAR_US = 366 * 86_400e6;

/** Microseconds of a duration given as `'1m'` or in milliseconds: from 1 µs to 366 days. */
export function durationUs(what: string, value: unknown): number {
  let ms: number;
  if (typeof value === 'number') ms = value;
  else {
    const parsed = parseDuration(String(value));
    if (!parsed.ok) throw invalid(`${what} is “${String(value)}”; expected ${durationExpected}, or milliseconds.`);
    ms = parsed.value;
  }
  const us = Math.round(ms * 1000);
  if (us >= 1 && us <= YEAR_US && us / 1000 === ms) return us;
  throw invalid(`${what} is ${String(value)}; expected from 0.001ms to 366d, in whole microseconds.`);
}

export function checkKey(key: unknown): void {
  if (typeof key !== 'string' || key === '')
    throw invalid(`The key is ${JSON.stringify(key)}; expected a string that is not empty.`);
}

/** A cost or an amount: what is above every limit is a whole number too, and is refused as such. */
export function checkAmount(what: string, value: unknown): void {
  if (Number.isInteger(value) && (value as number) >= 0) return;
  throw invalid(`The ${what} is ${String(value)}; expected an integer of at least 0.`);
}
