/**
 * What would happen to a request, and why: the refusal it would meet, or the route that wins, why each other loses, and which
 * endpoints may be picked. Nothing is sent and nothing changes.
 *
 * The same parser, path rules, router and eligibility as the data plane decide, on the bytes that a client would send; so the
 * answer cannot differ from what happens. Who may be picked is read from the cells of the snapshot: live in a running gateway,
 * of nobody in one made from a file. Why is what its control thread knows (`KnownReader`).
 *
 * Not covered: what depends on the connection (its limits, PROXY protocol, certificates of clients) or on load (full queues).
 * Cost: one parse and O(routes + endpoints) strings; not for the hot path. Pure.
 */
import { Tiers } from '../../balance/index.ts';
import type { Condition } from '../../health/index.ts';
import { cellLanes, sumSlot } from '../../kernel/cells.ts';
import { publishedPhase } from '../breakers/service-breaker.ts';
import { type ExplainedLimit, explainLimits, leftInMemory, type LeftReader } from '../limits/explain-limits.ts';
import type { BreakerPhase } from '../../resilience/breaker-life.ts';
import { addressFrom, AddressSet } from '../../kernel/ip-address.ts';
import { seededRandom } from '../../kernel/random.ts';
import { ENDPOINT_SLOTS, endpointSlots, refusals, type Refusal, refusalNumber } from '../slots.ts';
import { judgeRoutes, type RouteVerdict } from '../routing/route-reasons.ts';
import { createRouter } from '../routing/router.ts';
import type { EndpointOrigin, EndpointPlan, ListenerPlan, RoutePlan, ServicePlan, Snapshot } from '../snapshot.ts';
import { drainWord, Eligibility } from './eligibility.ts';
import { type ExplainedAnswer, explainShaping } from './explain-shaping.ts';
import { type ExplainRequest, writeRequest, type WrittenRequest } from './explain-request.ts';
import { Forwarding, ForwardingWriter } from './forwarded.ts';
import { CHUNKED, Head, OK } from './head.ts';
import { parseRequestHead } from './request-head.ts';
import { normalizePath, PATH_REFUSED, PATH_SAME } from './target.ts';

export type { ExplainRequest } from './explain-request.ts';

/** Who asks, if nothing else is said. */
const CLIENT_DEFAULT = '127.0.0.1';

/** What a running gateway knows. */
export interface KnownReader {
  readonly endpoint: (service: string, endpoint: string) => { readonly health: Condition; readonly reason: string };
  /** Why the breaker of the service is as it is. */
  readonly breaker: (service: string) => string;
}

export interface ExplainedEndpoint {
  readonly address: string;
  /** Where it is known from. */
  readonly source: EndpointOrigin;
  readonly weight: number;
  readonly health: Condition;
  readonly inFlight: number;
  readonly mayBePicked: boolean;
  /** Why, in words. */
  readonly reason: string;
}

export interface ExplainedBreaker {
  readonly phase: BreakerPhase;
  /** Why, in words. */
  readonly reason: string;
}

export interface ExplainedRefusal {
  readonly word: Refusal;
  readonly status: number;
  /** What the client would read. */
  readonly text: string;
  /** What exactly, and the rule. */
  readonly detail: string;
}

export interface Explanation {
  /** As the gateway reads it; `host` and `path` are what is routed by. */
  readonly request: {
    readonly method: string;
    readonly listener: string;
    readonly host: string;
    readonly path: string;
    readonly query: string | null;
  };
  /** Set if the gateway would answer by itself. */
  readonly refusal: ExplainedRefusal | null;
  /** Name of the winner. */
  readonly route: string | null;
  /** Every route in the order of the file; empty if the request is refused before routing. */
  readonly routes: readonly RouteVerdict[];
  /** What it would be counted by, in the order of the config. */
  readonly limits: readonly ExplainedLimit[];
  /** Of a split: the one that would get it. */
  readonly arm: string | null;
  /** What the route answers by itself; then there is no service. */
  readonly answer: ExplainedAnswer | null;
  readonly service: {
    readonly name: string;
    readonly balance: string;
    /** Null if it has none. */
    readonly breaker: ExplainedBreaker | null;
    readonly endpoints: readonly ExplainedEndpoint[];
  } | null;
  /** What else is worth knowing, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * Explains `request` under `snapshot`; `known` is absent for one made from a file, and then nothing is known of what limits have left. Throws TypeError if the snapshot has no listener, or
 * none of that name.
 */
export function explain(
  snapshot: Snapshot,
  request: ExplainRequest,
  known: KnownReader | null = null,
  left: LeftReader = known === null ? () => null : leftInMemory(snapshot),
): Explanation {
  const notes: string[] = [];
  const written = writeRequest(request);
  notes.push(...written.notes);
  const listener = chooseListener(snapshot.listeners, request.listener, written, notes);
  const head = new Head();
  const limits = { ...listener.limits, underscoresInNames: listener.strict.underscoresInNames };
  const verdict = parseRequestHead(head, written.bytes, 0, written.bytes.length, limits);
  const read = {
    method: request.method,
    listener: listener.id,
    host: written.host,
    path: written.path,
    query: written.query,
  };
  const nothing = { request: read, route: null, routes: [], limits: [], arm: null, service: null, answer: null, notes };
  if (verdict !== OK) {
    const refusal = refusals[verdict]?.word ?? 'bad_field';
    return { ...nothing, refusal: refused(refusal, head.problem) };
  }
  if (head.end !== written.bytes.length) {
    return {
      ...nothing,
      refusal: refused('bad_field', 'A line break in a field ends the head early (RFC 9112 §11.1).'),
    };
  }
  const path = routedPath(head, written.bytes, listener);
  if (path === null) {
    return {
      ...nothing,
      refusal: refused('bad_path', 'It holds %00, an incomplete escape, or an escaped slash (RFC 3986 §6.2.2).'),
    };
  }
  if (path !== written.path) notes.push(`The path is routed and forwarded in its normal form, ${path}.`);

  const host = head
    .text(head.hostStart, head.hostNameEnd)
    .toLowerCase()
    .replace(/(.)\.$/, '$1');
  const asked = { ...read, host, path };
  const forwarding = new Forwarding(addressFrom(request.client ?? CLIENT_DEFAULT));
  const prepared = forwardingWriter(snapshot, listener).prepare(forwarding, head);
  if (prepared !== OK)
    return { ...nothing, refusal: refused(refusals[prepared]?.word ?? 'loop', 'Its Via field says so.') };
  const bytes = Buffer.from(path, 'latin1');
  const routed = { head, path: { bytes, start: 0, end: bytes.length, changed: true }, client: forwarding.client };
  const winner = createRouter(snapshot.routes).table(listener.id).match(routed);
  const routes = judgeRoutes(snapshot.routes, winner, { ...asked, routed });
  const route = snapshot.routes[winner];
  const base = { ...nothing, request: asked, route: route?.name ?? null, routes };
  if (route === undefined) {
    const detail =
      snapshot.routes.length === 0 ? 'There are no routes.' : 'Each route is listed with what does not match.';
    return { ...base, refusal: refused('no_route', detail) };
  }
  const { clientText, clientLength } = forwarding;
  const shapedRequest = { routed, clientText, clientLength, secure: listener.tls !== null };
  const keyed = { routed, listener: listener.id, route: route.name };
  const met = explainLimits(snapshot, listener, route, { request: keyed, left });
  const limited = { ...base, limits: met };
  const over = met.filter(({ now }) => now?.refused === true);
  if (over.length > 0) return { ...limited, refusal: refused('rate_limited', overText(over)) };
  const shaped = explainShaping(snapshot, route, shapedRequest, listener.strict);
  notes.push(...shaped.notes);
  const { arm, answer } = shaped;
  if (shaped.badPath) return { ...limited, refusal: refused('bad_path', 'What the route makes of it is no path.') };
  const service = shaped.service === null ? undefined : snapshot.services[shaped.service];
  if (service === undefined) return { ...limited, answer, refusal: null };
  noteExchange(head, written.bytes, route, notes);
  const endpoints = explainEndpoints(service, known);
  const breaker = explainBreaker(service, known);
  const explained = { name: service.name, balance: service.balance.algorithm, breaker, endpoints };
  const refusal = refusalAfterRouting(head, route, service, explained);
  return { ...limited, arm, service: explained, refusal };
}

/** What a listener makes of the fields about the client: which are believed, and which are not even looked at. */
function forwardingWriter(snapshot: Snapshot, plan: ListenerPlan): ForwardingWriter {
  const trusted = AddressSet.compile(plan.trustedProxies);
  if ('mistake' in trusted) throw new TypeError(`not a range of addresses: ${trusted.mistake}`);
  return new ForwardingWriter({
    plan,
    trusted,
    pseudonym: snapshot.pseudonym,
    port: plan.port,
    random: seededRandom(1),
    tracer: null,
  });
}

function overText(over: readonly ExplainedLimit[]): string {
  return over
    .map(
      ({ name, countsAs, now }) =>
        `Limit ${name} has ${now?.remaining ?? 0} of ${now?.limit ?? 0} left for ${countsAs}.`,
    )
    .join(' ');
}

function refused(word: Refusal, detail: string): ExplainedRefusal {
  const { status, text } = refusals[refusalNumber(word)]!;
  return { word, status, text, detail };
}

function refusalAfterRouting(
  head: Head,
  route: RoutePlan,
  service: ServicePlan,
  { breaker, endpoints }: Pick<NonNullable<Explanation['service']>, 'breaker' | 'endpoints'>,
): ExplainedRefusal | null {
  if (head.contentLength > route.requestBodyBytesMax) {
    return refused('body_too_large', `${head.contentLength} bytes; the route takes ${route.requestBodyBytesMax}.`);
  }
  if (breaker !== null && (breaker.phase === 'open' || breaker.phase === 'isolated')) {
    return refused('breaker_open', `The breaker of ${service.name} is ${breaker.phase}: ${breaker.reason}.`);
  }
  if (!endpoints.some(({ mayBePicked }) => mayBePicked)) {
    const { name, discovery } = service;
    const isUnknown = endpoints.length === 0 && discovery !== null;
    const why = isUnknown
      ? `No endpoint of ${name} is known: ${discovery} has given none`
      : `No endpoint of ${name} may be picked`;
    return refused('no_endpoint', `${why}; Retry-After: ${service.retryAfterS}.`);
  }
  return null;
}

/** The listener asked for; else the first that fits the URL's scheme and port, then its scheme, then the first. */
function chooseListener(
  listeners: readonly ListenerPlan[],
  wanted: string | undefined,
  { secure, port }: WrittenRequest,
  notes: string[],
): ListenerPlan {
  if (wanted !== undefined) {
    const named = listeners.find((listener) => listener.id === wanted);
    if (named !== undefined) return named;
    throw new TypeError(
      `There is no listener ${wanted}; there are ${listeners.map((listener) => listener.id).join(', ')}.`,
    );
  }
  const fitting = listeners.filter((listener) => secure === null || (listener.tls !== null) === secure);
  const chosen = fitting.find((listener) => listener.port === port) ?? fitting[0] ?? listeners[0];
  if (chosen === undefined) throw new TypeError('There are no listeners.');
  if (fitting.length === 0) {
    notes.push(
      `No listener speaks ${secure ? 'TLS' : 'plain HTTP'}; this is the answer of ${chosen.id}, which does not.`,
    );
  } else if (listeners.length > 1) notes.push(`It is taken to arrive on listener ${chosen.id}.`);
  return chosen;
}

/** The path in the form that is routed, or null if it is refused. `*` and an absent path stay as they are. */
function routedPath(head: Head, bytes: Uint8Array, listener: ListenerPlan): string | null {
  const { pathStart, pathEnd, targetStart, targetEnd } = head;
  if (pathStart === pathEnd) return head.text(targetStart, targetEnd) === '*' ? '*' : '/';
  const out = Buffer.alloc(pathEnd - pathStart);
  const length = normalizePath(bytes, pathStart, pathEnd, out, listener.strict);
  if (length === PATH_REFUSED) return null;
  return length === PATH_SAME ? head.text(pathStart, pathEnd) : out.toString('latin1', 0, length);
}

function noteExchange(head: Head, bytes: Uint8Array, route: RoutePlan, notes: string[]): void {
  if (head.upgrade) {
    const protocol = head.text(head.valueStart[head.upgradeIndex]!, head.valueEnd[head.upgradeIndex]!);
    const allowed = route.upgrade.includes(protocol.toLowerCase());
    notes.push(
      allowed
        ? `The connection may be upgraded to ${protocol}.`
        : `This route does not upgrade to ${protocol}: the field is removed and the request goes on without.`,
    );
  }
  if (head.bodyKind === CHUNKED)
    notes.push(`A body over ${route.requestBodyBytesMax} bytes would be refused with 413.`);
  const dropped: string[] = [];
  for (let index = 0; index < head.count; index++) {
    const name = Buffer.from(bytes.subarray(head.nameStart[index], head.nameEnd[index])).toString('latin1');
    if (head.drop[index] === 1) dropped.push(name);
  }
  if (dropped.length > 0) notes.push(`Not forwarded, as of this connection only: ${dropped.join(', ')}.`);
}

function explainBreaker({ breaker, name }: ServicePlan, known: KnownReader | null): ExplainedBreaker | null {
  if (breaker === null) return null;
  return { phase: publishedPhase(breaker.cell), reason: known?.breaker(name) ?? NOTHING_KNOWN.reason };
}

function explainEndpoints(service: ServicePlan, known: KnownReader | null): ExplainedEndpoint[] {
  const { eligible } = new Eligibility(service.endpoints).refresh(0);
  const tiers = new Tiers(service.endpoints);
  const shares = tiers.shares(eligible);
  return service.endpoints.map((endpoint, index) => {
    const { health, reason: why } = known?.endpoint(service.name, endpoint.id) ?? NOTHING_KNOWN;
    const share = shares[tiers.tierOf(index)] ?? 0;
    const mayBePicked = eligible[index] === 1 && share > 0;
    const lanes = cellLanes(endpoint.cell, ENDPOINT_SLOTS);
    const inFlight = sumSlot(lanes, endpointSlots.inFlight);
    const inUse = sumSlot(lanes, endpointSlots.connections) - sumSlot(lanes, endpointSlots.idle);
    const isFull = endpoint.connectionsMax !== null && inUse >= endpoint.connectionsMax;
    const isReserve = eligible[index] === 1 && share < 1;
    const reason =
      (drainReason(endpoint, service) ?? healthReason(endpoint, health, why)) +
      (isReserve ? reserveReason(endpoint, share) : '') +
      (isFull ? `; full: all its connections are in use, ${inUse} of ${endpoint.connectionsMax}` : '');
    const { id: address, source, weight } = endpoint;
    return { address, source, weight, health, inFlight, mayBePicked, reason };
  });
}

function reserveReason({ backup, local }: EndpointPlan, share: number): string {
  const kind = backup ? 'a backup' : local ? 'of its priority' : 'of another zone';
  if (share === 0) return `; in reserve: ${kind}, and those before it have enough`;
  return `; ${kind}, which gets ${Math.round(share * 100)} % of the work now`;
}

/** Null if it does not drain. A config that runs nowhere has its word alone. */
function drainReason(endpoint: EndpointPlan, { affinity }: ServicePlan): string | null {
  const word = drainWord(endpoint);
  if (word === 'serving' && endpoint.drainMs === null) return null;
  const how = endpoint.drainMs === null ? 'it drains' : 'it drains by its config';
  const mayPinned = affinity !== null && word !== 'closed';
  return `${how}: no new work${mayPinned ? ' but that of clients who are pinned to it, for half of its time' : ''}`;
}

const NOTHING_KNOWN = {
  health: 'unknown',
  reason: 'not known to a file, only to a running gateway (--admin)',
} as const;

/** `why` comes from servers and the network, and is printable already. */
function healthReason({ weight }: EndpointPlan, health: Condition, why: string): string {
  if (weight === 0) return 'weight 0: it gets no new work';
  switch (health) {
    case 'down':
      return `its checks fail: ${why}`;
    case 'ejected':
      return `ejected for what its traffic says: ${why}`;
    case 'trial':
      return `${why}, with a tenth of its share`;
    case 'up':
    case 'unknown':
      return why;
    default:
      return health satisfies never;
  }
}
