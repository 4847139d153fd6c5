/**
 * What a span may hold, and how much, whoever made it: what is more, or no value at all, is left out and counted, a text that is longer is cut.
 * Without bounds one careless attribute (a body, a list of ids) fills the memory of everybody on the way.
 */
import { partOf, textOf } from '../context/plain-text.ts';
import type { Attributes, AttributeValue } from './span-record.ts';

/** OpenTelemetry's own default, as of events. */
const ATTRIBUTES_MAX = 128;
export const EVENTS_MAX = 128;
export const LINKS_MAX = 32;
export const NAME_LENGTH_MAX = 256;
/** Of a text that is an attribute or a message: an SQL statement and a stack fit. */
export const TEXT_LENGTH_MAX = 4096;

/** Not through the middle of a character. What is cut is a text of its own: a part of a text keeps the whole one in memory. */
export function cutText(text: string, lengthMax: number): string {
  if (text.length <= lengthMax) return text;
  const cut = `${text.slice(0, lengthMax - 1).replace(/[\ud800-\udbff]$/, '')}…`;
  return Buffer.from(cut, 'utf16le').toString('utf16le');
}

/** Attributes that are given bit by bit, or all at once. */
export class BoundAttributes {
  readonly values: Record<string, AttributeValue> = {};
  dropped = 0;
  /** Characters in it. */
  length = 0;
  #size = 0;

  set(key: string, value: AttributeValue): void {
    const held = heldOf(value);
    if (held === null) {
      this.dropped += 1;
      return;
    }
    const name = cutText(textOf(key), NAME_LENGTH_MAX);
    if (!Object.hasOwn(this.values, name)) {
      if (this.#size === ATTRIBUTES_MAX) {
        this.dropped += 1;
        return;
      }
      this.#size += 1;
      // Else it would be no attribute.
      if (name === '__proto__')
        Object.defineProperty(this.values, name, { value: '', enumerable: true, writable: true });
    }
    this.values[name] = held;
    this.length += name.length + (typeof held === 'string' ? held.length : 8);
  }

  setAll(given: Attributes): this {
    for (const key of keysOf(given)) this.set(key, partOf(given, key) as AttributeValue);
    return this;
  }
}

/** None if it does not let itself be looked at. */
function keysOf(given: unknown): readonly string[] {
  try {
    return Object.keys(given ?? {});
  } catch {
    return [];
  }
}

/** Null if it is no value: of plain JavaScript anything may come. A bigint becomes its digits, for JSON has none. */
function heldOf(value: unknown): AttributeValue | null {
  if (typeof value === 'string') return cutText(value, TEXT_LENGTH_MAX);
  if (typeof value === 'number' || typeof value === 'boolean') return value;
  return typeof value === 'bigint' ? cutText(String(value), TEXT_LENGTH_MAX) : null;
}
