/**
 * A remote store for tests of what lies above one: the memory of this thread at the end of a slow line that can be cut. Questions are
 * decided half a round trip after they were asked. What a real engine does is tested with real engines.
 */
import { SimulatedClock } from '../../src/kernel/simulated-clock.ts';
import { memoryStore, type Outcome, type Question, type RemoteStore } from '../../src/limit/index.ts';
import { driverOf } from '../../src/testing/limit-driver.ts';

export class DistantStore implements RemoteStore {
  readonly local = false;
  readonly name = 'distant';
  readonly clock: SimulatedClock;
  readonly memory;
  readonly #drive;
  /** Every call that arrived, each with its questions. */
  readonly calls: (readonly Question[])[] = [];
  /** There and back. */
  roundTripMs = 0;
  /** Said instead of an answer. */
  failure: Error | null = null;
  /** Nothing is said at all. */
  silent = false;

  constructor(clock = new SimulatedClock()) {
    this.clock = clock;
    this.memory = memoryStore({ clock });
    this.#drive = driverOf(this.memory);
  }

  async ask(questions: readonly Question[]): Promise<readonly (readonly Outcome[])[]> {
    if (this.failure !== null) throw this.failure;
    if (this.silent) return Promise.withResolvers<never>().promise;
    await this.#travel();
    this.calls.push(questions);
    // The memory is local, so that all of them are decided before anything else.
    const replies = await Promise.all(questions.map(({ verb, parts }) => this.#drive(verb, ...parts)));
    await this.#travel();
    return replies;
  }

  #travel(): Promise<void> {
    if (this.roundTripMs === 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.clock.after(this.roundTripMs / 2, resolve);
    return promise;
  }
}

/** Lets time pass in small steps, and everything that waits on promises go on in each. */
export async function pass(clock: SimulatedClock, ms: number, stepMs = Math.max(1, ms / 50)): Promise<void> {
  await settle();
  for (let leftMs = ms; leftMs > 0; leftMs -= stepMs) {
    clock.pass(Math.min(leftMs, stepMs));
    await settle();
  }
}

/** Until nothing goes on any more without time passing. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
