/** A process that claims, works and gives back, again and again. It can be stopped between any two of its steps, cut off, and killed. */
import type { Instant } from '../../src/lease/instant.ts';
import { SimulatedClaim } from './simulated-claim.ts';
import type { World } from './simulation.ts';
import type { Machine } from './simulated-time.ts';

export class SimulatedClient {
  readonly world: World;
  readonly machine: Machine;
  /** All it ever claimed since it started; the last is what it works with. */
  #claims: SimulatedClaim[] = [];
  #stoppedUntilMs = 0;
  #muteUntilMs = 0;
  #deafUntilMs = 0;
  /** What waits until it goes on. */
  #waiting: (() => void)[] = [];
  /** How often it was started. */
  starts = 1;
  wasGranted = false;

  constructor(world: World, machine: Machine) {
    this.world = world;
    this.machine = machine;
  }

  get now(): Instant {
    return this.world.rules.read(this.machine);
  }

  /** After a while it claims again. */
  think(): void {
    const { world } = this;
    this.later(world.ttlMs * world.between(0, 0.3), () => {
      if (!world.calm) this.claim(world.chance(0.15) ? 0 : world.ttlMs * world.between(0.1, 4));
    });
  }

  claim(waitMs: number): void {
    const claim = new SimulatedClaim(this, waitMs);
    this.#claims.push(claim);
    claim.start();
  }

  /** A step of this process, when so much true time has passed. */
  later(delayMs: number, run: () => void): void {
    this.world.schedule.after(delayMs, this.step(run, this.starts));
  }

  /** A step of the process that was started for the nth time: later if it is stopped then, never if it was killed. */
  step(run: () => void, starts: number): () => void {
    return () => {
      if (starts !== this.starts) return;
      if (this.world.schedule.nowMs < this.#stoppedUntilMs) this.#waiting.push(run);
      else run();
    };
  }

  stop(ms: number, isSuspended: boolean): void {
    const { schedule } = this.world;
    const fromMs = schedule.nowMs;
    if (fromMs < this.#stoppedUntilMs) return;
    this.#stoppedUntilMs = fromMs + ms;
    if (isSuspended) this.machine.suspend();
    schedule.after(ms, () => this.resume());
  }

  /** Nothing comes through, one way or both. */
  cut(ms: number): void {
    const { schedule } = this.world;
    const untilMs = schedule.nowMs + ms;
    const way = this.world.below(3);
    if (way !== 0) this.#deafUntilMs = untilMs;
    if (way !== 1) this.#muteUntilMs = untilMs;
  }

  /** A message to the server. */
  send(run: () => void): void {
    if (this.world.calm || this.world.schedule.nowMs >= this.#muteUntilMs) this.world.send(run);
  }

  /** A message from it. */
  hear(run: () => void): void {
    if (this.world.calm || this.world.schedule.nowMs >= this.#deafUntilMs) this.world.send(run);
  }

  resume(): void {
    this.machine.wake();
    this.#stoppedUntilMs = 0;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }

  kill(): void {
    this.starts++;
    this.#claims = [];
    this.#waiting = [];
    this.think();
  }

  held(): number {
    return this.#claims.at(-1)?.held() ?? 0;
  }

  /** The server tells who waits that it may be next. */
  changed(next: string | null): void {
    this.#claims.at(-1)?.changed(next);
  }

  checkRest(): void {
    for (const claim of this.#claims) claim.checkRest();
  }
}
