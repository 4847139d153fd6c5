/**
 * The data plane of one worker: what every connection of the thread shares, and the config it runs by.
 *
 * Invariants: one thread, so nothing here is ever half-changed when somebody looks; a connection or exchange that began
 * under one snapshot keeps its route, service and endpoint until it ends; pools survive a new snapshot as long as the
 * endpoint and how it is connected to stay the same.
 */
import net from 'node:net';
import tls from 'node:tls';
import { createBalancer } from '../../balance/index.ts';
import { cellLane, type Lane } from '../../kernel/cells.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import { TimerWheel } from '../../kernel/timer-wheel.ts';
import { Accounts } from '../account.ts';
import { PROCESS_SLOTS, processSlots, refusals } from '../slots.ts';
import type { EndpointPlan, ServicePlan, Snapshot } from '../snapshot.ts';
import { requireCloseNotify } from '../tls/close-notify.ts';
import { UpstreamContext } from '../tls/upstream-context.ts';
import { Buffers } from './buffers.ts';
import type { ClientConnection } from './client.ts';
import { Eligibility } from './eligibility.ts';
import { Endpoint, type Opening } from './endpoint.ts';
import { Exchange } from './exchange.ts';
import { Head } from './head.ts';
import type { Listener } from './listener.ts';
import { NetWire } from './net-wire.ts';
import { type Connected, RawTransport } from './raw-transport.ts';
import { createRouter, type Router } from './router.ts';
import { Route, type Service } from './service.ts';
import type { Path } from './write-head.ts';

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
  /** One line for the operator. */
  readonly notice: (level: 'info' | 'warn' | 'error', message: string) => void;
}

export class Plane {
  readonly clock: Clock;
  readonly random: Random;
  readonly laneNumber: number;
  readonly lane: Lane;
  readonly wheel: TimerWheel;
  readonly buffers: Buffers;
  readonly raw: RawTransport | null;
  /** Scratch of the parsers: valid until the next parse. */
  readonly head = new Head();
  readonly responseHead = new Head();
  readonly path: Path = { bytes: new Uint8Array(0), start: 0, end: 0, changed: false };
  readonly pathScratch = new Uint8Array(64 * 1024);
  /** The clock, read once per event. */
  nowMs: number;
  draining = false;
  /** The event loop is late: new requests are refused until it has caught up. */
  lagging = false;
  snapshot: Snapshot;
  router: Router;
  routes: readonly Route[] = [];
  readonly #services = new Map<string, RunningService>();
  readonly #free: Exchange[] = [];
  readonly #options: PlaneOptions;
  readonly accounts: Accounts;

  constructor(options: PlaneOptions) {
    const { clock, snapshot } = options;
    this.#options = options;
    this.clock = clock;
    this.random = options.random;
    this.laneNumber = options.lane;
    this.lane = cellLane(snapshot.cell, PROCESS_SLOTS, options.lane);
    this.nowMs = clock.nowMs();
    this.wheel = new TimerWheel(this.nowMs);
    this.buffers = new Buffers(snapshot.memoryBytesMax);
    this.raw = options.transport === 'net' ? null : RawTransport.detect(this.buffers);
    this.lane[processSlots.fastPath] = this.raw === null ? 0 : 1;
    this.accounts = new Accounts({ clock, random: options.random, lane: this.lane, notice: options.notice });
    this.snapshot = snapshot;
    this.router = createRouter([]);
    this.apply(snapshot);
  }

  /** Reads the clock; called when an event begins. */
  tick(): void {
    this.nowMs = this.clock.nowMs();
  }

  get overloaded(): boolean {
    return this.lagging || this.buffers.full;
  }

  /** Runs by another config from the next request on. */
  apply(snapshot: Snapshot): void {
    const before = new Set(this.#services.values());
    const services = snapshot.services.map((plan) => {
      const key = `${plan.name}\n${JSON.stringify(plan.tls)}`;
      const running = this.#services.get(key) ?? new RunningService(this, plan);
      this.#services.set(key, running);
      before.delete(running);
      running.apply(plan);
      return running;
    });
    for (const [key, running] of this.#services) if (before.has(running)) this.#services.delete(key);
    for (const running of before) running.retire();
    this.routes = snapshot.routes.map((plan) => {
      const service = services[plan.service];
      if (service === undefined)
        throw new RangeError(`route ${plan.name} names service ${plan.service} of ${services.length}`);
      return new Route(this, plan, service);
    });
    this.router = createRouter(snapshot.routes);
    this.snapshot = snapshot;
    this.accounts.apply(snapshot.accessLog);
  }

  /** No new work for the upstream side: idle connections close. */
  drain(): void {
    this.draining = true;
    for (const service of this.#services.values()) for (const endpoint of service.endpoints) endpoint.closeIdle();
  }

  /** Resolves when the listeners have no connection left, or after `timeoutMs`. */
  async empty(listeners: readonly Listener[], timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = this.clock.after(timeoutMs, resolve, { ref: true });
      this.#onLeft = () => {
        if (listeners.some((listener) => listener.open > 0)) return;
        timer.clear();
        resolve();
      };
      this.#onLeft();
    });
    this.#onLeft = null;
  }

  /** Told by a listener that one of its connections is gone. */
  connectionLeft(): void {
    this.#onLeft?.();
  }

  #onLeft: (() => void) | null = null;

  takeExchange(client: ClientConnection, route: Route): Exchange {
    const exchange = this.#free.pop() ?? new Exchange(this);
    exchange.client = client;
    exchange.route = route;
    client.exchange = exchange;
    return exchange;
  }

  giveBackExchange(exchange: Exchange): void {
    if (this.#free.length < FREE_EXCHANGES_MAX) this.#free.push(exchange);
    else this.wheel.remove(exchange);
  }

  /** Counts a refusal and returns its status. */
  countRefusal(number: number): number {
    const slot = processSlots.refusals + number;
    this.lane[slot] = (this.lane[slot] ?? 0) + 1;
    return refusals[number]?.status ?? 500;
  }

  /** Something a server did that an operator may want to know. */
  notice(endpoint: Endpoint | null, problem: string): void {
    this.#options.notice('warn', `${endpoint?.service.plan.name ?? ''} ${endpoint?.plan.id ?? ''}: ${problem}`);
  }

  /** Opens a connection to an endpoint; the fast path if its host is an address and it speaks no TLS. */
  connect(endpoint: Endpoint, done: Connected): Opening {
    const { host, port } = endpoint.plan;
    const { tls: secure } = endpoint.service.plan;
    const told: Connected = (wire, code) => {
      this.tick();
      done(wire, code);
    };
    if (secure === null && this.raw !== null && net.isIP(host) !== 0) return this.raw.connect(host, port, told);
    const socket =
      secure === null
        ? net.connect({ host, port, allowHalfOpen: true })
        : endpoint.service.connectSecurely(endpoint.plan);
    return new NetOpening(this.buffers, socket, secure === null ? 'connect' : 'secureConnect', told);
  }
}

class NetOpening implements Opening {
  readonly #socket: net.Socket;
  #done: Connected | null;

  constructor(buffers: Buffers, socket: net.Socket, event: string, done: Connected) {
    this.#socket = socket;
    this.#done = done;
    const fail = (error: NodeJS.ErrnoException): void => this.#tell(null, error.code ?? 'ERR_SOCKET');
    socket.on('error', fail);
    socket.once(event, () => {
      if (this.#done === null) return;
      socket.off('error', fail);
      this.#tell(new NetWire(socket, buffers), '');
    });
  }

  #tell(wire: NetWire | null, code: string): void {
    const done = this.#done;
    this.#done = null;
    if (wire === null) this.#socket.destroy();
    done?.(wire, code);
  }

  cancel(): void {
    this.#done = null;
    this.#socket.destroy();
  }
}

/** A service over the life of several snapshots. */
class RunningService implements Service {
  plan: ServicePlan;
  endpoints: readonly Endpoint[] = [];
  responseLimits: Service['responseLimits'];
  readonly #plane: Plane;
  #balancer = createBalancer('round-robin', { weights: [] });
  #eligibility = new Eligibility([]);
  #shape = '';
  #context: UpstreamContext | null = null;

  constructor(plane: Plane, plan: ServicePlan) {
    this.#plane = plane;
    this.plan = plan;
    this.responseLimits = { headerBytesMax: 0, headerFieldsMax: 0 };
  }

  apply(plan: ServicePlan): void {
    const { limits } = plan;
    this.plan = plan;
    this.responseLimits = {
      headerBytesMax: limits.responseHeaderBytesMax,
      headerFieldsMax: limits.responseHeaderFieldsMax,
    };
    const shape = JSON.stringify([plan.balance, plan.endpoints.map(({ id, weight }) => [id, weight])]);
    if (shape === this.#shape) return;
    this.#shape = shape;
    const old = new Map(this.endpoints.map((endpoint) => [endpoint.plan.id, endpoint]));
    this.endpoints = plan.endpoints.map((each) => {
      const kept = old.get(each.id);
      old.delete(each.id);
      if (kept === undefined) return new Endpoint(this.#plane, this, each);
      kept.plan = each;
      return kept;
    });
    for (const endpoint of old.values()) endpoint.retire();
    this.#balancer = createBalancer(plan.balance, {
      weights: plan.endpoints.map(({ weight }) => weight),
      start: this.#plane.laneNumber - 1,
    });
    this.#eligibility = new Eligibility(plan.endpoints);
  }

  pick(tried: Uint8Array | null): number {
    return this.#balancer.pick(this.#eligibility.refresh(tried));
  }

  connectSecurely(endpoint: EndpointPlan): tls.TLSSocket {
    const { plan } = this;
    if (plan.tls === null) throw new TypeError(`service ${plan.name} has no TLS`);
    this.#context ??= new UpstreamContext(plan.tls);
    const socket = tls.connect({ ...this.#context.options(endpoint), allowHalfOpen: true } as tls.ConnectionOptions);
    this.#context.remember(endpoint, socket);
    if (plan.tls.closeNotify === 'required') requireCloseNotify(socket);
    return socket;
  }

  retire(): void {
    for (const endpoint of this.endpoints) endpoint.retire();
  }
}
