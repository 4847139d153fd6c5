/**
 * Endpoints that are drained, by command or by the config: counts what each still has, writes the words that workers heed, and
 * tells of begin and end. Which step follows which is `endpoint-drain.ts`.
 *
 * Invariants: a drain is of an endpoint of a service, and lasts across reloads as long as both are in the config; what the config
 * drains only the config brings back. Words and `DRAIN_CHANGES` are written here alone, in this order.
 * Cost: nothing while nothing drains; else a look at each draining endpoint every `LOOK_MS`.
 */
import { cellHeader, type Cell } from '../../kernel/cells.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { nearest } from '../../kernel/nearest.ts';
import { DRAIN, DRAIN_CHANGES, ENDPOINT_SLOTS, endpointSlots as slot, HEALTH, HEALTH_DOWN, SERVING } from '../slots.ts';
import type { EndpointPlan, ServicePlan, Snapshot } from '../snapshot.ts';
import { type Cut, type DrainEvent, type EndpointDrain, type Left, serving, step, wordOf } from './endpoint-drain.ts';
import type { GatewayEvent } from './events.ts';
import type { DrainState } from './gateway-state.ts';
import type { HealthPlan } from './health-plan.ts';
import { reader } from './read-cell.ts';

/** Soon enough for who watches; a look costs microseconds. */
const LOOK_MS = 200;

/** Which endpoint: in one service, or in all that have this address. */
export interface EndpointName {
  /** Its address, as the config has it. */
  readonly endpoint: string;
  /** @defaultValue all services */
  readonly service?: string | undefined;
}

export interface DrainRequest extends EndpointName {
  /** After that what is left is cut. @defaultValue the config's `drainTimeout` */
  readonly withinMs?: number | undefined;
  /** Also if it is the last of its service that serves. @defaultValue false */
  readonly force?: boolean | undefined;
}

export interface NamedEndpoint {
  readonly service: string;
  readonly endpoint: string;
}

export type DrainOutcome =
  /** All of those that were named drain, or serve, from now on. */
  | { readonly kind: 'done'; readonly endpoints: readonly NamedEndpoint[] }
  /** There is no such endpoint; the sentence says which there is. */
  | { readonly kind: 'unknown'; readonly reason: string }
  /** Nothing was changed. */
  | { readonly kind: 'refused'; readonly reason: string };

export interface DrainsOptions {
  readonly clock: Clock;
  readonly onEvent: (event: GatewayEvent) => void;
  /** A drain has begun or was undone. */
  readonly onChange: () => void;
}

/** An endpoint of a service, as some config has it. */
interface Member {
  readonly service: ServicePlan;
  readonly plan: EndpointPlan;
}

interface Running {
  readonly name: NamedEndpoint;
  readonly cell: Cell;
  by: DrainState['by'];
  withinMs: number;
  drain: EndpointDrain;
  word: number;
}

export class Drains {
  readonly #options: DrainsOptions;
  #snapshot: Snapshot | null = null;
  /** Of the config in force, and of one on trial. */
  #members = new Map<string, Member>();
  readonly #drains = new Map<string, Running>();
  #timer: Timer | null = null;

  constructor(options: DrainsOptions) {
    this.#options = options;
  }

  /** A config is in force, with another beside it if one is on trial. What a config on trial drains is its own affair. */
  update(snapshot: Snapshot, trial: Snapshot | null): void {
    this.#snapshot = snapshot;
    this.#members = new Map([...membersOf(trial), ...membersOf(snapshot)]);
    for (const [key, running] of this.#drains) {
      if (this.#members.get(key)?.plan.cell !== running.cell) this.#forget(key, running);
    }
    for (const [key, { plan }] of membersOf(snapshot)) {
      const running = this.#drains.get(key);
      if (plan.drainMs === null) {
        if (running?.by === 'config') this.#undrain(key, running);
      } else if (running?.by !== 'config' || running.withinMs !== plan.drainMs) {
        this.#drain(key, plan.drainMs, 'config');
      }
    }
  }

  drain({ withinMs = this.#snapshot?.drainTimeoutMs ?? 0, force = false, ...name }: DrainRequest): DrainOutcome {
    const found = this.#find(name);
    if (typeof found === 'string') return { kind: 'unknown', reason: found };
    const last = force ? undefined : found.find(([key, { service }]) => this.#isLast(key, service));
    if (last !== undefined) {
      const [, { plan, service }] = last;
      const reason =
        `${plan.id} is the last endpoint of ${service.name} that serves: without it every request would be answered 503. ` +
        'Nothing was drained; force it if that is meant.';
      return { kind: 'refused', reason };
    }
    for (const [key] of found) if (this.#drains.get(key)?.by !== 'config') this.#drain(key, withinMs, 'command');
    return done(found);
  }

  undrain(name: EndpointName): DrainOutcome {
    const found = this.#find(name);
    if (typeof found === 'string') return { kind: 'unknown', reason: found };
    const byConfig = found.find(([key]) => this.#drains.get(key)?.by === 'config');
    if (byConfig !== undefined) {
      const [, { plan, service }] = byConfig;
      const reason = `The config drains ${plan.id} of ${service.name}: take "drain" out of it and reload.`;
      return { kind: 'refused', reason };
    }
    for (const [key] of found) {
      const running = this.#drains.get(key);
      if (running !== undefined) this.#undrain(key, running);
    }
    return done(found);
  }

  /** Null if it serves. */
  state(service: string, endpoint: string): DrainState | null {
    const running = this.#drains.get(keyOf(service, endpoint));
    if (running === undefined || running.drain.phase === 'serving') return null;
    const { by, drain } = running;
    const { sinceMs, untilMs, phase } = drain;
    return {
      phase,
      by,
      since: this.#wall(sinceMs),
      until: this.#wall(untilMs),
      ...(drain.phase === 'drained'
        ? { ended: this.#wall(drain.endedMs), cut: drain.cut, told: drain.told }
        : { ended: null, cut: null, told: 0 }),
    };
  }

  /** For health: who drains is not one of those that are left. */
  unweigh(plans: readonly HealthPlan[]): readonly HealthPlan[] {
    if (this.#drains.size === 0) return plans;
    return plans.map((plan) => (this.#drains.has(keyOf(plan.service, plan.endpoint)) ? { ...plan, weight: 0 } : plan));
  }

  stop(): void {
    this.#timer?.clear();
    this.#timer = null;
  }

  /** Or a sentence about what there is instead. */
  #find({ endpoint, service }: EndpointName): (readonly [string, Member])[] | string {
    const all = [...this.#members];
    const services = new Set(all.map(([, member]) => member.service.name));
    if (service !== undefined && !services.has(service)) return missing('service', service, services);
    const near = all.filter(([, member]) => service === undefined || member.service.name === service);
    const found = near.filter(([, { plan }]) => plan.id === endpoint);
    if (found.length > 0) return found;
    const elsewhere = all.filter(([, { plan }]) => plan.id === endpoint).map(([, member]) => member.service.name);
    if (elsewhere.length > 0) return `${endpoint} is not in service ${service}, but in ${elsewhere.join(', ')}.`;
    return missing('endpoint', endpoint, new Set(near.map(([, { plan }]) => plan.id)));
  }

  /** It serves, and no other of the service does. */
  #isLast(key: string, service: ServicePlan): boolean {
    const others = service.endpoints
      .filter((plan) => this.#serves(service, plan))
      .map(({ id }) => keyOf(service.name, id));
    return others.length === 1 && others[0] === key;
  }

  #serves({ name }: ServicePlan, { id, weight, cell }: EndpointPlan): boolean {
    const isDown = Atomics.load(cellHeader(cell), HEALTH) === HEALTH_DOWN;
    return weight > 0 && !isDown && !this.#drains.has(keyOf(name, id));
  }

  #drain(key: string, withinMs: number, by: DrainState['by']): void {
    const { service, plan } = this.#members.get(key)!;
    const name = { service: service.name, endpoint: plan.id };
    const running = this.#drains.get(key) ?? { name, cell: plan.cell, by, withinMs, drain: serving, word: SERVING };
    running.by = by;
    running.withinMs = withinMs;
    this.#drains.set(key, running);
    const wasServing = running.drain.phase === 'serving';
    this.#step(running, { kind: 'drain', withinMs, takesPinned: service.affinity !== null });
    if (wasServing) {
      this.#options.onEvent({ kind: 'drain-begun', ...name, by, withinMs });
      this.#options.onChange();
    }
    this.#timer ??= this.#options.clock.every(LOOK_MS, () => this.#look());
  }

  #undrain(key: string, running: Running): void {
    this.#forget(key, running);
    this.#options.onEvent({ kind: 'drain-undone', ...running.name });
  }

  #forget(key: string, running: Running): void {
    this.#drains.delete(key);
    this.#step(running, { kind: 'undrain' });
    this.#options.onChange();
  }

  #look(): void {
    let isUnderWay = false;
    for (const running of this.#drains.values()) {
      if (running.drain.phase === 'drained') continue;
      this.#step(running, { kind: 'look', ...readWork(running.cell) });
      if (!this.#tellEnd(running)) isUnderWay = true;
    }
    if (!isUnderWay) this.stop();
  }

  /** False if it goes on. */
  #tellEnd({ drain, name }: Running): boolean {
    if (drain.phase !== 'drained') return false;
    const { cut, told, endedMs, sinceMs } = drain;
    this.#options.onEvent({ kind: 'drain-ended', ...name, tookMs: endedMs - sinceMs, cut, told });
    return true;
  }

  #step(running: Running, event: DrainEvent): void {
    const nowMs = this.#options.clock.nowMs();
    running.drain = step(running.drain, event, nowMs);
    const word = wordOf(running.drain, nowMs);
    if (word === running.word) return;
    running.word = word;
    Atomics.store(cellHeader(running.cell), DRAIN, word);
    if (this.#snapshot !== null) Atomics.add(cellHeader(this.#snapshot.cell), DRAIN_CHANGES, 1);
  }

  #wall(ms: number): string {
    const { clock } = this.#options;
    return new Date(clock.wallMs() + ms - clock.nowMs()).toISOString();
  }
}

/** Since a service's name has no space, the key has one reading. */
function keyOf(service: string, endpoint: string): string {
  return `${service} ${endpoint}`;
}

function membersOf(snapshot: Snapshot | null): (readonly [string, Member])[] {
  return (snapshot?.services ?? []).flatMap((service) =>
    service.endpoints.map((plan) => [keyOf(service.name, plan.id), { service, plan }] as const),
  );
}

function done(found: readonly (readonly [string, Member])[]): DrainOutcome {
  const endpoints = found.map(([, { service, plan }]) => ({ service: service.name, endpoint: plan.id }));
  return { kind: 'done', endpoints };
}

function missing(what: string, given: string, known: ReadonlySet<string>): string {
  const guess = nearest(given, known);
  const hint = guess === null ? `; there are ${[...known].slice(0, 20).join(', ')}` : `. Did you mean ${guess}?`;
  return `There is no ${what} ${JSON.stringify(given)}${hint}`;
}

function readWork(cell: Cell): { readonly left: Left; readonly cut: Cut } {
  const count = reader(cell, ENDPOINT_SLOTS);
  const tunnels = count(slot.tunnels);
  return {
    left: { requests: count(slot.inFlight) - tunnels, tunnels, connections: count(slot.connections) },
    cut: { requests: count(slot.requestsCut), tunnels: count(slot.tunnelsCut) },
  };
}
