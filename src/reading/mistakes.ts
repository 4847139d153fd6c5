/**
 * Mistakes in a config: what each says, and how it is shown to people and to machines.
 *
 * All are found in one go. A mistake knows its place in the file, what was found and expected, and the nearest valid name.
 * Values that may be secret are never repeated.
 */
import { nearest } from '../kernel/nearest.ts';

export type Path = readonly (string | number)[];

/** Line and column count from 1; a column is a UTF-16 unit, as editors count. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** Where a path stands in the source; of what is not written there, the nearest enclosing thing that is. */
export type Locate = (path: Path, part?: 'key' | 'value') => Place;

export interface Mistake {
  /** An error keeps the config from being used; a warning does not. */
  readonly severity: 'error' | 'warning';
  /** `services[0].endpoints[1].address`; empty for the file as a whole. */
  readonly path: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** What is wrong, in one sentence without a full stop. */
  readonly message: string;
  readonly found: string | null;
  readonly expected: string | null;
  /** The nearest valid name or spelling. */
  readonly suggestion: string | null;
}

/** What a rule says about a place; `MistakeList` adds the rest. */
export interface Finding {
  readonly message: string;
  readonly found?: string | null;
  readonly expected?: string | null;
  readonly suggestion?: string | null;
}

/** One that takes time to find, such as the nearest of many names, is asked for only if it is told. */
type Findings = Finding | (() => Finding);

/** `['services', 0, 'name']` as `services[0].name`. */
export function formatPath(path: Path): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (!/^[A-Za-z_$][\w$]*$/.test(step)) text += `[${show(step)}]`;
    else text += text === '' ? step : `.${step}`;
  }
  return text;
}

const SHOWN_MAX = 60;

/** With nothing that a terminal obeys: control characters and bidirectional overrides are written as escapes. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (sign) => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`);
}

/** A found value on one line, short. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'an empty value';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'string') return `a ${typeof value}`;
  // Who wrote a password into an address must not find it in a log.
  const safe = printable(JSON.stringify(value)).replace(/(?<=\/\/)[^/@\s]*@/g, '…@');
  if (safe.length <= SHOWN_MAX) return safe;
  return `${safe.slice(0, SHOWN_MAX - 1)}…"`;
}

/** Candidates as a person reads them, and the one that was probably meant. */
export function oneOfNames(
  found: unknown,
  names: readonly string[],
  what: string,
): Pick<Finding, 'expected' | 'suggestion'> {
  const listed = names.slice(0, 20).join(', ') + (names.length > 20 ? `, … (${names.length} in all)` : '');
  return {
    expected: names.length === 0 ? null : `${what}: ${listed}`,
    suggestion: typeof found === 'string' ? nearest(found, names) : null,
  };
}

// Of errors, and of warnings. A file of a thousand mistakes is one mistake made a thousand times: nobody reads further.
const MISTAKES_MAX = 200;

/** Collects mistakes with their places. */
export class MistakeList {
  readonly #file: string;
  readonly #locate: Locate;
  readonly #mistakes: Mistake[] = [];
  /** No more of them than one that is not told. */
  readonly #misread: Path[] = [];
  /** Also those that are not told. */
  readonly #counts = { error: 0, warning: 0 };

  constructor(file: string, locate: Locate) {
    this.#file = file;
    this.#locate = locate;
  }

  /**
   * What breaks the schema. Its default stands in for it where rules look, so what one then says of a whole that this is
   * a part of is not a mistake anybody made, and is left out.
   */
  misread(path: Path, finding: Findings, part: 'key' | 'value' = 'value'): void {
    this.#add('error', path, finding, part);
    if (!this.#isMostlyMisread) this.#misread.push(path);
  }

  error(path: Path, finding: Findings, part: 'key' | 'value' = 'value'): void {
    this.#rule('error', path, finding, part);
  }

  warning(path: Path, finding: Findings, part: 'key' | 'value' = 'value'): void {
    this.#rule('warning', path, finding, part);
  }

  /**
   * What stands there has been told to be wrong, or may have been: whatever depends on it is no mistake anybody made. Each rule asks of each of its parts,
   * so a file of which more is misread than is told is not asked about.
   */
  isMisread(path: Path): boolean {
    return (
      this.#isMostlyMisread || this.#misread.some((misread) => misread.length === path.length && isIn(path, misread))
    );
  }

  get #isMostlyMisread(): boolean {
    return this.#misread.length > MISTAKES_MAX;
  }

  /** For a mistake that has two places: it stands at the one and names the other. */
  lineOf(path: Path): number {
    return this.#locate(path).line;
  }

  /** A mistake whose place is known without a path. */
  errorAt(place: Place, finding: Finding): void {
    this.#tell('error', [], finding, place);
  }

  /** Mistakes in another file, which this one names. */
  addFrom(mistakes: readonly Mistake[]): void {
    for (const mistake of mistakes) this.#push(mistake);
  }

  get hasErrors(): boolean {
    return this.#mistakes.some((mistake) => mistake.severity === 'error');
  }

  /** In the order of the file; what stands in others comes after. */
  toArray(): readonly Mistake[] {
    const order = ({ file }: Mistake): string => (file === this.#file ? '' : file);
    const sorted = this.#mistakes.toSorted(
      (a, b) => order(a).localeCompare(order(b)) || a.line - b.line || a.column - b.column,
    );
    const last = sorted.at(-1);
    const { error, warning } = this.#counts;
    const left = error + warning - sorted.length;
    if (left === 0 || last === undefined) return sorted;
    const rest = { message: `and ${left} more`, path: '', found: null, expected: null, suggestion: null };
    return [...sorted, { ...last, ...rest, severity: error > MISTAKES_MAX ? 'error' : 'warning' }];
  }

  #rule(severity: Mistake['severity'], path: Path, finding: Findings, part: 'key' | 'value'): void {
    if (this.#isMostlyMisread) return;
    if (this.#misread.some((misread) => misread.length > path.length && isIn(path, misread))) return;
    this.#add(severity, path, finding, part);
  }

  #add(severity: Mistake['severity'], path: Path, finding: Findings, part: 'key' | 'value'): void {
    if (this.#counts[severity] >= MISTAKES_MAX) this.#counts[severity] += 1;
    else this.#tell(severity, path, typeof finding === 'function' ? finding() : finding, this.#locate(path, part));
  }

  #tell(severity: Mistake['severity'], path: Path, finding: Finding, place: Place): void {
    const { line, column } = place;
    const text = (value: string | null | undefined) =>
      value === undefined || value === null ? null : printable(value);
    const message = printable(finding.message);
    const [found, expected, suggestion] = [finding.found, finding.expected, finding.suggestion].map(text);
    const where = { severity, path: formatPath(path), file: this.#file, line, column };
    this.#push({
      ...where,
      message,
      found: found ?? null,
      expected: expected ?? null,
      suggestion: suggestion ?? null,
    });
  }

  #push(mistake: Mistake): void {
    // Of each kind by itself: an error behind any number of warnings still keeps the config from being used.
    this.#counts[mistake.severity] += 1;
    if (this.#counts[mistake.severity] <= MISTAKES_MAX) this.#mistakes.push(mistake);
  }
}

function isIn(whole: Path, part: Path): boolean {
  return whole.every((step, index) => part[index] === step);
}

/** `file:line:column: what. Found X, expected Y. Did you mean Z?` */
export function formatMistake(mistake: Mistake): string {
  const { file, line, column, severity, message, found, expected, suggestion } = mistake;
  const parts = [severity === 'warning' ? `warning: ${message}.` : `${message}.`];
  if (found !== null && expected !== null) parts.push(`Found ${found}, expected ${expected}.`);
  else if (found !== null) parts.push(`Found ${found}.`);
  else if (expected !== null) parts.push(`Expected ${expected}.`);
  if (suggestion !== null) parts.push(`Did you mean ${suggestion}?`);
  return `${file}:${line}:${column}: ${parts.join(' ')}`;
}

/** All mistakes for people, one a line. */
export function formatMistakes(mistakes: readonly Mistake[]): string {
  return mistakes.map(formatMistake).join('\n');
}
