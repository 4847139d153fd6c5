/**
 * A listener on one worker: the server socket, what its connections share, and how many there are.
 *
 * All workers bind the same address (`SO_REUSEPORT`), so the kernel spreads connections over them. A listener lives as long
 * as its address and kind stay in the config; a reload gives it a new plan and leaves its connections alone.
 */
import net from 'node:net';
import type tls from 'node:tls';
import { cellLane, cellLanes, type Lane, sumSlot } from '../../kernel/cells.ts';
import { addressFrom, AddressSet } from '../../kernel/ip-address.ts';
import { LISTENER_SLOTS, listenerSlots } from '../slots.ts';
import type { ListenerPlan, ListenerTlsPlan } from '../snapshot.ts';
import { SecureServer } from '../tls/server.ts';
import { ClientConnection, inTheClear, type Security } from './client.ts';
import { Forwarding, ForwardingWriter } from './forwarded.ts';
import type { Head, RequestLimits } from './head.ts';
import { NetWire } from './net-wire.ts';
import type { Plane } from './plane.ts';
import { ProxiedWire, readFromSocket } from './proxied.ts';
import type { Peer } from './raw-transport.ts';
import type { RouteTable } from './router.ts';
import type { Wire } from './wire.ts';

export class Listener {
  readonly plane: Plane;
  plan: ListenerPlan;
  routes: RouteTable;
  requestLimits: RequestLimits;
  forwarding: ForwardingWriter;
  /** No new connections, and no new requests on the old ones. */
  closing = false;
  port = 0;
  readonly #lane: Lane;
  readonly #lanes: readonly Lane[];
  readonly #connections = new Set<ClientConnection>();
  readonly #perIp = new Map<string, number>();
  #trusted: AddressSet;
  #server: net.Server | null = null;
  #secure: SecureServer | null = null;
  /** Clients behind a balancer whose TLS handshake is under way, by the balancer's end. */
  readonly #proxiedPeers = new Map<string, Peer>();

  constructor(plane: Plane, plan: ListenerPlan) {
    this.plane = plane;
    this.plan = plan;
    this.#lane = cellLane(plan.cell, LISTENER_SLOTS, plane.laneNumber);
    this.#lanes = cellLanes(plan.cell, LISTENER_SLOTS);
    this.routes = plane.router.table(plan.id);
    this.requestLimits = limitsOf(plan);
    this.#trusted = trustedBy(plan);
    this.forwarding = this.#forwardingWriter();
  }

  /** Throws if `plan` cannot be applied, so that nothing is changed by half. */
  check(plan: ListenerPlan): void {
    trustedBy(plan);
    if (plan.tls !== null) this.#secure?.check(plan.tls);
  }

  /** Another plan for the same address. */
  apply(plan: ListenerPlan): void {
    this.plan = plan;
    this.routes = this.plane.router.table(plan.id);
    this.requestLimits = limitsOf(plan);
    this.#trusted = trustedBy(plan);
    this.forwarding = this.#forwardingWriter();
    if (plan.tls !== null) this.#secure?.apply(plan.tls);
  }

  /** Binds; `port` is the one to take (0 for any free). Resolves with the port that was bound. */
  async listen(port: number): Promise<number> {
    this.#secure = this.plan.tls === null ? null : this.#secureServer(this.plan.tls);
    const proxied = this.plan.proxyProtocol === 'required';
    const server =
      this.#secure !== null && !proxied
        ? this.#secure.server
        : net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#acceptSocket(socket));
    await listening(server, this.plan.host, port);
    this.#server = server;
    const bound = server.address();
    this.port = typeof bound === 'object' && bound !== null ? bound.port : port;
    this.forwarding = this.#forwardingWriter();
    if (this.#secure === null) this.plane.raw?.serve(server, (wire, peer) => this.#accept(wire, peer, inTheClear));
    return this.port;
  }

  /** Stops accepting. Idle connections close, others after their answer. */
  close(): void {
    this.closing = true;
    this.#server?.close();
    for (const connection of [...this.#connections]) connection.drain();
  }

  /** Ends every connection. */
  cut(): void {
    for (const connection of [...this.#connections]) connection.cut();
  }

  get open(): number {
    return this.#connections.size;
  }

  left(connection: ClientConnection): void {
    if (!this.#connections.delete(connection)) return;
    this.#lane[listenerSlots.connections] = this.#connections.size;
    const { address } = connection.peer;
    const same = (this.#perIp.get(address) ?? 1) - 1;
    if (same === 0) this.#perIp.delete(address);
    else this.#perIp.set(address, same);
    this.plane.connectionLeft();
  }

  count(slot: number): void {
    this.#lane[slot] = (this.#lane[slot] ?? 0) + 1;
  }

  tunnels(change: number): void {
    this.#lane[listenerSlots.tunnels] = (this.#lane[listenerSlots.tunnels] ?? 0) + change;
  }

  /** With client certificates, what was proved for one name does not hold for another (RFC 9110 §15.5.20). */
  isMisdirected(client: ClientConnection, head: Head): boolean {
    if ((this.plan.tls?.clientCaPem ?? null) === null) return false;
    return head.text(head.hostStart, head.hostNameEnd).toLowerCase() !== client.serverName.toLowerCase();
  }

  #secureServer(plan: ListenerTlsPlan): SecureServer {
    return new SecureServer({
      listenerId: this.plan.id,
      plan,
      handshakeMs: this.plan.timeouts.handshakeMs,
      onFailure: () => this.count(listenerSlots.handshakeFailures),
      onConnection: (socket) => this.#acceptSecure(socket),
    });
  }

  #acceptSecure(socket: tls.TLSSocket): void {
    this.count(listenerSlots.handshakes);
    if (socket.isSessionReused()) this.count(listenerSlots.resumptions);
    const balancer = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    const peer = this.#proxiedPeers.get(keyOf(balancer)) ?? balancer;
    this.#proxiedPeers.delete(keyOf(balancer));
    const security = {
      serverName: typeof socket.servername === 'string' ? socket.servername : '',
      version: socket.getProtocol() ?? '',
    };
    const wire = new NetWire(socket, this.plane.buffers);
    this.#admit(wire, peer, security);
  }

  /** In the clear on the public path, or before TLS where a PROXY protocol header comes first. */
  #acceptSocket(socket: net.Socket): void {
    const peer = { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 };
    const secure = this.#secure;
    if (secure === null) {
      this.#accept(new NetWire(socket, this.plane.buffers), peer, inTheClear);
      return;
    }
    if (!this.#isTrusted(peer)) {
      this.count(listenerSlots.refused);
      socket.destroy();
      return;
    }
    readFromSocket(this.plane, socket, (client) => {
      if (client === null) {
        this.count(listenerSlots.refused);
        socket.destroy();
        return;
      }
      // The TLS server knows the connection by its other end, which is the balancer.
      const key = keyOf(peer);
      this.#proxiedPeers.set(key, client);
      socket.once('close', () => this.#proxiedPeers.delete(key));
      secure.server.emit('connection', socket);
    });
  }

  #accept(wire: Wire, peer: Peer, security: Security): void {
    const { plane } = this;
    plane.tick();
    if (this.plan.proxyProtocol === 'off') {
      this.#admit(wire, peer, security);
      return;
    }
    const onRefused = (): void => this.count(listenerSlots.refused);
    if (!this.#isTrusted(peer)) {
      onRefused();
      wire.close();
      return;
    }
    const onClient = (client: Peer): void => this.#admit(wire, client, security);
    new ProxiedWire({ plane, wire, peer, onRefused, onClient }).begin();
  }

  #isTrusted(peer: Peer): boolean {
    const address = addressFrom(peer.address);
    return address !== null && this.#trusted.has(address);
  }

  #admit(wire: Wire, peer: Peer, security: Security): void {
    const { plane } = this;
    plane.tick();
    this.count(listenerSlots.accepted);
    const { connectionsMax, connectionsPerIpMax } = this.plan.limits;
    const same = (this.#perIp.get(peer.address) ?? 0) + 1;
    const all = sumSlot(this.#lanes, listenerSlots.connections) + 1;
    if (this.closing || same > connectionsPerIpMax || all > connectionsMax) {
      this.count(listenerSlots.refused);
      wire.close();
      return;
    }
    this.#perIp.set(peer.address, same);
    const address = addressFrom(peer.address);
    const forwarding = new Forwarding(address, address !== null && this.#trusted.has(address));
    this.#connections.add(new ClientConnection(this, wire, peer, security, forwarding));
    this.#lane[listenerSlots.connections] = this.#connections.size;
  }

  #forwardingWriter(): ForwardingWriter {
    const { plane, plan } = this;
    return new ForwardingWriter({
      plan,
      trusted: this.#trusted,
      pseudonym: plane.snapshot.pseudonym,
      port: this.port,
      random: plane.random,
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

function keyOf({ address, port }: Peer): string {
  return `${address} ${port}`;
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
