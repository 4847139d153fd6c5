/**
 * Processes that share a store of leases and a fenced register, on a simulated clock: each has clocks of its own that can be set or run
 * wrong, a line to the servers that is slow or dead, and can be killed. The servers are right: what is asked for is done at one moment.
 */
import type { Clock, Timer } from '../../src/kernel/clock.ts';
import { SpillwayError } from '../../src/kernel/errors.ts';
import { type Random, seededRandom } from '../../src/kernel/random.ts';
import { SimulatedClock } from '../../src/kernel/simulated-clock.ts';
import { type FencedRegister, type LeaseStore, memoryLeases, memoryRegister } from '../../src/lease/index.ts';

export class SimulatedFleet {
  readonly clock = new SimulatedClock();
  readonly random: Random;
  readonly leases: LeaseStore = memoryLeases({ clock: this.clock });
  readonly register: FencedRegister = memoryRegister();

  constructor(seed = 1) {
    this.random = seededRandom(seed);
  }

  process(): SimulatedProcess {
    return new SimulatedProcess(this);
  }

  /** Lets time pass in small steps, and what was started meanwhile go as far as it can. */
  async pass(ms: number, stepMs = 10): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
      this.clock.pass(stepMs);
      await settled();
    }
  }

  /** Lets time pass until it is so. */
  async until(isSo: () => boolean, maxMs = 600_000): Promise<void> {
    for (let passedMs = 0; !isSo(); passedMs += 10) {
      if (passedMs > maxMs) throw new Error(`not so after ${maxMs} ms: ${isSo}`);
      await this.pass(10);
    }
  }
}

/** Everything that needs no time has happened. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** How the servers are reached: in time, not at all with an error, or into silence. */
export type Line = 'up' | 'refused' | 'silent';

export class SimulatedProcess {
  readonly #fleet: SimulatedFleet;
  #aheadMs = 0;
  #rate = 1;
  #isAlive = true;
  line: Line = 'up';
  /** Longest time that a message takes, each way. */
  delayMsMax = 0;
  /** How often the servers were asked. */
  asked = 0;
  readonly clock: Clock;
  readonly leases: LeaseStore;
  readonly register: FencedRegister;

  constructor(fleet: SimulatedFleet) {
    this.#fleet = fleet;
    const { leases, register } = fleet;
    this.clock = {
      nowMs: () => fleet.clock.nowMs() * this.#rate,
      wallMs: () => fleet.clock.wallMs() + this.#aheadMs,
      after: (delayMs, run) => fleet.clock.after(delayMs / this.#rate, () => this.#isAlive && run()),
      every: (periodMs, run): Timer => fleet.clock.every(periodMs / this.#rate, () => this.#isAlive && run()),
    };
    this.leases = {
      name: 'simulated',
      clock: this.clock,
      limits: leases.limits,
      try: (claim, waiting) => this.#ask(() => leases.try(claim, waiting)),
      renew: (claim, waiting) => this.#ask(() => leases.renew(claim, waiting)),
      release: (claim, waiting) => this.#ask(() => leases.release(claim, waiting)),
      read: (key, waiting) => this.#ask(() => leases.read(key, waiting)),
      watch: (key, claim, wake) => leases.watch(key, claim, () => this.#isAlive && this.line === 'up' && wake()),
      [Symbol.asyncDispose]: async () => {},
    };
    this.register = {
      read: (key) => this.#ask(() => register.read(key)),
      write: (key, fenced) => this.#ask(() => register.write(key, fenced)),
    };
  }

  kill(): void {
    this.#isAlive = false;
  }

  /** Somebody sets the clock on its wall. */
  stepWall(ms: number): void {
    this.#aheadMs += ms;
  }

  /** From the start: how fast its monotonic clock runs. */
  runAt(rate: number): void {
    this.#rate = rate;
  }

  async #ask<T>(done: () => Promise<T>): Promise<T> {
    this.asked += 1;
    await this.#travel();
    const answer = await done();
    await this.#travel();
    return answer;
  }

  async #travel(): Promise<void> {
    const { clock, random } = this.#fleet;
    if (this.delayMsMax > 0) {
      await new Promise<void>((resolve) => clock.after(random.unit() * this.delayMsMax, resolve));
    }
    if (this.line === 'refused') {
      throw new SpillwayError('STORE_UNAVAILABLE', 'The line is dead.', { retryable: true });
    }
    // Nobody hears of it: neither a server that was not reached nor a process that is no more.
    if (this.line === 'silent' || !this.#isAlive) await new Promise(() => {});
  }
}
