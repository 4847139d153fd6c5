/**
 * SQL without its values: numbers, texts and comments become `?`, whatever dialect of PostgreSQL they are written in. What is left says which
 * statement it was and nothing of whom. When in doubt more is left out: a text that does not end takes the rest with it.
 * Cost: O(characters), of the first 4,000.
 */

const LENGTH_MAX = 4000;
const WORD_LENGTH_MAX = 20;

/** In the order of trying: names in quotes stay, and hide what looks like a text in them; comments and texts go; then numbers. */
const PART = new RegExp(
  [
    String.raw`(?<name>"(?:[^"]|"")*")`,
    String.raw`--[^\n]*`,
    String.raw`/\*[\s\S]*?(?:\*/|$)`,
    String.raw`\b[eE]'(?:[^'\\]|''|\\[\s\S])*(?:'|$)`,
    String.raw`(?:\b[xXbBnNuU]&?)?'(?:[^'\\]|'')*(?:'|$)`,
    // Whether a backslash escapes without an E is a setting of the server: nobody knows where such a text ends.
    String.raw`'[\s\S]*`,
    String.raw`(?<dollar>\$(?:[A-Za-z_]\w*)?\$)[\s\S]*?(?:\k<dollar>|$)`,
    String.raw`(?<parameter>\$\d+)`,
    String.raw`(?<word>[A-Za-z_]\w*)`,
    String.raw`\d[\d.]*(?:[eE][+-]?\d+)?`,
  ].join('|'),
  'g',
);

export function withoutValues(sql: string): string {
  const text = sql.length > LENGTH_MAX ? sql.slice(0, LENGTH_MAX) : sql;
  const shown = text.replace(PART, (part, ...rest) => {
    const groups = rest.at(-1) as Readonly<Record<string, string | undefined>>;
    return (
      groups['name'] ??
      groups['parameter'] ??
      groups['word'] ??
      (part.startsWith('--') || part.startsWith('/*') ? ' ' : '?')
    );
  });
  return shown.replaceAll(/\s+/g, ' ').trim();
}

const operations = ['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'MERGE', 'WITH', 'BEGIN', 'COMMIT', 'ROLLBACK', 'SAVEPOINT', 'RELEASE', 'SET', 'SHOW', 'COPY', 'CREATE', 'ALTER', 'DROP', 'TRUNCATE', 'CALL', 'DO', 'EXPLAIN', 'LISTEN', 'UNLISTEN', 'NOTIFY', 'LOCK', 'VACUUM', 'ANALYZE', 'FETCH', 'DECLARE', 'CLOSE', 'VALUES', 'TABLE', 'REFRESH', 'GRANT', 'REVOKE', 'DISCARD', 'PREPARE', 'EXECUTE', 'DEALLOCATE', 'RESET', 'START', 'ABORT', 'END']; // prettier-ignore

/** The word that a statement begins with, of those there are. */
export function operationOf(sql: string): string {
  const text = sql.slice(0, LENGTH_MAX);
  let at = 0;
  while (at < text.length) {
    if (text.startsWith('--', at)) at = endOf(text, '\n', at + 2);
    else if (text.startsWith('/*', at)) at = endOf(text, '*/', at + 2);
    else if (text[at] === '(' || text[at]!.trim() === '') at += 1;
    else break;
  }
  const word = /^[A-Za-z]+/.exec(text.slice(at, at + WORD_LENGTH_MAX))?.[0].toUpperCase() ?? '';
  return operations.includes(word) ? word : '_OTHER';
}

/** Where what ends with `mark` is over. */
function endOf(text: string, mark: string, from: number): number {
  const found = text.indexOf(mark, from);
  return found === -1 ? text.length : found + mark.length;
}
