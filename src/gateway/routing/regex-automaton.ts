/**
 * The automaton of a regular expression: states, and the ways between them with a byte or without (Thompson 1968).
 *
 * Of two ways without a byte, `next` is the one that is preferred, as in every matcher that tries one after the other: into a
 * repetition if it is greedy, into the first of several choices. Who only asks whether there is a match need not look at that.
 * O(parts of the expression).
 */
import { parseRegex, type Regex } from './regex-syntax.ts';

/** One state: a set of bytes and where it leads, or up to two ways on without a byte. */
export interface State {
  readonly kind: 'byte' | 'split' | 'start' | 'end' | 'save' | 'match';
  readonly set: Uint8Array | null;
  /** Of `save`: which. A group begins at twice its number, and ends at the slot after that. */
  readonly slot: number;
  next: number;
  other: number;
}

export interface Automaton {
  readonly states: readonly State[];
  readonly entry: number;
  /** Of groups, by their number. */
  readonly names: readonly string[];
}

/** Throws `RegexError`. */
export function automatonOf(text: string): Automaton {
  const { tree, names } = parseRegex(text);
  const builder = new Builder(names);
  const match = builder.state('match');
  return { entry: builder.build(tree, match), states: builder.states, names };
}

class Builder {
  readonly states: State[] = [];
  readonly #names: readonly string[];

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  state(kind: State['kind'], next = -1, other = -1, set: Uint8Array | null = null): number {
    return this.states.push({ kind, set, slot: -1, next, other }) - 1;
  }

  #save(slot: number, next: number): number {
    return this.states.push({ kind: 'save', set: null, slot, next, other: -1 }) - 1;
  }

  /** The way into what is repeated, or on; a lazy one would rather go on. */
  #fork(into: number, on: number, lazy: boolean): number {
    return lazy ? this.state('split', on, into) : this.state('split', into, on);
  }

  /** The entry of an automaton for `tree` that goes on at `next`. */
  build(tree: Regex, next: number): number {
    switch (tree.kind) {
      case 'empty':
        return next;
      case 'start':
      case 'end':
        return this.state(tree.kind, next);
      case 'byte':
        return this.state('byte', next, -1, tree.set);
      case 'sequence':
        return tree.parts.reduceRight((after, part) => this.build(part, after), next);
      case 'choice':
        return tree.parts
          .map((part) => this.build(part, next))
          .reduceRight((otherwise, entry) => this.state('split', entry, otherwise));
      case 'repeat':
        return this.#repeat(tree, next);
      case 'group': {
        const slot = 2 * this.#names.indexOf(tree.name);
        return this.#save(slot, this.build(tree.of, this.#save(slot + 1, next)));
      }
      default:
        return tree satisfies never;
    }
  }

  #repeat({ of, min, max, lazy }: Extract<Regex, { kind: 'repeat' }>, next: number): number {
    let entry = next;
    if (max === Number.POSITIVE_INFINITY) {
      const loop = this.#fork(-1, next, lazy);
      const into = this.build(of, loop);
      if (lazy) this.states[loop]!.other = into;
      else this.states[loop]!.next = into;
      entry = loop;
    } else {
      for (let count = min; count < max; count++) entry = this.#fork(this.build(of, entry), next, lazy);
    }
    for (let count = 0; count < min; count++) entry = this.build(of, entry);
    return entry;
  }
}
