/**
 * What the named groups of a regular expression take of an input: one pass, in time that is linear in the input.
 *
 * All ways through the automaton are followed at once, in the order in which a matcher that goes back would try them; of two that
 * come to the same state at the same byte only the first goes on (Pike's VM; Cox, "Regular Expression Matching: the Virtual Machine
 * Approach"). So what a group takes is what it takes in JavaScript, Perl or RE2: the leftmost match, and greedy or lazy as written. A
 * group that is repeated has what it took last; one that was not on the way has nothing.
 *
 * Cost: at most states × bytes steps, and at most 500 states (regex-syntax.ts); some 100 ns a byte (`regex.bench.ts`), as an expression that leaves no choice has one or two ways
 * at a time. Allocates nothing. What it is not: the matcher, which only says yes or no and is many times as fast (regex.ts).
 */
import { automatonOf } from './regex-automaton.ts';

/** States that are reached at one byte, first the preferred, each with what its way has captured. */
class Ways {
  readonly states: Int32Array;
  readonly captures: Int32Array;
  count = 0;

  constructor(states: number, slots: number) {
    this.states = new Int32Array(states);
    this.captures = new Int32Array(states * slots);
  }
}

const BYTE = 0;
const SPLIT = 1;
const SAVE = 2;
const START = 3;
const END = 4;
const MATCH = 5;
const kinds = { byte: BYTE, split: SPLIT, save: SAVE, start: START, end: END, match: MATCH } as const;

export class RegexCaptures {
  readonly names: readonly string[];
  /** Begin and end of each group in the last input that `match` took, by the order of `names`; -1 for a group that took no part. */
  readonly spans: Int32Array;
  // The automaton, a column for each field of its states.
  readonly #kinds: Uint8Array;
  readonly #nexts: Int32Array;
  readonly #others: Int32Array;
  readonly #saved: Int32Array;
  readonly #sets: readonly (Uint8Array | null)[];
  readonly #entry: number;
  /** `^` comes first, so a match cannot begin later. */
  readonly #isTied: boolean;
  readonly #slots: number;
  #now: Ways;
  #next: Ways;
  /** At which look a state was reached last. */
  readonly #marks: Int32Array;
  #mark = 0;
  /** States that are still to be looked at; as -1 - slot and the old value, what is to be put back. */
  readonly #stack: Int32Array;
  /** Of the way that is being followed. */
  readonly #captures: Int32Array;

  /** Throws a `RegexError`. */
  constructor(text: string) {
    const { states, entry, names } = automatonOf(text);
    this.names = names;
    this.#kinds = Uint8Array.from(states, ({ kind }) => kinds[kind]);
    this.#nexts = Int32Array.from(states, ({ next }) => next);
    this.#others = Int32Array.from(states, ({ other }) => other);
    this.#saved = Int32Array.from(states, ({ slot }) => slot);
    this.#sets = states.map(({ set }) => set);
    this.#entry = entry;
    this.#isTied = this.#kinds[entry] === START;
    this.#slots = 2 * names.length;
    this.spans = new Int32Array(this.#slots);
    this.#captures = new Int32Array(this.#slots);
    this.#now = new Ways(states.length, this.#slots);
    this.#next = new Ways(states.length, this.#slots);
    this.#marks = new Int32Array(states.length);
    // Each state is looked at once a look and leaves three words at most.
    this.#stack = new Int32Array(3 * states.length + 1);
  }

  /** Finds the match in `bytes[from, to)` and sets `spans`; false if there is none. */
  match(bytes: Uint8Array, from: number, to: number): boolean {
    let found = false;
    this.#now.count = 0;
    this.#mark += 1;
    for (let at = from; ; at++) {
      if (!found && (at === from || !this.#isTied)) {
        // A match that begins later comes after all that have begun.
        this.#captures.fill(-1);
        this.#follow(this.#now, this.#entry, at, from, to);
      }
      if (this.#step(bytes, at, from, to)) found = true;
      const spent = this.#now;
      this.#now = this.#next;
      this.#next = spent;
      if (at >= to || (this.#now.count === 0 && (found || this.#isTied))) return found;
    }
  }

  /** Takes each way one byte further. True if one has come to a match: those after it are given up. */
  #step(bytes: Uint8Array, at: number, from: number, to: number): boolean {
    const { states, captures, count } = this.#now;
    const own = this.#captures;
    const slots = this.#slots;
    const into = this.#next;
    into.count = 0;
    this.#mark += 1;
    for (let way = 0; way < count; way++) {
      const state = states[way]!;
      const base = way * slots;
      if (this.#kinds[state] === MATCH) {
        for (let slot = 0; slot < slots; slot++) this.spans[slot] = captures[base + slot]!;
        return true;
      }
      if (at >= to || this.#sets[state]![bytes[at]!] !== 1) continue;
      for (let slot = 0; slot < slots; slot++) own[slot] = captures[base + slot]!;
      this.#follow(into, this.#nexts[state]!, at + 1, from, to);
    }
    return false;
  }

  /** Adds what is reached from a state without a byte, the preferred first, with the captures so far. */
  // WHY five parameters: two places of the input beside where it is; an object for them would be made for each byte.
  #follow(into: Ways, first: number, at: number, from: number, to: number): void {
    const stack = this.#stack;
    const captured = this.#captures;
    const marks = this.#marks;
    const mark = this.#mark;
    let top = 0;
    stack[top++] = first;
    while (top > 0) {
      const state = stack[--top]!;
      if (state < 0) {
        captured[-1 - state] = stack[--top]!;
        continue;
      }
      if (marks[state] === mark) continue;
      marks[state] = mark;
      switch (this.#kinds[state]) {
        case SPLIT:
          stack[top++] = this.#others[state]!;
          stack[top++] = this.#nexts[state]!;
          break;
        case SAVE: {
          // Ways that are looked at later do not have it.
          const slot = this.#saved[state]!;
          stack[top++] = captured[slot]!;
          stack[top++] = -1 - slot;
          captured[slot] = at;
          stack[top++] = this.#nexts[state]!;
          break;
        }
        case START:
          if (at === from) stack[top++] = this.#nexts[state]!;
          break;
        case END:
          if (at === to) stack[top++] = this.#nexts[state]!;
          break;
        default: {
          const base = into.count * captured.length;
          into.states[into.count++] = state;
          for (let slot = 0; slot < captured.length; slot++) into.captures[base + slot] = captured[slot]!;
        }
      }
    }
  }
}
