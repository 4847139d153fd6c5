/**
 * About how many bytes of memory a value takes, so that a cache can have a bound in bytes: what is in it, added up. Strings count two bytes a character, though V8
 * keeps those of Latin letters in one; objects by their fields, arrays, maps, sets and binary data by what they hold. What is reached
 * twice is counted once, and functions and the insides of classes are not seen.
 *
 * An estimate: within a factor of two of what V8 takes for rows and documents as JSON brings them (`npm run bench -- cache --only memory`). Who
 * knows better hands `sizeOf` in. Cost: some 20 ns a field, once when a value is kept; it stops, and says infinity, at `PARTS_MAX`.
 */

/** Some milliseconds of counting; a value of more parts is kept only by who says how large it is. */
const PARTS_MAX = 100_000;

const STRING_BYTES = 16;
const NUMBER_BYTES = 8;
/** An object, an array or a map with nothing in it. */
const OBJECT_BYTES = 32;
/** The place of a field, of an element, or of an entry's key. */
const PLACE_BYTES = 8;

export function estimateBytes(value: unknown): number {
  if (typeof value !== 'object' || value === null) return plainBytes(value);
  const seen = new Set<object>([value]);
  const open: object[] = [value];
  let bytes = 0;
  let parts = 0;
  const add = (part: unknown): void => {
    parts += 1;
    bytes += PLACE_BYTES;
    if (typeof part !== 'object' || part === null) bytes += plainBytes(part);
    else if (!seen.has(part)) {
      seen.add(part);
      open.push(part);
    }
  };
  for (let object = open.pop(); object !== undefined; object = open.pop()) {
    bytes += OBJECT_BYTES;
    if (ArrayBuffer.isView(object) || object instanceof ArrayBuffer) bytes += object.byteLength;
    else if (object instanceof Map) {
      for (const [key, held] of object) {
        add(key);
        add(held);
        if (parts > PARTS_MAX) return Infinity;
      }
    } else if (Array.isArray(object) || object instanceof Set) {
      for (const held of object) {
        add(held);
        if (parts > PARTS_MAX) return Infinity;
      }
    } else {
      // Of fields the names are shared by all objects of a shape.
      for (const name of Object.keys(object)) {
        add((object as Readonly<Record<string, unknown>>)[name]);
        if (parts > PARTS_MAX) return Infinity;
      }
    }
  }
  return bytes;
}

/** Beyond its place: what a small number or a boolean takes is in there. */
function plainBytes(value: unknown): number {
  if (typeof value === 'string') return STRING_BYTES + 2 * value.length;
  if (typeof value === 'bigint') return OBJECT_BYTES;
  return typeof value === 'number' ? NUMBER_BYTES : 0;
}
