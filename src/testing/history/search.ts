/**
 * The search for an order, as a pure machine: it goes some steps at a time, with no recursion and no clock.
 *
 * Calls and returns are a linked list in order of time. An operation whose call comes before the first return may be next: if the model
 * agrees it is placed, and its call and return are lifted out of the list; where nothing fits, the last placed is put back. The search has
 * ended when no return is left, for an operation that never returned need not have happened, or when there is nothing to put back.
 *
 * Four things keep it small, and none changes the verdict:
 * - a configuration, the state with the set of placed operations, is entered once;
 * - what changes no state is tried first, and where it fits nothing else is: whatever order goes on from here can go on with it;
 * - what never returned is tried last, and not where fewer of those led to the same: whatever goes on from here went on from there;
 * - of operations that never returned and ask the same, the one begun first is placed first: they are interchangeable.
 *
 * Cost: linear in the operations where guesses are good; at worst exponential in how many overlap, as the problem is (Gibbons and Korach).
 * Reference: Wing and Gong, "Testing and verifying concurrent objects" (1993); Lowe, "Testing for linearizability" (2017), for the memory.
 */
import { isDeepStrictEqual } from 'node:util';
import { invalid } from '../../kernel/options.ts';
import { Configurations, widened } from './configurations.ts';
import type { Model } from './model.ts';
import type { History, Operation } from './operation.ts';

type Identity = number | bigint | string | boolean | null;

const END = -1;

/** In which round an operation is tried: those that change no state, those that do, those that never returned. */
const READS = 0;
const CHANGES = 1;
const OPEN = 2;

export interface Stuck<State, Input, Output> {
  readonly ordered: readonly Operation<Input, Output>[];
  readonly state: State;
  readonly at: Operation<Input, Output>;
}

export class Search<State, Input, Output> {
  readonly #model: Model<State, Input, Output>;
  /** In order of invocation: an operation is known by its place in it. */
  readonly #operations: readonly Operation<Input, Output>[];
  readonly #round: Uint8Array;
  /** Of an operation that never returned: the one before it that asks the same, or END. */
  readonly #twin: Int32Array;
  /** Of an operation that never returned: its number among those. */
  readonly #openIndex: Int32Array;
  readonly #openCount: number;

  /**
   * The list. Of operation i the call is entry i and the return entry `count` + i; the head is entry 2 × `count`.
   * Lifted entries keep their own links, so that they can be put back in reverse order.
   */
  readonly #count: number;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #placed: Uint8Array;
  #returnsLeft = 0;

  /** What is placed, with the state and the last that returned as they were before. */
  readonly #stack: Int32Array;
  readonly #states: State[] = [];
  readonly #lasts: Int32Array;
  #depth = 0;
  #state: State;
  #last = END;
  /** Which of the placed never returned: a bit for each. */
  readonly #openPlaced: Int32Array;

  /** What is tried next: a call; or a return, or END, where nothing is left to try. */
  #entry = END;
  #tried = READS;

  readonly #stateIds = new Map<Identity, number>();
  readonly #configurations: Configurations;
  #words = new Int32Array(64);

  /** Where it got furthest: the operation whose return could not be passed, what was placed by then, and the state after that. */
  #stuckAt = END;
  #stuckReturnsLeft = 0;
  #longest = new Int32Array(0);
  #stuckState: State;

  constructor(model: Model<State, Input, Output>, history: History<Input, Output>, statesMax: number) {
    this.#model = model;
    // What never returned and changes nothing need not have happened, and nobody could tell.
    this.#operations = history
      .filter(({ input, returned }) => returned !== null || model.readOnly?.(input, undefined) !== true)
      .sort((a, b) => a.invoked - b.invoked);
    const count = (this.#count = this.#operations.length);
    this.#round = Uint8Array.from(this.#operations, ({ input, output, returned }) => {
      if (returned === null) return OPEN;
      return model.readOnly?.(input, output) === true ? READS : CHANGES;
    });
    this.#twin = twins(this.#operations);
    let open = 0;
    this.#openIndex = Int32Array.from(this.#round, (round) => (round === OPEN ? open++ : END));
    this.#openCount = open;
    this.#openPlaced = new Int32Array(Math.ceil(open / 32));
    this.#next = new Int32Array(2 * count + 1).fill(END);
    this.#previous = new Int32Array(2 * count + 1).fill(END);
    this.#placed = new Uint8Array(count);
    this.#stack = new Int32Array(count);
    this.#lasts = new Int32Array(count);
    this.#configurations = new Configurations(statesMax, this.#openPlaced.length);
    this.#state = this.#stuckState = model.init;
    this.#link();
    this.#look(READS);
  }

  get statesSeen(): number {
    return this.#configurations.count;
  }

  /** The operations in the order found so far: all of it once the verdict is true. */
  get order(): Operation<Input, Output>[] {
    return this.#named(this.#stack.subarray(0, this.#depth));
  }

  /** After the verdict false: the longest order, the state that it leads to, and the operation that has to follow and cannot. */
  get stuck(): Stuck<State, Input, Output> {
    return { ordered: this.#named(this.#longest), state: this.#stuckState, at: this.#operations[this.#stuckAt]! };
  }

  /** Goes at most so many steps. The verdict, `full` if there were more configurations than may be, or null if it has to go on. */
  run(stepsMax: number): boolean | 'full' | null {
    for (let step = 0; step < stepsMax; step++) {
      if (this.#returnsLeft === 0) return true;
      const entry = this.#entry;
      if (entry !== END && entry < this.#count) {
        const outcome = this.#round[entry] === this.#tried ? this.#place(entry) : 'unfit';
        if (outcome === 'full') return 'full';
        if (outcome === 'placed') this.#look(READS);
        else this.#entry = outcome === 'seen' && this.#tried === READS ? END : this.#next[entry]!;
      } else if (entry !== END && this.#tried < (this.#openCount === 0 ? CHANGES : OPEN)) this.#look(this.#tried + 1);
      else {
        if (entry !== END) this.#remember(entry - this.#count);
        if (this.#depth === 0) return false;
        const operation = this.#takeBack();
        this.#tried = this.#round[operation]!;
        this.#entry = this.#tried === READS ? END : this.#next[operation]!;
      }
    }
    return null;
  }

  /** Begins a round with the first that may be next. */
  #look(round: number): void {
    this.#tried = round;
    this.#entry = this.#next[2 * this.#count]!;
  }

  /** Puts an operation next, if the model agrees and it leads where the search has not been. */
  #place(operation: number): 'placed' | 'unfit' | 'seen' | 'full' {
    const twin = this.#twin[operation]!;
    if (twin !== END && this.#placed[twin] === 0) return 'unfit';
    const { input, output } = this.#operations[operation]!;
    const open = this.#round[operation] === OPEN;
    const after = this.#model.step(this.#state, input, open ? undefined : output);
    if (after === undefined) return 'unfit';
    this.#lift(operation);
    const last = open ? this.#last : Math.max(this.#last, operation);
    const entered = this.#configurations.enter(this.#words, this.#describe(after, last));
    if (entered !== 'new') {
      this.#unlift(operation);
      return entered;
    }
    this.#stack[this.#depth] = operation;
    this.#states[this.#depth] = this.#state;
    this.#lasts[this.#depth++] = this.#last;
    this.#state = after;
    this.#last = last;
    return 'placed';
  }

  #takeBack(): number {
    const operation = this.#stack[--this.#depth]!;
    this.#state = this.#states[this.#depth]!;
    this.#last = this.#lasts[this.#depth]!;
    this.#unlift(operation);
    return operation;
  }

  /**
   * Writes down the configuration: the state, the last placed of those that returned, who of them before it is not placed, and
   * which of the others are. Returns the number of words.
   */
  #describe(state: State, last: number): number {
    const spare = 2 + this.#openPlaced.length;
    let length = 0;
    this.#words[length++] = this.#stateId(state);
    this.#words[length++] = last;
    for (let entry = this.#next[2 * this.#count]!; entry !== END && entry < last; entry = this.#next[entry]!) {
      if (this.#round[entry] === OPEN) continue;
      if (length + spare > this.#words.length) this.#words = widened(this.#words, length + spare);
      this.#words[length++] = entry;
    }
    if (length + spare > this.#words.length) this.#words = widened(this.#words, length + spare);
    for (const bits of this.#openPlaced) this.#words[length++] = bits;
    return length;
  }

  #stateId(state: State): number {
    const identity = this.#model.identity === undefined ? state : this.#model.identity(state);
    if ((typeof identity === 'object' && identity !== null) || typeof identity === 'function')
      throw invalid(
        `The model “${this.#model.name}” has states that are objects; it needs an identity that tells equal ones.`,
      );
    const known = this.#stateIds.get(identity as Identity);
    if (known !== undefined) return known;
    this.#stateIds.set(identity as Identity, this.#stateIds.size);
    return this.#stateIds.size - 1;
  }

  /** Of those that got as far, the one that has placed most of what returned: there none of the rest fits. */
  #remember(operation: number): void {
    if (this.#stuckAt !== END) {
      const further = this.#byReturn(operation, this.#stuckAt);
      if (further < 0 || (further === 0 && this.#returnsLeft >= this.#stuckReturnsLeft)) return;
    }
    this.#stuckAt = operation;
    this.#stuckReturnsLeft = this.#returnsLeft;
    this.#longest = this.#stack.slice(0, this.#depth);
    this.#stuckState = this.#state;
  }

  #returnOf(operation: number): number {
    return this.#operations[operation]!.returned!;
  }

  #byReturn(a: number, b: number): number {
    return this.#returnOf(a) - this.#returnOf(b) || a - b;
  }

  #named(operations: Int32Array): Operation<Input, Output>[] {
    return Array.from(operations, (operation) => this.#operations[operation]!);
  }

  /** At one instant calls come before returns: what only touches counts as overlapping, for a clock has its grain. */
  #link(): void {
    const count = this.#count;
    const returns = Int32Array.from(this.#operations.keys())
      .filter((operation) => this.#round[operation] !== OPEN)
      .sort((a, b) => this.#byReturn(a, b));
    this.#returnsLeft = returns.length;
    let [call, at, tail] = [0, 0, 2 * count];
    while (call < count || at < returns.length) {
      const returnsFirst =
        at < returns.length && (call === count || this.#returnOf(returns[at]!) < this.#operations[call]!.invoked);
      const entry = returnsFirst ? count + returns[at++]! : call++;
      this.#next[tail] = entry;
      this.#previous[entry] = tail;
      tail = entry;
    }
  }

  #lift(operation: number): void {
    this.#placed[operation] = 1;
    this.#unlink(operation);
    if (this.#round[operation] === OPEN) this.#flip(operation);
    else {
      this.#unlink(this.#count + operation);
      this.#returnsLeft--;
    }
  }

  #unlift(operation: number): void {
    this.#placed[operation] = 0;
    if (this.#round[operation] === OPEN) this.#flip(operation);
    else {
      this.#relink(this.#count + operation);
      this.#returnsLeft++;
    }
    this.#relink(operation);
  }

  #flip(operation: number): void {
    const index = this.#openIndex[operation]!;
    this.#openPlaced[index >>> 5]! ^= 1 << (index & 31);
  }

  #unlink(entry: number): void {
    const [previous, next] = [this.#previous[entry]!, this.#next[entry]!];
    this.#next[previous] = next;
    if (next !== END) this.#previous[next] = previous;
  }

  #relink(entry: number): void {
    this.#next[this.#previous[entry]!] = entry;
    const next = this.#next[entry]!;
    if (next !== END) this.#previous[next] = entry;
  }
}

/** Of each operation that never returned, the last before it that asks the same. */
function twins(operations: History): Int32Array {
  const found = new Int32Array(operations.length).fill(END);
  const latest: number[] = [];
  for (const [at, { returned, input }] of operations.entries()) {
    if (returned !== null) continue;
    const group = latest.findIndex((operation) => isDeepStrictEqual(operations[operation]!.input, input));
    if (group === -1) latest.push(at);
    else {
      found[at] = latest[group]!;
      latest[group] = at;
    }
  }
  return found;
}
