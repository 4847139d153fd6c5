/**
 * The house rules about one file, each a pure function from a file to its faults (`path:line what`). Any rule about code
 * may be broken on a line that has, or follows a line that has, a `// WHY:` comment; what may not be broken is said here.
 */
import { isTest } from './floors.ts';
import { lineAt, type SourceFile } from './source-file.ts';

const linesMax = 400;
const indexLinesMax = 30;

type Rule = (file: SourceFile) => string[];

function excused(text: string, line: number): boolean {
  const lines = text.split('\n');
  return [lines[line - 1], lines[line - 2]].some((some) => some?.includes('// WHY:') === true);
}

/** One fault for each match of a pattern in `where` that has no reason beside it. */
function matches(file: SourceFile, where: string, pattern: RegExp, say: (found: string) => string): string[] {
  const faults: string[] = [];
  for (const match of where.matchAll(pattern)) {
    const line = lineAt(where, match.index + match[0].length);
    if (!excused(file.text, line)) faults.push(`${file.path}:${line} ${say(match[0].trim())}`);
  }
  return faults;
}

const size: Rule = ({ path, text }) => {
  const lines = text.trimEnd().split('\n').length;
  return lines > linesMax && !text.includes('// WHY:')
    ? [`${path}:1 ${lines} lines; over ${linesMax} takes a "// WHY:" comment that says why it is one thing`]
    : [];
};

const index: Rule = (file) => {
  if (!file.path.endsWith('/index.ts')) return [];
  const lines = file.text.trimEnd().split('\n').length;
  return [
    ...(lines > indexLinesMax ? [`${file.path}:1 ${lines} lines; a public entry has at most ${indexLinesMax}`] : []),
    ...matches(file, file.code, /^export\s*\*/gm, () => 'exports a wildcard; name what is public'),
  ];
};

const name: Rule = ({ path }) => {
  const file = path.split('/').at(-1)!;
  if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*\.(ts|js)$/.test(file)) return [`${path}:1 is not kebab-case`];
  const banned = /(^|[/.-])(utils?|helpers?|common|misc|managers?)([/.-])/.exec(path);
  return banned === null ? [] : [`${path}:1 "${banned[2]}" says nothing; name it by the noun it exports`];
};

const header: Rule = ({ path, text }) =>
  isTest(path) || /^(#!.*\n)?\/\*\*/.test(text) ? [] : [`${path}:1 does not open with a comment that says what it is`];

// A name that is not a property: `setTimeout(` but not `socket.setTimeout(`.
const ambientNames =
  /(?<![\w$.#])(?:(?:globalThis\s*\.\s*)?(?:setTimeout|setInterval|console)\b(?!\s*\??:)|(?:Date|performance)\s*\.\s*now\b|Math\s*\.\s*random\b|process\s*\.\s*hrtime\b|new\s+Date\s*(?:\(\s*\)|(?!\s*\()))/g;

const ambient: Rule = (file) => {
  if (isTest(file.path) || /^src\/(kernel|cli)\//.test(file.path)) return [];
  const timers = file.imports.filter(({ specifier }) => /^node:timers(\/|$)/.test(specifier));
  return [
    ...timers.map(({ line, specifier }) => `${file.path}:${line} imports ${specifier}; take a Clock`),
    ...matches(file, file.code, ambientNames, (found) => `uses ${found}; take a Clock, a Random or a Log`),
  ];
};

const inheritance: Rule = (file) =>
  isTest(file.path)
    ? []
    : matches(
        file,
        file.text,
        /^[ \t]*(?:export\s+)?(?:abstract|protected)\s+\w/gm,
        (found) => `"${found}": classes here are not for inheritance`,
      );

const unfinished: Rule = (file) =>
  [...file.text.matchAll(/\b(TO[D]O|FI[X]ME|X[X]X|HA[C]K)\b/g)].map(
    (match) => `${file.path}:${lineAt(file.text, match.index + 1)} is unfinished: ${match[0]}`,
  );

// A test that does not run proves nothing, and nobody looks for it again: no excuse is taken.
const unrun: Rule = (file) =>
  /\.(test|fuzz)\.ts$/.test(file.path)
    ? [
        ...file.code.matchAll(
          /\b(?:test|it|describe|suite|t|context)\s*\.\s*(?:skip|only|todo)\b|[{,]\s*(?:skip|only|todo)\s*[:,}]/g,
        ),
      ].map(
        (match) => `${file.path}:${lineAt(file.code, match.index + 1)} has a test that is not run: ${match[0].trim()}`,
      )
    : [];

export const rules: Readonly<Record<string, Rule>> = {
  size,
  index,
  name,
  header,
  ambient,
  inheritance,
  unfinished,
  unrun,
};

/** What would tie the repository to one machine or one registry, in any text file. */
export function placeFaults(path: string, text: string): string[] {
  const patterns = [
    /(?<![\w.:-])\/(?:work|root|home\/[a-z]\w*|Users\/\w+)\/[\w.-]+/g,
    /\b(?:registry|npm|packages|artifacts?)\.[a-z0-9-]+\.(?:org|com|net|io|dev|internal|local|example)\b/g,
    /https?:\/\/\S+\/-\/\S+\.tgz/g,
  ];
  return patterns.flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => `${path}:${lineAt(text, match.index + 1)} names a place: ${match[0]}`),
  );
}

/** Production files that reach into Node's internals; there may be one, so that there is one place to mend. */
export function usesInternals(file: SourceFile): boolean {
  return !isTest(file.path) && /\bprocess\s*\.\s*binding\b|\b_handle\b/.test(file.code);
}
