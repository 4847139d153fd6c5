/**
 * The field `Forwarded`: who each proxy says that it speaks for.
 *
 *     Forwarded = 1#( [ pair ] *( ";" [ pair ] ) ),  pair = token "=" ( token / quoted-string )
 *
 * Invariant: of a field that is malformed anywhere nothing is believed, for one stray quote shifts the meaning of all that follows it.
 * Cost: O(length). Source: RFC 7239 §4 and §6; a list may have empty elements (RFC 9110 §5.6.1).
 */

const PAIR = /([!#$%&'*+.^_`|~\w-]+)=(?:([!#$%&'*+.^_`|~\w-]+)|"((?:[^"\\]|\\.)*)")/y;

/** The nodes in `for`, from left to right, an empty one where an element has none; nothing of a field that is malformed. */
export function nodesIn(forwarded: string): string[] {
  const nodes: string[] = [];
  for (const element of elementsOf(forwarded) ?? []) {
    const named = element.filter(({ name }) => name === 'for');
    // Twice is no form of the standard, and which one counts would be anybody's guess.
    if (named.length > 1) return [];
    nodes.push(named[0]?.value ?? '');
  }
  return nodes;
}

interface Pair {
  readonly name: string;
  readonly value: string;
}

/** The pairs of each element that has any; null if the field is malformed. */
function elementsOf(forwarded: string): Pair[][] | null {
  const elements: Pair[][] = [];
  let element: Pair[] = [];
  let needsSeparator = false;
  for (let at = 0; at < forwarded.length;) {
    const char = forwarded[at]!;
    if (char === ' ' || char === '\t') at += 1;
    else if (char === ',' || char === ';') {
      needsSeparator = false;
      if (char === ',' && element.length > 0) {
        elements.push(element);
        element = [];
      }
      at += 1;
    } else {
      PAIR.lastIndex = at;
      const match = PAIR.exec(forwarded);
      if (match === null || needsSeparator) return null;
      const [whole, name = '', token, quoted = ''] = match;
      element.push({ name: name.toLowerCase(), value: token ?? quoted.replaceAll(/\\(.)/g, '$1') });
      needsSeparator = true;
      at += whole.length;
    }
  }
  if (element.length > 0) elements.push(element);
  return elements;
}
