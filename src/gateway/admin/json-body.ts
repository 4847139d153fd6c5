/** A request's body that is a JSON object with known keys. */

/** Or a sentence on what is wrong with it. */
export function readObject<const Key extends string>(
  body: Buffer,
  keys: readonly Key[],
  example: string,
): Readonly<Partial<Record<Key, unknown>>> | string {
  const given = parse(body);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return `The body must be JSON such as ${example}.`;
  }
  const unknown = Object.keys(given).find((key) => !(keys as readonly string[]).includes(key));
  if (unknown === undefined) return given as Partial<Record<Key, unknown>>;
  return `There is no key ${JSON.stringify(unknown)}; there are ${keys.join(', ')}.`;
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
