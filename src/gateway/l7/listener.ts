/**
 * A listener on one worker: the server socket, what its connections share, and their way from the accept to HTTP:
 *
 *     accept → place → [PROXY header] → [TLS handshake] → HTTP
 *
 * All workers bind the same address (`SO_REUSEPORT`), so the kernel spreads connections over them. A listener lives as long
 * as its address and kind stay in the config; a reload gives it a new plan and leaves its connections alone. One that left
 * the config accepts no more, and goes on by its last plan and the routes of that config until its connections have ended.
 *
 * Invariant: whatever stage a connection is in, it has one place, which ends with it.
 */
import net from 'node:net';
import type tls from 'node:tls';
import { cellLane, cellLanes, type Lane } from '../../kernel/cells.ts';
import { Address, addressFrom, AddressSet } from '../../kernel/ip-address.ts';
import { LISTENER_SLOTS, listenerSlots } from '../slots.ts';
import type { ListenerPlan } from '../snapshot.ts';
import { SecureServer } from '../tls/server.ts';
import { Admission, type Place } from './admission.ts';
import { ClientConnection } from './client.ts';
import { Forwarding, ForwardingWriter } from './forwarded.ts';
import type { Head, RequestLimits } from './head.ts';
import { NetWire } from './net-wire.ts';
import type { Plane } from './plane.ts';
import { ProxiedWire } from './proxied.ts';
import type { Peer } from './raw-transport.ts';
import type { RoutedRequest } from '../routing/routed-request.ts';
import type { ShapedRequest } from '../shaping/template.ts';
import type { RouteTable } from '../routing/router.ts';
import { inTheClear, SecureArrival, type Security } from './secure-arrival.ts';
import type { Route } from './service.ts';
import type { Wire } from './wire.ts';
import type { AnyGate } from '../limits/limits.ts';
import type { Keyed } from '../limits/request-key.ts';

const NO_BYTES = new Uint8Array(0);

export class Listener {
  readonly plane: Plane;
  plan: ListenerPlan;
  requestLimits: RequestLimits;
  forwarding: ForwardingWriter;
  /** No new connections, and one more request at most on the old ones. */
  closing = false;
  port = 0;
  /** What is counted of it, by this worker. */
  readonly lane: Lane;
  readonly #admission: Admission;
  #table: RouteTable;
  /** The last request that was routed: valid until the next. */
  readonly routed: RoutedRequest;
  readonly #shaped: ShapedRequest;
  readonly #keyed: Keyed;
  /** What the table's numbers mean: they belong to one config, and are kept or replaced together. */
  #routes: readonly Route[];
  #trusted: AddressSet;
  #server: net.Server | null = null;
  #secure: SecureServer | null = null;
  /** Connections that wait for `open`, each with a place; null after it. */
  #early: (() => void)[] | null = [];

  /** `onLeft` is told of each connection that has gone. */
  constructor(plane: Plane, plan: ListenerPlan, onLeft: () => void) {
    this.plane = plane;
    this.plan = plan;
    this.lane = cellLane(plan.cell, LISTENER_SLOTS, plane.laneNumber);
    this.requestLimits = limitsOf(plan);
    this.#table = plane.router.table(plan.id);
    this.#routes = plane.routes;
    this.routed = { head: plane.head, path: plane.path, client: new Address() };
    this.#shaped = { routed: this.routed, clientText: NO_BYTES, clientLength: 0, secure: plan.tls !== null };
    this.#keyed = { routed: this.routed, listener: plan.id, route: '' };
    this.#trusted = trustedBy(plan);
    this.forwarding = this.#forwardingWriter();
    const lanes = cellLanes(plan.cell, LISTENER_SLOTS);
    this.#admission = new Admission({ lane: this.lane, lanes, onLeft }, plan.limits, this.#trusted);
  }

  /** Throws if `plan` cannot be applied, so that nothing is changed by half. */
  check(plan: ListenerPlan): void {
    trustedBy(plan);
    if (plan.tls !== null) this.#secure?.check(plan.tls);
  }

  /** Another plan for the same address. */
  apply(plan: ListenerPlan): void {
    this.plan = plan;
    this.requestLimits = limitsOf(plan);
    this.#table = this.plane.router.table(plan.id);
    this.#routes = this.plane.routes;
    this.#trusted = trustedBy(plan);
    this.#admission.apply(plan.limits, this.#trusted);
    this.forwarding = this.#forwardingWriter();
    if (plan.tls !== null) this.#secure?.apply(plan.tls);
  }

  /** Binds; `port` is the one to take (0 for any free). Resolves with the port that was bound. */
  async listen(port: number): Promise<number> {
    const secure = this.plan.tls === null ? null : new SecureServer(this.plan.id, this.plan.tls);
    this.#secure = secure;
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      if (secure === null) this.accept(new NetWire(socket, this.plane.buffers), peerOf(socket));
      else this.#acceptSecure(secure, socket);
    });
    await listening(server, this.plan.host, port);
    this.#server = server;
    const bound = server.address();
    this.port = typeof bound === 'object' && bound !== null ? bound.port : port;
    this.forwarding = this.#forwardingWriter();
    if (secure === null) this.plane.raw?.serve(server, (wire, peer) => this.accept(wire, peer));
    return this.port;
  }

  /** Lets in who has connected; until then all wait, because the config that they are to go by may not be in force yet. */
  open(): void {
    const early = this.#early;
    this.#early = null;
    for (const enter of early ?? []) enter();
  }

  /** Stops accepting. Connections close after their answer, idle ones after `idleMs`. */
  close(idleMs: number): void {
    this.open();
    this.closing = true;
    this.#server?.close();
    for (const guest of this.#admission.guests()) guest.drain(idleMs);
  }

  /** Ends every connection. */
  cut(): void {
    for (const guest of this.#admission.guests()) guest.cut();
  }

  /** Connections, in whatever stage. */
  get connections(): number {
    return this.#admission.taken;
  }

  count(slot: number): void {
    this.lane[slot] = (this.lane[slot] ?? 0) + 1;
  }

  tunnels(change: number): void {
    this.lane[listenerSlots.tunnels] = (this.lane[listenerSlots.tunnels] ?? 0) + change;
  }

  /** The route for the request in `head`, whose path is `plane.path`, from this client, whose connection has drawn `lot`. */
  route(head: Head, client: Address, lot: number): Route | undefined {
    const request = this.routed;
    request.head = head;
    request.client = client;
    const { canary } = this.plane;
    const isOnTrial = canary !== null && lot < canary.share;
    const route = isOnTrial ? canary.match(this.plan.id, request) : this.#routes[this.#table.match(request)];
    if (route === undefined) canary?.unrouted(isOnTrial);
    return route;
  }

  /** The limits that a request meets which goes by `route`; null if it meets none. */
  gate(route: Route): AnyGate | null {
    return route.gate(this.plan.id);
  }

  /** What their keys are read from: the last request that was routed. */
  keyed(route: Route): Keyed {
    const keyed = this.#keyed;
    keyed.route = route.plan.name;
    return keyed;
  }

  /** The last request that was routed, as what is made of it sees it. */
  shaped(forwarding: Forwarding): ShapedRequest {
    const request = this.#shaped;
    request.clientText = forwarding.clientText;
    request.clientLength = forwarding.clientLength;
    return request;
  }

  /**
   * With client certificates, what was proved for one name does not hold for another (RFC 9110 §15.5.20). What was to be asked by
   * TLS is not answered in the clear, except to a proxy that is trusted to have been asked so (§7.4).
   */
  isMisdirected(client: ClientConnection, head: Head): boolean {
    const { tls } = this.plan;
    if (tls === null) return head.targetSecure && client.forwarding.passed === null;
    if (tls.clientCaPem === null) return false;
    return head.text(head.hostStart, head.hostNameEnd).toLowerCase() !== client.security.serverName.toLowerCase();
  }

  // — From the accept to HTTP

  /** A place for who has just connected; null if it may not come in, which has been counted. */
  #admit(peer: Peer): Place | null {
    this.plane.tick();
    this.count(listenerSlots.accepted);
    const { address } = peer;
    const place = this.#mayEnter(address) ? this.#admission.take(address) : null;
    if (place === null) this.count(listenerSlots.refused);
    return place;
  }

  /** Where a PROXY header comes first, only who is believed may send one. */
  #mayEnter(address: Address | null): boolean {
    return this.plan.proxyProtocol === 'off' || (address !== null && this.#trusted.has(address));
  }

  /** A connection without TLS. */
  accept(wire: Wire, peer: Peer): void {
    const place = this.#admit(peer);
    if (place === null) wire.close();
    else if (this.#early === null) this.#enter(wire, place, peer);
    else {
      wire.pause();
      this.#early.push(() => {
        wire.resume();
        this.#enter(wire, place, peer);
      });
    }
  }

  #enter(wire: Wire, place: Place, peer: Peer): void {
    if (this.plan.proxyProtocol === 'off') {
      this.#begin(wire, place, peer, inTheClear);
      return;
    }
    const { plane } = this;
    const onRefused = (): void => this.count(listenerSlots.refused);
    const onClient = (client: Peer): boolean => {
      const isNamed = this.#name(place, client);
      if (isNamed) this.#begin(wire, place, client, inTheClear);
      return isNamed;
    };
    new ProxiedWire({ plane, wire, place, peer, onRefused, onClient }).begin();
  }

  #acceptSecure(server: SecureServer, socket: net.Socket): void {
    socket.on('error', () => {});
    const peer = peerOf(socket);
    const place = this.#admit(peer);
    if (place === null) socket.destroy();
    else if (this.#early === null) this.#enterSecure(server, socket, place, peer);
    else this.#early.push(() => this.#enterSecure(server, socket, place, peer));
  }

  #enterSecure(server: SecureServer, socket: net.Socket, place: Place, peer: Peer): void {
    const arrival = new SecureArrival({
      plane: this.plane,
      server,
      socket,
      peer,
      place,
      proxied: this.plan.proxyProtocol === 'required',
      handshakeMs: this.plan.timeouts.handshakeMs,
      onRefused: () => this.count(listenerSlots.refused),
      onFailedHandshake: () => this.count(listenerSlots.handshakeFailures),
      onClient: (client) => this.#name(place, client),
      onSecure: (secure, client) => this.#beginSecure(secure, place, client),
    });
    arrival.begin();
  }

  #name(place: Place, client: Peer): boolean {
    const isNamed = place.name(client.address);
    if (!isNamed) this.count(listenerSlots.refused);
    return isNamed;
  }

  #beginSecure(socket: tls.TLSSocket, place: Place, client: Peer): void {
    this.count(listenerSlots.handshakes);
    if (socket.isSessionReused()) this.count(listenerSlots.resumptions);
    const security = {
      serverName: typeof socket.servername === 'string' ? socket.servername : '',
      version: socket.getProtocol() ?? '',
    };
    this.#begin(this.plane.raw?.adopt(socket) ?? new NetWire(socket, this.plane.buffers), place, client, security);
  }

  #begin(wire: Wire, place: Place, client: Peer, security: Security): void {
    place.guest = new ClientConnection(this, wire, place, security, new Forwarding(client.address));
  }

  #forwardingWriter(): ForwardingWriter {
    const { plane, plan } = this;
    return new ForwardingWriter({
      plan,
      trusted: this.#trusted,
      pseudonym: plane.snapshot.pseudonym,
      port: this.port,
      random: plane.random,
      tracer: plane.tracer,
    });
  }
}

function trustedBy(plan: ListenerPlan): AddressSet {
  const set = AddressSet.compile(plan.trustedProxies);
  if (!(set instanceof AddressSet)) throw new RangeError(`listener ${plan.id}: ${set.mistake}`);
  return set;
}

function limitsOf({ limits, strict }: ListenerPlan): RequestLimits {
  return { ...limits, underscoresInNames: strict.underscoresInNames };
}

function peerOf({ remoteAddress = '' }: net.Socket): Peer {
  return { address: addressFrom(remoteAddress) };
}

async function listening(server: net.Server | tls.Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, reusePort: true, backlog: 4096 }, () => {
      server.off('error', reject);
      // Out of descriptors, say: the listener goes on.
      server.on('error', () => {});
      resolve();
    });
  });
}
