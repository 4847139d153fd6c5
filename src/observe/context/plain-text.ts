/** What plain JavaScript has put where something else belongs: read without an error, whatever it is. */

/** A part of it; undefined if it throws when it is looked at, as a getter may, and a proxy. */
export function partOf(whole: unknown, name: string): unknown {
  try {
    return (whole as Readonly<Record<string, unknown>> | null | undefined)?.[name];
  } catch {
    // WHY nothing is said: it is somebody's work that is looked at, and nobody has asked that it be.
    return undefined;
  }
}

/** What plain JavaScript passes where a text belongs: a number becomes its digits; empty if there is no text in it. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const isPlain = typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean';
  return isPlain || typeof value === 'symbol' ? String(value) : '';
}
