/**
 * A model: what an object would do if operations came one at a time. A history is linearizable if some order of its operations, true
 * to real time, is one that the model could have had.
 *
 * A model is pure: `step` never changes the state that it is given. Reference: Herlihy and Wing, "Linearizability: a correctness
 * condition for concurrent objects" (1990).
 */

export interface Model<State, Input, Output> {
  /** For people. */
  readonly name: string;
  readonly init: State;
  /**
   * The state after this operation, or undefined if it cannot have had this output in this state. An output of undefined is that of
   * an operation that never returned, or returns nothing: then what it would return does not matter.
   */
  readonly step: (state: State, input: Input, output: Output | undefined) => State | undefined;
  /** Operations on different keys have nothing to do with each other, and each key is checked by itself. @defaultValue one key for all */
  readonly key?: (input: Input) => string;
  /** Equal exactly for states that are equal. Needed where states are objects. @defaultValue the state itself */
  readonly identity?: (state: State) => number | bigint | string | boolean | null;
  /** True only for what changes no state at all, whichever it is in: it is placed as soon as it fits, and the search does not branch there. */
  readonly readOnly?: (input: Input, output: Output | undefined) => boolean;
}

/** What the models here may be asked of one of several objects; without a key there is one. */
export interface Keyed {
  readonly key?: string | undefined;
}

export const keyOf = ({ key }: Keyed): string => key ?? '';
