/**
 * The data plane of one worker: what every connection of the thread shares, and the config it runs by.
 *
 * Invariants: one thread, so nothing here is ever half-changed when somebody looks; a connection or exchange that began
 * under one snapshot keeps its route, service and endpoint until it ends; pools survive a new snapshot as long as the
 * endpoint and how it is connected to stay the same.
 */
import { Loads } from '../../balance/index.ts';
import { cellLane, type Lane } from '../../kernel/cells.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import { TicklessWheel } from '../../kernel/tickless-wheel.ts';
import { TimerWheel } from '../../kernel/timer-wheel.ts';
import { Accounts } from '../account.ts';
import { Leases } from '../limits/leases.ts';
import { Limits } from '../limits/limits.ts';
import { Stores } from '../limits/stores.ts';
import { createVerdict } from '../limits/verdict.ts';
import { PROCESS_SLOTS, processSlots, refusals } from '../slots.ts';
import type { CanaryPlan, Snapshot } from '../snapshot.ts';
import { type SendSpans, Tracer } from '../tracing/tracer.ts';
import { refusalAnswer, type RefusalAnswer } from './answer.ts';
import { Buffers } from './buffers.ts';
import { CanaryRun } from './canary-run.ts';
import type { ClientConnection } from './client.ts';
import { HttpDate } from './http-date.ts';
import type { Endpoint } from './endpoint.ts';
import { Exchange } from './exchange.ts';
import { Head } from './head.ts';
import { Outbox } from './outbox.ts';
import { Parking } from './parked.ts';
import { RawTransport } from './raw-transport.ts';
import { createRouter, type Router } from '../routing/router.ts';
import { RunningService } from './running-service.ts';
import { type Arm, Route } from './service.ts';
import type { Tunnel } from './tunnel.ts';
import type { Wire } from './wire.ts';
import type { Path } from './write-head.ts';

/** A server that fails every fifth request makes a row full with each: control is not told more often. */
const ROW_QUIET_MS = 20;
/** After so many events within a turn the clock is read again: a turn with a thousand connections in it may last for half a second. */
const EVENTS_PER_READING = 16;
/** Exchanges kept for reuse: about 1 KB each. */
const FREE_EXCHANGES_MAX = 1024;

export interface PlaneOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The worker's lane in every cell. */
  readonly lane: number;
  /** `net` takes the public path even where the fast one is there. */
  readonly transport: 'auto' | 'net';
  readonly snapshot: Snapshot;
  /** Some endpoint has failed so often in a row that control should look at it now. */
  readonly rowFull: () => void;
  /** One line for the operator. */
  readonly notice: (level: 'info' | 'warn' | 'error', message: string) => void;
  /** What is kept of traces. */
  readonly traced: SendSpans;
}

export class Plane {
  readonly clock: Clock;
  readonly random: Random;
  readonly laneNumber: number;
  readonly lane: Lane;
  readonly wheel: TimerWheel;
  /** For what is due sooner than the wheel is exact. */
  readonly shortWaits: TicklessWheel;
  readonly buffers: Buffers;
  readonly raw: RawTransport | null;
  /** Says when a turn of the event loop is over; the fast path leaves its writes there too. */
  readonly outbox: Outbox;
  /** Scratch of the parsers: valid until the next parse. */
  readonly head: Head;
  readonly responseHead: Head;
  readonly path: Path = { bytes: new Uint8Array(0), start: 0, end: 0, changed: false };
  readonly pathScratch = new Uint8Array(64 * 1024);
  /** All that are open. */
  readonly tunnels = new Set<Tunnel>();
  /** Those that have a connection, or one on its way: of the config in force, of one on trial, and of those that are over. */
  readonly busy = new Set<Endpoint>();
  /** The clock, as of this event or a few before it in the same turn. */
  nowMs: number;
  draining = false;
  /** The event loop is late: new requests are refused until it has caught up. */
  lagging = false;
  snapshot: Snapshot;
  router: Router;
  routes: readonly Route[] = [];
  /** A config on trial; null nearly always. */
  canary: CanaryRun | null = null;
  #services: ReadonlyMap<string, RunningService> = new Map();
  readonly #free: Exchange[] = [];
  readonly #options: PlaneOptions;
  #rowQuietMs = 0;
  #heedsSoon = false;
  /** The turn in which the clock was read. */
  #readIn = -1;
  /** Events for which that will do. */
  #eventsLeft = 0;
  readonly tracer: Tracer;
  readonly accounts: Accounts;
  readonly date: HttpDate;
  /** What requests hold of limits on concurrency. */
  readonly leases = new Leases(() => this.nowMs);
  /** Where limits count that are a fleet's. */
  readonly stores: Stores;
  /** Who waits for them. */
  readonly parking: Parking;
  /** What limits said of the request that is being received. */
  readonly verdict = createVerdict();
  /** What this worker adds to what all know of endpoints, by `EndpointPlan.loadSlot`. */
  readonly loads: Loads;

  constructor(options: PlaneOptions) {
    const { clock, snapshot } = options;
    this.#options = options;
    this.clock = clock;
    this.random = options.random;
    this.laneNumber = options.lane;
    this.lane = cellLane(snapshot.cell, PROCESS_SLOTS, options.lane);
    this.nowMs = clock.nowMs();
    this.wheel = new TimerWheel(this.nowMs);
    this.shortWaits = new TicklessWheel(clock);
    this.buffers = new Buffers(snapshot.memoryBytesMax);
    this.parking = new Parking(snapshot.memoryBytesMax);
    this.raw = options.transport === 'net' ? null : RawTransport.detect(this.buffers);
    this.head = new Head(this.raw?.scan?.requestRoom);
    this.responseHead = new Head(this.raw?.scan?.responseRoom);
    this.outbox = this.raw?.outbox ?? new Outbox(this.buffers);
    this.lane[processSlots.fastPath] = this.raw === null ? 0 : 1;
    this.stores = new Stores({ clock, lane: options.lane, notice: options.notice });
    this.date = new HttpDate(clock);
    const { lane, random } = this;
    this.tracer = new Tracer({ clock, random, lane, time: this, send: options.traced });
    this.accounts = new Accounts({ clock, random, lane, tracer: this.tracer, notice: options.notice });
    this.loads = new Loads(snapshot.loads, options.lane);
    this.snapshot = snapshot;
    this.router = createRouter([]);
  }

  /**
   * Called when something comes by a connection. Where somebody is told of the end of the turn, one reading of the clock does for several events of
   * it. Not for all: libuv goes on with a turn as long as a thousand sockets are ready at once, and what is asked and answered in it takes time.
   */
  tick(): void {
    const { isDue, turns } = this.outbox;
    if (!isDue || this.#readIn !== turns || --this.#eventsLeft <= 0) this.readClock();
  }

  readClock(): void {
    this.#readIn = this.outbox.turns;
    this.#eventsLeft = EVENTS_PER_READING;
    this.nowMs = this.clock.nowMs();
  }

  get overloaded(): boolean {
    return this.lagging || this.buffers.full;
  }

  /** Runs by a config, the first or another, from the next request on; its stores are open. All or nothing: if it throws, nothing has changed. */
  apply(snapshot: Snapshot): void {
    const services = new Map(
      snapshot.services.map((plan) => {
        const key = RunningService.keyOf(plan);
        return [key, this.#services.get(key) ?? new RunningService(this, plan)];
      }),
    );
    const running = [...services.values()];
    const limits = this.limitsOf(snapshot);
    const routes = snapshot.routes.map((plan) => new Route(this, plan, running, limits));
    const router = createRouter(snapshot.routes);
    this.snapshot = snapshot;
    for (const plan of snapshot.services) services.get(RunningService.keyOf(plan))?.apply(plan);
    for (const [key, service] of this.#services) if (!services.has(key)) service.retire();
    this.#services = services;
    this.routes = routes;
    this.router = router;
    this.#endWhatLeft();
    this.accounts.apply(snapshot.accessLog);
    this.tracer.apply(snapshot.traces);
  }

  /** Its limits as this worker runs them. Counters go on: they are in the snapshot, or in stores, which are open. */
  limitsOf(snapshot: Snapshot): Limits | null {
    return Limits.of(snapshot, { clock: this.clock, lane: this.laneNumber, leases: this.leases, stores: this.stores });
  }

  /** Connections to stores that no config names any more end when what began by it has. */
  retainStores(): void {
    const { canary, snapshot } = this;
    this.stores.retain(canary === null ? [snapshot] : [snapshot, canary.snapshot], snapshot.drainTimeoutMs);
  }

  /** Puts a config on trial, or ends the trial; its stores are open. Throws, with nothing changed, if it cannot be run. */
  setCanary(plan: CanaryPlan | null): void {
    const next = plan === null ? null : new CanaryRun(this, plan);
    this.canary?.retire();
    this.canary = next;
    this.#endWhatLeft();
  }

  /** What endpoints still have under way that no config has any more gets the time of a drain. */
  #endWhatLeft(): void {
    // To make what a config says took time.
    this.readClock();
    const left = [...this.busy].filter(({ retired }) => retired);
    if (left.length === 0) return;
    const services = [...this.snapshot.services, ...(this.canary?.snapshot.services ?? [])];
    const there = new Set(services.flatMap(({ name, endpoints }) => endpoints.map(({ id }) => `${name} ${id}`)));
    for (const endpoint of left) {
      const isThere = there.has(`${endpoint.service.plan.name} ${endpoint.plan.id}`);
      if (isThere) endpoint.endNever();
      else endpoint.endAfter(this.snapshot.drainTimeoutMs);
    }
  }

  /** No new work for the upstream side: idle connections close. */
  drain(): void {
    this.draining = true;
    for (const service of this.#services.values()) service.closeIdle();
    this.setCanary(null);
  }

  /** A drain of some endpoint has begun, ended, or run out of time. */
  heedDrains(): void {
    this.readClock();
    for (const endpoint of [...this.busy]) endpoint.heedDrain();
    for (const tunnel of this.tunnels) if (tunnel.endpoint.isCut) tunnel.leave();
  }

  /** Once for all whose time is over now: what leaves the config together is cut together. */
  heedDrainsSoon(): void {
    if (this.#heedsSoon) return;
    this.#heedsSoon = true;
    queueMicrotask(() => {
      this.#heedsSoon = false;
      this.heedDrains();
    });
  }

  takeExchange(client: ClientConnection, route: Route, arm: Arm): Exchange {
    const exchange = this.#free.pop() ?? new Exchange(this);
    exchange.client = client;
    exchange.route = route;
    exchange.arm = arm;
    exchange.service = arm.service;
    exchange.trial = this.canary === null ? null : this.canary.begun(route);
    client.exchange = exchange;
    return exchange;
  }

  giveBackExchange(exchange: Exchange): void {
    this.leases.ended(exchange);
    if (this.#free.length < FREE_EXCHANGES_MAX) this.#free.push(exchange);
    else exchange.discard();
  }

  /** Counts a refusal and writes it; the caller decides what becomes of the connection. Returns the status. */
  refuse(wire: Wire, answer: Omit<RefusalAnswer, 'wallMs'>): number {
    const { number } = answer;
    const slot = processSlots.refusals + number;
    this.lane[slot] = (this.lane[slot] ?? 0) + 1;
    wire.write(refusalAnswer({ ...answer, wallMs: this.clock.wallMs() }));
    return refusals[number]?.status ?? 500;
  }

  /** Some endpoint has made its row of errors full. Control looks at all of them, so once in a while is enough. */
  rowFull(): void {
    if (this.nowMs < this.#rowQuietMs) return;
    this.#rowQuietMs = this.nowMs + ROW_QUIET_MS;
    this.#options.rowFull();
  }

  /** One line that an operator may want to read. */
  notice(message: string): void {
    this.#options.notice('warn', message);
  }
}
