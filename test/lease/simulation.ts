/**
 * Leases in deterministic simulation: clients that run `LeaseLife` against a server that runs table.ts, in a world where whatever can happen does,
 * by one seeded scheduler. The same seed is the same history, and a history of some hundred steps takes less than a millisecond.
 *
 * Which faults a seed has is drawn too (Groce et al., “Swarm testing”, ISSTA 2012), for all at once hide each other; what is promised depends on
 * them. In the end everything calms down, one more client asks, and all must come to rest.
 *
 * What it is not: the shell (claimant.ts) with its promises and timers; src/lease/claimant.fuzz.ts has that.
 */
import { type Random, seededRandom } from '../../src/kernel/random.ts';
import { SimulatedClient } from './simulated-client.ts';
import { SimulatedResource } from './simulated-resource.ts';
import { honest, type Rules } from './simulated-rules.ts';
import { SimulatedServer } from './simulated-server.ts';
import { Machine, Schedule } from './simulated-time.ts';

const faultKinds = [
  'slow',
  'lost',
  'cut',
  'duplicated',
  'refused',
  'pause',
  'suspend',
  'kill',
  'slowWrite',
  'wallForward',
  'wallBack',
  'drift',
  'serverForgets',
  'serverForward',
  'serverBack',
] as const;

/** After these less is promised, so they are rarer. */
const gravest: ReadonlySet<string> = new Set(['serverForgets', 'serverForward']);

export type Fault = (typeof faultKinds)[number];

/** What a history showed. */
export interface Seen {
  readonly steps: number;
  readonly grants: number;
  /** Writes that the resource without a fence should not have taken. */
  readonly damages: number;
  /** Writes that the fence kept away. */
  readonly refusals: number;
}

/** A promise that was broken, with what repeats it. */
export class Broken extends Error {}

/** More than any history takes: one that takes more has no end. */
const STEPS_MAX = 20_000;

/** One history. Throws `Broken` if a promise was. */
export function simulate(seed: number, rules: Rules = honest): Seen {
  return new World(seed, rules).run();
}

export class World {
  readonly seed: number;
  readonly rules: Rules;
  readonly random: Random;
  readonly schedule = new Schedule();
  readonly faults: ReadonlySet<Fault>;
  readonly server: SimulatedServer;
  readonly resource: SimulatedResource;
  readonly clients: SimulatedClient[] = [];
  /** How long a lease lasts, as the server counts. */
  readonly ttlMs: number;
  /** How long its holder wanted it: longer in some worlds, as where a server's ticks leave less of it. */
  readonly wantedTtlMs: number;
  readonly timeoutMs: number;
  readonly latencyMs: number;
  /** How many may hold it at once: one, or a few with a permit each. */
  readonly of: number;
  readonly queue: boolean;
  /** The faults are over. */
  calm = false;
  grants = 0;
  #ids = 0;

  constructor(seed: number, rules: Rules) {
    this.seed = seed;
    this.rules = rules;
    this.random = seededRandom(seed);
    this.faults = this.#swarm();
    this.ttlMs = this.between(100, 3000);
    this.wantedTtlMs = this.ttlMs * (seed % 4 === 0 ? 1.5 : 1);
    this.timeoutMs = this.ttlMs * this.between(0.1, 1.5);
    this.latencyMs = this.ttlMs * 0.05 * 10 ** -this.between(0, 2);
    this.of = this.chance(0.75) ? 1 : 2;
    this.queue = this.chance(0.7);
    this.server = new SimulatedServer(this, this.#machine());
    this.resource = new SimulatedResource(this);
    const clients = 2 + this.below(3);
    for (let client = 0; client < clients; client++) this.clients.push(new SimulatedClient(this, this.#machine()));
  }

  run(): Seen {
    for (const client of this.clients) client.think();
    const untilMs = this.ttlMs * this.between(3, 9);
    if (this.faults.size > 0) this.#strikeLater();
    this.schedule.after(untilMs, () => this.#calmDown());
    let steps = 0;
    while (this.schedule.step()) {
      this.#checkExclusion();
      if (++steps > STEPS_MAX) this.fail('it does not come to rest');
    }
    this.#checkRest();
    const { damages, refusals } = this.resource;
    return { steps, grants: this.grants, damages, refusals };
  }

  has(fault: Fault): boolean {
    return this.faults.has(fault);
  }

  /** Whether the server keeps what it granted for as long as it said. */
  get serverKeepsWord(): boolean {
    return !this.has('serverForgets') && !this.has('serverForward');
  }

  /**
   * Whether a client can know how much time passed: one that was suspended knows by its wall clock, and nobody knows if that was set back
   * meanwhile.
   */
  get clocksTell(): boolean {
    return !(this.has('suspend') && this.has('wallBack'));
  }

  fail(what: string): never {
    const faults = [...this.faults].join(', ');
    throw new Broken(
      `seed ${this.seed}: ${what}, at ${this.schedule.nowMs.toFixed(3)} ms; faults: ${faults || 'none'}`,
    );
  }

  chance(probability: number): boolean {
    return this.random.unit() < probability;
  }

  between(from: number, to: number): number {
    return from + this.random.unit() * (to - from);
  }

  below(count: number): number {
    return Math.floor(this.random.unit() * count);
  }

  id(): string {
    return (++this.#ids).toString();
  }

  /** `run` at the other end of the network: late, twice or never. */
  send(run: () => void): void {
    this.#deliver(run);
    if (!this.calm && this.has('duplicated') && this.chance(0.1)) this.#deliver(run);
  }

  #deliver(run: () => void): void {
    let delayMs = this.latencyMs * this.between(0.5, 1.5);
    if (!this.calm) {
      if (this.has('lost') && this.chance(0.12)) return;
      if (this.has('slow') && this.chance(0.15))
        delayMs += this.ttlMs * (this.chance(0.5) ? this.between(0, 0.5) : this.between(0, 2.5));
    }
    this.schedule.after(delayMs, run);
  }

  #swarm(): ReadonlySet<Fault> {
    const some = new Set<Fault>();
    if (this.chance(0.05)) return some;
    for (const fault of faultKinds) if (this.chance(gravest.has(fault) ? 0.12 : 0.3)) some.add(fault);
    return some;
  }

  #machine(): Machine {
    const apart = this.has('drift') ? Math.sign(this.between(-1, 1)) * (this.chance(0.5) ? 1 : this.between(0, 1)) : 0;
    return new Machine(this.schedule, { rate: 1 + (apart * DRIFT_RATIO_MAX) / 2, startMs: this.between(0, 1e6) });
  }

  #strikeLater(): void {
    this.schedule.after(this.ttlMs * this.between(0.05, 0.6), () => {
      if (this.calm) return;
      const sort = [...this.faults];
      this.#strike(sort[this.below(sort.length)]!);
      this.#strikeLater();
    });
  }

  #strike(fault: Fault): void {
    const client = this.clients[this.below(this.clients.length)]!;
    const stepMs = this.ttlMs * this.between(0.1, 3);
    switch (fault) {
      case 'pause':
      case 'suspend':
        client.stop(this.ttlMs * this.between(0.1, 2.5), fault === 'suspend');
        break;
      case 'cut':
        client.cut(this.ttlMs * this.between(0.1, 2.5));
        break;
      case 'kill':
        client.kill();
        break;
      case 'wallForward':
        client.machine.stepWall(stepMs);
        break;
      case 'wallBack':
        client.machine.stepWall(-stepMs);
        break;
      case 'serverForgets':
        this.server.forget();
        break;
      case 'serverForward':
        this.server.machine.stepWall(stepMs);
        break;
      case 'serverBack':
        // What has forgotten its last token and whose clock is set back has nothing to tell old from new by: excluded, and said so.
        if (!this.has('serverForgets')) this.server.machine.stepWall(-stepMs);
        break;
      case 'slow':
      case 'lost':
      case 'duplicated':
      case 'refused':
      case 'slowWrite':
      case 'drift':
        break;
      default:
        fault satisfies never;
    }
  }

  #calmDown(): void {
    this.calm = true;
    for (const client of this.clients) client.resume();
    const last = new SimulatedClient(this, this.#machine());
    this.clients.push(last);
    last.claim(Number.POSITIVE_INFINITY);
  }

  /** What is held by the holders' own reckoning, looked at from outside of time: nobody has to look at a clock or be awake for it. */
  #checkExclusion(): void {
    if (!this.serverKeepsWord || !this.clocksTell) return;
    let held = 0;
    for (const client of this.clients) held += client.held();
    if (held > this.of) this.fail(`${held} hold it at once, and ${this.of} may`);
  }

  #checkRest(): void {
    for (const client of this.clients) client.checkRest();
    if (!this.clients.at(-1)!.wasGranted) this.fail('nobody holds it, and one who waits was not granted');
    // What was lost on the way, or with its owner, ends by its time; all else was given back.
    if (this.has('lost') || this.has('cut') || this.has('kill') || this.has('refused') || this.has('serverBack'))
      return;
    const left = this.server.heldNow();
    if (left.length > 0) this.fail(`${left.join(', ')} was left behind, and nobody knows of it`);
  }
}

/** As far apart as instant.ts says that two clocks may run. */
const DRIFT_RATIO_MAX = 0.01;
