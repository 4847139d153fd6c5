/** Lines for a terminal of some width: what is longer is broken at a space and goes on indented. Pure. */
import { stripVTControlCharacters } from 'node:util';

/** Narrower than this nothing is readable, broken or not. */
const WIDTH_MIN = 40;

/**
 * `text`, which may have colours, as lines of at most `width` characters; those after the first begin with `hang` spaces. Spaces
 * within a line stay as they are, for they align columns. A word that is longer than a line is not broken.
 */
export function wrap(text: string, width: number, hang: number): string[] {
  const room = Math.max(width, WIDTH_MIN);
  const indent = ' '.repeat(Math.min(hang, room / 2));
  const lines: string[] = [];
  let line = '';
  let empty = true;
  for (const [, space = '', word = ''] of text.matchAll(/( *)([^ ]+)/g)) {
    if (!empty && lengthOf(line + space + word) > room) {
      lines.push(line);
      line = indent + word;
    } else line += space + word;
    empty = false;
  }
  return [...lines, line];
}

/** A line of a list or a message: what goes on does so four columns after where it began. */
export function wrapLine(text: string, width: number): string[] {
  const own = /^ */.exec(stripVTControlCharacters(text))?.[0].length ?? 0;
  return wrap(text, width, own + 4);
}

function lengthOf(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length;
}
