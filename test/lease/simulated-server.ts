/**
 * A server that keeps leases as table.ts says, and a referee who knows what it promised: from its answers alone, in a reckoning of his own, he
 * finds a lease brought back, taken away before its time, given twice, or given out of turn.
 */
import type { Answer, Claim } from '../../src/lease/store.ts';
import { type KeyRows, live, nextOf, noRows } from '../../src/lease/table.ts';
import type { World } from './simulation.ts';
import type { Machine } from './simulated-time.ts';

interface Promised {
  readonly token: bigint;
  readonly share: number;
  untilMs: number;
}

export class SimulatedServer {
  readonly #world: World;
  readonly machine: Machine;
  #rows: KeyRows = noRows;
  #token = 0n;
  /** By the referee's reckoning. A map keeps the order in which its keys first came. */
  readonly #promised = new Map<string, Promised>();
  readonly #places = new Map<string, number>();
  #greatest = 0n;

  constructor(world: World, machine: Machine) {
    this.#world = world;
    this.machine = machine;
  }

  try(claim: Claim): Answer {
    const nowMs = this.#look();
    const token = this.#world.rules.nextToken(this.#token, nowMs);
    const verdict = this.#world.rules.tryClaim(this.#rows, claim, nowMs, token);
    if (!verdict.granted) {
      this.#rows = verdict.rows;
      this.#checkBusy(claim, nowMs);
      return { granted: false, againMs: verdict.againMs };
    }
    if (verdict.token === token) this.#token = token;
    this.#checkGranted(claim, verdict.token, nowMs);
    this.#change(verdict.rows);
    return { granted: true, token: verdict.token };
  }

  renew(claim: Claim): boolean {
    const nowMs = this.machine.now.wallMs;
    const rows = this.#world.rules.renewClaim(this.#rows, claim, nowMs);
    const promised = this.#promised.get(claim.id);
    const isHeld = promised !== undefined && promised.untilMs > nowMs;
    if (rows === null) {
      if (isHeld) this.#world.fail(`${claim.id} is not renewed, and its time is not over`);
      return false;
    }
    if (!isHeld) this.#world.fail(`${claim.id} is renewed, and it was over`);
    promised.untilMs = this.#look() + claim.ttlMs;
    this.#rows = rows;
    return true;
  }

  release(claim: Claim): void {
    const rows = this.#world.rules.releaseClaim(this.#rows, claim, this.#look());
    this.#promised.delete(claim.id);
    this.#places.delete(claim.id);
    this.#change(rows);
  }

  /** It starts again with nothing. */
  forget(): void {
    this.#rows = noRows;
    this.#token = 0n;
    this.#promised.clear();
    this.#places.clear();
  }

  /** Whether it holds by this very token. */
  holds(id: string, token: bigint): boolean {
    const promised = this.#promised.get(id);
    return promised?.token === token && promised.untilMs > this.machine.now.wallMs;
  }

  heldNow(): string[] {
    const { held, queue } = live(this.#rows, this.machine.now.wallMs);
    return [...held, ...queue].map(({ id }) => id);
  }

  /** What time it is; what is over by then is forgotten. */
  #look(): number {
    const nowMs = this.machine.now.wallMs;
    for (const [id, { untilMs }] of this.#promised) if (untilMs <= nowMs) this.#promised.delete(id);
    for (const [id, untilMs] of this.#places) if (untilMs <= nowMs) this.#places.delete(id);
    return nowMs;
  }

  #change(rows: KeyRows): void {
    this.#rows = rows;
    const next = nextOf(rows);
    for (const client of this.#world.clients) client.changed(next);
  }

  #hasRoom({ share, of }: Claim): boolean {
    let sum = share;
    for (const promised of this.#promised.values()) sum += promised.share;
    return sum <= of;
  }

  /** Whether another came before it and keeps its place. */
  #isBehind({ id }: Claim): boolean {
    const [first] = this.#places.keys();
    return first !== undefined && first !== id;
  }

  #checkGranted(claim: Claim, token: bigint, nowMs: number): void {
    const world = this.#world;
    const untilMs = nowMs + claim.ttlMs;
    const promised = this.#promised.get(claim.id);
    if (promised !== undefined) {
      if (promised.token !== token) world.fail(`${claim.id} asks again and gets another token`);
      promised.untilMs = untilMs;
      return;
    }
    if (token <= this.#greatest) world.fail(`the token ${token} is given after ${this.#greatest}`);
    if (!this.#hasRoom(claim)) world.fail(`${claim.id} is granted, and there is no room for it`);
    if (this.#isBehind(claim)) world.fail(`${claim.id} overtakes one who keeps its place`);
    this.#greatest = token;
    this.#places.delete(claim.id);
    this.#promised.set(claim.id, { token, share: claim.share, untilMs });
    world.grants++;
  }

  #checkBusy(claim: Claim, nowMs: number): void {
    if (this.#promised.has(claim.id)) this.#world.fail(`${claim.id} holds it and is told that it is busy`);
    if (this.#hasRoom(claim) && !this.#isBehind(claim))
      this.#world.fail(`${claim.id} is told that it is busy, and it is free`);
    if (claim.queue) this.#places.set(claim.id, nowMs + claim.ttlMs);
  }
}
