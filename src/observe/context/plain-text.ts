/** What plain JavaScript passes where a text belongs: a number becomes its digits; empty if there is no text in it. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const isPlain = typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean';
  return isPlain || typeof value === 'symbol' ? String(value) : '';
}
