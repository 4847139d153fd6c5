/**
 * What one claim does in simulation: the shell of a `LeaseLife`, with the work of whoever holds the lease.
 *
 * It counts what it asks: one question at a time, renewals no sooner and no more often than they are good for, and one outcome.
 */
import { SpillwayError } from '../../src/kernel/errors.ts';
import type { Instant } from '../../src/lease/instant.ts';
import { type Effect, LeaseLife, type Question } from '../../src/lease/life.ts';
import { type Claim, WHOLE } from '../../src/lease/store.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { World } from './simulation.ts';

/** Steps of a process take up to this long. */
const STEP_MS = 0.5;
/** A failed question is repeated after half of ten milliseconds at the soonest. */
const RETRY_MS_MIN = 5;
/** Of sums of doubles. */
const ROUNDING_MS = 1e-6;

export class SimulatedClaim {
  readonly #client: SimulatedClient;
  readonly #world: World;
  readonly #claim: Claim;
  readonly #life: LeaseLife;
  readonly #starts: number;
  #outcome: 'none' | 'granted' | 'over' = 'none';
  #token = 0n;
  #looks: number;
  #open: Question | null = null;
  #heldMs = Number.NEGATIVE_INFINITY;
  #renewedMs = Number.NEGATIVE_INFINITY;
  #timerMs = Number.POSITIVE_INFINITY;

  constructor(client: SimulatedClient, waitMs: number) {
    const { world } = client;
    this.#client = client;
    this.#starts = client.starts;
    this.#world = world;
    this.#looks = 1 + world.below(4);
    const [share, of] = world.of === 1 ? [WHOLE, WHOLE] : [1, world.of];
    const queue = world.queue && waitMs > 0;
    this.#claim = { key: 'key', id: world.id(), holder: 'holder', share, of, ttlMs: world.ttlMs, queue };
    const { timeoutMs, random, rules } = world;
    const wanted = { ...this.#claim, ttlMs: world.wantedTtlMs };
    this.#life = new LeaseLife({ claim: rules.believed(wanted), waitMs, timeoutMs, random });
  }

  start(): void {
    this.#do(this.#life.start(this.#client.now));
    const { ttlMs } = this.#world;
    if (!this.#world.calm && this.#world.chance(0.15)) {
      this.#client.later(ttlMs * this.#world.between(0, 1), () => this.#leave());
    }
  }

  held(): number {
    return this.#life.remainingMs(this.#client.now) > 0 ? 1 : 0;
  }

  changed(next: string | null): void {
    const { state } = this.#life;
    if (state !== 'waiting' && state !== 'asking') return;
    if (this.#claim.queue && next !== this.#claim.id) return;
    this.#client.hear(this.#step(() => this.#do(this.#life.wake(this.#client.now))));
  }

  checkRest(): void {
    if (this.#life.state !== 'over')
      this.#world.fail(`${this.#claim.id} is ${this.#life.state}, and nothing comes any more`);
  }

  #step(run: () => void): () => void {
    return this.#client.step(run, this.#starts);
  }

  #do(effects: readonly Effect[]): void {
    for (const effect of effects) this.#doOne(effect);
    this.#arm();
  }

  #doOne(effect: Effect): void {
    switch (effect.kind) {
      case 'ask':
        this.#ask(effect.question);
        break;
      case 'granted':
        this.#come(effect, 'none', 'granted');
        this.#client.wasGranted = true;
        // It may be the answer to one that was given up; what was asked since is not waited for any more.
        this.#open = null;
        this.#token = effect.token;
        this.#client.later(STEP_MS, () => this.#look());
        break;
      case 'refused':
      case 'late':
      case 'failed':
        // Whoever left does not want to hear it.
        if (this.#outcome !== 'over') this.#end(effect, 'none');
        break;
      case 'lost':
        this.#end(effect, 'granted');
        break;
      case 'told':
        break;
      default:
        effect satisfies never;
    }
  }

  #end(effect: Effect, from: 'none' | 'granted'): void {
    this.#come(effect, from, 'over');
    this.#client.think();
  }

  #come({ kind }: Effect, from: 'none' | 'granted', to: 'granted' | 'over'): void {
    if (this.#outcome !== from) this.#world.fail(`${this.#claim.id} is ${kind} after it was ${this.#outcome}`);
    this.#outcome = to;
  }

  #leave(): void {
    if (this.#outcome === 'over') return;
    this.#outcome = 'over';
    this.#do(this.#life.leave(this.#client.now));
    this.#client.think();
  }

  /** It works: looks whether it still holds, and writes, which is a step of its own. */
  #look(): void {
    if (this.#outcome !== 'granted') return;
    const { now } = this.#client;
    this.#time(now);
    if (this.#life.state !== 'held') return;
    if (this.#life.remainingMs(now) <= 0) this.#world.fail(`${this.#claim.id} is over and does not say so`);
    this.#client.later(this.#world.between(0, STEP_MS), () => this.#write());
    const { ttlMs } = this.#world;
    const isLast = --this.#looks === 0;
    this.#client.later(ttlMs * this.#world.between(0.05, 0.5), () => (isLast ? this.#leave() : this.#look()));
  }

  #write(): void {
    const { resource, schedule } = this.#world;
    const isSlow = this.#world.has('slowWrite') && this.#world.chance(0.3);
    const delayMs = isSlow ? this.#world.ttlMs * this.#world.between(0, 2) : this.#world.between(0, STEP_MS);
    schedule.after(delayMs, () => resource.write(this.#claim.id, this.#token));
  }

  #ask(question: Question): void {
    this.#checkQuestion(question);
    this.#open = question;
    const { server, rules } = this.#world;
    const answered = (heed: () => readonly Effect[], held = false): void =>
      this.#client.hear(
        this.#step(() => {
          if (this.#open === question) this.#open = null;
          else if (!rules.heedsLate) return;
          const counts = held && this.#open === null && (question.verb === 'renew' || this.#outcome === 'none');
          if (counts) this.#heldMs = Math.max(this.#heldMs, question.asked.nowMs);
          const wasOver = this.#life.state === 'held' && this.held() === 0;
          this.#do(heed());
          if (wasOver && this.held() > 0) this.#world.fail(`${this.#claim.id} comes back after it was over`);
        }),
      );
    const now = (): Instant => this.#client.now;
    const given = { ttlMs: this.#world.wantedTtlMs, lastsMs: this.#world.ttlMs };
    this.#client.send(() => {
      if (!this.#world.calm && this.#world.has('refused') && this.#world.chance(0.15)) {
        // It may have been done all the same.
        if (this.#world.chance(0.5)) this.#serve(question);
        const cause = new SpillwayError('STORE_UNAVAILABLE', 'reset', { retryable: this.#world.chance(0.8) });
        answered(() => this.#life.failed(question, cause, now()));
        return;
      }
      switch (question.verb) {
        case 'try': {
          const answer = server.try(this.#claim);
          answered(() => {
            const since = rules.since(question.asked, now(), given);
            return this.#life.tried(question, answer.granted ? { ...answer, since } : answer, now());
          }, answer.granted);
          break;
        }
        case 'renew': {
          const held = server.renew(this.#claim);
          answered(() => {
            const since = rules.since(question.asked, now(), given);
            return this.#life.renewed(question, held ? { held, since } : { held }, now());
          }, held);
          break;
        }
        case 'release':
          server.release(this.#claim);
          answered(() => this.#life.released(question));
          break;
        default:
          question.verb satisfies never;
      }
    });
  }

  #serve({ verb }: Question): void {
    this.#world.server[verb](this.#claim);
  }

  #checkQuestion({ verb, asked }: Question): void {
    const { ttlMs } = this.#world;
    const open = this.#open;
    if (open !== null && verb !== 'release') {
      this.#world.fail(`${this.#claim.id} asks ${verb}, and ${open.verb} is open`);
    }
    if (verb !== 'renew') return;
    if (this.#outcome !== 'granted') this.#world.fail(`${this.#claim.id} is renewed, and nobody wants it`);
    if (asked.nowMs < this.#heldMs + ttlMs / 3 - ROUNDING_MS) this.#world.fail(`${this.#claim.id} is renewed too soon`);
    if (asked.nowMs < this.#renewedMs + RETRY_MS_MIN) this.#world.fail(`${this.#claim.id} is renewed too often`);
    this.#renewedMs = asked.nowMs;
  }

  /** As the shell does: a timer that rings too early does no harm. */
  #arm(): void {
    const { dueMs } = this.#life;
    const { schedule } = this.#world;
    if (dueMs === Number.POSITIVE_INFINITY || this.#life.state === 'over') return;
    const delayMs = Math.max(0, (dueMs - this.#client.now.nowMs) / this.#client.machine.rate);
    if (this.#timerMs <= schedule.nowMs + delayMs) return;
    const ringsMs = schedule.nowMs + delayMs + this.#world.between(0.001, STEP_MS);
    this.#timerMs = ringsMs;
    this.#client.later(ringsMs - schedule.nowMs, () => {
      if (this.#timerMs === ringsMs) this.#timerMs = Number.POSITIVE_INFINITY;
      this.#time(this.#client.now);
    });
  }

  #time(now: Instant): void {
    const { timeoutMs, ttlMs } = this.#world;
    const open = this.#open;
    const patienceMs = open?.verb === 'renew' ? Math.min(timeoutMs, ttlMs / 3) : timeoutMs;
    if (open !== null && now.nowMs >= open.asked.nowMs + patienceMs) this.#open = null;
    this.#do(this.#life.time(now));
  }
}
