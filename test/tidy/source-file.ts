/**
 * A TypeScript file as the tidy rules see it: its text, the same text with everything that is not code blanked out, and
 * what it imports. Offsets are equal in all of them, so a line number found in one is right in the others.
 *
 * Node strips the types and acorn finds comments and strings. What it is not: a type checker; an import is found by its
 * shape at the start of a line.
 */
import { type Comment, Parser, type Token, tokTypes } from 'acorn';
import { stripTypeScriptTypes } from 'node:module';
import { dirname, join, normalize } from 'node:path/posix';

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** From the root of the repository, for a relative import; else null. */
  readonly path: string | null;
  readonly line: number;
  /** Erased at run time: needs no floor to stand on, but still ties two folders together. */
  readonly typeOnly: boolean;
}

export interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** Types, comments and the contents of strings and templates replaced by spaces. */
  readonly code: string;
  readonly imports: readonly Import[];
}

interface Span {
  readonly start: number;
  readonly end: number;
}

function blank(text: string, spans: readonly Span[]): string {
  let result = '';
  let at = 0;
  for (const { start, end } of spans) {
    result += text.slice(at, start) + text.slice(start, end).replace(/[^\n]/g, ' ');
    at = end;
  }
  return result + text.slice(at);
}

export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at !== -1 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}

const importShapes = [
  // import … from '…', export … from '…'
  /^[ \t]*(?:import|export)\b(?<type>\s+type\b)?[^;'"=()]*?\bfrom\s*(?<quote>['"])(?<specifier>[^'"]+)\k<quote>/gm,
  // import '…'
  /^[ \t]*import\s*(?<quote>['"])(?<specifier>[^'"]+)\k<quote>/gm,
  // import('…'), also in a type
  /\bimport\(\s*(?<quote>['"])(?<specifier>[^'"]+)\k<quote>/gm,
  // new URL('…', import.meta.url): how a worker is named
  /\bnew URL\(\s*(?<quote>['"])(?<specifier>\.[^'"]+\.[jt]s)\k<quote>\s*,\s*import\.meta\.url/gm,
] as const;

function findImports(path: string, text: string): Import[] {
  const found: Import[] = [];
  for (const shape of importShapes) {
    for (const match of text.matchAll(shape)) {
      const specifier = match.groups!['specifier']!;
      found.push({
        specifier,
        path: specifier.startsWith('.') ? normalize(join(dirname(path), specifier)) : null,
        line: lineAt(text, match.index + match[0].indexOf(specifier)),
        typeOnly: match.groups!['type'] !== undefined,
      });
    }
  }
  return found;
}

/** Reads one file. Throws a SyntaxError that names it if it is not erasable TypeScript. */
export function parseSource(path: string, text: string): SourceFile {
  try {
    const stripped = path.endsWith('.ts') ? stripTypeScriptTypes(text) : text;
    const comments: Comment[] = [];
    const tokens: Token[] = [];
    Parser.parse(stripped, {
      ecmaVersion: 'latest',
      sourceType: 'module',
      allowHashBang: true,
      onComment: comments,
      onToken: tokens,
    });
    const templates = tokens.filter(({ type }) => type === tokTypes.template);
    const strings = tokens.filter(({ type }) => type === tokTypes.string || type === tokTypes.regexp);
    const order = (a: Span, b: Span): number => a.start - b.start;
    const noComments = [...comments, ...templates].sort(order);
    const noStrings = [...noComments, ...strings].sort(order);
    return { path, text, code: blank(stripped, noStrings), imports: findImports(path, blank(text, noComments)) };
  } catch (error) {
    throw new SyntaxError(`${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
