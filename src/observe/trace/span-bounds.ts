/**
 * How much a span may hold, whoever made it: what is more is left out and counted, a text that is longer is cut. Without bounds one careless
 * attribute (a body, a list of ids) fills the memory of everybody on the way.
 */
import type { Attributes, AttributeValue } from './span-record.ts';

/** OpenTelemetry's own default. */
const ATTRIBUTES_MAX = 128;
export const EVENTS_MAX = 128;
export const LINKS_MAX = 32;
export const NAME_LENGTH_MAX = 256;
/** Of a text that is an attribute or a message: an SQL statement and a stack fit. */
export const TEXT_LENGTH_MAX = 4096;

/** Not through the middle of a character. */
export function cutText(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** Attributes of something that is made in one go. */
export function boundAttributes(given: Iterable<readonly [string, AttributeValue]>): {
  attributes: Attributes;
  dropped: number;
} {
  const attributes = new Map<string, AttributeValue>();
  let dropped = 0;
  for (const [key, value] of given) {
    if (attributes.size < ATTRIBUTES_MAX || attributes.has(key)) setAttribute(attributes, key, value);
    else dropped += 1;
  }
  return { attributes: Object.fromEntries(attributes), dropped };
}

function setAttribute(attributes: Map<string, AttributeValue>, key: string, value: AttributeValue): void {
  attributes.set(cutText(key, NAME_LENGTH_MAX), typeof value === 'string' ? cutText(value, TEXT_LENGTH_MAX) : value);
}
