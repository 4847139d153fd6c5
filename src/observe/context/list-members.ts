/**
 * A header field that is a list: its members without the blanks around them and without the empty ones (RFC 9110 §5.6.1).
 * Cost: O(characters), whatever they are.
 */

export function listMembers(text: string): string[] {
  return text
    .split(',')
    .map(trimBlanks)
    .filter((member) => member !== '');
}

/** Spaces and tabs only: everything else that `trim` takes away is no blank of a field. */
export function trimBlanks(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from += 1;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
