/** Reading what a caller of limits gives: what every module checks, and durations, keys and amounts. */
import { checkInteger, checkKeys, checkParts, invalid, shown, textOfGiven } from '../kernel/options.ts';
import { durationExpected, parseDuration } from '../kernel/units.ts';

export { checkInteger, checkKeys, checkParts, invalid, textOfGiven };

const YEAR_US = 366 * 86_400e6;

/** Microseconds of a duration given as `'1m'` or in milliseconds: from 1 µs to 366 days. */
export function durationUs(what: string, value: unknown): number {
  let ms: number;
  if (typeof value === 'number') ms = value;
  else {
    const parsed = parseDuration(textOfGiven(value));
    if (!parsed.ok) throw invalid(`${what} is “${textOfGiven(value)}”; expected ${durationExpected}, or milliseconds.`);
    ms = parsed.value;
  }
  const us = Math.round(ms * 1000);
  if (us >= 1 && us <= YEAR_US && us / 1000 === ms) return us;
  throw invalid(`${what} is ${textOfGiven(value)}; expected from 0.001ms to 366d, in whole microseconds.`);
}

export function checkKey(key: unknown): void {
  if (typeof key !== 'string' || key === '')
    throw invalid(`The key is ${shown(key)}; expected a string that is not empty.`);
}

/** A cost that is given by itself would be no cost: `takeSync` takes it so. */
export function checkTake(options: unknown): void {
  if (typeof options !== 'object' || options === null)
    throw invalid(`The options are ${shown(options)}; expected { cost, signal }, or none.`);
}

/** A cost or an amount: what is above every limit is a whole number too, and is refused as such. */
export function checkAmount(what: string, value: unknown): void {
  if (Number.isInteger(value) && (value as number) >= 0) return;
  throw invalid(`The ${what} is ${textOfGiven(value)}; expected an integer of at least 0.`);
}
