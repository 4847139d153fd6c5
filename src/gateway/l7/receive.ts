/**
 * From a parsed request head to a running exchange: the checks that need more than the head, the route, and the head that
 * goes out. Every refusal here leaves no byte upstream.
 */
import { ascii, ownBytes } from '../../kernel/bytes.ts';
import { ABSOLUTE_FORM, CHUNKED, METHOD_HEAD, METHOD_OPTIONS, NONE, OK, ORIGIN_FORM, type Head } from './head.ts';
import type { RouteAnswer } from '../shaping/route-answer.ts';
import type { Shaping } from '../shaping/shaping.ts';
import type { ShapedRequest } from '../shaping/template.ts';
import { listenerSlots, routeSlots, refusalNumber, type Refusal } from '../slots.ts';
import { OPTIONS_STATUS, optionsAnswer } from './answer.ts';
import { LARGE_BYTES, SMALL_BYTES } from './buffers.ts';
import type { ClientConnection } from './client.ts';
import { listedNames } from './connection.ts';
import type { Exchange } from './exchange.ts';
import { ParkedRequest } from './parked.ts';
import { normalizePath, PATH_REFUSED, PATH_SAME } from './target.ts';
import { acceptKey, webSocketRefusal } from './web-socket.ts';
import { equalsFolded } from './syntax.ts';
import {
  endHead,
  HEAD_EXTRA_BYTES,
  writeDeadlineField,
  writeField,
  writeRequestHead,
  writeUpgrade,
} from './write-head.ts';
import type { Route } from './service.ts';
import type { RemoteGate } from '../limits/remote-gate.ts';
import type { Verdict } from '../limits/verdict.ts';

const RATE_LIMITED = refusalNumber('rate_limited');
const LIMITS_UNAVAILABLE = refusalNumber('limits_unavailable');

/** The request was answered here. */
export const ANSWERED = -1;
/** The request waits for its limits; it is to be received again, from its first byte, when `client.parked` has their answer. */
export const PARKED = -2;

/** Starts an exchange for the request in `head`; `bytes[head.end, to)` came behind it. Returns the first byte not taken. */
export function receive(client: ClientConnection, head: Head, bytes: Uint8Array, to: number): number {
  const { listener, parked, plane } = client;
  if (parked === null) {
    client.requests++;
    plane.parking.waitedMs = 0;
    listener.count(listenerSlots.requests);
    return read(client, head, null, bytes, to);
  }
  client.parked = null;
  plane.parking.waitedMs = plane.nowMs - parked.sinceMs;
  const taken = read(client, head, parked, bytes, to);
  parked.release();
  return taken;
}

// WHY five parameters here and below: the hot path; an options object would be made for each request.
function read(
  client: ClientConnection,
  head: Head,
  parked: ParkedRequest | null,
  bytes: Uint8Array,
  to: number,
): number {
  const { plane, listener } = client;
  client.clientAskedToClose = !head.keepAlive && head.bodyKind === NONE;
  if (plane.overloaded && parked === null) return refuse(client, 'overloaded');
  const verdict = listener.forwarding.prepare(client.forwarding, head);
  if (verdict !== OK) return refuseNumber(client, verdict);
  if (head.maxForwards === 0 && head.methodId === METHOD_OPTIONS) {
    return answerOptions(client, head);
  }
  if (listener.isMisdirected(client, head)) return refuse(client, 'misdirected');
  if (!readPath(client, head)) return refuse(client, 'bad_path');
  const route = listener.route(head, client.forwarding.client, client.lot);
  if (route === undefined) return refuse(client, 'no_route');
  if (parked !== null) return goOn(client, head, route, parked, bytes, to);
  const gate = listener.gate(route);
  if (gate === null) return answer(client, head, route, bytes, to);
  if (gate.remote) return askRemote(client, head, route, gate, bytes, to);
  const { leases, verdict: said } = plane;
  if (!gate.enter(listener.keyed(route), said)) return refuseLimited(client, head, route, said);
  const taken = answer(client, head, route, bytes, to);
  // What an exchange is to give back it has taken over.
  leases.release(said.lease);
  said.lease = null;
  said.lines = '';
  return taken;
}

/** Some of its limits are in a store. */
// WHY six parameters here and below: as `answer` has them, and one more.
function askRemote(
  client: ClientConnection,
  head: Head,
  route: Route,
  gate: RemoteGate,
  bytes: Uint8Array,
  to: number,
): number {
  if (client.plane.parking.full) return refuse(client, 'overloaded', route);
  const parked = new ParkedRequest(client);
  const answered = parked.enter(gate, client.listener.keyed(route));
  if (answered === null) {
    client.parked = parked;
    return PARKED;
  }
  parked.allowed = answered;
  return goOn(client, head, route, parked, bytes, to);
}

/** The limits have answered. */
function goOn(
  client: ClientConnection,
  head: Head,
  route: Route,
  { allowed, verdict }: ParkedRequest,
  bytes: Uint8Array,
  to: number,
): number {
  const { leases, verdict: said } = client.plane;
  if (!allowed) return refuseLimited(client, head, route, verdict);
  said.lease = verdict.lease;
  said.lines = verdict.lines;
  verdict.lease = null;
  const taken = answer(client, head, route, bytes, to);
  leases.release(said.lease);
  said.lease = null;
  said.lines = '';
  return taken;
}

/** What is done about a request that may go on. */
// WHY five parameters: the hot path; an options object would be made for each request.
function answer(client: ClientConnection, head: Head, route: Route, bytes: Uint8Array, to: number): number {
  const { listener } = client;
  const { shaping } = route;
  if (shaping !== null) {
    const request = listener.shaped(client.forwarding);
    if (shaping.answer !== null) return answerRequest(client, head, route, shaping.answer, request);
    if (!shaping.rewrite(request, listener.plan.strict)) return refuse(client, 'bad_path', route);
  }
  if (head.contentLength > route.plan.requestBodyBytesMax) return refuse(client, 'body_too_large', route);
  const upgrading = head.upgrade && upgradeAllowed(head, route);
  const refusal = upgrading ? webSocketRefusal(head) : null;
  if (refusal !== null) {
    // What follows may be meant for the other protocol.
    head.keepAlive = false;
    return refuse(client, refusal, route);
  }
  return begin(client, head, route, upgrading, bytes, to);
}

/** `route` is the one that the request is for, if that is known. */
function refuse(client: ClientConnection, refusal: Refusal, route: Route | null = null): number {
  return refuseNumber(client, refusalNumber(refusal), route);
}

function refuseNumber(client: ClientConnection, number: number, route: Route | null = null): number {
  const { head } = client.plane;
  keepAliveAfter(client, head);
  client.plane.accounts.refused(client, head, route, number);
  const isHead = head.methodId === METHOD_HEAD;
  client.plane.refuse(client.wire, { number, close: !client.keepAlive, head: isHead, retryAfterS: -1 });
  return ANSWERED;
}

/** Limits have refused it; `verdict` says which. */
function refuseLimited(client: ClientConnection, head: Head, route: Route, verdict: Verdict): number {
  const { plane, wire } = client;
  const number = verdict.unavailable ? LIMITS_UNAVAILABLE : RATE_LIMITED;
  keepAliveAfter(client, head);
  plane.accounts.limited(client, head, route, verdict, number);
  const { retryAfterS } = verdict;
  const isHead = head.methodId === METHOD_HEAD;
  plane.refuse(wire, { number, close: !client.keepAlive, head: isHead, retryAfterS, limited: verdict });
  return ANSWERED;
}

/** The gateway's own answer to OPTIONS. */
function answerOptions(client: ClientConnection, head: Head): number {
  const { plane, wire } = client;
  keepAliveAfter(client, head);
  plane.accounts.answered(client, head, OPTIONS_STATUS, '');
  wire.write(optionsAnswer(plane.clock.wallMs(), !client.keepAlive));
  return ANSWERED;
}

/** The answer that the route gives by itself. */
function answerRequest(
  client: ClientConnection,
  head: Head,
  route: Route,
  answer: RouteAnswer,
  request: ShapedRequest,
): number {
  const { plane, wire } = client;
  if (answer.needsHost && head.hostStart === head.hostNameEnd) return refuse(client, 'bad_host', route);
  keepAliveAfter(client, head);
  const isHead = head.methodId === METHOD_HEAD;
  plane.accounts.answeredByRoute(client, head, route, answer.status, isHead ? 0 : answer.body.length);
  wire.write(answer.write(request, { wallMs: plane.clock.wallMs(), close: !client.keepAlive, head: isHead }));
  return ANSWERED;
}

/** The body, if there is one, has not been looked at: reading it to stay open is not worth it. */
function keepAliveAfter(client: ClientConnection, head: Head): void {
  client.keepAlive = head.keepAlive && head.bodyKind === NONE && client.mayKeepAlive();
}

/** Brings the path into the form by which it is routed and forwarded. */
function readPath(client: ClientConnection, head: Head): boolean {
  const { path } = client.plane;
  path.bytes = head.buffer;
  path.start = head.pathStart;
  path.end = head.pathEnd;
  path.changed = false;
  if (head.pathStart === head.pathEnd) {
    if (head.targetForm === ORIGIN_FORM) return false;
    path.changed = true; // `*`, or an absolute target without a path: written by `writeRequestHead`
    return true;
  }
  const length = normalizePath(
    head.buffer,
    head.pathStart,
    head.pathEnd,
    client.plane.pathScratch,
    client.listener.plan.strict,
  );
  if (length === PATH_REFUSED) return false;
  if (length !== PATH_SAME) {
    path.bytes = client.plane.pathScratch;
    path.start = 0;
    path.end = length;
    path.changed = true;
  }
  return true;
}

/** Only what is configured is upgraded to; an Upgrade to anything else, `h2c` above all, is not passed on. */
function upgradeAllowed(head: Head, route: Route): boolean {
  const index = head.upgradeIndex;
  const name = head.text(head.valueStart[index] ?? 0, head.valueEnd[index] ?? 0).toLowerCase();
  return name === 'websocket' && route.plan.upgrade.includes(name);
}

/** What a client says of a field that the gateway writes itself is not passed on. */
function dropField(head: Head, name: string): void {
  for (let index = 0; index < head.count; index++) {
    if (equalsFolded(head.buffer, head.nameStart[index]!, head.nameEnd[index]!, name.toLowerCase()))
      head.drop[index] = 1;
  }
}

// WHY six parameters: the hot path; an options object would be made for each request.
function begin(
  client: ClientConnection,
  head: Head,
  route: Route,
  upgrading: boolean,
  bytes: Uint8Array,
  to: number,
): number {
  const { plane, listener } = client;
  const arm = route.arm(listener.routed);
  const { service } = arm;
  const exchange = plane.takeExchange(client, route, arm);
  service.read(listener.routed, exchange);
  exchange.methodId = head.methodId;
  exchange.minorVersion = head.minorVersion;
  exchange.clientKeepAlive = head.keepAlive;
  exchange.expectsContinue = head.expectContinue;
  exchange.upgrading = upgrading;
  exchange.acceptKey = upgrading ? acceptKey(head) : '';
  const { request } = exchange;
  const listed = head.bodyKind === CHUNKED ? listedNames(head) : undefined;
  request.begin(head.bodyKind, head.contentLength, head.bodyKind, route.plan.requestBodyBytesMax, listed);
  if (route.shaping !== null) edit(client, head, exchange, route.shaping);
  takeVerdict(exchange, plane.verdict);

  const behind = request.done ? 0 : to - head.end;
  const headRoom = roomOf(client, head, exchange);
  const wanted = headRoom + request.room(behind);
  // A body larger than that could not be sent again anyway.
  const out = plane.buffers.borrow(wanted <= LARGE_BYTES ? wanted : Math.max(headRoom + SMALL_BYTES, LARGE_BYTES));
  const at = writeHead(client, head, exchange, out);
  exchange.requestHeadBytes = at;
  route.lane[routeSlots.requests] = (route.lane[routeSlots.requests] ?? 0) + 1;
  const taken = exchange.begin(out, at, bytes, head.end, to);
  route.mirror?.copy(exchange, listener.routed);
  if (exchange.active && !request.done) client.watchBody();
  return taken;
}

/** Takes out of the head what the route does not pass on, and keeps what is of use when the head is gone. */
function edit(client: ClientConnection, head: Head, exchange: Exchange, shaping: Shaping): void {
  const { path } = client.plane;
  if (shaping.rewrites) exchange.askedPath = ownBytes(path.bytes, path.start, path.end);
  shaping.requestFields?.drop(head);
  const { responseFields } = shaping;
  if (responseFields !== null) exchange.answerLines = responseFields.lines(client.listener.shaped(client.forwarding));
}

/** What limits have said of it lasts as long as it does. */
function takeVerdict(exchange: Exchange, verdict: Verdict): void {
  if (verdict.lease !== null) {
    exchange.plane.leases.keep(exchange, verdict.lease);
    verdict.lease = null;
  }
  if (verdict.lines === '') return;
  const lines = ascii(verdict.lines);
  exchange.answerLines = exchange.answerLines.length === 0 ? lines : Buffer.concat([exchange.answerLines, lines]);
}

/** The most bytes that `writeHead` writes. */
function roomOf(client: ClientConnection, head: Head, exchange: Exchange): number {
  const { forwarding, listener } = client;
  const { name, deadlineField } = exchange.service.plan;
  const { shaping } = exchange.route;
  let room = head.end - head.start + HEAD_EXTRA_BYTES + name.length + forwarding.room;
  if (deadlineField !== null) room += deadlineField.length + 16;
  if (shaping === null) return room;
  room += shaping.path.end - shaping.path.start + (shaping.host?.length ?? 0);
  return room + (shaping.requestFields?.room(listener.shaped(forwarding)) ?? 0);
}

/** The head that goes out, into `out` from 0. Returns its length. */
function writeHead(client: ClientConnection, head: Head, exchange: Exchange, out: Uint8Array): number {
  const { forwarding, listener, plane } = client;
  const { deadlineField, name } = exchange.service.plan;
  const { shaping } = exchange.route;
  if (head.maxForwards > 0) head.drop[head.maxForwardsIndex] = 1;
  if (deadlineField !== null) dropField(head, deadlineField);
  const host = shaping === null ? null : shaping.host;
  let at = writeRequestHead(head, shaping === null ? plane.path : shaping.path, host, out, 0);
  // HTTP/1.0 may come without Host, 1.1 may not go without (RFC 9112 §3.2): the service's name, as nginx does.
  if (head.hostIndex < 0 && head.targetForm !== ABSOLUTE_FORM && host === null) at = writeField('Host', name, out, at);
  if (head.maxForwards > 0) at = writeField('Max-Forwards', String(head.maxForwards - 1), out, at);
  if (exchange.upgrading) at = writeUpgrade(out, at);
  exchange.deadlineAt = 0;
  if (deadlineField !== null) {
    at = writeDeadlineField(deadlineField, out, at);
    exchange.deadlineAt = at;
  }
  if (shaping !== null && shaping.requestFields !== null)
    at = shaping.requestFields.write(listener.shaped(forwarding), out, at);
  at = listener.forwarding.write(forwarding, head, out, at);
  return endHead(out, at);
}
