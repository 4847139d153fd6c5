/**
 * Reads a regular expression into a tree, refusing what cannot be matched in linear time.
 *
 * The syntax is the common part of RE2, PCRE and JavaScript: literals, `.`, classes, `\d \w \s`, groups, `|`, `* + ? {n,m}`, `^`
 * and `$`, and `(?i)` in front. Where only yes or no is asked, lazy quantifiers and names of groups mean nothing. Back-references
 * and look-around are refused by name: no automaton has them.
 *
 * The alphabet is bytes: `.` is one byte of any value, and a letter beyond ASCII is the sequence of its UTF-8 bytes.
 *
 * Invariant: counted repetition is bounded by `TREE_MAX` when it is written out, so a short text cannot ask for a huge automaton.
 */

export type Regex =
  | { readonly kind: 'empty' | 'start' | 'end' }
  /** One byte out of a set: 1 at each that is taken. */
  | { readonly kind: 'byte'; readonly set: Uint8Array }
  | { readonly kind: 'sequence' | 'choice'; readonly parts: readonly Regex[] }
  | { readonly kind: 'repeat'; readonly of: Regex; readonly min: number; readonly max: number; readonly lazy: boolean }
  /** A group with a name: what it takes may be asked for. */
  | { readonly kind: 'group'; readonly name: string; readonly of: Regex };

/** Leaves of the tree with repetitions written out: an automaton has about so many states. */
const TREE_MAX = 2000;
/** The same for one with names: what a group takes is found by looking at every state at every byte (regex-captures.ts). */
const NAMED_TREE_MAX = 500;
const NAMES_MAX = 32;
/** Groups within groups: reading is recursive. */
const DEPTH_MAX = 50;

/** What is wrong, and where: `at` counts characters of the expression from 0. */
export class RegexError extends Error {
  override readonly name = 'RegexError';
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

export interface ParsedRegex {
  readonly tree: Regex;
  /** Of its groups, as they are written from left to right. */
  readonly names: readonly string[];
}

/** Throws RegexError. */
export function parseRegex(text: string): ParsedRegex {
  const foldCase = text.startsWith('(?i)');
  const reader = new Reader(text, foldCase ? 4 : 0, foldCase);
  const tree = reader.choice(0);
  if (reader.at < text.length) throw new RegexError('this ) closes nothing', reader.at);
  const most = reader.names.length === 0 ? TREE_MAX : NAMED_TREE_MAX;
  if (leaves(tree) > most) {
    const why = most === TREE_MAX ? 'repeat less' : 'repeat less, or give no names';
    throw new RegexError(`written out it has more than ${most} parts: ${why}`, 0);
  }
  return { tree, names: reader.names };
}

/** The names of groups in `text`; none of what is no expression. */
export function groupNames(text: string): readonly string[] {
  try {
    return parseRegex(text).names;
  } catch (error) {
    if (error instanceof RegexError) return [];
    throw error;
  }
}

function leaves(tree: Regex): number {
  switch (tree.kind) {
    case 'sequence':
    case 'choice':
      return tree.parts.reduce((sum, part) => sum + leaves(part), 1);
    case 'group':
      return 2 + leaves(tree.of);
    case 'repeat':
      return 1 + leaves(tree.of) * (tree.max === Number.POSITIVE_INFINITY ? tree.min + 1 : tree.max);
    default:
      return 1;
  }
}

class Reader {
  at: number;
  readonly names: string[] = [];
  readonly #text: string;
  readonly #foldCase: boolean;

  constructor(text: string, at: number, foldCase: boolean) {
    this.#text = text;
    this.at = at;
    this.#foldCase = foldCase;
  }

  choice(depth: number): Regex {
    if (depth > DEPTH_MAX) throw new RegexError(`groups are nested more than ${DEPTH_MAX} deep`, this.at);
    const parts = [this.#sequence(depth)];
    while (this.#take('|')) parts.push(this.#sequence(depth));
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts };
  }

  #sequence(depth: number): Regex {
    const parts: Regex[] = [];
    while (this.at < this.#text.length && !'|)'.includes(this.#text[this.at]!)) {
      parts.push(this.#quantified(this.#atom(depth)));
    }
    return parts.length === 1 ? parts[0]! : { kind: parts.length === 0 ? 'empty' : 'sequence', parts };
  }

  #quantified(of: Regex): Regex {
    const bounds = this.#bounds();
    if (bounds === null) return of;
    const lazy = this.#take('?');
    if (this.at < this.#text.length && '*+?'.includes(this.#text[this.at]!)) {
      throw new RegexError('a quantifier follows a quantifier', this.at);
    }
    return { kind: 'repeat', of, ...bounds, lazy };
  }

  #bounds(): { min: number; max: number } | null {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.#take('?')) return { min: 0, max: 1 };
    const counted = /^\{(\d{1,4})(,(\d{0,4}))?\}/.exec(this.#text.slice(this.at, this.at + 12));
    if (counted === null) return null;
    const [whole, least, range, most] = counted;
    const min = Number(least);
    const max = range === undefined ? min : most === '' ? Number.POSITIVE_INFINITY : Number(most);
    if (max < min) throw new RegexError(`{${min},${max}} asks for more than it allows`, this.at);
    this.at += whole.length;
    return { min, max };
  }

  #atom(depth: number): Regex {
    const at = this.at;
    const character = this.#next();
    switch (character) {
      case '(': {
        const name = this.#groupName(at);
        const inner = this.choice(depth + 1);
        if (!this.#take(')')) throw new RegexError('this ( is never closed', at);
        return name === null ? inner : { kind: 'group', name, of: inner };
      }
      case '[':
        return { kind: 'byte', set: this.#class(at) };
      case '.':
        return { kind: 'byte', set: new Uint8Array(256).fill(1) };
      case '^':
        return { kind: 'start' };
      case '$':
        return { kind: 'end' };
      case '*':
      case '+':
      case '?':
        throw new RegexError(`there is nothing before ${character} to repeat`, at);
      case '\\':
        return { kind: 'byte', set: this.#escape(at) };
      default:
        return this.#literal(character);
    }
  }

  #groupName(at: number): string | null {
    if (!this.#take('?') || this.#take(':')) return null;
    const [begin, name] = /^P?<([A-Za-z_]\w*)>/.exec(this.#text.slice(this.at)) ?? [];
    if (begin !== undefined && name !== undefined) {
      this.at += begin.length;
      if (this.names.includes(name)) throw new RegexError(`the name ${name} stands twice`, at);
      if (this.names.push(name) > NAMES_MAX) throw new RegexError(`more than ${NAMES_MAX} groups have names`, at);
      return name;
    }
    if (/^<?[=!]/.test(this.#text.slice(this.at))) {
      throw new RegexError('look-around cannot be matched in linear time', at);
    }
    throw new RegexError('this kind of group is not known; (?i) may stand at the very front only', at);
  }

  #literal(character: string): Regex {
    const bytes = Buffer.from(character, 'utf8');
    const parts = [...bytes].map((byte): Regex => ({ kind: 'byte', set: this.#folded(setOf(byte, byte)) }));
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts };
  }

  #escape(at: number): Uint8Array {
    const character = this.at < this.#text.length ? this.#next() : '';
    const named = namedClass(character);
    if (named !== null) return named;
    if (/[1-9k]/.test(character)) throw new RegexError('back-references cannot be matched in linear time', at);
    if (/[bB]/.test(character)) throw new RegexError('word boundaries are not supported', at);
    if (character === 'x') {
      const digits = /^[0-9A-Fa-f]{2}/.exec(this.#text.slice(this.at))?.[0];
      if (digits === undefined) throw new RegexError('\\x wants two hexadecimal digits', at);
      this.at += 2;
      const byte = Number.parseInt(digits, 16);
      return this.#folded(setOf(byte, byte));
    }
    const control = { n: 10, r: 13, t: 9, f: 12, v: 11 }[character];
    if (control !== undefined) return setOf(control, control);
    if (!/[^A-Za-z0-9]/.test(character)) throw new RegexError(`the escape \\${character} is not known`, at);
    const byte = character.charCodeAt(0);
    if (byte > 0x7f) throw new RegexError('only ASCII needs an escape', at);
    return setOf(byte, byte);
  }

  #class(at: number): Uint8Array {
    const isNegated = this.#take('^');
    const set = new Uint8Array(256);
    for (let first = true; first || this.#text[this.at] !== ']'; first = false) {
      if (this.at >= this.#text.length) throw new RegexError('this [ is never closed', at);
      if (first && this.#text[this.at] === ']')
        throw new RegexError('an empty class; write \\] for the bracket', this.at);
      const low = this.#classMember();
      const rangeAt = this.at;
      if (typeof low === 'number' && this.#text[this.at] === '-' && this.#text[this.at + 1] !== ']') {
        this.at += 1;
        const high = this.#classMember();
        if (typeof high !== 'number' || high < low) throw new RegexError('this range runs backwards', rangeAt);
        add(set, setOf(low, high));
      } else add(set, typeof low === 'number' ? setOf(low, low) : low);
    }
    this.at += 1;
    const folded = this.#folded(set);
    return isNegated ? folded.map((taken) => 1 - taken) : folded;
  }

  /** A byte, or the set of a named class. */
  #classMember(): number | Uint8Array {
    const at = this.at;
    if (at >= this.#text.length) throw new RegexError('this class is never closed', at);
    const character = this.#next();
    if (character !== '\\') {
      const byte = character.charCodeAt(0);
      if (byte > 0x7f) throw new RegexError('a class holds ASCII only; use | for other letters', at);
      return byte;
    }
    const escaped = this.#text[this.at] ?? '';
    const set = this.#escape(at);
    return namedClass(escaped) === null ? set.indexOf(1) : set;
  }

  #folded(set: Uint8Array): Uint8Array {
    if (!this.#foldCase) return set;
    for (let letter = 0x41; letter <= 0x5a; letter++) {
      const either = set[letter]! | set[letter + 32]!;
      set[letter] = either;
      set[letter + 32] = either;
    }
    return set;
  }

  #take(character: string): boolean {
    if (this.#text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  /** The next whole character, which may be two units of the string. */
  #next(): string {
    const character = String.fromCodePoint(this.#text.codePointAt(this.at)!);
    this.at += character.length;
    return character;
  }
}

function setOf(low: number, high: number): Uint8Array {
  return new Uint8Array(256).fill(1, low, high + 1);
}

function add(set: Uint8Array, more: Uint8Array): void {
  for (let byte = 0; byte < 256; byte++) set[byte]! |= more[byte]!;
}

/** The set of `\d`, `\w`, `\s` or their opposites; null for any other letter. */
function namedClass(letter: string): Uint8Array | null {
  const set = new Uint8Array(256);
  switch (letter.toLowerCase()) {
    case 'd':
      add(set, setOf(0x30, 0x39));
      break;
    case 'w':
      for (const [low, high] of [
        [0x30, 0x39],
        [0x41, 0x5a],
        [0x61, 0x7a],
        [0x5f, 0x5f],
      ] as const)
        add(set, setOf(low, high));
      break;
    case 's':
      for (const byte of [9, 10, 11, 12, 13, 32]) set[byte] = 1;
      break;
    default:
      return null;
  }
  return letter === letter.toUpperCase() ? set.map((taken) => 1 - taken) : set;
}
