/**
 * The bench on which the engine is tested: a data plane in this process with origins behind it and clients before it.
 * Every test runs on both transports, and every test ends with the same question: is everything given back?
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Loads } from '../../src/balance/index.ts';
import { DataPlane } from '../../src/gateway/data-plane.ts';
import { BUCKETS } from '../../src/gateway/durations.ts';
import * as slots from '../../src/gateway/slots.ts';
import type { EndpointPlan, ServicePlan, Snapshot } from '../../src/gateway/snapshot.ts';
import { cellHeader, cellLanes, sumSlot, type Cell } from '../../src/kernel/cells.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import type { SpanRecord } from '../../src/observe/trace/span-record.ts';
import { createRandom } from '../../src/kernel/random.ts';
import { Origin } from './origin.ts';
import { connectTo, type Peer } from './peer.ts';
import { type Changes, snapshotOf } from './plans.ts';

export type Transport = 'auto' | 'net';

/** Longer than any test takes; a test that waits for what never happens ends here and says so. */
const TEST_TIMEOUT_MS = 60_000;
const POLL_MS = 5;

/** Waits for something that tells nobody when it happens, such as a gauge. */
export async function eventually(what: string, condition: () => boolean, withinMs = 20_000): Promise<void> {
  const untilMs = systemClock.nowMs() + withinMs;
  while (!condition()) {
    if (systemClock.nowMs() > untilMs) throw new Error(`never happened: ${what}`);
    await new Promise<void>((resolve) => systemClock.after(POLL_MS, resolve, { ref: true }));
  }
}

type EndpointSlot = keyof typeof slots.endpointSlots;
type RouteSlot = keyof typeof slots.routeSlots;
type ListenerSlot = keyof typeof slots.listenerSlots;

export class TestGateway {
  readonly snapshot: Snapshot;
  readonly plane: DataPlane;
  readonly notices: string[];
  /** What has been kept of traces. */
  readonly spans: SpanRecord[] = [];
  readonly #loads: Loads;
  port = 0;

  constructor(snapshot: Snapshot, transport: Transport, clock: Clock) {
    this.snapshot = snapshot;
    this.#loads = new Loads(snapshot.loads, 0);
    const notices: string[] = [];
    this.notices = notices;
    this.plane = new DataPlane({
      clock,
      random: createRandom(),
      lane: 1,
      transport,
      snapshot,
      rowFull: () => {},
      notice: (_level, message) => notices.push(message),
      traced: (spans, taken) => {
        this.spans.push(...spans);
        taken();
      },
    });
  }

  async start(): Promise<this> {
    const ports = await this.plane.apply(this.snapshot, {});
    this.port = ports['web'] ?? 0;
    return this;
  }

  /** A reload: the same config, but for its services. */
  async changeServices(change: (service: ServicePlan) => Partial<ServicePlan>): Promise<void> {
    const { snapshot } = this;
    const services = snapshot.services.map((service) => ({ ...service, ...change(service) }));
    await this.plane.apply({ ...snapshot, version: snapshot.version + 1, services }, {});
  }

  /** What control says of an endpoint: one of the values of its `DRAIN` word. */
  sayDrain(word: number, index = 0): void {
    const { cell } = this.#endpoints[index]!;
    Atomics.store(cellHeader(cell), slots.DRAIN, word);
    Atomics.add(cellHeader(this.snapshot.cell), slots.DRAIN_CHANGES, 1);
  }

  get #endpoints(): readonly EndpointPlan[] {
    return this.snapshot.services.flatMap(({ endpoints }) => endpoints);
  }

  endpoint(slot: EndpointSlot, index = 0): number {
    const { cell } = this.#endpoints[index]!;
    return sum(cell, slots.ENDPOINT_SLOTS, slots.endpointSlots[slot]);
  }

  route(slot: RouteSlot): number {
    return sum(this.snapshot.routes[0]!.cell, slots.ROUTE_SLOTS, slots.routeSlots[slot]);
  }

  /** Requests of the route whose durations are counted. */
  timed(): number {
    const { cell } = this.snapshot.routes[0]!;
    const buckets = Array.from({ length: BUCKETS }, (_, bucket) => slots.routeSlots.buckets + bucket);
    return buckets.reduce((count, slot) => count + sum(cell, slots.ROUTE_SLOTS, slot), 0);
  }

  listener(slot: ListenerSlot): number {
    return sum(this.snapshot.listeners[0]!.cell, slots.LISTENER_SLOTS, slots.listenerSlots[slot]);
  }

  refusals(word: slots.Refusal): number {
    return sum(this.snapshot.cell, slots.PROCESS_SLOTS, slots.processSlots.refusals + slots.refusalNumber(word));
  }

  /** Requests that wait for a store of limits. */
  get parked(): number {
    return sum(this.snapshot.cell, slots.PROCESS_SLOTS, slots.processSlots.parked);
  }

  /** Bytes lent out of the worker's memory. */
  get bufferedBytes(): number {
    return this.plane.bufferedBytes;
  }

  /** Everything that is counted up and down, by name. */
  gauges(): Record<string, number> {
    const gauges: Record<string, number> = {
      connections: this.listener('connections'),
      tunnels: this.listener('tunnels'),
      requestsInFlight: this.route('inFlight'),
      bufferedBytes: this.bufferedBytes,
      parked: this.parked,
    };
    this.#endpoints.forEach((_, i) => {
      gauges[`endpoint ${i} inFlight`] = this.endpoint('inFlight', i);
      gauges[`endpoint ${i} connections`] = this.endpoint('connections', i);
      gauges[`endpoint ${i} tunnels`] = this.endpoint('tunnels', i);
      gauges[`endpoint ${i} idle`] = this.endpoint('idle', i);
      gauges[`endpoint ${i} load`] = this.#loads.inFlight(i);
      gauges[`endpoint ${i} queued`] = this.endpoint('queued', i);
    });
    return gauges;
  }

  /** Waits until every gauge is 0: clients and origins are gone, so all that was taken must be given back. */
  async settled(): Promise<void> {
    const busy = (): string =>
      Object.entries(this.gauges())
        .filter(([, value]) => value !== 0)
        .map(([name, value]) => `${name} ${value}`)
        .join(', ');
    try {
      await eventually('all gauges 0', () => busy() === '');
    } catch {
      assert.fail(`not given back: ${busy()}`);
    }
  }

  async close(): Promise<void> {
    await this.plane.drain(0);
  }
}

function sum(cell: Cell, count: number, slot: number): number {
  return sumSlot(cellLanes(cell, count), slot);
}

export class Bench {
  readonly transport: Transport;
  readonly #gateways: TestGateway[] = [];
  readonly #origins: Origin[] = [];
  readonly #clients: Peer[] = [];

  constructor(transport: Transport) {
    this.transport = transport;
  }

  async origin(): Promise<Origin> {
    const origin = await Origin.listen();
    this.#origins.push(origin);
    return origin;
  }

  /** A gateway in front of these origins (or ports where nobody listens). */
  async gateway(
    origins: readonly (Origin | number)[],
    changes: Changes = {},
    clock: Clock = systemClock,
  ): Promise<TestGateway> {
    const ports = origins.map((origin) => (typeof origin === 'number' ? origin : origin.port));
    const gateway = new TestGateway(snapshotOf(ports, changes), this.transport, clock);
    this.#gateways.push(gateway);
    return await gateway.start();
  }

  async client(gateway: TestGateway): Promise<Peer> {
    const client = await connectTo(gateway.port);
    this.#clients.push(client);
    return client;
  }

  /** The usual beginning: one origin, a gateway before it, a client at the door. */
  async line(
    changes: Changes = {},
    clock: Clock = systemClock,
  ): Promise<{ origin: Origin; gateway: TestGateway; client: Peer }> {
    const origin = await this.origin();
    const gateway = await this.gateway([origin], changes, clock);
    return { origin, gateway, client: await this.client(gateway) };
  }

  /** Ends clients, then servers; then nothing may be left. */
  async close(check: boolean): Promise<void> {
    for (const client of this.#clients) client.destroy();
    for (const origin of this.#origins) await origin.close();
    try {
      if (check) for (const gateway of this.#gateways) await gateway.settled();
    } finally {
      for (const gateway of this.#gateways) await gateway.close();
    }
  }
}

/** A test on the fast path and on the public one. */
export function onBoth(title: string, run: (bench: Bench) => Promise<void>): void {
  for (const transport of ['auto', 'net'] as const) on(transport, title, run);
}

/** A test of what only the fast path does. */
export function onFast(title: string, run: (bench: Bench) => Promise<void>): void {
  on('auto', title, run);
}

function on(transport: Transport, title: string, run: (bench: Bench) => Promise<void>): void {
  test(`${title} [${transport}]`, { timeout: TEST_TIMEOUT_MS }, async () => {
    const bench = new Bench(transport);
    let passed = false;
    try {
      await run(bench);
      passed = true;
    } finally {
      await bench.close(passed);
    }
  });
}
