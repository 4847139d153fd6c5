/**
 * What a lock is for: a resource that whoever holds the lease writes to. One with a fence, which refuses a token smaller than the greatest it has
 * seen, as users are told to build it; and one without, which takes everything.
 */
import type { World } from './simulation.ts';

export class SimulatedResource {
  readonly #world: World;
  #greatest = 0n;
  readonly #fenced = new Turns();
  readonly #open = new Turns();
  damages = 0;
  refusals = 0;

  constructor(world: World) {
    this.#world = world;
  }

  write(id: string, token: bigint): void {
    const world = this.#world;
    if (world.of > 1) return;
    if (!this.#open.take(id)) {
      this.damages++;
      const isInTime = !world.has('pause') && !world.has('suspend') && !world.has('slowWrite');
      if (isInTime && world.serverKeepsWord)
        world.fail(`${id} writes after another has written, and nothing held it up`);
    }
    if (token < this.#greatest) {
      this.refusals++;
      if (world.serverKeepsWord && world.server.holds(id, token))
        world.fail(`${id} holds the lease, and the fence refuses it`);
      return;
    }
    this.#greatest = token;
    if (!this.#fenced.take(id)) world.fail(`the fence takes a write of ${id} after one of another`);
  }
}

/** Who wrote, one after another: whoever has been followed by another must not come back. */
class Turns {
  readonly #past = new Set<string>();
  #last: string | null = null;

  take(id: string): boolean {
    if (id !== this.#last && this.#last !== null) this.#past.add(this.#last);
    this.#last = id;
    return !this.#past.has(id);
  }
}
