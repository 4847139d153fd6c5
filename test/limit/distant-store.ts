/**
 * A remote store for tests of what lies above one: the memory of this thread at the end of a slow line that can be cut. Questions are
 * decided half a round trip after they were asked. What a real engine does is tested with real engines.
 */
import { createOutcome, type Outcome } from '../../src/limit/algorithm.ts';
import { memoryStore, type LocalPart, type Question, type RemoteStore } from '../../src/limit/index.ts';
import { SimulatedClock } from '../../src/kernel/simulated-clock.ts';

export class DistantStore implements RemoteStore {
  readonly local = false;
  readonly name = 'distant';
  readonly clock: SimulatedClock;
  readonly memory;
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
  }

  async ask(questions: readonly Question[]): Promise<readonly (readonly Outcome[])[]> {
    if (this.failure !== null) throw this.failure;
    if (this.silent) return Promise.withResolvers<never>().promise;
    await this.#travel();
    this.calls.push(questions);
    const replies = questions.map((question) => this.#decide(question));
    await this.#travel();
    return replies;
  }

  #decide({ verb, parts }: Question): Outcome[] {
    const local = parts.map(({ name, algorithm, key, cost, times, holder }): LocalPart => {
      const ask = { nowUs: 0, cost, times, holder };
      return { counters: this.memory.open(name, algorithm), key, ask, out: createOutcome() };
    });
    const [{ counters, key, ask, out }] = local as [LocalPart];
    switch (verb) {
      case 'take':
        if (local.length > 1) this.memory.takeAll(local);
        else counters.take(key, ask, out);
        break;
      case 'peek':
        counters.peek(key, ask, out);
        break;
      case 'refund':
        counters.refund(key, ask);
        break;
      case 'reset':
        counters.reset(key);
        break;
      case 'release':
        out.granted = counters.release(key, ask) ? 1 : 0;
        break;
      case 'renew':
        out.granted = counters.renew(key, ask) ? 1 : 0;
        break;
      default:
        verb satisfies never;
    }
    return local.map((part) => part.out);
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
