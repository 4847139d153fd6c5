/**
 * Regular expressions that cannot blow up: one table look-up a byte, whatever the expression and whatever the input.
 *
 * A tree becomes a non-deterministic automaton (Thompson 1968), which is made deterministic as inputs need it (as RE2 and grep
 * do): each set of states that inputs reach becomes one state with a transition per class of bytes. At most `STATES_MAX` such sets
 * are remembered; when they are full all are forgotten and found again, so memory is bounded and time stays linear.
 *
 * Like `RegExp.test`, a match may lie anywhere in the input unless `^` or `$` ties it.
 *
 * Cost: a few ns a byte on known ground; a new set of states costs O(states of the automaton), at most once a byte. At most
 * `STATES_MAX` × classes × 2 B. Allocates only when inputs reach new ground.
 */
import { automatonOf, type State } from './regex-automaton.ts';
import { RegexError } from './regex-syntax.ts';

/** Deterministic states remembered; typical expressions have below 50. */
const STATES_MAX = 500;

const UNKNOWN = 0; // no transition found yet
const DEAD = 1; // no match can come any more
const MATCHED = 2; // whatever follows
const FIRST = 3;

export class RegexMatcher {
  readonly #states: readonly State[];
  readonly #entry: number;
  /** An input of no byte is at its start and its end at once. */
  readonly #matchesEmpty: boolean;
  /** Where every other input begins: the states, and the deterministic one, which keeps its number. */
  readonly #first: readonly number[];
  readonly #begin: number;
  /** Class of each byte: bytes that no part of the expression tells apart. */
  readonly #classes: Uint8Array;
  readonly #classCount: number;
  /** By deterministic state and class; then, in a last column, whether the state matches at the end of the input. */
  readonly #transitions: Uint16Array;
  #sets: Int32Array[] = [];
  #numbers = new Map<string, number>();
  /** Who has been reached in the current look. */
  readonly #marks: Int32Array;
  #mark = 0;

  /** Why there can be no matcher for `text`, or null. */
  static mistakeIn(text: string): RegexError | null {
    try {
      automatonOf(text);
      return null;
    } catch (error) {
      if (error instanceof RegexError) return error;
      throw error;
    }
  }

  /** Throws a `RegexError` for what is not a regular expression, or cannot run in linear time. */
  constructor(text: string) {
    const { states, entry } = automatonOf(text);
    this.#entry = entry;
    this.#states = states;
    this.#classes = classesOf(states);
    this.#classCount = Math.max(...this.#classes) + 1;
    this.#transitions = new Uint16Array((FIRST + STATES_MAX) * (this.#classCount + 1));
    this.#marks = new Int32Array(this.#states.length);
    this.#matchesEmpty = this.#hasMatch(this.#reached([this.#entry], { atStart: true, atEnd: true }));
    this.#first = this.#reached([this.#entry], { atStart: true, atEnd: false });
    this.#begin = this.#number(this.#first);
  }

  /** Is there a match in `bytes[from, to)`? */
  test(bytes: Uint8Array, from: number, to: number): boolean {
    if (from === to) return this.#matchesEmpty;
    const width = this.#classCount + 1;
    const classes = this.#classes;
    const transitions = this.#transitions;
    let state = this.#begin;
    for (let at = from; at < to && state > MATCHED; at++) {
      const column = classes[bytes[at]!]!;
      const next = transitions[state * width + column]!;
      state = next === UNKNOWN ? this.#step(state, column, bytes[at]!) : next;
    }
    return state <= MATCHED ? state === MATCHED : this.#matchesAtEnd(state);
  }

  #matchesAtEnd(state: number): boolean {
    const at = state * (this.#classCount + 1) + this.#classCount;
    if (this.#transitions[at] === UNKNOWN) {
      const members = this.#reached(this.#sets[state - FIRST]!, { atStart: false, atEnd: true });
      this.#transitions[at] = this.#hasMatch(members) ? MATCHED : DEAD;
    }
    return this.#transitions[at] === MATCHED;
  }

  /** Finds and notes where `state` goes with this byte. */
  #step(state: number, column: number, byte: number): number {
    // A match may begin at any byte.
    const moved = [this.#entry];
    for (const member of this.#sets[state - FIRST]!) {
      const { set, next } = this.#states[member]!;
      if (set?.[byte] === 1) moved.push(next);
    }
    const had = this.#sets.length;
    const number = this.#number(this.#reached(moved, { atStart: false, atEnd: false }));
    // Unless all was forgotten to make room: then `state` is a number of the past.
    if (this.#sets.length >= had) this.#transitions[state * (this.#classCount + 1) + column] = number;
    return number;
  }

  #hasMatch(members: readonly number[]): boolean {
    return members.some((member) => this.#states[member]!.kind === 'match');
  }

  /** The states that are reached from these without a byte, and that wait for a byte or the end. */
  #reached(from: Iterable<number>, { atStart, atEnd }: { atStart: boolean; atEnd: boolean }): number[] {
    const members: number[] = [];
    const stack = [...from];
    this.#mark += 1;
    for (let number = stack.pop(); number !== undefined; number = stack.pop()) {
      if (this.#marks[number] === this.#mark) continue;
      this.#marks[number] = this.#mark;
      const { kind, next, other } = this.#states[number]!;
      if (kind === 'split') stack.push(other, next);
      else if (kind === 'save') stack.push(next);
      else if (kind === 'start') {
        if (atStart) stack.push(next);
      } else if (kind === 'end' && atEnd) stack.push(next);
      else members.push(number);
    }
    return members;
  }

  /** The deterministic state of a set of states. */
  #number(members: readonly number[]): number {
    if (this.#hasMatch(members)) return MATCHED;
    if (members.length === 0) return DEAD;
    const set = Int32Array.from(members).sort();
    const key = set.join();
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    if (this.#sets.length === STATES_MAX) this.#forget();
    const number = FIRST + this.#sets.push(set) - 1;
    this.#numbers.set(key, number);
    return number;
  }

  #forget(): void {
    this.#sets = [];
    this.#numbers = new Map();
    this.#transitions.fill(UNKNOWN);
    if (this.#begin === FIRST) this.#number(this.#first);
  }
}

/** Bytes are of one class if each set of the automaton has both or neither. */
function classesOf(states: readonly State[]): Uint8Array {
  const sets = states.flatMap(({ set }) => (set === null ? [] : [set]));
  const classes = new Uint8Array(256);
  let count = 1;
  for (const set of sets) {
    const split = new Map<number, number>();
    for (let byte = 0; byte < 256; byte++) {
      if (set[byte] !== 1) continue;
      const old = classes[byte]!;
      let fresh = split.get(old);
      if (fresh === undefined) {
        // Of a class that lies within the set as a whole, nothing needs to be split off.
        const isWhole = classes.every((other, index) => other !== old || set[index] === 1);
        fresh = isWhole ? old : count++;
        split.set(old, fresh);
      }
      classes[byte] = fresh;
    }
  }
  return classes;
}
