/**
 * `spillway.yaml` (and JSON, which is YAML): text in, plain data and the place of everything in it out. Pure.
 *
 * Bounded against files made to exhaust: size, nesting, aliases (a "billion laughs" file is refused). Duplicate keys,
 * unknown tags and, but for `readYamlStream`, several documents in one file are mistakes. YAML 1.2: `off` and `no` are words, not booleans.
 */
import { isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseAllDocuments, parseDocument, visit } from 'yaml';
import type { Document, Node, ParsedNode, Pair, YAMLMap } from 'yaml';
import { MistakeList, show } from './mistakes.ts';
import type { Finding, Locate, Mistake, Path, Place } from './mistakes.ts';

/** 10,000 services of 100 bytes, and more than anyone reads. */
export const SOURCE_BYTES_MAX = 2 ** 20;
// Anchors of shared settings are used a few times each; the same bound also covers merge keys (`<<`).
const ALIASES_MAX = 1000;
// The schema is six levels deep. The parser recurses; this is far below what its stack holds.
const DEPTH_MAX = 100;
// A service with a hundred objectives, each with its own indicator and policies.
const DOCUMENTS_MAX = 500;

export interface Source {
  /** Plain data, or undefined if it could not be read at all. */
  readonly value: unknown;
  readonly locate: Locate;
  /** What is wrong with the text itself. */
  readonly mistakes: readonly Mistake[];
  /** Absolute paths of other files it came from: what a module imports. */
  readonly files: readonly string[];
}

export const fileStart: Place = { line: 1, column: 1 };

/** A source that could not be read: one mistake and no value. */
export function unreadable(file: string, message: string, place = fileStart, expected: string | null = null): Source {
  const list = new MistakeList(file, () => place);
  list.errorAt(place, { message, expected });
  return { value: undefined, locate: () => place, mistakes: list.toArray(), files: [] };
}

export function readYaml(text: string, file: string): Source {
  const refused = refusedText(text, file);
  if (refused !== null) return refused;
  const lines = new LineCounter();
  const document = parseDocument(text, { ...parseOptions, lineCounter: lines });
  const placeOf = placesIn(lines);
  const locate: Locate = (path, part = 'value') => placeOf(offsetOf(document, path, part));
  return understand([document], { text, file, placeOf, locate, valueOf: ([value]) => value });
}

/** As `readYaml`, for a file of several documents: the value is a list of them, and a path begins with the number of one. */
export function readYamlStream(text: string, file: string): Source {
  const refused = refusedText(text, file);
  if (refused !== null) return refused;
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { ...parseOptions, lineCounter: lines });
  const documents = [...parsed].slice(0, DOCUMENTS_MAX + 1);
  if (documents.length > DOCUMENTS_MAX) return unreadable(file, `the file has more than ${DOCUMENTS_MAX} documents`);
  const placeOf = placesIn(lines);
  const locate: Locate = ([first, ...path], part = 'value') => {
    const document = documents[Number(first ?? 0)];
    return document === undefined ? fileStart : placeOf(offsetOf(document, path, part));
  };
  return understand(documents, { text, file, placeOf, locate, valueOf: (values) => values });
}

const parseOptions = {
  merge: true,
  prettyErrors: false,
  stringKeys: true,
  strict: true,
  uniqueKeys: false, // the parser's own check is quadratic: 4 s for a file of 100,000 keys
} as const;

/** What is no text, too large or too deep, before a parser sees it. */
function refusedText(text: string, file: string): Source | null {
  if (Buffer.byteLength(text) > SOURCE_BYTES_MAX) return unreadable(file, 'the file is larger than 1 MB');
  const stray = strayCharacter(text);
  if (stray !== null) return unreadable(file, `this is not text: ${stray.what}`, stray.place);
  const deep = tooDeep(text);
  return deep === null ? null : unreadable(file, `the file is nested more than ${DEPTH_MAX} levels deep`, deep);
}

function placesIn(lines: LineCounter): (offset: number) => Place {
  return (offset) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
}

interface Reading {
  readonly text: string;
  readonly file: string;
  readonly placeOf: (offset: number) => Place;
  readonly locate: Locate;
  readonly valueOf: (values: readonly unknown[]) => unknown;
}

function understand(documents: readonly AnyDocument[], { text, file, placeOf, locate, valueOf }: Reading): Source {
  const list = new MistakeList(file, locate);
  // One slip makes many errors after it: the first few say enough.
  for (const problem of documents.flatMap(({ errors, warnings }) => [...errors, ...warnings]).slice(0, 5)) {
    list.errorAt(placeOf(problem.pos[0]), { message: explain(problem.code, problem.message, text, problem.pos) });
  }
  if (!list.hasErrors) {
    for (const each of documents) refuseUnsound(each, (offset, finding) => list.errorAt(placeOf(offset), finding));
  }
  if (list.hasErrors) return { value: undefined, locate, mistakes: list.toArray(), files: [] };
  try {
    const values = documents.map((each): unknown => each.toJS({ maxAliasCount: ALIASES_MAX }));
    return { value: valueOf(values), locate, mistakes: [], files: [] };
  } catch {
    list.errorAt(fileStart, {
      message: 'aliases (*name) stand for too much',
      expected: `at most ${ALIASES_MAX} values through aliases`,
    });
    return { value: undefined, locate, mistakes: list.toArray(), files: [] };
  }
}

/**
 * A key must not stand twice in a map: the first would be lost. An alias must name an anchor before it, and not one it
 * stands in, which would make a value without end.
 */
function refuseUnsound(document: AnyDocument, refuse: (offset: number, finding: Finding) => void): void {
  visit(document as Document, {
    Map(_, map) {
      const keys = new Set<string>();
      for (const { key } of map.items) {
        if (!isScalar(key) || key.source === '<<') continue;
        const name = String(key.value);
        if (keys.has(name))
          refuse(startOf(key) ?? 0, { message: `the key ${show(name)} stands here for the second time` });
        keys.add(name);
      }
    },
    Alias(_, alias, ancestors) {
      const target = alias.resolve(document as Document);
      const offset = startOf(alias) ?? 0;
      if (target === undefined) refuse(offset, { message: `no anchor &${alias.source} stands before this alias` });
      else if (ancestors.includes(target))
        refuse(offset, { message: `the alias *${alias.source} stands inside what it names` });
    },
  });
}

/** What no text file has: control characters (YAML 1.2 §5.1), and what decoding made of bytes that are not UTF-8. */
function strayCharacter(text: string): { readonly what: string; readonly place: Place } | null {
  // eslint-disable-next-line no-control-regex -- they are what is looked for
  const at = text.search(/[\x00-\x08\x0B\x0C\x0E-\x1F\x7F\uFFFD]/);
  if (at < 0) return null;
  const code = text.charCodeAt(at);
  const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  const what = code === 0xfffd ? 'bytes that are not UTF-8 stand here' : `the control character ${name} stands here`;
  const before = text.slice(0, at);
  const lineStart = before.lastIndexOf('\n') + 1;
  return { what, place: { line: before.split('\n').length, column: at - lineStart + 1 } };
}

/** The place where brackets or indentation go deeper than allowed: checked before the parser recurses into it. */
function tooDeep(text: string): Place | null {
  let brackets = 0;
  let line = 1;
  for (const row of text.split('\n')) {
    // A block level is at least one column: an indent of a level each, `- - - -` included, cannot hide more than its columns.
    const indent = /^[ ]*(- +|\? +)*/.exec(row)?.[0].length ?? 0;
    const marks = row.slice(0, indent).match(/[-?]/g)?.length ?? 0;
    if (marks > DEPTH_MAX || indent > DEPTH_MAX * 20) return { line, column: 1 };
    for (const sign of row) {
      if (sign === '[' || sign === '{') brackets++;
      else if ((sign === ']' || sign === '}') && brackets > 0) brackets--;
    }
    if (brackets > DEPTH_MAX) return { line, column: 1 };
    line++;
  }
  return null;
}

function explain(code: string, message: string, text: string, pos: readonly [number, number]): string {
  if (code === 'MULTIPLE_DOCS') return 'a second document begins here; a config is one document';
  const lineStart = text.lastIndexOf('\n', pos[0] - 1) + 1;
  const row = text.slice(lineStart, text.indexOf('\n', lineStart) + 1 || text.length);
  const hint = /\[[0-9a-f]*:[0-9a-f:.]*\]:|\s::/i.test(row)
    ? ' (an IPv6 address is written in brackets and quotes: "[::1]:8080")'
    : '';
  return `this is not YAML: ${message.replace(/\s+/g, ' ').replace(/\.$/, '').slice(0, 200)}${hint}`;
}

type AnyDocument = Document.Parsed<ParsedNode, false> | Document.Parsed;

/** The offset of what `path` names, following aliases and merge keys; of what is missing, of what would hold it. */
function offsetOf(document: AnyDocument, path: Path, part: 'key' | 'value'): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [index, step] of path.entries()) {
    node = resolve(document, node);
    if (isMap(node)) {
      const pair = pairOf(document, node, String(step), 8);
      if (pair === null) return offset;
      const key = startOf(pair.key) ?? offset;
      if (part === 'key' && index === path.length - 1) return key;
      node = pair.value;
      offset = startOf(node) ?? key;
    } else if (isSeq(node) && typeof step === 'number' && step < node.items.length) {
      node = node.items[step];
      offset = startOf(node) ?? offset;
    } else return offset;
  }
  return offset;
}

function startOf(node: unknown): number | null {
  const range = (node as Node | null | undefined)?.range;
  return range === null || range === undefined ? null : range[0];
}

function resolve(document: AnyDocument, node: unknown): unknown {
  return isAlias(node) ? node.resolve(document as Document) : node;
}

function pairOf(document: AnyDocument, map: YAMLMap, key: string, depth: number): Pair | null {
  for (const pair of map.items) {
    if (isPair(pair) && isScalar(pair.key) && String(pair.key.value) === key) return pair;
  }
  if (depth === 0) return null;
  for (const pair of map.items) {
    if (!isScalar(pair.key) || pair.key.source !== '<<') continue;
    const merged = resolve(document, pair.value);
    for (const each of isSeq(merged) ? merged.items : [merged]) {
      const source = resolve(document, each);
      const found = isMap(source) ? pairOf(document, source, key, depth - 1) : null;
      if (found !== null) return found;
    }
  }
  return null;
}
