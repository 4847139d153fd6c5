/** An endpoint of one worker before connections over which nothing goes, with a model of who has what and who is next. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { snapshotOf } from './plans.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { cellHeader } from '../../src/kernel/cells.ts';
import { CLOSED, CUT, DRAIN, DRAINING, endpointSlots as slot, SERVING } from '../../src/gateway/slots.ts';
import type { EndpointPlan, ServicePlan } from '../../src/gateway/snapshot.ts';
import type { Connected } from '../../src/gateway/l7/connector.ts';
import { DRAIN_OVER, Endpoint, type Opening, type Waiter } from '../../src/gateway/l7/endpoint.ts';
import { Plane } from '../../src/gateway/l7/plane.ts';
import { RetryBudget } from '../../src/gateway/l7/retry-budget.ts';
import type { Service } from '../../src/gateway/l7/service.ts';
import type { Sender, UpstreamConnection } from '../../src/gateway/l7/upstream.ts';
import { nobody, type Wire } from '../../src/gateway/l7/wire.ts';

const QUEUE_MAX = 5;
const REQUESTS_MAX = 4;

/** A stream over which nothing goes. */
class SilentWire implements Wire {
  owner = nobody;
  readonly stable = true;
  closed = false;
  readonly congested = false;
  readonly pendingBytes = 0;
  sends = 0;
  readonly heldBytesMax = Number.POSITIVE_INFINITY;
  write(): boolean {
    this.sends++;
    return true;
  }
  give(): boolean {
    return true;
  }
  pause(): void {}
  resume(): void {}
  bulk(): void {}
  bulkOver(): void {}
  end(): void {}
  finish(): void {}
  close(): void {
    this.closed = true;
  }
  reset(): void {
    this.closed = true;
  }
}

type Told = 'nothing' | 'connecting' | 'connected' | 'failed' | 'left';

class Request implements Waiter, Sender {
  opening: Opening | null = null;
  queuedAt: Endpoint | null = null;
  told: Told = 'nothing';
  connection: UpstreamConnection | null = null;
  readonly reuse: boolean;
  readonly #onTurn: (request: Request) => void;

  constructor(reuse: boolean, onTurn: (request: Request) => void) {
    this.reuse = reuse;
    this.#onTurn = onTurn;
  }

  onConnecting(): void {
    assert.equal(this.told, 'nothing');
    this.told = 'connecting';
    this.#onTurn(this);
  }

  onHandshake(): void {}

  onConnection(connection: UpstreamConnection, reused: boolean): void {
    assert.equal(this.told, reused ? 'nothing' : 'connecting');
    assert.ok(this.reuse || !reused, 'a connection that served others, for a request that must not have it');
    assert.ok(!connection.wire.closed && connection.requests < REQUESTS_MAX);
    if (reused) this.#onTurn(this);
    this.told = 'connected';
    this.connection = connection;
    connection.attempt = this;
    connection.requests += 1;
  }

  onNoConnection(code: string): void {
    if (code === DRAIN_OVER && this.told === 'nothing') this.#onTurn(this);
    else assert.equal(this.told, 'connecting');
    this.told = 'failed';
  }

  onUpstreamBytes(): void {}
  onUpstreamEnd(): void {}
  onUpstreamClose(): void {}
  onUpstreamDrain(): void {}

  cut(): void {
    assert.equal(this.told, 'connected');
    this.told = 'failed';
    this.connection?.close();
  }
}

export type Step =
  | { readonly kind: 'ask'; readonly reuse: boolean }
  /** Of what is there, the one at this number. */
  | {
      readonly kind: 'opened' | 'refused' | 'answered' | 'answeredNow' | 'broken' | 'lost' | 'left';
      readonly which: number;
    }
  | { readonly kind: 'limits'; readonly connectionsMax: number; readonly idleConnectionsMax: number }
  | { readonly kind: 'drain'; readonly word: number }
  | { readonly kind: 'retire' };

const which = fc.nat(20);
export const steps = fc.array(
  fc.oneof(
    { weight: 20, arbitrary: fc.record({ kind: fc.constant('ask' as const), reuse: fc.boolean() }) },
    {
      weight: 40,
      arbitrary: fc.record({
        kind: fc.constantFrom(
          ...([
            'opened',
            'opened',
            'refused',
            'answered',
            'answered',
            'answeredNow',
            'broken',
            'lost',
            'left',
          ] as const),
        ),
        which,
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('limits' as const),
        connectionsMax: fc.integer({ min: 1, max: 4 }),
        idleConnectionsMax: fc.nat(4),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('drain' as const),
        word: fc.constantFrom(SERVING, SERVING, DRAINING, CLOSED, CUT),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('retire' as const) }) },
  ),
  { maxLength: 150, size: 'max' },
);

export interface WorldOptions {
  readonly lane?: number;
  readonly clock?: Clock;
  readonly shared?: Pick<EndpointPlan, 'cell' | 'connectionsMax'>;
  /** An endpoint of another config counts in the same lane. */
  readonly isLaneShared?: boolean;
}

export class World {
  readonly snapshot = snapshotOf([1], {
    serviceLimits: {
      connectionsMax: 2,
      idleConnectionsMax: 2,
      queueMax: QUEUE_MAX,
      requestsPerConnectionMax: REQUESTS_MAX,
    },
  });
  plan: ServicePlan = this.snapshot.services[0]!;
  readonly endpoint: Endpoint;
  /** Connections on their way. */
  readonly opening = new Set<(opened: boolean) => void>();
  readonly wires: SilentWire[] = [];
  readonly requests: Request[] = [];
  /** On these an answer has just ended. */
  readonly settling = new Set<Wire>();
  /** In the order in which they came. */
  readonly line: Request[] = [];
  retired = false;
  word = SERVING;
  readonly #isShared: boolean;
  readonly #isLaneShared: boolean;

  /** The worker at `lane`; `shared` is an endpoint that other workers have connections to as well. */
  constructor({ lane = 1, clock = systemClock, shared, isLaneShared = false }: WorldOptions = {}) {
    const { snapshot } = this;
    this.#isShared = shared !== undefined;
    this.#isLaneShared = isLaneShared;
    if (shared !== undefined) {
      this.plan = { ...this.plan, endpoints: this.plan.endpoints.map((endpoint) => ({ ...endpoint, ...shared })) };
    }
    const random = seededRandom(1);
    const plane = new Plane({
      clock,
      random,
      lane,
      transport: 'net',
      snapshot,
      rowFull: () => {},
      traced: () => {},
      notice: () => {},
    });
    const planOf = (): ServicePlan => this.plan;
    const service: Service = {
      get plan() {
        return planOf();
      },
      responseLimits: { headerBytesMax: 0, headerFieldsMax: 0 },
      read: () => undefined,
      budget: new RetryBudget(),
      breaker: null,
      pick: () => null,
      hasLeft: () => false,
      pinField: () => new Uint8Array(0),
      connect: (_plan, _onHandshake, done) => this.#connect(done),
    };
    this.endpoint = new Endpoint(plane, service, this.plan.endpoints[0]!);
  }

  #connect(done: Connected): Opening {
    const finish = (opened: boolean): void => {
      this.opening.delete(finish);
      const wire = opened ? new SilentWire() : null;
      if (wire !== null) this.wires.push(wire);
      done(wire, opened ? '' : 'ECONNREFUSED', '');
    };
    this.opening.add(finish);
    return { cancel: () => void this.opening.delete(finish) };
  }

  get open(): SilentWire[] {
    return this.wires.filter(({ closed }) => !closed);
  }

  get served(): Request[] {
    return this.requests.filter(({ told }) => told === 'connected');
  }

  take(step: Step): void {
    this.endpoint.plane.tick();
    switch (step.kind) {
      case 'ask':
        this.#ask(step.reuse);
        break;
      case 'opened':
      case 'refused':
        at([...this.opening], step.which)?.(step.kind === 'opened');
        break;
      case 'answered':
      case 'answeredNow':
      case 'broken':
        this.#end(step.kind, at(this.served, step.which));
        break;
      case 'lost':
        this.#lose(at(this.open, step.which));
        break;
      case 'left':
        this.#leave(at(this.requests, step.which));
        break;
      case 'limits':
        this.plan = { ...this.plan, limits: { ...this.plan.limits, ...step } };
        this.endpoint.limitsChanged();
        break;
      case 'drain':
        this.#drain(step.word);
        break;
      case 'retire':
        this.retired = true;
        this.endpoint.retire();
        break;
      default:
        step satisfies never;
    }
    this.check();
  }

  #drain(word: number): void {
    const { plane, plan } = this.endpoint;
    Atomics.store(cellHeader(plan.cell), DRAIN, word);
    this.word = word;
    plane.heedDrains();
    if (word === CUT)
      assert.deepEqual([this.served.length, this.line.length], [0, 0], 'all is cut but what is on its way');
  }

  #ask(reuse: boolean): void {
    const request = new Request(reuse, (whose) => this.#onTurn(whose));
    const waiting = this.line.length;
    const settling = this.open.filter((wire) => this.settling.has(wire)).length;
    if (this.endpoint.acquire(request, reuse)) {
      this.requests.push(request);
      if (request.queuedAt !== null) this.line.push(request);
    } else
      assert.ok(waiting >= QUEUE_MAX + settling, `refused at ${waiting}, where ${settling} are about to be served`);
  }

  #onTurn(request: Request): void {
    const place = this.line.indexOf(request);
    assert.ok(place <= 0, `served before ${place} others`);
    if (place === 0) this.line.shift();
    else if (request.told === 'connecting') assert.equal(this.line.length, 0, 'a place for one who came later');
  }

  #end(how: 'answered' | 'answeredNow' | 'broken', request: Request | undefined): void {
    const connection = request?.connection ?? null;
    if (request === undefined || connection === null) return;
    this.#forget(request);
    if (how === 'broken') {
      connection.close();
      return;
    }
    connection.attempt = null;
    this.endpoint.release(connection);
    this.settling.add(connection.wire);
    if (how === 'answeredNow') return;
    // Who waits has it when one turn more is over.
    const { outbox } = this.endpoint.plane;
    this.settling.clear();
    outbox.turned();
    outbox.turned();
  }

  #lose(wire: SilentWire | undefined): void {
    if (wire === undefined) return;
    wire.closed = true;
    for (const request of this.served) if (request.connection?.wire === wire) this.#forget(request);
    wire.owner.onClose('ECONNRESET');
  }

  #leave(request: Request | undefined): void {
    if (request === undefined || request.told === 'connected') return;
    const place = this.line.indexOf(request);
    if (place >= 0) this.line.splice(place, 1);
    this.#forget(request);
    this.endpoint.leave(request);
  }

  #forget(request: Request): void {
    request.told = 'left';
    this.requests.splice(this.requests.indexOf(request), 1);
  }

  /** Those who were told that there is no connection ask no more. */
  forgetFailed(): void {
    for (const request of this.requests.filter(({ told }) => told === 'failed')) {
      this.requests.splice(this.requests.indexOf(request), 1);
    }
  }

  check(): void {
    const { lane } = this.endpoint;
    const open = this.open.length + this.opening.size;
    const idle = this.open.filter((wire) => !this.settling.has(wire)).length - this.served.length;
    const { connectionsMax, idleConnectionsMax } = this.plan.limits;
    if (!this.#isLaneShared)
      assert.deepEqual(
        [lane[slot.connections], lane[slot.idle], lane[slot.queued]],
        [open, idle, this.line.length],
        'connections, idle, queued',
      );
    assert.ok(idle <= idleConnectionsMax);
    if (this.word === CUT) assert.equal(this.served.length, 0, 'nothing begins where all is cut');
    if (this.retired || this.word !== SERVING) assert.equal(idle, 0);
    const isBusy = open + this.line.length > 0;
    assert.equal(this.endpoint.plane.busy.has(this.endpoint), isBusy, 'a worker knows who has something');
    if (idle > 0) assert.ok(open <= connectionsMax);
    if (this.line.length > 0 && !this.#isShared)
      assert.ok(open >= connectionsMax && idle === 0, 'nobody waits for what is there');
  }
}

function at<T>(list: readonly T[], number: number): T | undefined {
  return list.length === 0 ? undefined : list[number % list.length];
}
