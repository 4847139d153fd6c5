/**
 * Reading what a caller gives: each mistake is refused with the name, the value and what was expected, before anything runs.
 */
import { SpillwayError } from './errors.ts';
import { nearest } from './nearest.ts';
import { durationExpected, formatDuration, parseDuration } from './units.ts';

/** A refusal of options or arguments that mean nothing. */
export function invalid(message: string): SpillwayError {
  return new SpillwayError('OPTIONS_INVALID', message);
}

/** What was given, as a message says it: also what has no text, as an object without a prototype. */
export function textOfGiven(value: unknown): string {
  try {
    return String(value);
  } catch {
    return Array.isArray(value) ? 'a list' : `an ${typeof value}`;
  }
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

/** A value in a message: texts in quotes, and whatever has no text by its kind. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
  // Not every object has a text, that of a list is that of what is in it, and that of a function all of it.
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

/** Refuses what is no such thing, told by what one has: read, as what stands for another may have it no other way. */
export function checkParts(what: string, given: unknown, expected: string, parts: readonly string[]): void {
  const isObject = typeof given === 'object' && given !== null;
  if (isObject && parts.every((part) => Reflect.get(given, part) !== undefined)) return;
  throw invalid(`${what} is ${shown(given)}; expected ${expected}.`);
}

export function checkFunction(what: string, given: unknown): void {
  if (typeof given !== 'function') throw invalid(`${what} is ${shown(given)}; expected a function.`);
}

export function checkInteger(what: string, value: unknown, min: number, max: number): number {
  if (Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max) return Number(value);
  throw invalid(`${what} is ${textOfGiven(value)}; expected an integer from ${min} to ${max}.`);
}

/** Milliseconds of a duration given as `'1.5s'` or as a number of them. */
export function checkDuration(what: string, value: unknown, minMs: number, maxMs: number): number {
  const parsed = typeof value === 'number' ? { ok: true as const, value } : parseDuration(textOfGiven(value));
  if (!parsed.ok) throw invalid(`${what} is “${textOfGiven(value)}”; expected ${durationExpected}, or milliseconds.`);
  if (parsed.value >= minMs && parsed.value <= maxMs) return parsed.value;
  throw invalid(`${what} is ${String(value)}; expected from ${formatDuration(minMs)} to ${formatDuration(maxMs)}.`);
}
